package aac

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"math"
	"os/exec"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

func ffmpeg(t *testing.T) string {
	t.Helper()
	p, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("needs ffmpeg: apt install ffmpeg")
	}
	return p
}

// tone is 20 ms pieces of silence, with clicks of 1 kHz at the given pieces.
func tone(rate, pieces int, clicks ...int) []*av.Unit {
	n := rate / 50
	var out []*av.Unit
	for i := range pieces {
		b := make([]byte, 2*n)
		for _, c := range clicks {
			if c == i {
				for k := range n {
					binary.BigEndian.PutUint16(b[2*k:], uint16(int16(15000*math.Sin(2*math.Pi*1000*float64(k)/float64(rate)))))
				}
			}
		}
		pts := int64(i * n)
		out = append(out, &av.Unit{Track: 1, PTS: pts, DTS: pts, Data: b, Wall: time.Unix(1000, 0).Add(av.Duration(pts, uint32(rate)))})
	}
	return out
}

// run puts all units through a pipe and takes want of what comes out.
func run(t *testing.T, from av.Track, to av.AudioRendition, units []*av.Unit, want int) (av.Track, []*av.Unit) {
	t.Helper()
	p, err := Open(ffmpeg(t), from, to)
	if err != nil {
		t.Fatal(err)
	}
	defer p.End()
	fed := make(chan error, 1) // the one result
	go func() {
		for _, u := range units {
			if err := p.Put(u, u.Wall); err != nil {
				fed <- err
				return
			}
		}
		fed <- p.process.In.Close()
	}()
	var out []*av.Unit
	for len(out) < want {
		u, recv, err := p.Next()
		if err != nil {
			t.Fatalf("after %d of %d units: %v; it said %q", len(out), want, err, p.Said())
		}
		if d := u.Wall.Sub(recv).Abs(); d > time.Second {
			t.Fatalf("made of what came %v from it", d)
		}
		out = append(out, u)
	}
	if err := <-fed; err != nil {
		t.Fatal(err)
	}
	return p.Track(), out
}

// loud is the time of the first sample of L16 units that is no silence.
func loud(t *testing.T, tr av.Track, units []*av.Unit, after time.Duration) time.Duration {
	t.Helper()
	for _, u := range units {
		for i := 0; i+1 < len(u.Data); i += 2 {
			at := tr.Duration(u.PTS) + av.Duration(int64(i/2), uint32(tr.SampleRate))
			if v := int16(binary.BigEndian.Uint16(u.Data[i:])); (v > 6000 || v < -6000) && at >= after {
				return at
			}
		}
	}
	t.Fatal("all is silent")
	return 0
}

// What goes in at a time comes out at that time: to AAC and back.
func TestTimesAreKept(t *testing.T) {
	for _, rate := range []int{16000, 48000} {
		in := tone(rate, 200, 50, 120)
		tr, coded := run(t, av.PCMTrack(1, av.L16, rate, 1), av.AudioRendition{Codec: av.AAC}, in, 4*rate/1024-1)
		if tr.Codec != av.AAC || tr.SampleRate != rate || tr.ClockRate != uint32(rate) || coded[0].PTS != 0 {
			t.Fatalf("%+v at %d", tr, coded[0].PTS)
		}
		for i, u := range coded {
			if u.PTS != int64(i)*av.AACFrame {
				t.Fatalf("unit %d at %d", i, u.PTS)
			}
		}
		back, plain := run(t, tr, av.AudioRendition{Codec: av.L16}, coded, len(coded)-1)
		for _, c := range []time.Duration{time.Second, 2400 * time.Millisecond} {
			if at := loud(t, back, plain, c-100*time.Millisecond); (at - c).Abs() > 5*time.Millisecond {
				t.Errorf("%d Hz: the click at %v came at %v", rate, c, at)
			}
		}
	}
}

// A gap in what goes in is one in what comes out, and broken frames shift nothing.
func TestGapsAndBrokenFrames(t *testing.T) {
	const rate = 16000
	tr, coded := run(t, av.PCMTrack(1, av.L16, rate, 1), av.AudioRendition{Codec: av.AAC}, tone(rate, 500, 400), 150)
	for i, u := range coded {
		if i >= 30 && i < 40 {
			u.Data = make([]byte, len(u.Data))
		}
		if i >= 60 { // ten seconds are missing
			u.PTS += 10 * rate
		}
	}
	coded[60].Discontinuity = true
	back, plain := run(t, tr, av.AudioRendition{Codec: av.L16}, coded, 148)
	want := 18 * time.Second
	if at := loud(t, back, plain, 0); (at - want).Abs() > 5*time.Millisecond {
		t.Errorf("the click at %v came at %v", want, at)
	}
	for i, u := range plain {
		if u.Discontinuity != (i == 60) {
			t.Errorf("unit %d: discontinuity %v", i, u.Discontinuity)
		}
	}
}

func TestAACToAnotherAAC(t *testing.T) {
	tr, coded := run(t, av.PCMTrack(1, av.L16, 48000, 1), av.AudioRendition{Codec: av.AAC}, tone(48000, 250, 150), 230)
	small, coded := run(t, tr, av.AudioRendition{Codec: av.AAC, SampleRate: 16000, Kbps: 24}, coded, 70)
	if small.SampleRate != 16000 {
		t.Fatalf("%+v", small)
	}
	back, plain := run(t, small, av.AudioRendition{Codec: av.L16}, coded, 60)
	if at := loud(t, back, plain, 0); (at - 3*time.Second).Abs() > 5*time.Millisecond {
		t.Errorf("the click at 3 s came at %v", at)
	}
}

func TestWhatIsNotMade(t *testing.T) {
	for _, c := range []struct {
		from av.Track
		to   av.AudioRendition
	}{
		{av.Track{Codec: av.AAC, AudioConfig: []byte{1}}, av.AudioRendition{Codec: av.L16}},
		{av.PCMTrack(1, av.L16, 8000, 2), av.AudioRendition{Codec: av.AAC}},
		{av.PCMTrack(1, av.PCMU, 8000, 1), av.AudioRendition{Codec: av.AAC}},
		{av.PCMTrack(1, av.L16, 8000, 1), av.AudioRendition{Codec: av.Opus}},
	} {
		if p, err := Open("/nowhere", c.from, c.to); err == nil {
			p.End()
			t.Errorf("%+v to %+v was begun", c.from, c.to)
		}
	}
	if Rate(8000) != 16000 || Rate(22000) != 22050 || Rate(96000) != 48000 {
		t.Error("rates")
	}
}

// FuzzADTS reads whatever comes out of ffmpeg as frames, and what it reads as a frame is
// one again behind a header of our own.
func FuzzADTS(f *testing.F) {
	l := layout{rate: 8, channels: 1}
	one, err := l.frame(nil, []byte("frame"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(one, one...))
	f.Add(one[:9])
	f.Add([]byte{0xff, 0xf0, 0, 0, 0, 0xff, 0xfc, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(b), maxFrame+1)
		for range 1000 {
			data, err := readFrame(r)
			if err != nil {
				break
			}
			again, err := l.frame(nil, data)
			if err != nil {
				t.Fatal(err)
			}
			back, err := readFrame(bufio.NewReader(bytes.NewReader(again)))
			if err != nil || !bytes.Equal(back, data) {
				t.Fatalf("%x became %x, %v", data, back, err)
			}
		}
		_, _ = layoutOf(av.Track{AudioConfig: b})
	})
}
