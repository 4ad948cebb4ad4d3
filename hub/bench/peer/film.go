package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

const (
	// frameEvery is the pace of each film: 25 pictures a second.
	frameEvery = 40 * time.Millisecond
	// frameTicks is that in the clock of video (RFC 6184 8.2.1: 90 kHz).
	frameTicks = 90000 / 25
	// packet is the most payload of one RTP packet, as cameras on Ethernet send.
	packet = 1400
)

// film is a loop of H.264 as RTP payloads, a key frame first.
type film struct {
	pictures [][][]byte // payloads of each picture, without stamps
	sdp      string
}

// readFilm takes an Annex B file of one slice a picture, each key frame behind its
// parameter sets.
func readFilm(path string) (*film, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &film{}
	var picture [][]byte
	var sps, pps []byte
	for nal := range bytes.SplitSeq(b, []byte{0, 0, 1}) {
		nal = bytes.TrimRight(nal, "\x00") // of the next start code
		if len(nal) == 0 {
			continue
		}
		switch kind := nal[0] & 0x1f; kind {
		case 7:
			sps = nal
			picture = append(picture, nal)
		case 8:
			pps = nal
			picture = append(picture, nal)
		case 1, 5:
			f.pictures = append(f.pictures, append(picture, fragments(nal)...))
			picture = nil
		}
	}
	if len(f.pictures) == 0 || len(sps) < 4 || pps == nil {
		return nil, errors.New(path + " is no film")
	}
	f.sdp = fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=film\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"+
		"a=fmtp:96 packetization-mode=1;profile-level-id=%02X%02X%02X;sprop-parameter-sets=%s,%s\r\na=control:video\r\n",
		sps[1], sps[2], sps[3], base64.StdEncoding.EncodeToString(sps), base64.StdEncoding.EncodeToString(pps))
	return f, nil
}

// fragments packs one NAL unit (RFC 6184 5.8: FU-A where it is too long).
func fragments(nal []byte) [][]byte {
	if len(nal) <= packet {
		return [][]byte{nal}
	}
	var out [][]byte
	rest := nal[1:]
	for first := true; len(rest) > 0; first = false {
		n := min(packet-2, len(rest))
		mark := nal[0] & 0x1f
		if first {
			mark |= 0x80
		}
		if n == len(rest) {
			mark |= 0x40
		}
		out = append(out, append([]byte{nal[0]&0xe0 | 28, mark}, rest[:n]...))
		rest = rest[n:]
	}
	return out
}

// session is one connection's way through a film.
type session struct {
	film     *film
	channel  byte
	sequence uint16
	count    uint32 // of pictures
	skipped  int    // pictures of the film
	buf      []byte
	stamp    []byte // the last payload, with its stamp
}

// place is the number of the next picture in the film.
func (s *session) place() int { return (int(s.count) + s.skipped) % len(s.film.pictures) }

// toKey goes on with the next key frame.
func (s *session) toKey() {
	for range s.film.pictures {
		if p := s.film.pictures[s.place()]; p[0][0]&0x1f == 7 { // behind its parameter sets
			return
		}
		s.skipped++
	}
}

// next is the bytes of the next picture on the wire, interleaved (RFC 2326 10.12).
func (s *session) next() []byte {
	payloads := s.film.pictures[s.place()]
	s.buf = s.buf[:0]
	last := len(payloads) - 1
	for _, p := range payloads[:last] {
		s.put(p, false)
	}
	s.stamp = part.Stamp{At: part.Now(), Count: s.count}.Append(append(s.stamp[:0], payloads[last]...))
	s.put(s.stamp, true)
	s.count++
	return s.buf
}

func (s *session) put(payload []byte, last bool) {
	n, ticks := 12+len(payload), s.count*frameTicks
	kind := byte(96)
	if last {
		kind |= 0x80
	}
	s.buf = append(s.buf, '$', s.channel, byte(n>>8), byte(n), 0x80, kind, byte(s.sequence>>8), byte(s.sequence),
		byte(ticks>>24), byte(ticks>>16), byte(ticks>>8), byte(ticks), 0, 0, 0, 1)
	s.buf = append(s.buf, payload...)
	s.sequence++
}
