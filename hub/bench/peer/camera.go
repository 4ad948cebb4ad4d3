package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cameras serves films by RTSP over TCP. rtsp://ADDRESS/NAME/anything is the film of
// that name, from its first picture, for each connection anew; where anything is
// "live-" and a number it goes on all the time, as real cameras do, each number in its own
// step, and a connection comes into the middle of it. It does as little as it can, since its cost is not what is measured.
func cameras(ctx context.Context, films []string) error {
	by := map[string]*film{}
	for _, spec := range films {
		name, path, _ := strings.Cut(spec, "=")
		f, err := readFilm(path)
		if err != nil {
			return fmt.Errorf("cameras: %w", err)
		}
		by[name] = f
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("cameras: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	fmt.Println(l.Addr())
	opened := time.Now()
	for {
		c, err := l.Accept()
		if err != nil {
			return nil
		}
		go func() { // ends with its connection, or the process
			defer c.Close()
			s := &camera{films: by, opened: opened, over: make(chan struct{})}
			s.desk = desk{conn: c, describe: s.describe, played: s.played, report: s.reported}
			_ = s.serve() // a client went away
		}()
	}
}

const (
	// steps is how many cameras share the time of a picture: they do not all send at once.
	steps = 16
	// stepPictures is how far one camera is from the next in the film, so that their key
	// frames do not come together.
	stepPictures = 7
)

// camera is one connection.
type camera struct {
	desk
	films  map[string]*film
	opened time.Time
	film   *film
	live   int // its number and one; 0: from the begin
	over   chan struct{}
	play   sync.WaitGroup

	wish sync.Mutex
	key  bool // somebody asks for a key frame
}

func (s *camera) serve() error {
	defer s.play.Wait()
	defer close(s.over)
	defer s.conn.Close()
	return s.desk.serve()
}

func (s *camera) describe(path string) (sdp string, ok bool) {
	name, rest, _ := strings.Cut(path, "/")
	if s.film = s.films[name]; s.film == nil {
		return "", false
	}
	if number, ok := strings.CutPrefix(rest, "live-"); ok {
		n, err := strconv.Atoi(number)
		if err != nil {
			return "", false
		}
		s.live = n + 1
	}
	return s.film.sdp, true
}

func (s *camera) played(channel byte) {
	if s.film != nil {
		s.play.Go(func() { s.show(&session{film: s.film, channel: channel}) })
	}
}

// reported looks for a request for a key frame: PLI or FIR (RFC 4585 6.3.1, RFC 5104 4.3.1).
func (s *camera) reported(b []byte) {
	for len(b) >= 4 {
		n := 4 + 4*(int(b[2])<<8|int(b[3]))
		if b[1] == 206 && (b[0]&0x1f == 1 || b[0]&0x1f == 4) {
			s.wish.Lock()
			s.key = true
			s.wish.Unlock()
		}
		b = b[min(n, len(b)):]
	}
}

func (s *camera) wished() bool {
	s.wish.Lock()
	defer s.wish.Unlock()
	was := s.key
	s.key = false
	return was
}

// show sends pictures at their pace, by the clock and not by how long a write took.
func (s *camera) show(way *session) {
	began := time.Now()
	if s.live > 0 {
		began = s.opened.Add(time.Duration(s.live) * frameEvery / steps % frameEvery)
		way.count, way.skipped = uint32(time.Since(began)/frameEvery)+1, s.live*stepPictures
	}
	for {
		wait := time.NewTimer(time.Until(began.Add(time.Duration(way.count) * frameEvery)))
		select {
		case <-s.over:
			wait.Stop()
			return
		case <-wait.C:
		}
		if s.wished() {
			way.toKey()
		}
		s.mu.Lock()
		_, err := s.conn.Write(way.next())
		s.mu.Unlock()
		if err != nil {
			s.conn.Close()
			return
		}
	}
}
