package outlet

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// sendBuffer keeps what a frozen reader costs the kernel, and how late a slow one is, small.
const sendBuffer = 256 << 10

// TCP is a connection to which several write.
type TCP struct {
	nc   net.Conn
	raw  *rawWriter // nil: what is written may wait
	mu   sync.Mutex // of who writes
	half bool       // under mu: a part of a packet has gone, and who has the rest holds mu
	// since is when the write began that goes on, by the clock of time.Now in nanoseconds;
	// 0: none does.
	since atomic.Int64
}

// NewTCP is for nc, which the caller closes.
func NewTCP(nc net.Conn) *TCP {
	t := &TCP{nc: nc}
	if c, ok := nc.(*net.TCPConn); ok {
		_ = c.SetWriteBuffer(sendBuffer) // what the system allows is right too
		t.raw = newRawWriter(c)
	}
	return t
}

// Tries tells whether Try can do anything.
func (t *TCP) Tries() bool { return t.raw != nil }

// Stands is how long the write takes that goes on.
func (t *TCP) Stands() time.Duration {
	if since := t.since.Load(); since != 0 {
		return time.Since(time.Unix(0, since))
	}
	return 0
}

// Write sends b whole, however long that takes: Stands tells. A deadline for each write
// would cost more.
func (t *TCP) Write(b []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since.Store(time.Now().UnixNano())
	defer t.since.Store(0)
	_, err := t.nc.Write(b)
	return err
}

// WriteAll sends all parts in as few calls as the system takes.
func (t *TCP) WriteAll(parts net.Buffers) error {
	if !t.half {
		t.mu.Lock()
		t.since.Store(time.Now().UnixNano())
	}
	t.half = false
	defer t.mu.Unlock()
	defer t.since.Store(0)
	if len(parts) == 1 {
		_, err := t.nc.Write(parts[0])
		return err
	}
	_, err := parts.WriteTo(t.nc)
	return err
}

// Try sends what goes of b without waiting, nothing while somebody else writes. A
// packet that has gone in part keeps the others out until WriteAll has sent the rest,
// which has to be the next that the caller's side does.
func (t *TCP) Try(b []byte) int {
	if !t.mu.TryLock() {
		return 0
	}
	n := t.raw.write(b)
	if n > 0 && n < len(b) {
		t.half = true
		t.since.Store(time.Now().UnixNano())
		return n
	}
	t.mu.Unlock()
	return n
}
