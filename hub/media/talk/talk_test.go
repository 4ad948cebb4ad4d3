package talk

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/sound"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// door is a Sink that listens.
type door struct {
	core   *media.Core
	tracks []av.Track
	want   av.Track      // asked for instead of what is offered
	delay  time.Duration // until it listens; below 0: never
	fail   error         // instead of listening
	after  time.Duration // it ends the talk so long after it listens
	bye    error
	hang   time.Duration // how long it takes to hang up
	panics bool

	mu      sync.Mutex
	tracked []av.Track
	heard   []*av.Unit
	plays   int
	playing int
}

func (d *door) Tracks() []av.Track { return d.tracks }

func (d *door) Play(ctx context.Context, r Request) error {
	d.mu.Lock()
	d.plays++
	d.playing++
	d.mu.Unlock()
	defer func() {
		time.Sleep(d.hang)
		d.mu.Lock()
		d.playing--
		d.mu.Unlock()
	}()
	speech := Speech(d.core, r.Camera)
	defer speech.Close()
	switch {
	case d.fail != nil:
		return d.fail
	case d.panics:
		panic("a door of glass")
	case d.delay < 0:
		<-ctx.Done()
		return ctx.Err()
	}
	time.Sleep(d.delay)
	if err := r.Ready(d.want); err != nil {
		return err
	}
	if d.after > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d.after, d.bye)
		defer cancel()
	}
	for {
		batch, err := speech.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return context.Cause(ctx)
		}
		d.mu.Lock()
		d.tracked = speech.Tracks()
		d.heard = append(d.heard, batch...)
		d.mu.Unlock()
	}
}

func (d *door) units() []*av.Unit {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.heard)
}

type talks struct {
	mu   sync.Mutex
	told []Talking
}

func (t *talks) tell(_ string, x Talking) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told = append(t.told, x)
}

var errCannot = errors.New("there is no such door")

func desk(t *testing.T, d *door, o Options) (*Desk, *talks) {
	t.Helper()
	d.core = media.New(media.Limits{})
	if d.tracks == nil {
		d.tracks = []av.Track{av.PCMTrack(0, av.PCMU, 8000, 1)}
	}
	told := &talks{}
	o.Core, o.Tell = d.core, told.tell
	o.Sink = func(camera string) (Sink, error) {
		if camera != "door" {
			return nil, errCannot
		}
		return d, nil
	}
	x := New(o)
	t.Cleanup(x.Close)
	return x, told
}

func phone() av.Track { return av.PCMTrack(1, av.L16, 16000, 1) }

func anna() Talker { return Talker{Name: "Anna", Key: "a"} }
func ben() Talker  { return Talker{Name: "Ben", Key: "b"} }

