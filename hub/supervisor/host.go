package supervisor

import (
	"context"

	"github.com/porchlight-hub/porchlight/hub/supervisor/streams"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// Host is what plugins speak to; hub/host fulfils it. It checks every permission;
// the supervisor only carries. Calls for one plugin come from its instance's
// goroutines; all calls of a life end before Stopped.
type Host interface {
	// Grant says what the plugin may do. It comes after Describe and before each
	// Configure; an error blocks the plugin.
	Grant(s Spec, d *pb.Description) (*pb.Grant, error)
	// Started: the process runs and has shaken hands; Configure follows. media.sock
	// must lie in instanceDir when Started returns.
	Started(plugin, instanceDir string, pid int)
	// Stopped: the process and its group are gone. Once for each Started.
	Stopped(plugin string)
	// Publish may block: it paces the reading of this stream of this plugin. done is
	// called once, maybe later, and never blocks.
	Publish(ctx context.Context, plugin string, urgent bool, ev *pb.Event, done func(*pb.PublishResult))
	// Call runs beside other calls of the same plugin, at most 16 at a time.
	Call(ctx context.Context, plugin string, c *pb.HubCall) *pb.HubReply
	// Connected: both streams are open and Configure is done.
	Connected(plugin string, out Outbox) Session
	// Refused: what the plugin found wrong with single devices, by their id; they are
	// left out of its config. It comes before each Configure, empty where nothing is
	// wrong, and must not block.
	Refused(plugin string, devices map[string][]*pb.Problem)
	// Configured: it has taken a config, the first or another, and takes commands. It
	// must not block.
	Configured(plugin string)
	Log(plugin string, l *pb.Log)
	Repair(plugin string, r *pb.Repair)
	// StateChanged is called in the order of the changes and must not block.
	StateChanged(Status)
}

// Outbox writes to one life of one plugin; streams has the terms.
type Outbox = streams.Outbox

// Session is the host's side of one life.
type Session = streams.Session
