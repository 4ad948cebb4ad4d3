package host

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// oneDoor is a desk at which Anna talks once somebody else has.
type oneDoor struct{ open int }

type annaTalks struct{}

func (annaTalks) Error() string { return "Anna is talking to porch" }
func (annaTalks) Code() string  { return "E-TALK-BUSY" }

func (d *oneDoor) Open(_ context.Context, plugin, camera, talker string, track av.Track) (string, av.Track, string, error) {
	if d.open++; d.open > 1 {
		return "", av.Track{}, "Anna", fmt.Errorf("talk: %w", annaTalks{})
	}
	track.ID = 5
	return strings.Join([]string{"talk", plugin, camera, talker, string(track.Kind)}, " "), track, "", nil
}

func (*oneDoor) Takes(string) []av.Track { return []av.Track{av.PCMTrack(1, av.PCMU, 8000, 1)} }

func TestOpenTalk(t *testing.T) {
	f := newHost(t)
	open := func(plugin, camera, talker string, codec av.Codec) *pb.HubReply {
		return f.call(t, plugin, &pb.HubCall{C: &pb.HubCall_OpenTalk{OpenTalk: &pb.OpenTalk{Camera: camera, Talker: talker,
			Track: &pb.Track{Id: 2, Codec: string(codec), ClockRate: 48000}}}})
	}
	describe := func() *pb.DescribeMediaReply {
		return f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_DescribeMedia{DescribeMedia: &pb.DescribeMedia{Camera: "porch"}}}).GetDescribeMedia()
	}
	f.grant(t, "bell", manifest.Permissions{})
	f.grant(t, "other", manifest.Permissions{})
	if c := open("bell", "porch", "", av.Opus).GetError().GetCode(); c != pb.Code_CODE_NOT_YET {
		t.Errorf("without a desk: %v", c)
	}
	f.Talk = &oneDoor{}
	if c := open("bell", "porch", "", av.Opus).GetError().GetCode(); c != pb.Code_CODE_UNSUPPORTED || describe().GetTalk() != nil {
		t.Errorf("a camera that cannot: %v, %v", c, describe().GetTalk())
	}
	h := f.Cameras.(house)
	porch := h["porch"]
	porch.Talk = true
	h["porch"] = porch
	for _, c := range []struct {
		name, plugin, camera string
		codec                av.Codec
		want                 pb.Code
	}{
		{"no such camera", "bell", "cellar", av.Opus, pb.Code_CODE_NOT_FOUND},
		{"another's camera without talk", "other", "porch", av.Opus, pb.Code_CODE_DENIED},
		{"no sound at all", "bell", "porch", av.H264, pb.Code_CODE_INVALID},
		{"what is not made", "bell", "porch", av.AAC, pb.Code_CODE_INVALID},
	} {
		if r := open(c.plugin, c.camera, "", c.codec); r.GetError().GetCode() != c.want {
			t.Errorf("%s: %v", c.name, r)
		}
	}
	r := open("bell", "porch", "", av.Opus)
	if o := r.GetOpenTalk(); o.GetToken() != "talk bell porch bell audio" || o.GetTrack().GetId() != 5 || r.GetError() != nil {
		t.Errorf("its own camera: %v", r)
	}
	f.grant(t, "other", manifest.Permissions{Talk: true})
	r = open("other", "porch", strings.Repeat("x", 200), av.PCMU)
	if r.GetError().GetCode() != pb.Code_CODE_BUSY || r.GetError().GetExplain() != "E-TALK-BUSY" || r.GetOpenTalk().GetTalker() != "Anna" || r.GetOpenTalk().GetToken() != "" {
		t.Errorf("the second: %v", r)
	}
	if got := describe().GetTalk(); len(got) != 1 || got[0].GetCodec() != "pcmu" {
		t.Errorf("what it takes: %v", got)
	}
}
