package sdk

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/sdk/av"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// mediaSocket is the name of the socket in the instance directory.
const mediaSocket = "media.sock"

// PublishMedia opens a stream (main or sub) of one of the plugin's cameras for
// pushing. Tracks can also be announced later by Publisher.SetTrack. Another
// PublishMedia for the same stream takes over from this one.
func (h *Hub) PublishMedia(ctx context.Context, camera, stream string, tracks ...av.Track) (*av.Publisher, error) {
	r, err := h.call(ctx, "publish media", &pb.HubCall{C: &pb.HubCall_OpenMedia{OpenMedia: &pb.OpenMedia{
		Direction: pb.OpenMedia_DIRECTION_PUBLISH, Camera: camera, Stream: stream, Tracks: tracksToProto(tracks),
	}}})
	if err != nil {
		return nil, err
	}
	p, err := av.NewPublisher(ctx, h.mediaPath(), r.GetOpenMedia().GetToken(), tracks...)
	return p, mediaError("publish media", err)
}

// OpenMedia reads a stream. What the hub had to convert, and why, is told by Reader.Rendition.
func (h *Hub) OpenMedia(ctx context.Context, m MediaRequest) (*av.Reader, error) {
	r, err := h.call(ctx, "open media", &pb.HubCall{C: &pb.HubCall_OpenMedia{OpenMedia: &pb.OpenMedia{
		Direction: pb.OpenMedia_DIRECTION_READ, Camera: m.Camera, Stream: m.Stream,
		Start:  &pb.MediaStart{From: pb.MediaStart_From(m.Start.From), SecondsBack: m.Start.Back.Seconds()},
		Follow: !m.Stop, Video: videoToProto(m.Rendition.Video), Audio: audioToProto(m.Rendition.Audio),
	}}})
	if err != nil {
		return nil, err
	}
	return h.openReader(ctx, "open media", r.GetOpenMedia().GetToken())
}

// MediaRequest names a stream, where to begin, and in which form it is wanted.
type MediaRequest struct {
	Camera    string
	Stream    string   // main, sub
	Start     av.Start // zero: the newest key frame
	Stop      bool     // end when the ring is drained, instead of following
	Rendition av.Rendition
}

// DescribeMedia tells what a camera offers, before anything is opened.
func (h *Hub) DescribeMedia(ctx context.Context, camera string) (MediaDescription, error) {
	r, err := h.call(ctx, "describe media", &pb.HubCall{C: &pb.HubCall_DescribeMedia{DescribeMedia: &pb.DescribeMedia{Camera: camera}}})
	var d MediaDescription
	for _, s := range r.GetDescribeMedia().GetStreams() {
		out := StreamDescription{Name: s.GetName(), Live: s.GetLive(), Prebuffer: seconds(s.GetPrebufferSeconds())}
		for _, t := range s.GetTracks() {
			out.Tracks = append(out.Tracks, TrackDescription{
				Track: trackFrom(t), CodecString: t.GetCodecString(),
				KeyInterval: seconds(t.GetKeyIntervalSeconds()), Bitrate: t.GetBitrate(),
			})
		}
		d.Streams = append(d.Streams, out)
	}
	for _, t := range r.GetDescribeMedia().GetTalk() {
		d.Talk = append(d.Talk, trackFrom(t))
	}
	return d, err
}

// MediaDescription is what a camera offers, and in which forms it takes speech.
type MediaDescription struct {
	Streams []StreamDescription
	Talk    []av.Track // empty: it takes none
}

// StreamDescription is one quality of a camera.
type StreamDescription struct {
	Name      string
	Live      bool
	Tracks    []TrackDescription
	Prebuffer time.Duration // how far back a reader can go
}

// TrackDescription is a track with what was measured of it.
type TrackDescription struct {
	av.Track
	CodecString string        // RFC 6381, e.g. avc1.4d401f
	KeyInterval time.Duration // 0: not known
	Bitrate     uint64        // bit a second over the last 10 s; 0: not known
}

// Snapshot asks for a JPEG of a camera, or by Handle for the picture of an event.
func (h *Hub) Snapshot(ctx context.Context, s SnapshotRequest) (Image, error) {
	r, err := h.call(ctx, "snapshot", &pb.HubCall{C: &pb.HubCall_Snapshot{Snapshot: &pb.SnapshotGet{
		Camera: s.Camera, Width: uint32(s.Width), Height: uint32(s.Height),
		MaxAge: durationpb.New(s.MaxAge), Reason: s.Reason, Handle: s.Handle,
	}}})
	if err != nil {
		return Image{}, err
	}
	u, err := av.ReadImage(ctx, h.mediaPath(), r.GetSnapshot().GetToken())
	if err != nil {
		return Image{}, mediaError("snapshot", err)
	}
	a := r.GetSnapshot()
	return Image{JPEG: u.Data, Taken: a.GetTaken().AsTime(), Width: int(a.GetWidth()), Height: int(a.GetHeight())}, nil
}

