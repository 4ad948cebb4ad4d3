package supervisor

import (
	"context"
	"errors"
	"time"

	"github.com/porchlight-hub/porchlight/hub/supervisor/fault"
	"github.com/porchlight-hub/porchlight/hub/supervisor/streams"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// commandWithin is the deadline of a command whose caller sets none.
const commandWithin = 10 * time.Second

func (i *instance) command(ctx context.Context, c *pb.Command) (*pb.Reply, error) {
	i.mu.Lock()
	l, st := i.life, i.st
	i.mu.Unlock()
	if l == nil {
		f := fault.New(fault.NotRunning, st.Fix, "plugin %s: it is %s", i.name, st.State)
		if st.Reason != "" {
			f.Reason += ": " + st.Reason
		}
		return nil, f
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, commandWithin)
		defer cancel()
	}
	r, err := l.streams.Ask(ctx, c)
	switch {
	case errors.Is(err, streams.ErrOver):
		return nil, fault.New(fault.NotRunning, "it is started again by itself", "plugin %s: it ended before it answered", i.name).Because(err)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fault.New(fault.Slow, "see its log", "plugin %s: no answer in time", i.name).Because(err)
	}
	return r, err
}
