package sdk

import (
	"context"
	"time"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// DeviceChanged tells the hub that the source or the description of one of the
// plugin's devices is another now; it asks for both again.
func (h *Hub) DeviceChanged(ctx context.Context, device string) error {
	_, err := h.call(ctx, "device changed", &pb.HubCall{C: &pb.HubCall_DeviceChanged{DeviceChanged: &pb.DeviceChanged{Device: device}}})
	return err
}

// House tells how the house is now: what a bridge shows beside the cameras. Events of
// the types mode, quiet and schedule tell what changes, system.house when to ask again.
// Grant: a subscribe filter that takes system.quiet.
func (h *Hub) House(ctx context.Context) (House, error) {
	r, err := h.call(ctx, "describe house", &pb.HubCall{C: &pb.HubCall_DescribeHouse{DescribeHouse: &pb.DescribeHouse{}}})
	m := r.GetDescribeHouse()
	out := House{Mode: m.GetMode(), Modes: m.GetModes(), Quiet: quietFrom(m.GetQuiet())}
	for _, c := range m.GetChimes() {
		out.Chimes = append(out.Chimes, ChimeInfo{ID: c.GetId(), Name: c.GetName(), Quiet: quietFrom(c.GetQuiet())})
	}
	for _, s := range m.GetSchedules() {
		out.Schedules = append(out.Schedules, Schedule{Schedule: s.GetSchedule(), Active: s.GetActive()})
	}
	return out, err
}

// House is how the house is now.
type House struct {
	Mode      string // empty: the config has no presence
	Modes     []string
	Quiet     Quiet
	Chimes    []ChimeInfo
	Schedules []Schedule
}

// ChimeInfo is what a plugin may know of a chime.
type ChimeInfo struct {
	ID, Name string
	Quiet    Quiet // of this chime alone
}

func quietFrom(m *pb.Quiet) Quiet {
	return Quiet{Active: m.GetActive(), Until: moment(m.GetUntil()), Chime: m.GetChime(), By: m.GetBy()}
}

// SetQuiet silences the house, or with a chime mutes that one, for so long (0: until
// somebody ends it); or ends it. Grant chime.quiet.
func (h *Hub) SetQuiet(ctx context.Context, chime string, active bool, d time.Duration) error {
	_, err := h.call(ctx, "set quiet", &pb.HubCall{C: &pb.HubCall_SetQuiet{SetQuiet: &pb.SetQuiet{Chime: chime, Active: active, For: span(d)}}})
	return err
}

// SetMode changes the mode of the house. Grant house.mode.
func (h *Hub) SetMode(ctx context.Context, mode string) error {
	_, err := h.call(ctx, "set mode", &pb.HubCall{C: &pb.HubCall_SetMode{SetMode: &pb.SetMode{Mode: mode}}})
	return err
}

// PlayChime sounds a chime as a test does, also while it is quiet; an empty sound is
// the chime's own. Grant chime.play.
func (h *Hub) PlayChime(ctx context.Context, chime, sound string) (PlayResult, error) {
	r, err := h.call(ctx, "play chime", &pb.HubCall{C: &pb.HubCall_PlayChime{PlayChime: &pb.PlayChime{Chime: chime, Sound: sound}}})
	m := r.GetChimePlayed()
	return PlayResult{Played: m.GetPlayed(), Sound: m.GetSound(), Reason: m.GetReason(), Took: m.GetTook().AsDuration()}, err
}
