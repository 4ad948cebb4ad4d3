package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// payload is about as long as an event of the house on the wire, with its id first.
const payload = 200

// jetstreamServer embeds a server as a hub would, with one stream on file. sync is
// "always", or "default" for the server's own interval.
func jetstreamServer(ctx context.Context, dir, sync string) error {
	s, err := server.NewServer(&server.Options{
		ServerName: "bench", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: dir, SyncAlways: sync == "always",
	})
	if err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		return fmt.Errorf("jetstream: not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: "HOUSE", Subjects: []string{"camera.>"}, Storage: jetstream.FileStorage})
	if err != nil {
		return fmt.Errorf("jetstream: %w", err)
	}
	fmt.Println(s.ClientURL())
	<-ctx.Done()
	return nil
}

type jetBus struct {
	js     jetstream.JetStream
	camera string
}

// dialJetStream connects; where note is given, rings and the bell's own motions come
// to it by a durable consumer that acknowledges each.
func dialJetStream(ctx context.Context, url, name string, note func(string)) (*jetBus, error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	b := &jetBus{js: js, camera: name}
	if note == nil {
		return b, nil
	}
	c, err := js.CreateConsumer(ctx, "HOUSE", jetstream.ConsumerConfig{Durable: name, FilterSubject: "camera.*.ring",
		DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		return nil, err
	}
	_, err = c.Consume(func(m jetstream.Msg) {
		note(idOf(m.Data()))
		_ = m.Ack() // unacknowledged it comes again, and is noted once
	})
	return b, err
}

// Publish returns when the stream has stored the event.
func (b *jetBus) Publish(ctx context.Context, kind, id string) error {
	_, err := b.js.Publish(ctx, "camera."+b.camera+"."+kind, pack(id))
	return err
}

// pack puts an id in front of a payload.
func pack(id string) []byte {
	b := make([]byte, payload)
	b[0] = byte(len(id))
	copy(b[1:], id)
	return b
}

func idOf(b []byte) string {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return ""
	}
	return string(b[1 : 1+b[0]])
}
