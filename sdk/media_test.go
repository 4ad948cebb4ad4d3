package sdk

import (
	"context"
	"errors"
	"fmt"
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
						Video: av.VideoRendition{Codec: av.H264, Profile: "main", Level: 31, MaxWidth: 1280, MaxHeight: 720, MaxFPS: 30, MaxKbps: 2000, KeyInterval: 4 * time.Second, InOrder: true},
						Audio: av.AudioRendition{Codec: av.L16, SampleRate: 16000, Channels: 1, Kbps: 24},
					},
				})
				return err
			},
			&pb.HubCall{C: &pb.HubCall_OpenMedia{OpenMedia: &pb.OpenMedia{
				Direction: pb.OpenMedia_DIRECTION_READ, Camera: "door", Stream: "sub",
				Start: &pb.MediaStart{From: pb.MediaStart_FROM_SECONDS_BACK, SecondsBack: 4},
				Video: &pb.VideoRendition{Codec: "h264", Profile: "main", Level: 31, MaxWidth: 1280, MaxHeight: 720, MaxFps: 30, MaxKbps: 2000, KeyIntervalSeconds: 4, InOrder: true},
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
		"clip": {
			func(ctx context.Context, h *Hub) error {
				_, err := h.CutClip(ctx, ClipRequest{Camera: "door", From: time.Unix(1, 0), To: time.Unix(31, 0), Grant: "g", Audio: true, Blur: [][]float64{{0, 0, 1, 0, 1, 1}}})
				return err
			},
			&pb.HubCall{C: &pb.HubCall_CutClip{CutClip: &pb.CutClip{
				Camera: "door", From: stamp(time.Unix(1, 0)), To: stamp(time.Unix(31, 0)), Grant: "g", Audio: true, Blur: []*pb.Region{{Points: []float64{0, 0, 1, 0, 1, 1}}},
			}}},
		},
		"question": {
			func(ctx context.Context, h *Hub) error {
				return h.AskOwner(ctx, Question{Prompt: "7", Title: "t", Text: "x", Action: "answered", Expires: time.Unix(9, 0), Link: "https://example.org/",
					Clips: []ClipSpan{{Camera: "door", From: time.Unix(1, 0), To: time.Unix(31, 0)}}})
			},
			&pb.HubCall{C: &pb.HubCall_AskOwner{AskOwner: &pb.AskOwner{Prompt: "7", Title: "t", Text: "x", Action: "answered", Expires: stamp(time.Unix(9, 0)), Link: "https://example.org/",
				Clips: []*pb.ClipSpan{{Camera: "door", From: stamp(time.Unix(1, 0)), To: stamp(time.Unix(31, 0))}}}}},
		},
		"fetch with a login": {
			func(ctx context.Context, h *Hub) error {
				_, err := h.HTTPFetch(ctx, FetchRequest{URL: "https://192.0.2.7/", Credential: Credential{Username: "viewer", Secret: "front_door"}, Fingerprint: "sha256:00"})
				return err
			},
			&pb.HubCall{C: &pb.HubCall_HttpFetch{HttpFetch: &pb.HTTPFetch{Url: "https://192.0.2.7/", Credential: &pb.Credential{Username: "viewer", Secret: "front_door"}, Fingerprint: "sha256:00"}}},
		},
		"mute a chime": {
			func(ctx context.Context, h *Hub) error { return h.SetQuiet(ctx, "hall", true, time.Hour) },
			&pb.HubCall{C: &pb.HubCall_SetQuiet{SetQuiet: &pb.SetQuiet{Chime: "hall", Active: true, For: span(time.Hour)}}},
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
	for _, a := range []Act{RelayPulse{Relay: "gate", For: time.Second}, LightSet{Light: "porch", On: true, Brightness: &half}, LightSet{}, PTZPreset{Preset: "a"}, ModeSet{Mode: "ir", Value: "off"}, HangUp{}} {
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

// A source, a device and the house arrive as they were told; a login shows no password.
func TestDescriptionsTravel(t *testing.T) {
	login := Credential{Username: "viewer", Password: "p@:/#"}
	m := sourceToProto(Source{
		Streams: []StreamSource{{Name: "main", URL: "rtsp://192.0.2.7/1", Credential: login, Transport: "udp", Fingerprint: "sha256:00"}}, Pull: "battery", PullLimit: time.Minute,
		Talk: "plugin", TalkTracks: []av.Track{{ID: 1, Codec: av.PCMU}}, SnapshotURL: "https://192.0.2.7/jpg", SnapshotCredential: Credential{Secret: "door"}, SnapshotFingerprint: "sha256:01", Quirks: []string{"no_range"},
	})
	want := &pb.SourceDescriptor{
		Streams: []*pb.StreamSource{{Name: "main", Url: "rtsp://192.0.2.7/1", Credential: &pb.Credential{Username: "viewer", Password: "p@:/#"}, Transport: "udp", Fingerprint: "sha256:00"}},
		Pull:    "battery", PullLimit: span(time.Minute), Talk: "plugin", TalkTracks: []*pb.Track{{Id: 1, Codec: "pcmu"}},
		SnapshotUrl: "https://192.0.2.7/jpg", SnapshotCredential: &pb.Credential{Secret: "door"}, SnapshotFingerprint: "sha256:01", Quirks: []string{"no_range"},
	}
	if !proto.Equal(m, want) {
		t.Errorf("have %v\nwant %v", m, want)
	}
	if s := fmt.Sprintf("%v %+v %#v", login, login, login); strings.Contains(s, "p@:/#") {
		t.Errorf("a password is printed: %s", s)
	}
	d := DeviceDescription{
		Manufacturer: "Acme", Model: "Bell", Serial: "1", Firmware: "2.0", EventTypes: []EventType{TypeRing, TypeVehicle}, Presses: []string{"long"},
		Buttons: []Choice{{ID: "a", Name: "Upstairs"}}, Relays: []Choice{{ID: "1"}}, Lights: []Choice{{ID: "l", Values: []string{"brightness"}}},
		Presets: []Choice{{ID: "gate"}}, Modes: []Choice{{ID: "night_vision", Values: []string{"auto", "on", "off"}}}, Identify: true, Battery: true,
	}
	if got := deviceFrom(deviceToProto(d)); !reflect.DeepEqual(*got, d) {
		t.Errorf("have %+v\nwant %+v", *got, d)
	}
	var h House
	until := time.Unix(1_800_000_000, 0).UTC()
	_, err := ask(t, func(ctx context.Context, hub *Hub) (err error) { h, err = hub.House(ctx); return err },
		&pb.HubReply{R: &pb.HubReply_DescribeHouse{DescribeHouse: &pb.DescribeHouseReply{Mode: "home", Modes: []string{"home", "away"}, Quiet: &pb.Quiet{Active: true, Until: stamp(until)},
			Chimes: []*pb.ChimeInfo{{Id: "hall", Name: "Hall", Quiet: &pb.Quiet{Chime: "hall"}}}, Schedules: []*pb.Schedule{{Schedule: "night", Active: true}}}}})
	house := House{Mode: "home", Modes: []string{"home", "away"}, Quiet: Quiet{Active: true, Until: until},
		Chimes: []ChimeInfo{{ID: "hall", Name: "Hall", Quiet: Quiet{Chime: "hall"}}}, Schedules: []Schedule{{Schedule: "night", Active: true}}}
	if err != nil || !reflect.DeepEqual(h, house) {
		t.Errorf("%v\nhave %+v\nwant %+v", err, h, house)
	}
}
