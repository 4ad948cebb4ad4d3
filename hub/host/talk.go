package host

import (
	"context"
	"fmt"
	"slices"

	"github.com/porchlight-hub/porchlight/sdk/av"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// Talk is the desk at which plugins are let speak.
type Talk interface {
	// Open lets plugin speak to camera, as talker. It answers with the token under which
	// it publishes, and the track that it is to send. busy names who speaks already; err
	// is set then too.
	Open(ctx context.Context, plugin, camera, talker string, track av.Track) (token string, take av.Track, busy string, err error)
	// Takes is what the camera takes, best first; nil: it takes none, or is not known yet.
	Takes(camera string) []av.Track
}

// maxTalker is how long a talker's name may be, in bytes.
const maxTalker = 64

// taken: somebody else holds it. What says so has its code and its text.
type taken struct{ err error }

func (t taken) Error() string { return t.err.Error() }
func (t taken) Unwrap() error { return t.err }

func (h *Host) openTalk(ctx context.Context, n *entry, m *pb.OpenTalk, reply *pb.HubReply) error {
	if h.Talk == nil {
		return ErrNotYet
	}
	c, ok := h.Cameras.Camera(m.GetCamera())
	switch {
	case !ok:
		return refusal{pb.Code_CODE_NOT_FOUND, fmt.Sprintf("camera %q: there is none", clip(m.GetCamera(), 64))}
	case !n.granted().GetTalk() && !h.owns(n.Name, c.ID):
		return denied("talking to camera " + c.ID)
	case !c.Talk:
		return refusal{pb.Code_CODE_UNSUPPORTED, "camera " + c.ID + " cannot be talked to"}
	}
	track := TrackFromProto(m.GetTrack())
	if !slices.Contains([]av.Codec{av.Opus, av.PCMU, av.PCMA, av.L16}, track.Codec) {
		return refusal{pb.Code_CODE_INVALID, "open talk: want a track of opus, pcmu, pcma or l16"}
	}
	track.Kind = av.Sound
	talker := clip(m.GetTalker(), maxTalker)
	if talker == "" {
		talker = n.Name
	}
	token, take, busy, err := h.Talk.Open(ctx, n.Name, c.ID, talker, track)
	if busy != "" && err != nil {
		reply.R = &pb.HubReply_OpenTalk{OpenTalk: &pb.OpenTalkReply{Talker: busy}}
		return taken{err}
	}
	if err != nil {
		return err
	}
	reply.R = &pb.HubReply_OpenTalk{OpenTalk: &pb.OpenTalkReply{Token: token, Track: TracksToProto([]av.Track{take})[0]}}
	return nil
}

// talkTracks is what a camera takes, for those who may know.
func (h *Host) talkTracks(camera string) []*pb.Track {
	if c, ok := h.Cameras.Camera(camera); h.Talk == nil || !ok || !c.Talk {
		return nil
	}
	return TracksToProto(h.Talk.Takes(camera))
}