func open(t *testing.T, d *Desk, by Talker) *Session {
	t.Helper()
	s, err := d.Open(t.Context(), "door", by, phone())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// say speaks 1 kHz for n pieces of 20 ms, every so often.
func say(t *testing.T, s *Session, from, n int, every time.Duration) {
	t.Helper()
	for i := from; i < from+n; i++ {
		var data []byte
		for j := range 320 {
			v := int16(16000 * math.Sin(2*math.Pi*1000*float64(i*320+j)/16000))
			data = append(data, byte(uint16(v)>>8), byte(v))
		}
		if err := s.Put(&av.Unit{Track: 1, PTS: int64(i * 320), DTS: int64(i * 320), Data: data}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(every)
	}
}

func TestSpeechReachesTheDoorInItsCodec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{tracks: []av.Track{{ID: 4, Kind: av.Sound, Codec: av.AAC, ClockRate: 16000, SampleRate: 16000, Channels: 1}, av.PCMTrack(0, av.PCMA, 8000, 1)}}
		x, told := desk(t, d, Options{})
		s := open(t, x, anna())
		if s.Track().Codec != av.PCMA || s.Track().ID != 1 {
			t.Errorf("track %+v", s.Track())
		}
		say(t, s, 0, 100, 20*time.Millisecond)
		if who, _, ok := x.Who("door"); !ok || who.Name != "Anna" {
			t.Errorf("who: %v %v", who, ok)
		}
		if got, ok := x.Session(s.ID()); !ok || got != s {
			t.Error("no session of its id")
		}
		s.Close("button released")
		<-s.Done()
		synctest.Wait()
		heard := d.units()
		if len(heard) < 98 || s.Heard() < 1960*time.Millisecond || s.Heard() > 2*time.Second || s.Err() != nil {
			t.Errorf("%d units, %v, %v", len(heard), s.Heard(), s.Err())
		}
		tone := 0.0
		dec, err := sound.NewDecoder(d.tracked[0], 0)
		if err != nil {
			t.Fatal(err)
		}
		crossings, samples := 0, 0
		last := int16(0)
		for _, u := range heard {
			pcm, err := dec.Decode(u.Data)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range pcm {
				if (v < 0) != (last < 0) {
					crossings++
				}
				last = v
				samples++
			}
		}
		if tone = float64(crossings) / 2 / (float64(samples) / 8000); tone < 990 || tone > 1010 {
			t.Errorf("the door heard %.0f Hz", tone)
		}
		if len(told.told) != 2 || !told.told[0].Active || told.told[1].Active || told.told[1].Heard != s.Heard() || told.told[1].Reason != "button released" {
			t.Errorf("told %+v", told.told)
		}
		if _, _, ok := x.Who("door"); ok {
			t.Error("somebody talks")
		}
		if err := s.Put(&av.Unit{Data: []byte{1, 2}}); err == nil {
			t.Error("speech after the end was taken")
		}
	})
}

func TestTheSecondIsToldWhoTalks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{hang: time.Second}
		x, _ := desk(t, d, Options{})
		s := open(t, x, anna())
		time.Sleep(time.Second)
		var busy *Busy
		if _, err := x.Open(t.Context(), "door", ben(), phone()); !errors.As(err, &busy) || busy.Talker != "Anna" || !busy.Since.Equal(time.Now().Add(-time.Second)) {
			t.Fatalf("the second: %v", err)
		}
		if busy.Code() != "E-TALK-BUSY" || busy.Hint() == "" {
			t.Errorf("%s %q", busy.Code(), busy.Hint())
		}
		again := open(t, x, anna()) // from her other page
		if <-s.Done(); s.Err() != nil || again == s {
			t.Errorf("the first talk of the same: %v", s.Err())
		}
		if d.playing != 1 {
			t.Errorf("%d sinks play", d.playing)
		}
		again.Close("")
		// The door hangs up slowly; the next waits for it.
		third := open(t, x, ben())
		if d.playing != 1 || d.plays != 3 {
			t.Errorf("%d of %d sinks play", d.playing, d.plays)
		}
		third.Close("")
	})
}

// Who opens a door again and again, as a page that is mad, has one place in the line.
func TestOneTalkerIsNoCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{hang: time.Second}
		x, _ := desk(t, d, Options{})
		open(t, x, anna())
		var line sync.WaitGroup
		for range 20 {
			line.Go(func() { _, _ = x.Open(t.Context(), "door", anna(), phone()) })
		}
		synctest.Wait()
		var busy *Busy
		began := time.Now()
		if _, err := x.Open(t.Context(), "door", ben(), phone()); !errors.As(err, &busy) || time.Since(began) > 2*time.Second {
			t.Errorf("behind her in line: %v after %v", err, time.Since(began))
		}
		line.Wait()
		if d.plays > 3 || len(x.line) != 0 || len(x.turns) != 0 {
			t.Errorf("%d sinks, left behind: %v %v", d.plays, x.line, x.turns)
		}
		// She talks, and he is told so at once.
		if _, err := x.Open(t.Context(), "door", ben(), phone()); !errors.As(err, &busy) || busy.Talker != "Anna" {
			t.Error(err)
		}
	})
}

