//go:build linux

package home

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/srtp"
)

// TestHostile: a machine of the same network does what it can, with and without keys of
// its own. A phone that reads, listens, watches and speaks meanwhile notices nothing.
func TestHostile(t *testing.T) {
	s := &stage{camera: "gate", site: newSite(t, twoDoors)}
	s.phone = s.site.phone("phone")
	s.pair(s.phone, "gate")
	s.x = s.verified(s.phone, "gate")
	s.db = s.listen(s.x)
	mallory := s.site.phone("mallory") // who was let in once
	s.admit(s.x, mallory)
	st := s.sees(s.x, controller.Usual())
	began := len(st.Video().Frames)
	memory := resident(t, s.pid("homekit"))

	victim := &victim{x: s.x, db: s.db}
	victim.live(t)
	address := at(s.accessory("gate"))
	s.part("garbage", func(t *testing.T) { s.garbage(t, address) })
	s.part("slow senders", func(t *testing.T) { s.slow(t, address) })
	s.part("thousands of connections", func(t *testing.T) { s.flood(t, address) })
	s.part("crooked pairing", func(t *testing.T) { s.crooked(t, address) })
	s.part("forged frames", func(t *testing.T) { s.forged(t, mallory) })
	s.part("forged packets", func(t *testing.T) { s.packets(t, st) })
	s.part("a phone comes back meanwhile", func(t *testing.T) { s.comesBack(t, address) })
	s.part("the phone noticed nothing", func(t *testing.T) {
		victim.judge(t)
		got := st.Video()
		t.Logf("it saw %d pictures, %d packets, %d lost; the plugin has %d MiB, and had %d", len(got.Frames)-began, got.Packets, got.Lost, resident(t, s.pid("homekit"))>>20, memory>>20)
		if got.Lost > 0 || got.Forged > 0 || time.Since(got.Last) > time.Second {
			t.Errorf("its pictures: %+v", counts(got))
		}
		s.speak(t, st)
		if err := st.End(within(t)); err != nil {
			t.Error(err)
		}
		if _, err := s.Client.Ring(t.Context(), "gate", false); err != nil {
			t.Fatal(err)
		}
		hubtest.Eventually(t, "the press is heard", func() bool { return victim.presses() == 1 })
		if grown := resident(t, s.pid("homekit")) - memory; grown > 64<<20 {
			t.Errorf("the plugin has grown by %d MiB", grown>>20)
		}
	})
}

// victim reads all the time.
type victim struct {
	x  *controller.Conn
	db controller.Database

	mu    sync.Mutex
	asked []time.Duration
	n     int
	err   error
}

func (v *victim) presses() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.n
}

