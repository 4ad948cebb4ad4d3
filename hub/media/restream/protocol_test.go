package restream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/sdp"
	"github.com/pion/rtp"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

func TestSequenceOfRequests(t *testing.T) {
	h, w := still(t, nil)
	url := "rtsp://" + h.Addr().String() + "/front/main"
	p := dial(t, h)
	if public := p.ask("OPTIONS", "*").Header["Public"]; len(public) != 1 || strings.Contains(public[0], "RECORD") || !strings.Contains(public[0], "PLAY") {
		t.Errorf("options: %v", public)
	}
	status(t, p.ask("PLAY", url), base.StatusSessionNotFound, "play without a session")
	status(t, p.ask("ANNOUNCE", url), base.StatusNotImplemented, "announce")
	status(t, p.login("front/main"), base.StatusOK, "describe")
	status(t, p.ask("SETUP", url+"/trackID=0", "Transport: RTP/AVP;multicast"), base.StatusUnsupportedTransport, "multicast")
	status(t, p.ask("SETUP", url+"/trackID=0", "Transport: RTP/SAVP/TCP;interleaved=0-1"), base.StatusUnsupportedTransport, "SRTP")
	status(t, p.ask("SETUP", url+"/trackID=0", "Transport: RTP/AVP/TCP;interleaved=0-1;mode=record"), base.StatusUnsupportedTransport, "record")
	status(t, p.ask("SETUP", url+"/trackID=0"), base.StatusUnsupportedTransport, "no transport")
	status(t, p.ask("SETUP", url+"/trackID=7", "Transport: RTP/AVP/TCP;interleaved=0-1"), base.StatusBadRequest, "a track that is not there")
	status(t, p.ask("SETUP", url+"/trackID=2", "Transport: RTP/AVP/TCP;interleaved=0-1"), base.StatusForbidden, "a back channel where nobody talks")
	status(t, p.ask("SETUP", url+"/trackID=0", "Transport: RTP/AVP;unicast;client_port=4-5,RTP/AVP/TCP;interleaved=2-3"), base.StatusOK, "the first that there is")
	status(t, p.ask("SETUP", url+"/trackID=0", "Transport: RTP/AVP;unicast;client_port=6-7"), base.StatusBadRequest, "the same track again")
	status(t, p.ask("SETUP", url+"/trackID=1", "Transport: RTP/AVP/TCP;interleaved=0-1"), base.StatusUnsupportedTransport, "another transport")
	right := p.session
	p.session = "0123456789abcdef"
	status(t, p.ask("PLAY", url), base.StatusSessionNotFound, "the session of somebody else")
	p.session = right
	status(t, p.ask("GET_PARAMETER", url), base.StatusOK, "still there?")
	status(t, p.ask("TEARDOWN", url), base.StatusOK, "goodbye")

	// Playing, pausing, playing on; requests between pictures.
	p = dial(t, h)
	p.watch("front/main", false, 0)
	put(t, w, false, 3600)
	status(t, p.ask("PLAY", url), base.StatusOK, "play again")
	status(t, p.ask("SETUP", url+"/trackID=1", "Transport: RTP/AVP/TCP;interleaved=2-3"), base.StatusMethodNotValidInThisState, "a track while it plays")
	status(t, p.ask("PAUSE", url), base.StatusOK, "pause")
	status(t, p.ask("PLAY", url), base.StatusOK, "play on")
	put(t, w, true, 7200)
	frames := p.frames.Load()
	for p.frames.Load() < frames+3 { // the GOP from its beginning, and the new picture
		if err := p.frame(); err != nil {
			t.Fatal(err)
		}
	}
	status(t, p.ask("OPTIONS", url), base.StatusOK, "still there?")
	status(t, p.ask("TEARDOWN", url), base.StatusOK, "goodbye")
	if ended := h.Stats().Ended; len(ended) != 1 || ended[0].Packets == 0 {
		t.Errorf("%+v", ended)
	}
}

