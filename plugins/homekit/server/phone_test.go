package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brutella/hap"
	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/porchlight-hub/porchlight/plugins/homekit/server/frame"
	"github.com/porchlight-hub/porchlight/plugins/homekit/store"
	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
)

// door is a server with a bell and what else a test needs, running.
type door struct {
	*Server
	book   *store.Accessory
	bell   *characteristic.ProgrammableSwitchEvent
	volume *characteristic.Volume
	mute   *characteristic.Mute
	motion *characteristic.MotionDetected
	stop   func() // ends Run and waits
	done   chan error
}

// parts are made before the server, so that a test can put callbacks in.
func newDoor(t testing.TB, change func(d *door, o *Options)) *door {
	t.Helper()
	house, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	book, err := house.Accessory("front_door")
	if err != nil {
		t.Fatal(err)
	}
	return openDoor(t, book, change)
}

func openDoor(t testing.TB, book *store.Accessory, change func(d *door, o *Options)) *door {
	t.Helper()
	d := &door{book: book, done: make(chan error, 1)}
	a := accessory.New(accessory.Info{Name: "Front Door", SerialNumber: "1"}, accessory.TypeVideoDoorbell)
	bell := service.NewDoorbell()
	bell.Primary = true
	d.bell = bell.ProgrammableSwitchEvent
	d.volume = characteristic.NewVolume()
	d.mute = characteristic.NewMute()
	bell.AddC(d.volume.C)
	bell.AddC(d.mute.C)
	motion := service.NewMotionSensor()
	d.motion = motion.MotionDetected
	a.AddS(bell.S)
	a.AddS(motion.S)
	o := Options{Book: book, Accessories: []*accessory.A{a}, Category: 18, Name: "Front Door", Model: "Test"}
	if change != nil {
		change(d, &o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	d.Server = s
	ctx, cancel := context.WithCancel(context.Background())
	go func() { d.done <- s.Run(ctx) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-d.done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(d.stop)
	await(t, "the listener", func() bool { return s.Port() != 0 })
	return d
}

func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// phone is a controller's identity.
type phone struct {
	name string
	key  ed25519.PrivateKey
}

// invite makes a controller that is paired already.
func (d *door) invite(t testing.TB, name string, admin bool) *phone {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := hap.Pairing{Name: name, PublicKey: public}
	if admin {
		p.Permission = hap.PermissionAdmin
	}
	if err := d.book.Pair(p); err != nil {
		t.Fatal(err)
	}
	return &phone{name, private}
}

// line is a connection of a controller, or of anybody before verify.
type line struct {
	net    net.Conn
	br     *bufio.Reader
	sealer *frame.Sealer
	secret []byte
}

func (d *door) dial() (*line, error) {
	nc, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(d.Port())))
	if err != nil {
		return nil, err
	}
	return &line{net: nc, br: bufio.NewReader(nc)}, nil
}

func (d *door) call(t testing.TB) *line {
	t.Helper()
	l, err := d.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.net.Close() })
	return l
}

func (p *phone) call(t testing.TB, d *door) *line {
	t.Helper()
	l := d.call(t)
	if err := p.verify(l, d); err != nil {
		t.Fatal(err)
	}
	return l
}

// verify does pair-verify on l.
func (p *phone) verify(l *line, d *door) error {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	ours := private.PublicKey().Bytes()
	var m1 tlv.Writer
	m2, err := l.pair(m1.Byte(6, 1).Bytes(3, ours).Out())
	if err != nil {
		return err
	}
	theirs, _ := m2.Bytes(3)
	public, err := ecdh.X25519().NewPublicKey(theirs)
	if err != nil {
		return fmt.Errorf("M2: %w", err)
	}
	secret, err := private.ECDH(public)
	if err != nil {
		return err
	}
	key := func(salt, info string) []byte {
		k, _ := hkdf.Key(sha512.New, secret, []byte(salt), info, 32)
		return k
	}
	aead, _ := chacha20poly1305.New(key("Pair-Verify-Encrypt-Salt", "Pair-Verify-Encrypt-Info"))
	sealed, _ := m2.Bytes(5)
	inner, err := aead.Open(nil, []byte("\x00\x00\x00\x00PV-Msg02"), sealed, nil)
	if err != nil {
		return fmt.Errorf("M2: %w", err)
	}
	items, err := tlv.Parse(inner)
	if err != nil {
		return err
	}
	id := d.book.Identity()
	if sig, _ := items.Bytes(10); !ed25519.Verify(id.Keys.Public, slices.Concat(theirs, []byte(id.Device), ours), sig) {
		return fmt.Errorf("M2 is not signed by the accessory")
	}
	var proof, m3 tlv.Writer
	proof.String(1, p.name).Bytes(10, ed25519.Sign(p.key, slices.Concat(ours, []byte(p.name), theirs)))
	m4, err := l.pair(m3.Byte(6, 3).Bytes(5, aead.Seal(nil, []byte("\x00\x00\x00\x00PV-Msg03"), proof.Out(), nil)).Out())
	if err != nil {
		return err
	}
	if e, ok := m4.Byte(7); ok {
		return fmt.Errorf("M4: error %d", e)
	}
	l.secret = secret
	if l.sealer, err = frame.NewSealer([32]byte(key("Control-Salt", "Control-Write-Encryption-Key"))); err != nil {
		return err
	}
	fr, err := frame.NewReader(l.br, [32]byte(key("Control-Salt", "Control-Read-Encryption-Key")))
	if err != nil {
		return err
	}
	l.br = bufio.NewReader(fr)
	return nil
}