func (v *victim) live(t *testing.T) {
	bell, _ := v.db.Find("121", "73")
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			began := time.Now()
			_, err := v.x.Get(ctx, bell)
			v.mu.Lock()
			v.asked = append(v.asked, time.Since(began))
			if err != nil && ctx.Err() == nil {
				v.err = err
			}
			v.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	wg.Go(func() {
		for e := range v.x.Events() {
			for _, value := range e.Values {
				if value.ID() == bell {
					v.mu.Lock()
					v.n++
					v.mu.Unlock()
				}
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		v.x.Close()
		wg.Wait()
	})
}

func (v *victim) judge(t *testing.T) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil || v.n != 0 {
		t.Fatalf("it was told %d presses, and %v", v.n, v.err)
	}
	slices.Sort(v.asked)
	n := len(v.asked)
	t.Logf("%d answers, half within %s, 99 of 100 within %s, the slowest after %s", n, v.asked[n/2].Round(time.Microsecond), v.asked[n*99/100].Round(time.Microsecond), v.asked[n-1].Round(time.Millisecond))
	if v.asked[n-1] > 5*time.Second {
		t.Errorf("an answer came after %s", v.asked[n-1])
	}
}

// dial connects from the garden; nil: it was not let in, which is an answer too.
func (s *site) dial(t *testing.T, address string) net.Conn {
	c, err := s.garden.DialContext(within(t), "tcp", address)
	if err != nil {
		return nil
	}
	_ = c.SetDeadline(time.Now().Add(hubtest.Within)) // a fresh one has no trouble with that
	return c
}

// garbage is no HTTP, or bad HTTP.
func (s *site) garbage(t *testing.T, address string) {
	noise := make([]byte, 64<<10)
	_, _ = rand.Read(noise) // it cannot fail
	long := strings.Repeat("a", 1<<20)
	for _, b := range [][]byte{
		noise, bytes.Repeat([]byte{0}, 1<<20), []byte("\r\n\r\n\r\n\r\n"), []byte("GET / HTTP/9.9\r\n\r\n"), []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		[]byte("GET /" + long + " HTTP/1.1\r\n\r\n"), []byte("GET / HTTP/1.1\r\nA: " + long + "\r\n\r\n"), []byte("GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 100000) + "\r\n"),
		[]byte("POST /pair-setup HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + long),
		[]byte("POST /pair-setup HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
		[]byte("POST /pair-setup HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
		[]byte("POST /pair-setup HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\na\r\n", 200000)),
		[]byte("POST /pair-setup HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
		[]byte("PUT /characteristics HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
	} {
		if c := s.dial(t, address); c != nil {
			_, _ = c.Write(b) // the other side may have closed already
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.CloseWrite()
			}
			n, err := io.Copy(io.Discard, io.LimitReader(c, 1<<20))
			if e, ok := err.(net.Error); ok && e.Timeout() || n >= 1<<20 {
				t.Errorf("%.60q is answered with %d bytes and without end", b, n)
			}
			c.Close()
		}
	}
}

// slow sends a header a byte at a time and never ends it; others say nothing at all.
func (s *site) slow(t *testing.T, address string) {
	for range 4 {
		if c := s.dial(t, address); c != nil {
			defer c.Close()
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c := s.dial(t, address)
			if c == nil {
				return
			}
			defer c.Close()
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for _, b := range []byte("POST /pair-verify HTTP/1.1\r\nHost: " + strings.Repeat("x", 600)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				<-tick.C
			}
			t.Error("a request of which a byte comes each 100 ms is waited for without end")
		})
	}
	wg.Wait()
}

// flood opens thousands of connections; some stay as long as they are let.
func (s *site) flood(t *testing.T, address string) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	opened := 0
	for range 8 {
		wg.Go(func() {
			var kept []net.Conn
			for range 500 {
				if c := s.dial(t, address); c != nil {
					mu.Lock()
					opened++
					mu.Unlock()
					if kept = append(kept, c); len(kept) > 100 {
						kept[0].Close()
						kept = kept[1:]
					}
				}
			}
			for _, c := range kept {
				c.Close()
			}
		})
	}
	wg.Wait()
	t.Logf("%d connections", opened)
	pid := s.pid("homekit")
	hubtest.Eventually(t, "they are given back", func() bool { return sockets(t, pid) < 40 })
}

// crooked sends TLVs to where pairing is done that are too long, cut off, out of order, or
// of other types, in the middle of honest exchanges too.
func (s *site) crooked(t *testing.T, address string) {
	bodies := [][]byte{nil, {6}, {6, 1}, {6, 255, 1}, {6, 1, 9}, {6, 1, 3}, {6, 1, 5}, {6, 0}, {0, 1, 9, 6, 1, 1}, bytes.Repeat([]byte{3, 255}, 100),
		append([]byte{6, 1, 3, 5, 15}, make([]byte, 15)...), append([]byte{6, 1, 1, 3, 31}, make([]byte, 31)...), append([]byte{6, 1, 1, 3, 32}, make([]byte, 32)...),
		append([]byte{6, 1, 1, 3, 33}, make([]byte, 33)...), append([]byte{6, 1, 3, 3, 255}, make([]byte, 255)...), bytes.Repeat([]byte{6, 1, 1}, 20000)}
	for _, path := range []string{"/pair-setup", "/pair-verify", "/pairings", "/identify"} {
		x, err := s.phone("crook").Open(t.Context(), address)
		if err != nil {
			continue
		}
		for _, b := range bodies {
			a, err := x.Ask(within(t), "POST", path, controller.TLV8, b)
			if err != nil { // it may be put out, and begins anew
				x.Close()
				if x, err = s.phone("crook").Open(t.Context(), address); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if a.Status >= 500 {
				t.Errorf("%s with %.20x: HTTP %d", path, b, a.Status)
			}
		}
		x.Close()
	}
}

// forged are frames of one who has a key: sent twice, out of order, changed, too long. Each
// costs that connection and no other.
func (s *stage) forged(t *testing.T, mallory *controller.Controller) {
	ask := controller.Request("GET", "/accessories", "door.local", "", nil)
	for name, bad := range map[string]func(x *controller.Conn) []byte{
		"twice":        func(x *controller.Conn) []byte { f := x.Frame(ask); return append(f, f...) },
		"out of order": func(x *controller.Conn) []byte { a, b := x.Frame(ask[:20]), x.Frame(ask[20:]); return append(b, a...) },
		"changed":      func(x *controller.Conn) []byte { f := x.Frame(ask); f[10] ^= 1; return f },
		"another tag":  func(x *controller.Conn) []byte { f := x.Frame(ask); f[len(f)-1] ^= 1; return f },
		"too long":     func(x *controller.Conn) []byte { return x.Frame(bytes.Repeat([]byte("x"), 1025)) },
		"endless":      func(*controller.Conn) []byte { return bytes.Repeat([]byte{0xff}, 70000) },
		"in clear":     func(*controller.Conn) []byte { return ask },
	} {
		x, err := mallory.Verify(within(t), at(s.accessory("gate")))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = x.Raw().Write(bad(x)) // it may be put out while it writes
		select {
		case <-x.Done():
		case <-within(t).Done():
			t.Errorf("%s: the connection goes on", name)
		}
		x.Close()
	}
	// A sealed request that is never ended holds up nobody but its own connection.
	x := s.verified(mallory, "gate")
	if _, err := x.Write([]byte("PUT /characteristics HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{")); err != nil {
		t.Fatal(err)
	}
}

// packets are sent to the ports of a stream from another socket: noise, and what is sealed
// with other keys.
func (s *stage) packets(t *testing.T, st *controller.Stream) {
	conn, err := s.phone.ListenPacket("udp", net.JoinHostPort(garden4.Addr().String(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	box := srtp.New(srtp.Key{Key: [16]byte{1}})
	for n := range 2000 {
		for _, port := range []uint16{st.VideoPort, st.SoundPort} {
			noise := make([]byte, n%1500)
			_, _ = rand.Read(noise) // it cannot fail
			to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(st.Address, port))
			speech := srtp.Packet{Type: 110, Seq: uint16(n), Timestamp: uint32(n) * 480, SSRC: 1, Payload: noise}
			for _, b := range [][]byte{noise, box.Seal(speech.Bytes()), box.SealRTCP(srtp.Goodbye(st.VideoSSRC)), box.SealRTCP(srtp.PictureLoss(1, st.VideoSSRC))} {
				_, _ = conn.WriteTo(b, to) // full buffers are no matter
			}
		}
	}
	if n, err := st.Running(within(t)); err != nil || n != 1 {
		t.Errorf("the stream ended: %d %v", n, err)
	}
}

// comesBack connects anew while others open connections as fast as they can.
func (s *stage) comesBack(t *testing.T, address string) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if c := s.dial(t, address); c != nil {
					c.Close()
				}
			}
		})
	}
	began, tries := time.Now(), 0
	hubtest.Eventually(t, "the phone is back", func() bool {
		tries++
		x, err := s.phone.Verify(within(t), address)
		if err != nil {
			return false
		}
		defer x.Close()
		_, err = x.Accessories(within(t))
		return err == nil
	})
	t.Logf("it is back after %s, at the %d. try", time.Since(began).Round(time.Millisecond), tries)
	cancel()
	wg.Wait()
}

// resident is how much memory a process has, in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	var size, pages int
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err == nil {
		_, err = fmt.Sscan(string(b), &size, &pages)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