func TestManyWantToTalkAtOnce(t *testing.T) {
	d := &door{}
	x, _ := desk(t, d, Options{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	let, busy := 0, 0
	for i := range 20 {
		wg.Go(func() {
			_, err := x.Open(t.Context(), "door", Talker{Name: "n", Key: string(rune('a' + i))}, phone())
			mu.Lock()
			defer mu.Unlock()
			var b *Busy
			switch {
			case err == nil:
				let++
			case errors.As(err, &b):
				busy++
			}
		})
	}
	wg.Wait()
	if let != 1 || busy != 19 || d.plays != 1 {
		t.Errorf("%d were let, %d told that it is busy, %d sinks", let, busy, d.plays)
	}
	if len(x.turns) != 0 || len(x.waiting) != 0 {
		t.Errorf("left behind: %v %v", x.turns, x.waiting)
	}
}

type coded struct{}

func (coded) Error() string { return "the camera serves nobody more" }
func (coded) Code() string  { return "E-RTSP-BUSY" }
func (coded) Hint() string  { return "close the other app" }

func TestWhatEndsATalk(t *testing.T) {
	for _, c := range []struct {
		name string
		door *door
		o    Options
		do   func(t *testing.T, s *Session)
		code string
		took time.Duration
	}{
		{name: "the door refuses", door: &door{fail: coded{}}, code: "E-RTSP-BUSY"},
		{name: "the door never answers", door: &door{delay: -1}, code: "E-TALK-DOOR", took: readyWait},
		{name: "the door breaks", door: &door{panics: true}, code: "E-TALK-DOOR"},
		{name: "the door wants what is not made", door: &door{want: av.Track{Codec: av.AAC, SampleRate: 16000}}, code: "E-TALK-CODEC"},
		{name: "the door hangs up", door: &door{after: time.Second, bye: coded{}}, code: "E-RTSP-BUSY", took: time.Second,
			do: func(t *testing.T, s *Session) { say(t, s, 0, 49, 20*time.Millisecond); <-s.Done() }},
		{name: "nobody says anything", code: "E-TALK-SILENT", took: 10*time.Second + 980*time.Millisecond,
			do: func(t *testing.T, s *Session) { say(t, s, 0, 50, 20*time.Millisecond); <-s.Done() }},
		{name: "it lasts too long", o: Options{Longest: 2 * time.Second}, code: "E-TALK-LONG", took: 2 * time.Second,
			do: func(t *testing.T, s *Session) { say(t, s, 0, 99, 20*time.Millisecond); <-s.Done() }},
		{name: "the camera is removed", code: "E-TALK-DOOR", do: func(t *testing.T, s *Session) {
			s.desk.o.Core.Remove("door", "gone")
			for s.Put(&av.Unit{Track: 1, Data: make([]byte, 640)}) == nil {
			}
			<-s.Done()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := cmp.Or(c.door, &door{})
				x, told := desk(t, d, c.o)
				began := time.Now()
				s, err := x.Open(t.Context(), "door", anna(), phone())
				if c.do != nil {
					if err != nil {
						t.Fatal(err)
					}
					c.do(t, s)
					err = s.Err()
				}
				var e *Ended
				if !errors.As(err, &e) || e.Code() != c.code || e.Hint() == "" || e.Error() == "" {
					t.Fatalf("%v", err)
				}
				if took := time.Since(began); took < c.took || took > c.took+100*time.Millisecond {
					t.Errorf("after %v", took)
				}
				synctest.Wait()
				if d.playing != 0 {
					t.Error("the sink plays on")
				}
				want := 0
				if c.do != nil {
					want = 2
				}
				if len(told.told) != want {
					t.Errorf("told %+v", told.told)
				}
				if _, _, ok := x.Who("door"); ok {
					t.Error("somebody talks still")
				}
			})
		})
	}
}

