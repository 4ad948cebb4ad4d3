package web

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// oneConn is a listener with one connection.
type oneConn struct {
	conns chan net.Conn // size 1: that one
	gone  chan struct{}
	once  sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.gone:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error { l.once.Do(func() { close(l.gone) }); return nil }

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// TestAQuietAnswerIsNotCutOff: an answer of HTTP/2 that says nothing for an hour goes on
// after it, and one whose reader takes nothing more is given up.
func TestAQuietAnswerIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const patience = 10 * time.Second
		ended := make(chan error, 1) // the stuck answer's one end
		mux := http.NewServeMux()
		mux.HandleFunc("/quiet", func(w http.ResponseWriter, _ *http.Request) {
			rc := http.NewResponseController(w)
			for range 3 {
				if err := rc.SetWriteDeadline(time.Now().Add(patience)); err != nil {
					t.Error(err)
				}
				if _, err := w.Write([]byte("line\n")); err != nil {
					t.Error(err)
				}
				if err := rc.Flush(); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Hour)
			}
		})
		mux.HandleFunc("/stuck", func(w http.ResponseWriter, _ *http.Request) {
			rc := http.NewResponseController(w)
			for {
				_ = rc.SetWriteDeadline(time.Now().Add(patience))
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					ended <- err
					return
				}
			}
		})
		var p http.Protocols
		p.SetUnencryptedHTTP2(true)
		a, b := net.Pipe()
		ln := &oneConn{conns: make(chan net.Conn, 1), gone: make(chan struct{})}
		ln.conns <- a
		srv := &http.Server{Protocols: &p, WriteTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Errorf("by %s", r.Proto)
			}
			mux.ServeHTTP(&patientWriter{ResponseWriter: w, rc: http.NewResponseController(w)}, r)
		})}
		var serve sync.WaitGroup
		serve.Go(func() { _ = srv.Serve(ln) })
		client := &http.Client{Transport: &http.Transport{Protocols: &p, DialContext: func(context.Context, string, string) (net.Conn, error) { return b, nil }}}
		get := func(path string) *http.Response {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://hub"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			return res
		}
		res := get("/quiet")
		lines := bufio.NewScanner(res.Body)
		got := 0
		for lines.Scan() {
			got++
		}
		if err := lines.Err(); got != 3 || err != nil {
			t.Errorf("%d lines, %v", got, err)
		}
		res.Body.Close()

		begun := time.Now()
		res = get("/stuck")
		<-ended
		if took := time.Since(begun); took < patience || took > 2*patience {
			t.Errorf("given up after %s", took)
		}
		res.Body.Close()
		client.CloseIdleConnections()
		_ = srv.Close()
		serve.Wait()
	})
}
