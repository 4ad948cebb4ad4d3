package rtsp

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/porchlight-hub/porchlight/sdk/av"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp/badcam"
)

const talkLines = "m=audio 0 RTP/AVP 0\na=control:mic\na=recvonly\nm=audio 0 RTP/AVP 0 8 97 98\na=rtpmap:97 opus/48000/2\na=rtpmap:98 L16/16000\na=control:talk\na=sendonly"

// listener keeps what a camera was told.
type listener struct {
	mu      sync.Mutex
	packets map[int][]*rtp.Packet // by track
	reports int
}

func (l *listener) hear(track int, rtcp bool, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rtcp {
		l.reports++
		return
	}
	var p rtp.Packet
	if p.Unmarshal(slices.Clone(b)) == nil && len(p.Payload) > 0 {
		if l.packets == nil {
			l.packets = map[int][]*rtp.Packet{}
		}
		l.packets[track] = append(l.packets[track], &p)
	}
}

func (l *listener) of(track int) []*rtp.Packet {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.packets[track])
}

func door(o badcam.Options) (badcam.Options, *listener) {
	l := &listener{}
	if o.SDP == "" {
		o.SDP = video(talkLines)
	}
	o.Heard = l.hear
	if o.Play == nil {
		o.Play = func(p *badcam.Player) { <-p.Done }
	}
	return o, l
}

// words makes n units of 20 ms in a heap; each has its number in it.
func words(track av.Track, n int) Speech {
	i := 0
	return Speech{Track: track, Next: func(context.Context) (*av.Unit, error) {
		if i == n {
			return nil, io.EOF
		}
		size := 160
		if track.Codec == av.L16 {
			size = 2 * track.SampleRate / 50
		}
		u := &av.Unit{Track: track.ID, PTS: track.Ticks(time.Duration(i) * 20 * time.Millisecond), Data: make([]byte, size)}
		u.Data[0] = byte(i)
		i++
		return u, nil
	}}
}

func pcmu() av.Track { return av.PCMTrack(1, av.PCMU, 8000, 1) }

// heard checks that the camera got n units of a track, whole, in order and in their time.
// What was said last may still be on its way by UDP when the session ends.
func heard(t *testing.T, l *listener, track, n int, of av.Track, typ uint8) {
	t.Helper()
	got := l.of(track)
	if len(got) < n-1 || len(got) > n {
		t.Fatalf("the camera heard %d packets of %d", len(got), n)
	}
	for i, p := range got {
		if p.PayloadType != typ || p.Payload[0] != byte(i) || p.Marker != (i == 0) || p.SSRC != got[0].SSRC ||
			p.SequenceNumber != got[0].SequenceNumber+uint16(i) || p.Timestamp-got[0].Timestamp != uint32(of.Ticks(time.Duration(i)*20*time.Millisecond)) {
			t.Fatalf("packet %d: %+v", i, p.Header)
		}
	}
}

func TestSpeak(t *testing.T) {
	for _, c := range []struct {
		name  string
		track av.Track
		typ   uint8
	}{
		{"pcmu", pcmu(), 0}, {"pcma", av.PCMTrack(1, av.PCMA, 8000, 1), 8}, {"opus", av.OpusTrack(1, 1), 97}, {"l16", av.PCMTrack(1, av.L16, 16000, 1), 98},
	} {
		for _, transport := range []string{"tcp", "udp"} {
			t.Run(c.name+" "+transport, func(t *testing.T) {
				t.Parallel()
				o, l := door(badcam.Options{Auth: "md5", Username: "u", Password: secret})
				cam := start(t, o)
				ready := 0
				sp := words(c.track, 30)
				sp.Ready = func() { ready++ }
				began := time.Now()
				if err := Speak(within(t, 20*time.Second), Target{URL: cam.URL(), Username: "u", Password: secret, Transport: transport}, sp, Options{}); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < 29*20*time.Millisecond {
					t.Errorf("600 ms of speech were sent in %v", took)
				}
				if ready != 1 {
					t.Errorf("ready %d times", ready)
				}
				heard(t, l, 0, 30, c.track, c.typ)
				var did []string
				for _, q := range cam.Asked() {
					if q.Method == "DESCRIBE" || q.Method == "SETUP" || q.Method == "PLAY" {
						if q.Header["require"] != backChannel {
							t.Errorf("%s without Require", q.Method)
						}
						if q.Method == "SETUP" && !strings.HasSuffix(q.URL, "/talk") {
							t.Errorf("SETUP of %s", q.URL)
						}
					}
					did = append(did, q.Method)
				}
				if did[len(did)-1] != "TEARDOWN" {
					t.Errorf("it asked %v", did)
				}
			})
		}
	}
}

