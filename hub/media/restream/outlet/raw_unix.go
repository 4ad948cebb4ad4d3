//go:build unix

package outlet

import (
	"net"
	"syscall"
)

// rawWriter writes to a socket what it takes at once. It is for one goroutine at a time.
type rawWriter struct {
	conn syscall.RawConn
	b    []byte
	n    int
	once func(fd uintptr) bool // made once: it is called for each picture
}

func newRawWriter(t *net.TCPConn) *rawWriter {
	conn, err := t.SyscallConn()
	if err != nil {
		return nil
	}
	w := &rawWriter{conn: conn}
	w.once = func(fd uintptr) bool {
		for {
			n, err := syscall.Write(int(fd), w.b)
			if err == syscall.EINTR {
				continue
			}
			w.n = max(0, n)
			return true // full, or broken: who waits finds out
		}
	}
	return w
}

func (w *rawWriter) write(b []byte) int {
	w.b, w.n = b, 0
	err := w.conn.Write(w.once)
	w.b = nil
	if err != nil {
		return 0
	}
	return w.n
}