func TestADoorThatCannot(t *testing.T) {
	x, _ := desk(t, &door{}, Options{})
	if _, err := x.Open(t.Context(), "garden", anna(), phone()); !errors.Is(err, errCannot) {
		t.Error(err)
	}
	if _, err := x.Open(t.Context(), "door", anna(), av.Track{Kind: av.Sound, Codec: av.AAC}); err == nil || err.(*Ended).Code() != "E-TALK-CODEC" {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := &door{delay: -1}
	x, _ = desk(t, d, Options{})
	if _, err := x.Open(ctx, "door", anna(), phone()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	x.Close()
	if _, err := x.Open(t.Context(), "door", anna(), phone()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// A browser's Opus goes through as it is; a door that takes another form than it said is
// given that.
func TestTheDoorChooses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{tracks: []av.Track{av.OpusTrack(9, 1)}}
		x, _ := desk(t, d, Options{})
		s, err := x.Open(t.Context(), "door", anna(), av.OpusTrack(3, 2))
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(50) {
			if err := s.Put(&av.Unit{Track: 3, PTS: i * 960, DTS: i * 960, Data: []byte{31 << 3, 1, 2}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if h := d.units(); len(h) != 50 || h[0].Track != 9 || len(h[0].Data) != 3 || s.Heard() != time.Second {
			t.Errorf("%d units, %v", len(h), s.Heard())
		}
		s.Close("")
		d.want, d.heard = av.PCMTrack(1, av.PCMU, 8000, 1), nil
		s = open(t, x, anna())
		say(t, s, 0, 50, 20*time.Millisecond)
		if h := d.units(); len(h) < 48 || len(h[0].Data) != 160 || s.Track().Codec != av.PCMU || d.tracked[0].Codec != av.PCMU {
			t.Errorf("%d units of %s", len(h), s.Track().Codec)
		}
	})
}

// What comes in a heap makes the door late by half a second at most, and it catches up.
func TestTheDoorIsNeverFarBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{}
		x, _ := desk(t, d, Options{})
		s := open(t, x, anna())
		say(t, s, 0, 50, 20*time.Millisecond)
		time.Sleep(2 * time.Second)
		before := s.Heard()
		say(t, s, 50, 100, 0) // what the network had kept
		if d := s.Heard() - before; d > 600*time.Millisecond || d < 400*time.Millisecond {
			t.Errorf("a heap of 2 s gave %v", d)
		}
		say(t, s, 150, 100, 20*time.Millisecond)
		if d := s.Heard() - before; d < 2*time.Second {
			t.Errorf("after the heap: %v of 2 s and what came of the heap", d)
		}
		// Time stamps that leap do not make more speech than there was time.
		for i := range int64(2000) {
			_ = s.Put(&av.Unit{Track: 1, PTS: i * 16000 * 20, DTS: i * 16000 * 20, Data: make([]byte, 640)})
		}
		if h := s.Heard(); h > 6*time.Second {
			t.Errorf("%v of speech in 5 s", h)
		}
	})
}

// TestTheHubEndsWhileADoorIsAsked: who asked is told so, and has no talk.
func TestTheHubEndsWhileADoorIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, _ := desk(t, &door{delay: -1}, Options{})
		got := make(chan error, 1)
		go func() {
			s, err := x.Open(t.Context(), "door", anna(), phone())
			if s != nil {
				t.Error("a talk at a closed desk")
			}
			got <- err
		}()
		synctest.Wait()
		x.Close()
		if err := <-got; !errors.Is(err, ErrClosed) {
			t.Errorf("told %v", err)
		}
	})
}

func TestNothingIsLeftRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		d := &door{}
		x, _ := desk(t, d, Options{})
		for range 50 {
			open(t, x, anna())
		}
		x.Close()
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > before {
			t.Errorf("%d goroutines more", n-before)
		}
	})
}
