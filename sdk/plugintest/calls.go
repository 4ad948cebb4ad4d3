package plugintest

import (
	"strings"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// NotYet names the hub calls that the hub of this version answers with "not yet".
// Their signatures are final; the kit's hub answers them in the same way.
func NotYet() []string {
	return []string{
		"dial", "discover", "http_fetch", "register_webhook", "cut_clip", "ask_owner", "set_mode", "play_chime",
	}
}

// held is how many seconds of a stream the kit's hub says that it keeps.
const held = 10

// callName is the name of the call's member in the protocol.
func callName(c *pb.HubCall) string {
	m := c.ProtoReflect()
	f := m.WhichOneof(m.Descriptor().Oneofs().ByName("c"))
	if f == nil {
		return "unknown"
	}
	return string(f.Name())
}

// hubCall answers one call as the hub does.
func (h *Hub) hubCall(c *pb.HubCall) (r *pb.HubReply) {
	name := callName(c)
	h.note(func() {
		h.calls = append(h.calls, name)
		if h.refuse != 0 {
			r = refusal(h.refuse, "refused by the test")
			return
		}
		r = h.answerCall(c)
	})
	return r
}

func refusal(code pb.Code, text string) *pb.HubReply {
	return &pb.HubReply{Error: &pb.Error{Code: code, Message: text}}
}

func okay() *pb.HubReply { return &pb.HubReply{R: &pb.HubReply_Done{Done: &pb.Done{}}} }

// answerCall is called with the lock held.
func (h *Hub) answerCall(c *pb.HubCall) *pb.HubReply {
	if r := h.answerHouse(c); r != nil {
		return r
	}
	switch c := c.GetC().(type) {
	case *pb.HubCall_KvGet:
		v, ok := h.kv[c.KvGet.GetKey()]
		return &pb.HubReply{R: &pb.HubReply_KvGet{KvGet: &pb.KVGetReply{Found: ok, Value: v}}}
	case *pb.HubCall_KvPut:
		h.kv[c.KvPut.GetKey()] = c.KvPut.GetValue()
		return okay()
	case *pb.HubCall_KvDelete:
		delete(h.kv, c.KvDelete.GetKey())
		return okay()
	case *pb.HubCall_KvList:
		out := &pb.KVListReply{}
		for k := range h.kv {
			if strings.HasPrefix(k, c.KvList.GetPrefix()) {
				out.Keys = append(out.Keys, k)
			}
		}
		return &pb.HubReply{R: &pb.HubReply_KvList{KvList: out}}
	case *pb.HubCall_Secret:
		return refusal(pb.Code_CODE_NOT_FOUND, "the test house has no secrets")
	case *pb.HubCall_OpenMedia:
		if c.OpenMedia.GetDirection() != pb.OpenMedia_DIRECTION_PUBLISH {
			return refusal(pb.Code_CODE_NOT_FOUND, "the test house has no stream to read")
		}
		if !h.setup.GetGrant().GetMediaPublish() {
			return refusal(pb.Code_CODE_DENIED, "the manifest does not ask for media.publish")
		}
		token := h.media.token(c.OpenMedia.GetCamera(), c.OpenMedia.GetStream())
		return &pb.HubReply{R: &pb.HubReply_OpenMedia{OpenMedia: &pb.OpenMediaReply{Token: token}}}
	case *pb.HubCall_OpenTalk:
		// To its own devices a plugin may talk without a grant, and the house has no others.
		token := h.media.token(c.OpenTalk.GetCamera(), "talk")
		return &pb.HubReply{R: &pb.HubReply_OpenTalk{OpenTalk: &pb.OpenTalkReply{Token: token, Track: c.OpenTalk.GetTrack()}}}
	case *pb.HubCall_Subscribe:
		h.subs++
		return &pb.HubReply{R: &pb.HubReply_Subscribe{Subscribe: &pb.SubscribeReply{Subscription: h.subs}}}
	case *pb.HubCall_OpenRepair:
		h.repairs = append(h.repairs, c.OpenRepair.GetRepair())
		return okay()
	case *pb.HubCall_HoldPrebuffer:
		return &pb.HubReply{R: &pb.HubReply_HoldPrebuffer{HoldPrebuffer: &pb.HoldPrebufferReply{Seconds: min(c.HoldPrebuffer.GetSeconds(), held)}}}
	case *pb.HubCall_Unsubscribe, *pb.HubCall_CloseRepair, *pb.HubCall_RequestKeyFrame, *pb.HubCall_DeviceChanged:
		return okay()
	case *pb.HubCall_DescribeMedia:
		return &pb.HubReply{R: &pb.HubReply_DescribeMedia{DescribeMedia: &pb.DescribeMediaReply{}}}
	case *pb.HubCall_Snapshot:
		return refusal(pb.Code_CODE_NOT_FOUND, "the test house has no picture of "+c.Snapshot.GetCamera())
	}
	return refusal(pb.Code_CODE_NOT_YET, "the hub of this version cannot do it")
}
