package av

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// A connection begins with a hello of the plugin, "PLM1", u16 length, token, and the hub's
// answer, "PLM1", u8 status, u16 length, Answer as JSON; both little endian.
const (
	magic     = "PLM1"
	maxToken  = 256
	maxAnswer = 60 << 10

	// HelloTimeout is how long either end waits for the other's part.
	HelloTimeout = 5 * time.Second
)

// Status of an answer.
type Status uint8

// Statuses; all but StatusOK end the connection.
const (
	StatusOK      Status = 0
	StatusRefused Status = 1 // token unknown, used, or too old
	StatusNotYet  Status = 2 // the hub cannot do this yet
	StatusBusy    Status = 3 // too many connections, or no tracks in time
)

// ErrNotYet is in the chain of an error that says: this hub cannot do this yet.
var ErrNotYet = errors.New("not yet")

// Answer is what the hub says before the first frame.
type Answer struct {
	Direction Direction `json:"direction,omitempty"`
	Camera    string    `json:"camera,omitempty"`
	Stream    string    `json:"stream,omitempty"`
	// Rendition is "copy" or "converted: reason", when reading.
	Rendition string  `json:"rendition,omitempty"`
	Tracks    []Track `json:"tracks,omitempty"` // known so far, when reading

	Code   string `json:"code,omitempty"` // with a status that is not StatusOK
	Reason string `json:"reason,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// Direction of a connection, seen from the plugin.
type Direction string

// Directions.
const (
	Publish Direction = "publish"
	Read    Direction = "read"
)

// Refused is the hub's no to a hello.
type Refused struct {
	Status Status
	Answer Answer
}

func (e *Refused) Error() string { return "media socket: hello: " + e.Answer.Reason }

// Code and Hint are for people.
func (e *Refused) Code() string { return e.Answer.Code }
func (e *Refused) Hint() string { return e.Answer.Hint }

// Is makes errors.Is(err, ErrNotYet) true for what the hub cannot do yet.
func (e *Refused) Is(target error) bool { return target == ErrNotYet && e.Status == StatusNotYet }

// Conn is a connection that the hub has let in. Exactly one of Publisher and Reader is
// called on it.
type Conn struct {
	net    net.Conn
	answer Answer
}

// Dial connects to media.sock and hands over the token, which works once, within 10 s of
// when the hub gave it.
func Dial(ctx context.Context, socketPath, token string) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, HelloTimeout)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", socketPath)
	if err != nil {
		return nil, fmt.Errorf("media socket: dial: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	a, err := hello(c, token)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return &Conn{net: c, answer: a}, nil
}

// Answer is what the hub said.
func (c *Conn) Answer() Answer { return c.answer }

// Close ends a connection of which neither Publisher nor Reader was asked.
func (c *Conn) Close() error { return c.net.Close() }

func hello(c net.Conn, token string) (Answer, error) {
	if len(token) > maxToken {
		return Answer{}, fmt.Errorf("media socket: hello: token of %d bytes", len(token))
	}
	b := binary.LittleEndian.AppendUint16([]byte(magic), uint16(len(token)))
	if _, err := c.Write(append(b, token...)); err != nil {
		return Answer{}, fmt.Errorf("media socket: hello: %w", err)
	}
	var head [len(magic) + 3]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return Answer{}, fmt.Errorf("media socket: answer: %w", err)
	}
	n := int(binary.LittleEndian.Uint16(head[len(magic)+1:]))
	if string(head[:len(magic)]) != magic || n > maxAnswer {
		return Answer{}, errors.New("media socket: answer: not a media socket of this protocol")
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(c, text); err != nil {
		return Answer{}, fmt.Errorf("media socket: answer: %w", err)
	}
	var a Answer
	if err := json.Unmarshal(text, &a); err != nil {
		return Answer{}, fmt.Errorf("media socket: answer: %w", err)
	}
	if s := Status(head[len(magic)]); s != StatusOK {
		return Answer{}, &Refused{Status: s, Answer: a}
	}
	return a, nil
}

// ReadHello is the hub's part: it returns the token that the plugin sent.
func ReadHello(c net.Conn) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(HelloTimeout)); err != nil {
		return "", fmt.Errorf("media socket: hello: %w", err)
	}
	token, err := readHello(c)
	if err != nil {
		return "", err
	}
	return token, c.SetReadDeadline(time.Time{})
}

func readHello(r io.Reader) (string, error) {
	var head [len(magic) + 2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", fmt.Errorf("media socket: hello: %w", err)
	}
	n := int(binary.LittleEndian.Uint16(head[len(magic):]))
	if string(head[:len(magic)]) != magic || n > maxToken {
		return "", errors.New("media socket: hello: not of this protocol")
	}
	token := make([]byte, n)
	if _, err := io.ReadFull(r, token); err != nil {
		return "", fmt.Errorf("media socket: hello: %w", err)
	}
	return string(token), nil
}

// WriteAnswer is the hub's answer to a hello.
func WriteAnswer(c net.Conn, s Status, a Answer) error {
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("media socket: answer: %w", err)
	}
	if len(text) > maxAnswer {
		return fmt.Errorf("media socket: answer: %d bytes of tracks", len(text))
	}
	b := append([]byte(magic), byte(s))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	if err := c.SetWriteDeadline(time.Now().Add(HelloTimeout)); err != nil {
		return fmt.Errorf("media socket: answer: %w", err)
	}
	if _, err := c.Write(append(b, text...)); err != nil {
		return fmt.Errorf("media socket: answer: %w", err)
	}
	return c.SetWriteDeadline(time.Time{})
}
