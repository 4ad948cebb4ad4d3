package ear

import (
	"encoding/binary"
	"io"
	"math"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// heard is the amplitude above which a sample counts as sound; the silence of a null
// sink is 0, and a chime ends below this.
const heard = 0.003

// Recording is what the loudspeaker gets, one channel, from Record on.
type Recording struct {
	mu  sync.Mutex
	pcm []float32
}

// Record listens until the test ends, or the server.
func (s *Server) Record(tb testing.TB) *Recording {
	tb.Helper()
	cmd := exec.Command("parec", "--device="+loudspeaker+".monitor", "--rate=48000", "--channels=1", "--format=s16le", "--latency-msec=20", "--raw")
	cmd.Env = s.Env()
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	r := &Recording{}
	var wg sync.WaitGroup
	wg.Go(func() { r.read(out) })
	tb.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone with the server
		wg.Wait()
		_ = cmd.Wait()
	})
	until(tb, "the recorder runs", func() bool { return r.Len() > 0 })
	return r
}

func (r *Recording) read(in io.Reader) {
	buf := make([]byte, Rate/50*2)
	for {
		n, err := io.ReadFull(in, buf)
		r.mu.Lock()
		for i := 0; i+1 < n; i += 2 {
			r.pcm = append(r.pcm, float32(int16(binary.LittleEndian.Uint16(buf[i:])))/32768)
		}
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Len is how many samples there are: now, as a place in the recording.
func (r *Recording) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pcm)
}

// From gives all that was recorded since a place.
func (r *Recording) From(place int) []float32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pcm[min(place, len(r.pcm)):]
}

// Sound is what lies between the first and the last sample that is heard; nil: none is.
func Sound(pcm []float32) []float32 {
	from, to := -1, -1
	for i, v := range pcm {
		if math.Abs(float64(v)) > heard {
			if from < 0 {
				from = i
			}
			to = i
		}
	}
	if from < 0 {
		return nil
	}
	return pcm[from : to+1]
}

// Ended tells whether something was heard, and then nothing for so long.
func Ended(pcm []float32, quiet time.Duration) bool {
	for i := len(pcm) - 1; i >= 0; i-- {
		if math.Abs(float64(pcm[i])) > heard {
			return Seconds(pcm[i+1:]) > quiet.Seconds()
		}
	}
	return false
}

// Seconds is how long it lasts.
func Seconds(pcm []float32) float64 { return float64(len(pcm)) / Rate }

// WithoutGaps takes out what a sound server puts in when the machine was too busy to
// feed it in time: more than 2 ms of nothing at all.
func WithoutGaps(pcm []float32) (out []float32, gaps int) {
	for i := 0; i < len(pcm); {
		j := i
		for j < len(pcm) && pcm[j] == 0 {
			j++
		}
		if j-i > Rate/500 {
			gaps++
		} else {
			j = max(j, i+1)
			out = append(out, pcm[i:j]...)
		}
		i = j
	}
	return out, gaps
}

// Tone is the amplitude of a pitch (Goertzel's algorithm).
func Tone(pcm []float32, hz float64) float64 {
	w := 2 * math.Pi * hz / Rate
	var s1, s2 float64
	for _, v := range pcm {
		s1, s2 = float64(v)+2*math.Cos(w)*s1-s2, s1
	}
	return 2 * math.Sqrt(max(0, s1*s1+s2*s2-2*math.Cos(w)*s1*s2)) / float64(len(pcm))
}

// Pitch is the strongest one between two, to 1 Hz.
func Pitch(pcm []float32, from, to float64) (best float64) {
	loudest := 0.0
	for hz := from; hz <= to; hz++ {
		if a := Tone(pcm, hz); a > loudest {
			loudest, best = a, hz
		}
	}
	return best
}

// Strikes tells at what seconds a bell of that pitch is struck: where it rises from
// nothing to a third of its loudest.
func Strikes(pcm []float32, hz float64) (at []float64) {
	const step = Rate / 50
	var level []float64
	loudest := 0.0
	for i := 0; i+2*step <= len(pcm); i += step {
		a := Tone(pcm[i:i+2*step], hz)
		level = append(level, a)
		loudest = max(loudest, a)
	}
	silent := true
	for i, a := range level {
		switch {
		case silent && a > loudest/3:
			silent = false
			at = append(at, float64(i*step)/Rate)
		case a < loudest/20:
			silent = true
		}
	}
	return at
}