// What a camera takes is told by a look and by a pull, without another connection.
func TestWhatACameraTakesForTalk(t *testing.T) {
	want := []av.Codec{av.PCMU, av.PCMA, av.Opus, av.L16}
	codecs := func(tracks []av.Track) (out []av.Codec) {
		for _, x := range tracks {
			out = append(out, x.Codec)
		}
		return out
	}
	cam := start(t, badcam.Options{SDP: video(talkLines)})
	r, err := Look(t.Context(), Target{URL: cam.URL()}, Options{Talk: true})
	if err != nil || !slices.Equal(codecs(r.Progress.Talk), want) || r.Progress.Talk[3].SampleRate != 16000 {
		t.Errorf("%v %v", r.Progress.Talk, err)
	}
	for _, talk := range []bool{true, false} {
		var told []av.Track
		s := &screen{want: 2}
		if err := s.watch(within(t, 20*time.Second), Target{URL: cam.URL()}, Options{Talk: talk, Progress: func(p Progress) { told = p.Talk }}); err != nil {
			t.Fatal(err)
		}
		if got := codecs(told); talk != slices.Equal(got, want) || !talk && len(got) > 0 {
			t.Errorf("a pull, asked %v, tells %v", talk, got)
		}
	}
}

func fail(status int, is func(q *badcam.Request) bool) func(*badcam.Request, *badcam.Answer) {
	return func(q *badcam.Request, a *badcam.Answer) {
		if is(q) {
			a.Fail(status, "No")
		}
	}
}

func isTalk(q *badcam.Request) bool { return q.Method == "SETUP" && strings.HasSuffix(q.URL, "talk") }

func TestSpeakFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		cam   badcam.Options
		track av.Track
		t     Target
		kind  Kind
		code  string
	}{
		{name: "551", cam: badcam.Options{SDP: badcam.SDP()}, kind: NoTalk, code: "E-RTSP-NO-TALK"},
		{name: "its microphone only", cam: badcam.Options{SDP: video("m=audio 0 RTP/AVP 0\na=control:mic\na=sendrecv"), Answer: answers("DESCRIBE", func(_ *badcam.Request, a *badcam.Answer) {
			a.Status, a.Reason, a.Lines = 200, "OK", []string{"Content-Type: application/sdp"}
			a.Body = video("m=audio 0 RTP/AVP 0\na=control:mic")
		})}, kind: NoTalk, code: "E-RTSP-NO-TALK"},
		{name: "another codec by now", track: av.PCMTrack(1, av.PCMU, 16000, 1), kind: NoTalk, code: "E-RTSP-NO-TALK"},
		{name: "a second talk", cam: badcam.Options{Answer: fail(453, isTalk)}, kind: Busy, code: "E-RTSP-BUSY"},
		{name: "a second talk, in other words", cam: badcam.Options{Answer: fail(500, isTalk)}, kind: Busy, code: "E-RTSP-BUSY"},
		{name: "a second talk, at PLAY", cam: badcam.Options{Answer: fail(503, func(q *badcam.Request) bool { return q.Method == "PLAY" })}, kind: Busy, code: "E-RTSP-BUSY"},
		{name: "a user who may not", cam: badcam.Options{Answer: fail(403, isTalk)}, kind: Login, code: "E-RTSP-LOGIN"},
		{name: "a wrong password", cam: badcam.Options{Auth: "md5", Username: "u", Password: "x"}, t: Target{Username: "u", Password: "wrong"}, kind: Login, code: "E-RTSP-LOGIN"},
		{name: "it hangs up", cam: badcam.Options{Play: func(p *badcam.Player) { p.Raw([]byte("TEARDOWN rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n")) }}, kind: Ended, code: "E-RTSP-ENDED"},
		{name: "it falls silent", cam: badcam.Options{Answer: func(q *badcam.Request, a *badcam.Answer) {
			a.Silent = q.Method == "OPTIONS" && q.Nth > 1 || q.Method == "GET_PARAMETER"
		}}, kind: Timeout, code: "E-RTSP-TIMEOUT"},
		{name: "it falls silent by UDP", t: Target{Transport: "udp"}, cam: badcam.Options{Answer: func(q *badcam.Request, a *badcam.Answer) {
			a.Silent = q.Method == "OPTIONS" && q.Nth > 1 || q.Method == "GET_PARAMETER"
		}}, kind: Timeout, code: "E-RTSP-TIMEOUT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o, _ := door(c.cam)
			cam := start(t, o)
			c.t.URL = cam.URL()
			if c.track.Codec == "" {
				c.track = pcmu()
			}
			err := Speak(within(t, 20*time.Second), c.t, words(c.track, 5000), Options{ReadTimeout: time.Second})
			var f *Fault
			if !errors.As(err, &f) || f.Kind != c.kind || f.Code() != c.code || f.Hint() == "" || strings.Contains(f.Error(), "wrong") {
				t.Errorf("%v", err)
			}
		})
	}
}