// A reader may have channels of its own, and the bytes that all share stay as they are.
func TestOwnChannels(t *testing.T) {
	h, w := still(t, nil)
	url := "rtsp://" + h.Addr().String() + "/front/main"
	both := dial(t, h)
	both.watch("front/main", false, 0, 1)
	p := dial(t, h)
	status(t, p.login("front/main"), base.StatusOK, "describe")
	status(t, p.ask("SETUP", url+"/trackID=1", "Transport: RTP/AVP/TCP;interleaved=8-9"), base.StatusOK, "sound")
	status(t, p.ask("SETUP", url+"/trackID=0", "Transport: RTP/AVP/TCP;interleaved=8-9"), base.StatusBadRequest, "channels that are taken")
	status(t, p.ask("SETUP", url+"/trackID=0", "Transport: RTP/AVP/TCP"), base.StatusOK, "any channels")
	status(t, p.ask("PLAY", url), base.StatusOK, "play")
	for i := range int64(5) {
		put(t, w, false, (i+1)*3600)
		if err := w.Put(&av.Unit{Track: 2, PTS: i * 160, DTS: i * 160, Data: make([]byte, 160)}); err != nil {
			t.Fatal(err)
		}
	}
	for p.last[8] == 0 || p.last[0] == 0 || both.last[2] == 0 || both.last[0] == 0 {
		if err := errors.Join(p.frame(), both.frame()); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []*peer{p, both} {
		for c := range q.last {
			if want := map[*peer][2]int{p: {0, 8}, both: {0, 2}}[q]; c != want[0] && c != want[1] {
				t.Errorf("channel %d", c)
			}
		}
	}
}

func sdpOf(t *testing.T, res *base.Response) *description.Session {
	t.Helper()
	var s sdp.SessionDescription
	var d description.Session
	if err := errors.Join(s.Unmarshal(res.Body), d.Unmarshal(&s)); err != nil {
		t.Fatalf("%v in %s", err, res.Body)
	}
	return &d
}

func TestEveryCodecIsDescribedAndCut(t *testing.T) {
	asc := []byte{0x12, 0x88}
	aac, _ := av.AACTrack(2, asc)
	for _, c := range []struct {
		sound  av.Track
		unit   []byte
		codec  string
		frames int
	}{
		{aac, make([]byte, 300), "MPEG-4 Audio", 1},
		{aac, make([]byte, 3000), "MPEG-4 Audio", 3},
		{av.OpusTrack(2, 1), make([]byte, 80), "Opus", 1},
		{av.PCMTrack(2, av.PCMU, 8000, 1), make([]byte, 160), "G711", 1},
		{av.PCMTrack(2, av.PCMA, 16000, 1), make([]byte, 3200), "G711", 3},
		{av.PCMTrack(2, av.L16, 16000, 2), make([]byte, 6400), "LPCM", 5},
	} {
		t.Run(fmt.Sprint(c.sound.Codec, len(c.unit)), func(t *testing.T) {
			h := newHouse(t, nil)
			w, err := h.core.Stream("front", "main").Begin([]av.Track{track(t), c.sound})
			if err != nil {
				t.Fatal(err)
			}
			put(t, w, true, 0)
			p := dial(t, h)
			d := sdpOf(t, p.login("front/main"))
			if len(d.Medias) != 2 || d.Medias[1].Formats[0].Codec() != c.codec || d.Medias[0].Formats[0].Codec() != "H264" {
				t.Fatalf("%+v", d.Medias)
			}
			p = dial(t, h)
			p.watch("front/main", false, 0, 1)
			if err := w.Put(&av.Unit{Track: 2, PTS: 0, DTS: 0, Data: c.unit}); err != nil {
				t.Fatal(err)
			}
			put(t, w, false, 3600) // behind it
			for p.packets.Load() < int64(5+c.frames+3) {
				if err := p.frame(); err != nil {
					t.Fatal(err)
				}
			}
			if p.gaps.Load() > 0 {
				t.Error("gaps")
			}
		})
	}
}

// Other codecs than a reader was told of end it; new parameter sets do not.
func TestAnotherStream(t *testing.T) {
	h := newHouse(t, nil)
	s := h.core.Stream("front", "main")
	w, err := s.Begin([]av.Track{track(t)})
	if err != nil {
		t.Fatal(err)
	}
	put(t, w, true, 0)
	p := dial(t, h)
	p.watch("front/main", false, 0)
	next := track(t)
	next.PPS = append(next.PPS[:len(next.PPS):len(next.PPS)], 1)
	if err := w.SetTrack(next); err != nil {
		t.Fatal(err)
	}
	put(t, w, true, 3600)
	for p.frames.Load() < 2 {
		if err := p.frame(); err != nil {
			t.Fatalf("new parameter sets: %v", err)
		}
	}
	w.End("restarts")
	other, err := s.Begin([]av.Track{track(t), av.OpusTrack(2, 1)})
	if err != nil {
		t.Fatal(err)
	}
	put(t, other, true, 7200)
	if err := p.read(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	await(t, "its end", func() bool { return len(h.Stats().Ended) == 1 })
	if got := h.Stats().Ended[0].Ended; !strings.Contains(got, "other tracks") {
		t.Error(got)
	}
	p = dial(t, h)
	p.watch("front/main", false, 0, 1)
}

func TestQueries(t *testing.T) {
	h, w := still(t, nil)
	if err := w.Put(&av.Unit{Track: 2, Data: make([]byte, 160)}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{"": 2, "?audio=none": 1, "?video=none": 1, "?audio=copy&x=1": 2, "?audio=pcmu": 2} {
		p := dial(t, h)
		if d := sdpOf(t, p.login("front/main"+query)); len(d.Medias) != want {
			t.Errorf("%q: %d tracks", query, len(d.Medias))
		}
		if res := p.ask("SETUP", "rtsp://"+p.host+"/front/main"+query+"/trackID=0", "Transport: RTP/AVP/TCP;interleaved=0-1"); res.StatusCode != base.StatusOK {
			t.Errorf("%q: setup: %+v", query, res)
		}
	}
	for _, query := range []string{"?audio=mp3", "?video=vp8", "?audio=none&video=none", "?%zz"} {
		p := dial(t, h)
		status(t, p.login("front/main"+query), base.StatusBadRequest, query)
	}
	p := dial(t, h)
	res := p.login("front/main?audio=opus")
	status(t, res, base.StatusServiceUnavailable, "a conversion that nobody makes")
}

// The pictures that a reader gets are those of the ring, bit by bit, with their times.
func TestWhatAReaderGets(t *testing.T) {
	h, w := still(t, nil)
	p := dial(t, h)
	p.watch("front/main", false, 0)
	big := picture(true, 9000, 200_000)
	for i := range big.Data[5:] {
		big.Data[5+i] = byte(i * 7)
	}
	if err := w.Put(big); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for {
		head, err := p.in.Peek(4)
		if err != nil {
			t.Fatal(err)
		}
		n := int(binary.BigEndian.Uint16(head[2:]))
		b := make([]byte, 4+n)
		if _, err := readFull(p, b); err != nil {
			t.Fatal(err)
		}
		var packet rtp.Packet
		if b[1] != 0 {
			continue
		}
		if err := packet.Unmarshal(b[4:]); err != nil {
			t.Fatal(err)
		}
		if packet.Timestamp != 9000 || packet.Payload[0]&0x1f != 28 {
			continue
		}
		if len(packet.Payload) > 1400 {
			t.Errorf("a packet of %d bytes", len(packet.Payload))
		}
		if packet.Payload[1]&0x80 != 0 {
			got = append(got, packet.Payload[0]&0xe0|packet.Payload[1]&0x1f)
		}
		got = append(got, packet.Payload[2:]...)
		if packet.Marker {
			break
		}
	}
	if string(got) != string(big.Data[4:]) {
		t.Errorf("%d bytes of %d, or not the same", len(got), len(big.Data)-4)
	}
}

func readFull(p *peer, b []byte) (int, error) {
	n := 0
	for n < len(b) {
		m, err := p.in.Read(b[n:])
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

// desk is a camera that can be spoken to.
type desk struct {
	mu     sync.Mutex
	by     string
	track  av.Track
	heard  []*av.Unit
	ended  []string
	refuse error
}

func (d *desk) Takes(camera string) bool { return camera == "front" }

func (d *desk) Busy(string, string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refuse
}

func (d *desk) Open(_ context.Context, _, name, _ string, track av.Track) (func(*av.Unit) error, func(string), error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse != nil {
		return nil, nil, d.refuse
	}
	d.by, d.track = name, track
	return func(u *av.Unit) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.heard = append(d.heard, u)
			return nil
		}, func(reason string) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.by = ""
			d.ended = append(d.ended, reason)
		}, nil
}

func (d *desk) said() (n int, by string, ended int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.heard), d.by, len(d.ended)
}

type busy struct{}

func (busy) Error() string { return "Ann talks since 10:15" }
func (busy) Code() string  { return "E-TALK-BUSY" }

const backChannel = "Require: www.onvif.org/ver20/backchannel"

func TestTalk(t *testing.T) {
	d := &desk{}
	h, _ := still(t, func(o *Options) { o.Talk = d })
	for _, udp := range []bool{false, true} {
		p := dial(t, h)
		if all := sdpOf(t, p.login("front/main")); len(all.Medias) != 2 {
			t.Errorf("%d sections for who did not ask", len(all.Medias))
		}
		all := sdpOf(t, p.ask("DESCRIBE", "rtsp://"+p.host+"/front/main", backChannel))
		if len(all.Medias) != 3 || !all.Medias[2].IsBackChannel {
			t.Fatalf("%+v", all.Medias)
		}
		transport := "Transport: RTP/AVP/TCP;interleaved=4-5"
		if udp {
			transport = p.ports()
		}
		res := p.ask("SETUP", "rtsp://"+p.host+"/front/main/trackID=2", transport, backChannel)
		status(t, res, base.StatusOK, "setup of the back channel alone")
		status(t, p.ask("PLAY", "rtsp://"+p.host+"/front/main", backChannel), base.StatusOK, "play")
		if _, by, _ := d.said(); by != "" {
			t.Error("it talks before it says something")
		}
		before, _, ends := d.said()
		for i := range 10 {
			b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 8, SequenceNumber: uint16(i), Timestamp: uint32(i * 160), SSRC: 7}, Payload: make([]byte, 160)}).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if udp {
				var to int
				if _, ports, ok := strings.Cut(res.Header["Transport"][0], "server_port="); ok {
					_, _ = fmt.Sscanf(ports, "%d", &to)
				}
				_, err = p.udp[0].WriteToUDPAddrPort(b, addrPort(to))
			} else {
				_, err = p.nc.Write(append([]byte{'$', 4, 0, byte(len(b))}, b...))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		await(t, "speech", func() bool { n, by, _ := d.said(); return n == before+10 && by == "test" })
		if d.track.Codec != av.PCMA || d.heard[before+9].PTS != 9*160 {
			t.Errorf("%+v %+v", d.track, d.heard[before+9])
		}
		if st := h.Stats().Readers; len(st) != 1 || !st[0].Talks {
			t.Errorf("%+v", st)
		}
		_ = p.nc.Close()
		await(t, "its end", func() bool { _, by, n := d.said(); return by == "" && n == ends+1 })
		await(t, "no reader", func() bool { return len(h.Stats().Readers) == 0 })
	}

	d.refuse = busy{}
	p := dial(t, h)
	status(t, p.login("front/main", backChannel), base.StatusOK, "describe")
	res := p.ask("SETUP", "rtsp://"+p.host+"/front/main/trackID=2", "Transport: RTP/AVP/TCP;interleaved=0-1")
	status(t, res, base.StatusNotEnoughBandwidth, "while another talks")
	if !strings.Contains(string(res.StatusMessage), "Ann talks") {
		t.Errorf("%+v", res)
	}
	h, _ = still(t, func(o *Options) {
		o.Talk, o.Logins = &desk{}, newLogins("owner", "secret words", Viewer{User: "owner"})
	})
	p = dial(t, h)
	if all := sdpOf(t, p.login("front/main", backChannel)); len(all.Medias) != 2 {
		t.Error("a back channel for who may not talk")
	}
	status(t, p.ask("SETUP", "rtsp://"+p.host+"/front/main/trackID=2", "Transport: RTP/AVP/TCP;interleaved=0-1"), base.StatusForbidden, "who may not talk")
}

// A stream that does not run is woken, and its reader gets the first picture that comes.
func TestWoken(t *testing.T) {
	h := newHouse(t, nil)
	woken := make(chan struct{}, 1) // the demand comes once
	stop := h.core.OnDemand(func(d media.Demand) {
		if d.N > 0 && d.Why != "" {
			select {
			case woken <- struct{}{}:
			default:
			}
		}
	})
	defer stop()
	p := dial(t, h)
	done := make(chan *base.Response, 1)
	go func() { done <- p.login("front/sub") }()
	<-woken
	w, err := h.core.Stream("front", "sub").Begin([]av.Track{track(t)})
	if err != nil {
		t.Fatal(err)
	}
	put(t, w, true, 0)
	status(t, <-done, base.StatusOK, "describe")
}
