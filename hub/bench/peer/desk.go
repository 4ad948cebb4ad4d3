package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
)

// desk is the dialog of one connection at an RTSP server: as little as players need.
type desk struct {
	conn     net.Conn
	describe func(path string) (sdp string, ok bool)
	played   func(channel byte)
	report   func(b []byte) // what comes on other channels; nil: it does not matter
	mu       sync.Mutex     // of writing
}

func (s *desk) serve() error {
	in := bufio.NewReader(s.conn)
	channel, body := byte(0), ""
	for {
		if b, err := in.Peek(1); err != nil {
			return err
		} else if b[0] == '$' { // a report of reception
			head := make([]byte, 4)
			if _, err := io.ReadFull(in, head); err != nil {
				return err
			}
			b := make([]byte, int(head[2])<<8|int(head[3]))
			if _, err := io.ReadFull(in, b); err != nil {
				return err
			}
			if s.report != nil {
				s.report(b)
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
		more := ""
		body = ""
		switch words[0] {
		case "OPTIONS":
			more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n"
		case "DESCRIBE":
			_, rest, _ := strings.Cut(words[1], "://")
			_, path, _ := strings.Cut(rest, "/")
			ok := false
			if body, ok = s.describe(path); !ok {
				return s.answer("404 Not Found", header, "", "")
			}
			more = "Content-Base: " + strings.TrimSuffix(words[1], "/") + "/\r\nContent-Type: application/sdp\r\n"
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
		if words[0] == "PLAY" {
			s.played(channel)
		}
	}
}

func (s *desk) answer(status string, header textproto.MIMEHeader, more, body string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if body != "" {
		more += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	_, err := fmt.Fprintf(s.conn, "RTSP/1.0 %s\r\nCSeq: %s\r\nSession: 1;timeout=60\r\n%s\r\n%s", status, header.Get("Cseq"), more, body)
	return err
}