// A camera that wants its pictures played beside the speech is given that, and the next
// talk begins so.
func TestTalkWithThePictures(t *testing.T) {
	for _, transport := range []string{"tcp", "udp"} {
		video := map[string]bool{}
		o, l := door(badcam.Options{Answer: func(q *badcam.Request, a *badcam.Answer) {
			if q.Method == "DESCRIBE" {
				clear(video)
			}
			if q.Method == "SETUP" && strings.HasSuffix(q.URL, "track0") {
				video["asked"] = true
			}
			if isTalk(q) && !video["asked"] {
				a.Fail(455, "Method Not Valid in This State")
			}
		}, Play: func(p *badcam.Player) { p.Film(badcam.H264()) }})
		cam := start(t, o)
		var kept Memory
		target := Target{URL: cam.URL(), Transport: transport}
		if err := Speak(within(t, 20*time.Second), target, words(pcmu(), 20), Options{Remember: func(m Memory) { kept = m }}); err != nil {
			t.Fatal(err)
		}
		heard(t, l, 2, 20, pcmu(), 0) // the picture and its sound stand before it
		if !kept.TalkVideo || !slices.Contains(kept.Worked(), "talk_video") || cam.Dialled() != 2 {
			t.Errorf("%+v, %d connections", kept, cam.Dialled())
		}
		if err := Speak(within(t, 20*time.Second), target, words(pcmu(), 2), Options{Memory: kept}); err != nil || cam.Dialled() != 3 {
			t.Errorf("the second time: %v, %d connections", err, cam.Dialled())
		}
	}
	// The repair is what does it.
	o, _ := door(badcam.Options{Answer: fail(455, isTalk)})
	cam := start(t, o)
	err := Speak(within(t, 20*time.Second), Target{URL: cam.URL()}, words(pcmu(), 2), Options{without: map[string]bool{"talk_video": true}})
	var f *Fault
	if !errors.As(err, &f) || f.Status != 455 || cam.Dialled() != 1 {
		t.Errorf("%v, %d connections", err, cam.Dialled())
	}
}

func TestSpeakUntilItIsEnough(t *testing.T) {
	o, l := door(badcam.Options{Answer: func(q *badcam.Request, a *badcam.Answer) { // it takes UDP only
		if q.Method == "SETUP" && strings.Contains(q.Header["transport"], "TCP") {
			a.Fail(461, "Unsupported Transport")
		}
	}})
	cam := start(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	sp := words(pcmu(), 1<<20)
	next := sp.Next
	n := 0
	sp.Next = func(ctx context.Context) (*av.Unit, error) {
		if n++; n == 10 {
			cancel()
		}
		return next(ctx)
	}
	if err := Speak(ctx, Target{URL: cam.URL()}, sp, Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if k := len(l.of(0)); k < 5 || k > 10 {
		t.Errorf("%d packets", k)
	}
	asked := cam.Asked()
	if asked[len(asked)-1].Method != "TEARDOWN" {
		t.Errorf("no goodbye: %+v", asked[len(asked)-1])
	}
	// A unit too large for a packet is parted.
	big := Speech{Track: pcmu(), Next: func() func(context.Context) (*av.Unit, error) {
		i := 0
		return func(context.Context) (*av.Unit, error) {
			if i++; i > 2 {
				return nil, io.EOF
			}
			return &av.Unit{PTS: int64(i) * 4000, Data: make([]byte, 4000)}, nil
		}
	}()}
	if err := Speak(within(t, 20*time.Second), Target{URL: cam.URL()}, big, Options{}); err != nil {
		t.Fatal(err)
	}
}
