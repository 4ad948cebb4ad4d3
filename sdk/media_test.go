package sdk

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/porchlight-hub/porchlight/sdk/av"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// ask makes one call and gives what the hub would see; answer is the hub's.
func ask(t *testing.T, call func(context.Context, *Hub) error, answer *pb.HubReply) (*pb.HubCall, error) {
	t.Helper()
	told := make(chan error, 1)
	p := start(t, stub{run: func(ctx context.Context, h *Hub) error { told <- call(ctx, h); return nil }})
	c := p.recvLink().GetCall()
	answer.Id = c.GetId()
	p.sendLink(&pb.FromHub{M: &pb.FromHub_Reply{Reply: answer}})
	return c, <-told
}

func notYet() *pb.HubReply {
	return &pb.HubReply{Error: &pb.Error{Code: pb.Code_CODE_NOT_YET, Message: "later"}}
}

// What later hubs will do is asked for in full today, and "not yet" is told apart.
func TestMediaRequestsAreWhole(t *testing.T) {
	for name, c := range map[string]struct {
		call func(context.Context, *Hub) error
		want *pb.HubCall
	}{
		"seconds back, converted": {
			func(ctx context.Context, h *Hub) error {
				_, err := h.OpenMedia(ctx, MediaRequest{
					Camera: "door", Stream: "sub", Start: av.Start{From: av.FromSecondsBack, Back: 4 * time.Second}, Stop: true,
					Rendition: av.Rendition{
						Video: av.VideoRendition{Codec: av.H264, Profile: "main", Level: 31, MaxWidth: 1280, MaxHeight: 720, MaxFPS: 30, MaxKbps: 2000, KeyInterval: 4 * time.Second},
						Audio: av.AudioRendition{Codec: av.L16, SampleRate: 16000, Channels: 1, Kbps: 24},
					},
				})
				return err
			},
			&pb.HubCall{C: &pb.HubCall_OpenMedia{OpenMedia: &pb.OpenMedia{
				Direction: pb.OpenMedia_DIRECTION_READ, Camera: "door", Stream: "sub",
				Start: &pb.MediaStart{From: pb.MediaStart_FROM_SECONDS_BACK, SecondsBack: 4},
				Video: &pb.VideoRendition{Codec: "h264", Profile: "main", Level: 31, MaxWidth: 1280, MaxHeight: 720, MaxFps: 30, MaxKbps: 2000, KeyIntervalSeconds: 4},
				Audio: &pb.AudioRendition{Codec: "pcm16", SampleRate: 16000, Channels: 1, Kbps: 24},
			}}},
		},
		"hold": {
			func(ctx context.Context, h *Hub) error {
				_, err := h.HoldPrebuffer(ctx, "door", "main", 4*time.Second)
				return err
			},
			&pb.HubCall{C: &pb.HubCall_HoldPrebuffer{HoldPrebuffer: &pb.HoldPrebuffer{Camera: "door", Stream: "main", Seconds: 4}}},
		},
		"act": {
			func(ctx context.Context, h *Hub) error { return h.Act(ctx, "door", PTZPreset{Preset: "gate"}) },
			&pb.HubCall{C: &pb.HubCall_ActOnDevice{ActOnDevice: &pb.ActOnDevice{Act: actToProto("door", PTZPreset{Preset: "gate"})}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ask(t, c.call, notYet())
			if !errors.Is(err, ErrNotYet) {
				t.Errorf("have %v", err)
			}
			got.Id, got.Deadline = "", nil
			if !proto.Equal(got, c.want) {
				t.Errorf("have %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestDescribeMedia(t *testing.T) {
	var d MediaDescription
	track := av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, Generation: 2, Width: 1280, Height: 720, FPS: 25, SPS: []byte{1}, PPS: []byte{2}}
	wire := trackToProto(track)
	wire.CodecString, wire.KeyIntervalSeconds, wire.Bitrate = "avc1.4d401f", 2, 900_000
	_, err := ask(t, func(ctx context.Context, h *Hub) (err error) { d, err = h.DescribeMedia(ctx, "door"); return err },
		&pb.HubReply{R: &pb.HubReply_DescribeMedia{DescribeMedia: &pb.DescribeMediaReply{
			Streams: []*pb.StreamDescription{{Name: "main", Live: true, PrebufferSeconds: 10, Tracks: []*pb.Track{wire}}},
			Talk:    []*pb.Track{{Id: 2, Codec: "opus"}},
		}}})
	want := MediaDescription{
		Streams: []StreamDescription{{Name: "main", Live: true, Prebuffer: 10 * time.Second, Tracks: []TrackDescription{{Track: track, CodecString: "avc1.4d401f", KeyInterval: 2 * time.Second, Bitrate: 900_000}}}},
		Talk:    []av.Track{{ID: 2, Codec: av.Opus}},
	}
	if err != nil || !reflect.DeepEqual(d, want) {
		t.Errorf("%v\nhave %+v\nwant %+v", err, d, want)
	}
}

func TestWhoTalks(t *testing.T) {
	_, err := ask(t, func(ctx context.Context, h *Hub) error {
		_, _, err := h.OpenTalk(ctx, "door", "phone", av.Track{})
		return err
	},
		&pb.HubReply{Error: &pb.Error{Code: pb.Code_CODE_BUSY}, R: &pb.HubReply_OpenTalk{OpenTalk: &pb.OpenTalkReply{Talker: "the hall"}}})
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "the hall") {
		t.Errorf("have %v", err)
	}
}

func TestActsTravel(t *testing.T) {
	half := 50
	for _, a := range []Act{RelayPulse{Relay: "gate", For: time.Second}, LightSet{Light: "porch", On: true, Brightness: &half}, LightSet{}, PTZPreset{Preset: "a"}, ModeSet{Mode: "ir", Value: "off"}} {
		if got := actFrom(actToProto("d", a)); !reflect.DeepEqual(got, a) {
			t.Errorf("%#v came as %#v", a, got)
		}
	}
}

// An author's error is typed by the sentinel in it, however deep.
func TestErrorsTravel(t *testing.T) {
	for code, kind := range kinds() {
		m := errorToProto(errors.Join(errors.New("relay"), kind))
		if m.GetCode() != code {
			t.Errorf("%v went as %s", kind, m.GetCode())
		}
		if back := errorFrom("act", m); !errors.Is(back, kind) || strings.Count(back.Error(), "act") != 1 {
			t.Errorf("%v came back as %v", kind, back)
		}
	}
	if m := errorToProto(errors.New("odd")); m.GetCode() != pb.Code_CODE_INTERNAL {
		t.Errorf("an untyped error went as %s", m.GetCode())
	}
	if errorToProto(nil) != nil || errorFrom("x", nil) != nil {
		t.Error("no error became one")
	}
}
