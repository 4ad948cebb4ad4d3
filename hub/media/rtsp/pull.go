package rtsp

import "context"

// Pull connects, asks for the stream and hands its units to sink until it ends. It returns
// why: ctx's error if ctx is done, else a *Fault. It connects more than once only to find
// out what a camera takes, and never sends a login twice that was refused.
func Pull(ctx context.Context, t Target, sink Sink, o Options) error {
	s, fault := newSession(t, o)
	if fault != nil {
		return fault
	}
	s.play.sink = sink
	return s.run(ctx)
}
