package child

import (
	"context"
	"encoding/json"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/porchlight-hub/porchlight/hub/supervisor/fault"
	"github.com/porchlight-hub/porchlight/hub/supervisor/runner"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// describeWithin is the deadline of Describe.
const describeWithin = 5 * time.Second

// Describe asks the plugin who it is.
func (p *Process) Describe(ctx context.Context, hubVersion string, hubFeatures []string) (*pb.Description, *fault.Failure) {
	ctx, cancel := context.WithTimeout(ctx, describeWithin)
	defer cancel()
	d, err := p.Plugin.Describe(ctx, &pb.DescribeRequest{HubFeatures: hubFeatures, HubVersion: hubVersion})
	if err != nil {
		return nil, p.CallFailed(fault.Describe, "describe", describeWithin, err)
	}
	if d.GetId() == "" || d.GetVersion() == "" {
		return nil, fault.New(fault.Describe, "report it to the plugin's author", "its description has no id or no version").Block()
	}
	if d.GetConfigSchema() != "" && !json.Valid([]byte(d.GetConfigSchema())) {
		return nil, fault.New(fault.Describe, "report it to the plugin's author", "its config schema is not JSON").Block()
	}
	return d, nil
}

// CallFailed explains a unary call that brought no answer.
func (p *Process) CallFailed(code, what string, within time.Duration, err error) *fault.Failure {
	if f := p.Died(200 * time.Millisecond); f != nil {
		f.Reason += " during " + what
		return f.Because(err)
	}
	switch status.Code(err) {
	case codes.DeadlineExceeded:
		return fault.New(code, "see its last log lines", "it did not answer %s within %s", what, within).Because(err)
	case codes.ResourceExhausted:
		return fault.New(fault.Message, "pictures and other large things go over media.sock; report it to the plugin's author",
			"%s: its answer is over the limit: %s", what, status.Convert(err).Message()).Because(err)
	case codes.Unavailable:
		return fault.New(fault.Connect, "the plugin must serve gRPC with go-plugin's AutoMTLS; report it to its author", "%s: %s", what, status.Convert(err).Message()).Because(err)
	}
	return fault.New(code, "see its last log lines", "%s: %s", what, status.Convert(err).Message()).Because(err)
}

// Died tells how the process ended, if it did within the time that a broken
// connection is ahead of the kernel's word.
func (p *Process) Died(within time.Duration) *fault.Failure {
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case <-p.Run.Exited():
		return Crash(p.Run.Exit())
	case <-t.C:
		return nil
	}
}

// exitPanic is how an SDK plugin ends that panicked, after its stack was logged.
const exitPanic = 70

// Crash is a process that ended by itself.
func Crash(e runner.Exit) *fault.Failure {
	if e.Code == exitPanic && e.Signal == 0 {
		return fault.New(fault.Crash, "report it to the plugin's author, with its last log lines", "it panicked (%s)", e)
	}
	return fault.New(fault.Crash, "see its last log lines", "it ended with %s", e)
}