func (l *line) pair(body []byte) (tlv.Items, error) {
	if err := l.send(fmt.Sprintf("POST /pair-verify HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", mediaTLV, len(body), body)); err != nil {
		return nil, err
	}
	m, err := l.read()
	if err != nil {
		return nil, err
	}
	return tlv.Parse(m.body)
}

// send writes text, sealed if the line is.
func (l *line) send(text string) error {
	b := []byte(text)
	if l.sealer != nil {
		b = l.sealer.Seal(nil, b)
	}
	_, err := l.net.Write(b)
	return err
}

func (l *line) ask(method, path, body string) error {
	return l.send(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body))
}

// message is a response or an event.
type message struct {
	event  bool
	status int
	head   http.Header
	body   []byte
}

func (l *line) read() (message, error) {
	if err := l.net.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return message{}, err
	}
	head, err := l.br.Peek(6)
	if err != nil {
		return message{}, err
	}
	m := message{event: string(head) == "EVENT/"}
	src := l.br
	if m.event {
		first, err := l.br.ReadString('\n')
		if err != nil {
			return m, err
		}
		src = bufio.NewReaderSize(io.MultiReader(strings.NewReader("HTTP"+first[5:]), oneByte{l.br}), 16)
	}
	r, err := http.ReadResponse(src, nil)
	if err != nil {
		return m, err
	}
	m.status, m.head = r.StatusCode, r.Header
	m.body, err = io.ReadAll(r.Body)
	return m, err
}

// oneByte keeps a reader above from reading ahead.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

// do asks and gives the response; events on the way are handed to heard.
func (l *line) do(method, path, body string, heard func(message)) (message, error) {
	if err := l.ask(method, path, body); err != nil {
		return message{}, err
	}
	for {
		m, err := l.read()
		if err != nil || !m.event {
			return m, err
		}
		if heard != nil {
			heard(m)
		}
	}
}

func (l *line) must(t testing.TB, status int, method, path, body string) message {
	t.Helper()
	m, err := l.do(method, path, body, nil)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if m.status != status {
		t.Fatalf("%s %s %s: %d %s, not %d", method, path, body, m.status, m.body, status)
	}
	return m
}

func (l *line) subscribe(t testing.TB, c *characteristic.C) {
	t.Helper()
	l.must(t, 204, "PUT", "/characteristics", fmt.Sprintf(`{"characteristics":[{"aid":1,"iid":%d,"ev":true}]}`, c.Id))
}

// value reads the first characteristic's value out of a body.
func (m message) value(t testing.TB) (iid uint64, value any) {
	t.Helper()
	var b struct {
		Characteristics []struct {
			IID   uint64
			Value any
		}
	}
	if err := json.Unmarshal(m.body, &b); err != nil || len(b.Characteristics) == 0 {
		t.Fatalf("%q: %v", m.body, err)
	}
	return b.Characteristics[0].IID, b.Characteristics[0].Value
}

func same(t testing.TB, m message, want string) {
	t.Helper()
	if !bytes.Equal(m.body, []byte(want)) {
		t.Fatalf("got  %s\nwant %s", m.body, want)
	}
}

// resource is an Options.Resource that needs nothing of what is asked.
func resource(f func() ([]byte, int)) func(context.Context, *Peer, Resource) ([]byte, int) {
	return func(context.Context, *Peer, Resource) ([]byte, int) { return f() }
}
