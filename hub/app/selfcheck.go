package app

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/hub/doctor"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// selfCheck lets a plugin examine itself for the doctor.
func (h *Hub) selfCheck(ctx context.Context, plugin string) ([]doctor.CheckLine, error) {
	c := &pb.Command{C: &pb.Command_Selfcheck{Selfcheck: &pb.SelfCheck{Thorough: true}}}
	if end, ok := ctx.Deadline(); ok {
		c.Deadline = durationpb.New(time.Until(end))
	}
	reply, err := h.super.Command(ctx, plugin, c)
	if err != nil {
		return nil, err
	}
	if e := reply.GetError(); e != nil {
		if e.GetCode() == pb.Code_CODE_UNSUPPORTED { // it has nothing to examine
			return nil, nil
		}
		return nil, errors.New(e.GetMessage())
	}
	var out []doctor.CheckLine
	for _, l := range reply.GetSelfcheck().GetLines() {
		out = append(out, doctor.CheckLine{State: l.GetState(), What: l.GetWhat(), Why: l.GetWhy(), Fix: l.GetFix()})
	}
	return out, nil
}
