package instance

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/porchlight-hub/porchlight/sdk/proto/pluginv1grpc"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// Exit codes of a plugin process.
const (
	exitOK       = 0
	exitRun      = 1  // Run returned an error
	exitStart    = 1  // nothing to listen on
	exitUsage    = 2  // started by hand
	exitPanic    = 70 // the author's code panicked (EX_SOFTWARE of sysexits.h)
	exitHubGone  = 75 // the hub went away (EX_TEMPFAIL)
	lifelineWait = 500 * time.Millisecond
	// exitWait lets the transport write the answer to Stop before the process ends by itself.
	exitWait = 50 * time.Millisecond
)

// Main is a plugin's process: it serves the hub until the end and returns the exit
// code. dress is called once, after the handshake.
func Main(dress func(*Instance) Author) int {
	if os.Getenv(wire.CookieKey) != wire.CookieValue {
		byHand(os.Stderr, filepath.Base(os.Args[0]))
		return exitUsage
	}
	stderr := os.Stderr
	code := make(chan int, 1) // the first ending counts
	in := newInstance(dress, stderr, func(c int) {
		select {
		case code <- c:
		default:
		}
	})
	// What the author prints goes to stderr, where the hub keeps it as log lines;
	// go-plugin would carry both over a stream that can stall the printer. The first
	// call comes after go-plugin put its own pipes in place.
	var called atomic.Bool
	in.first = func() {
		os.Stdout, os.Stderr = stderr, stderr
		called.Store(true)
	}

	// Ctrl-C and a closed terminal reach the whole process group; it is the hub that stops plugins.
	ignored := make(chan os.Signal, 1) // never read: a signal that does not fit is dropped
	signal.Notify(ignored, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)

	if isPipe(os.Stdin) {
		go in.lifeline(os.Stdin)
	}
	go func() {
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig: wire.Handshake(),
			Plugins:         wire.Serving(in),
			GRPCServer:      wire.NewServer,
			Logger:          hclog.New(&hclog.LoggerOptions{Name: "plugin", Level: hclog.Warn, Output: stderr}),
		})
		if !called.Load() {
			in.end(exitStart) // go-plugin has said on stderr why there was no handshake
		}
		in.end(exitOK) // the hub shut the server down
	}()
	c := <-code
	in.close()
	return c
}

// byHand explains what somebody has started.
func byHand(w io.Writer, name string) {
	fmt.Fprintf(w, `%[1]s is a plugin of Porchlight; the hub starts it, not a person.
To add it, write into porchlight.yaml, and name it in a camera or a chime:

plugins:
  %[1]s: {path: /full/path/of/%[1]s}
cameras:
  front_door: {name: Front door, kind: doorbell, plugin: %[1]s}
`, name)
}

// isPipe tells whether the hub holds the other end: a terminal or /dev/null is no lifeline.
func isPipe(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0
}

// lifeline ends the process when the hub's end of stdin closes, however the hub died.
func (in *Instance) lifeline(r io.Reader) {
	_, _ = io.Copy(io.Discard, r)
	in.hubGone()
}

// ServeConn serves the protocol over one connection, until ctx ends, the other end
// closes it or the plugin ends; it returns the exit code that a process would have had.
func ServeConn(ctx context.Context, conn net.Conn, dress func(*Instance) Author, stderr io.Writer) int {
	code := make(chan int, 1) // the first ending counts
	in := newInstance(dress, stderr, func(c int) {
		select {
		case code <- c:
		default:
		}
	})
	srv := wire.NewServer([]grpc.ServerOption{grpc.WaitForHandlers(true)})
	pluginv1grpc.RegisterPluginServer(srv, in)
	l := &oneConn{conn: conn, done: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = srv.Serve(l) // ends by Stop below, or with the connection
		in.end(exitOK)
	})
	var c int
	select {
	case c = <-code:
	case <-ctx.Done():
	}
	in.close()
	srv.Stop()
	wg.Wait()
	in.wait()
	return c
}

// oneConn is a listener that has one connection to give and ends with it.
type oneConn struct {
	mu   sync.Mutex
	conn net.Conn
	done chan struct{} // closed by Close, or when the connection is closed
	once sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	l.mu.Lock()
	c := l.conn
	l.conn = nil
	l.mu.Unlock()
	if c != nil {
		return &closing{Conn: c, l: l}, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Net: "unix"} }

// closing tells the listener when the one connection is closed.
type closing struct {
	net.Conn
	l *oneConn
}

func (c *closing) Close() error {
	err := c.Conn.Close()
	_ = c.l.Close()
	return err
}
