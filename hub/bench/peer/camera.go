package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cameras serves films by RTSP over TCP: rtsp://ADDRESS/NAME/anything is the film of
// that name, from its first picture, for each connection anew. It does as little as it
// can, since its cost is not what is measured.
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
	for {
		c, err := l.Accept()
		if err != nil {
			return nil
		}
		go func() { // ends with its connection, or the process
			defer c.Close()
			_ = (&camera{conn: c, films: by}).serve() // a client went away
		}()
	}
}

// camera is one connection.
type camera struct {
	conn  net.Conn
	films map[string]*film
	film  *film
	mu    sync.Mutex // of writing
	over  chan struct{}
	play  sync.WaitGroup
}

func (s *camera) serve() error {
	s.over = make(chan struct{})
	defer s.play.Wait()
	defer close(s.over)
	defer s.conn.Close()
	in := bufio.NewReader(s.conn)
	channel := byte(0)
	for {
		if b, err := in.Peek(1); err != nil {
			return err
		} else if b[0] == '$' { // a report of reception
			head := make([]byte, 4)
			if _, err := io.ReadFull(in, head); err != nil {
				return err
			}
			if _, err := in.Discard(int(head[2])<<8 | int(head[3])); err != nil {
				return err
			}
			continue
		}
		text := textproto.NewReader(in)
		line, err := text.ReadLine()
		if err != nil {
			return err
		}
		words := strings.Fields(line)
		header, err := text.ReadMIMEHeader()
		if err != nil || len(words) < 2 {
			return fmt.Errorf("request %q: %w", line, err)
		}
		if n, _ := strconv.Atoi(header.Get("Content-Length")); n > 0 {
			if _, err := in.Discard(n); err != nil {
				return err
			}
		}
		more, body := "", ""
		switch words[0] {
		case "OPTIONS":
			more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n"
		case "DESCRIBE":
			if s.film = s.named(words[1]); s.film == nil {
				return s.answer("404 Not Found", header, "", "")
			}
			more, body = "Content-Base: "+strings.TrimSuffix(words[1], "/")+"/\r\nContent-Type: application/sdp\r\n", s.film.sdp
		case "SETUP":
			if _, n, ok := strings.Cut(header.Get("Transport"), "interleaved="); ok {
				n, _, _ = strings.Cut(n, "-")
				c, _ := strconv.Atoi(n)
				channel = byte(c)
			}
			more = fmt.Sprintf("Transport: RTP/AVP/TCP;unicast;interleaved=%d-%d\r\n", channel, channel+1)
		case "PLAY":
			more = "RTP-Info: url=video;seq=0;rtptime=0\r\n"
		case "TEARDOWN":
			return s.answer("200 OK", header, "", "")
		}
		if err := s.answer("200 OK", header, more, body); err != nil {
			return err
		}
		if words[0] == "PLAY" && s.film != nil {
			s.play.Go(func() { s.show(&session{film: s.film, channel: channel}) })
		}
	}
}

func (s *camera) named(url string) *film {
	_, rest, _ := strings.Cut(url, "://")
	_, path, _ := strings.Cut(rest, "/")
	name, _, _ := strings.Cut(path, "/")
	return s.films[name]
}

func (s *camera) answer(status string, header textproto.MIMEHeader, more, body string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if body != "" {
		more += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	_, err := fmt.Fprintf(s.conn, "RTSP/1.0 %s\r\nCSeq: %s\r\nSession: 1;timeout=60\r\n%s\r\n%s", status, header.Get("Cseq"), more, body)
	return err
}

// show sends pictures at their pace, by the clock and not by how long a write took.
func (s *camera) show(way *session) {
	began := time.Now()
	for n := 0; ; n++ {
		wait := time.NewTimer(time.Until(began.Add(time.Duration(n) * frameEvery)))
		select {
		case <-s.over:
			wait.Stop()
			return
		case <-wait.C:
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
