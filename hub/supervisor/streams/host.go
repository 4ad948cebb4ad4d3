package streams

import (
	"context"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// Host is what the messages are for; supervisor.Host says more of each.
type Host interface {
	Publish(ctx context.Context, plugin string, urgent bool, ev *pb.Event, done func(*pb.PublishResult))
	Call(ctx context.Context, plugin string, c *pb.HubCall) *pb.HubReply
	Connected(plugin string, out Outbox) Session
	Repair(plugin string, r *pb.Repair)
}

// Outbox writes to one life of one plugin. It fails for ever when that life ends.
type Outbox interface {
	// Deliver queues one event. Where the queue is full it waits until ctx ends, at
	// most 2 s, and then answers an error with code E-PLUGIN-SLOW: the plugin does
	// not read, and whoever feeds it cuts it off.
	Deliver(ctx context.Context, urgent bool, d *pb.Deliver) error
	Credit(urgent bool, n uint32) error
}

// Session is the host's side of one life.
type Session interface {
	// Ack may not block for long: it is called by the stream's reader.
	Ack(urgent bool, a *pb.EventAck)
	// Close: the streams are gone. Once.
	Close()
}
