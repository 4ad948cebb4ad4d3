package rtsp

import "context"

// Pull connects, asks for the stream and hands its units to s until it ends. It returns
// why: ctx's error if ctx is done, else a *Fault.
func Pull(ctx context.Context, t Target, s Sink, o Options) error {
	_, fault := t.check()
	if fault != nil {
		return fault
	}
	return &Fault{Kind: Unreachable, Act: "dial", Why: "not yet"}
}