// RequestKeyFrame asks a camera for a key frame soon.
func (h *Hub) RequestKeyFrame(ctx context.Context, camera, stream string) error {
	_, err := h.call(ctx, "request key frame", &pb.HubCall{C: &pb.HubCall_RequestKeyFrame{RequestKeyFrame: &pb.RequestKeyFrame{Camera: camera, Stream: stream}}})
	return err
}

// HoldPrebuffer asks the hub to keep so much of a stream for readers that begin in
// the past; 0 gives it up. The answer is what the hub can hold, at most 30 s.
func (h *Hub) HoldPrebuffer(ctx context.Context, camera, stream string, d time.Duration) (time.Duration, error) {
	r, err := h.call(ctx, "hold prebuffer", &pb.HubCall{C: &pb.HubCall_HoldPrebuffer{HoldPrebuffer: &pb.HoldPrebuffer{Camera: camera, Stream: stream, Seconds: d.Seconds()}}})
	return seconds(r.GetHoldPrebuffer().GetSeconds()), err
}

// OpenTalk opens the way to a door's loudspeaker. The track that the device takes
// may differ from the one asked for: it is the second result, already announced on
// the publisher. ErrBusy: somebody talks, and the error says who.
func (h *Hub) OpenTalk(ctx context.Context, camera, talker string, track av.Track) (*av.Publisher, av.Track, error) {
	r, err := h.call(ctx, "open talk", &pb.HubCall{C: &pb.HubCall_OpenTalk{OpenTalk: &pb.OpenTalk{
		Camera: camera, Talker: talker, Track: trackToProto(track),
	}}})
	if err != nil {
		if who := r.GetOpenTalk().GetTalker(); who != "" && errors.Is(err, ErrBusy) {
			return nil, av.Track{}, &Error{Call: "open talk", Kind: ErrBusy, Message: who + " talks to " + camera}
		}
		return nil, av.Track{}, err
	}
	if t := r.GetOpenTalk().GetTrack(); t != nil {
		track = trackFrom(t)
	}
	p, err := av.NewPublisher(ctx, h.mediaPath(), r.GetOpenTalk().GetToken(), track)
	return p, track, mediaError("open talk", err)
}

// CutClip opens a span of a recording for reading: one MP4 file in units of track
// av.FileTrack. Each needs the owner's grant of exactly that clip.
func (h *Hub) CutClip(ctx context.Context, c ClipRequest) (*av.Reader, error) {
	call := &pb.HubCall{C: &pb.HubCall_CutClip{CutClip: &pb.CutClip{
		Camera: c.Camera, From: stamp(c.From), To: stamp(c.To), Grant: c.Grant, Audio: c.Audio,
	}}}
	for _, b := range c.Blur {
		call.GetCutClip().Blur = append(call.GetCutClip().Blur, &pb.Region{Points: b})
	}
	r, err := h.call(ctx, "cut clip", call)
	if err != nil {
		return nil, err
	}
	return h.openReader(ctx, "cut clip", r.GetCutClip().GetToken())
}

// ClipRequest names a span of a recording and the owner's grant of it.
type ClipRequest struct {
	Camera   string
	From, To time.Time
	Grant    string // from the owner's answer to AskOwner
	Audio    bool   // with sound
	// Blur: polygons, x and y in turn from 0 to 1, made unrecognisable over the whole clip.
	Blur [][]float64
}

func (h *Hub) mediaPath() string {
	return filepath.Join(h.in.Setup().GetInstanceDir(), mediaSocket)
}

func (h *Hub) openReader(ctx context.Context, what, token string) (*av.Reader, error) {
	r, err := av.Open(ctx, h.mediaPath(), token)
	return r, mediaError(what, err)
}

// mediaError gives the socket's refusals the kinds of the calls.
func mediaError(what string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Call: what, Message: err.Error(), Kind: ErrUnavailable}
	var refused *av.Refused
	if errors.As(err, &refused) {
		e.Explain, e.Message, e.Kind = refused.Answer.Code, refused.Answer.Reason, ErrDenied
		switch refused.Status {
		case av.StatusNotYet:
			e.Kind = ErrNotYet
		case av.StatusBusy:
			e.Kind = ErrBusy
		}
	}
	return e
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
