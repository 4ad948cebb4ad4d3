package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

// First byte of a frame; the payload of pack follows.
const (
	opSubscribe = 's'
	opRing      = 'r' // handed on to all who subscribed, then answered
	opMotion    = 'm' // answered
	opAnswer    = 'a'
	opDeliver   = 'd'
)

// link carries frames. Send may be called at once from several sides.
type link interface {
	Send(b []byte) error
	Recv() ([]byte, error)
}

// switchboard is all that a relay is: it keeps nothing and waits for nothing.
type switchboard struct {
	mu     sync.RWMutex
	takers []link
}

func (s *switchboard) serve(l link) {
	for {
		b, err := l.Recv()
		if err != nil || len(b) == 0 {
			return
		}
		switch b[0] {
		case opSubscribe:
			s.mu.Lock()
			s.takers = append(s.takers, l)
			s.mu.Unlock()
			continue
		case opRing:
			out := append([]byte{opDeliver}, b[1:]...)
			s.mu.RLock()
			for _, t := range s.takers {
				_ = t.Send(out) // a taker that is gone takes nothing
			}
			s.mu.RUnlock()
		}
		b[0] = opAnswer
		if l.Send(b) != nil {
			return
		}
	}
}

func relay(ctx context.Context, kind, socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	board := &switchboard{}
	fmt.Println(socket)
	if kind == "grpc" {
		s := grpc.NewServer()
		s.RegisterService(description(board), board)
		stop := context.AfterFunc(ctx, s.Stop)
		defer stop()
		return s.Serve(l)
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			return nil
		}
		go func() { // ends with the connection
			defer c.Close()
			board.serve(newRaw(c))
		}()
	}
}

// raw is frames with their length (u32, little endian) in front, on a stream socket.
type raw struct {
	mu sync.Mutex
	c  net.Conn
	r  *bufio.Reader
}

func newRaw(c net.Conn) *raw { return &raw{c: c, r: bufio.NewReader(c)} }

func (r *raw) Send(b []byte) error {
	out := append(binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(b)), uint32(len(b))), b...)
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.c.Write(out)
	return err
}

func (r *raw) Recv() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r.r, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.LittleEndian.Uint32(size[:]))
	_, err := io.ReadFull(r.r, b)
	return b, err
}

// messages is what both ends of a gRPC stream have.
type messages interface {
	SendMsg(m any) error
	RecvMsg(m any) error
}

type streamed struct {
	mu sync.Mutex
	s  messages
}

func (s *streamed) Send(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.SendMsg(wrapperspb.Bytes(b))
}

func (s *streamed) Recv() ([]byte, error) {
	var m wrapperspb.BytesValue
	err := s.s.RecvMsg(&m)
	return m.GetValue(), err
}

const method = "/bench.Relay/Frames"

func description(board *switchboard) *grpc.ServiceDesc {
	return &grpc.ServiceDesc{ServiceName: "bench.Relay", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{{
		StreamName: "Frames", ServerStreams: true, ClientStreams: true,
		Handler: func(_ any, s grpc.ServerStream) error { board.serve(&streamed{s: s}); return nil },
	}}}
}

// relayBus is a client of a relay.
type relayBus struct {
	l    link
	note func(string)

	mu      sync.Mutex
	waiting map[string]chan struct{} // by id; closed by the answer
}

// dialRelay connects to a relay of the kind raw or grpc.
func dialRelay(ctx context.Context, kind, socket string, note func(string)) (*relayBus, error) {
	b := &relayBus{note: note, waiting: map[string]chan struct{}{}}
	if kind == "grpc" {
		c, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
		if err != nil {
			return nil, err
		}
		b.l = &streamed{s: s}
	} else {
		c, err := net.Dial("unix", socket)
		if err != nil {
			return nil, err
		}
		b.l = newRaw(c)
	}
	if note != nil {
		if err := b.l.Send([]byte{opSubscribe}); err != nil {
			return nil, err
		}
	}
	go b.read() // ends with the connection, as the process does
	return b, nil
}

func (b *relayBus) read() {
	for {
		f, err := b.l.Recv()
		if err != nil || len(f) == 0 {
			return
		}
		id := idOf(f[1:])
		if f[0] == opDeliver {
			b.note(id)
			continue
		}
		b.mu.Lock()
		if c, ok := b.waiting[id]; ok {
			delete(b.waiting, id)
			close(c)
		}
		b.mu.Unlock()
	}
}

// Publish returns when the relay has answered.
func (b *relayBus) Publish(ctx context.Context, kind, id string) error {
	op := byte(opMotion)
	if kind == part.Ring {
		op = opRing
	}
	answered := make(chan struct{})
	b.mu.Lock()
	b.waiting[id] = answered
	b.mu.Unlock()
	if err := b.l.Send(append([]byte{op}, pack(id)...)); err != nil {
		return err
	}
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
