//go:build linux

package home

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4/pkg/media/oggwriter"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/receive"
)

// probed is what ffprobe reads of a file of pictures.
type probed struct {
	Streams []struct {
		Profile       string
		Level         int
		Width, Height int
		Frames        string `json:"nb_read_frames"`
		HasB          int    `json:"has_b_frames"`
	}
	Frames []struct {
		Key  int    `json:"key_frame"`
		Type string `json:"pict_type"`
	}
}

func probe(t *testing.T, frames []receive.Frame) (p probed) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "seen.h264")
	if err := os.WriteFile(file, receive.AnnexB(frames), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=profile,level,width,height,nb_read_frames,has_b_frames:frame=key_frame,pict_type", "-of", "json", file)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil || said.Len() > 0 {
		t.Fatalf("ffprobe: %v %s", err, said.String())
	}
	if err := json.Unmarshal(out, &p); err != nil || len(p.Streams) != 1 {
		t.Fatalf("ffprobe: %s %v", out, err)
	}
	return p
}

// rate of the samples that are measured.
const rate = 16000

// pcm is the sound of one turn of the film, decoded by ffmpeg.
func (v *view) pcm(t *testing.T) []float64 {
	t.Helper()
	var file bytes.Buffer
	w, err := oggwriter.NewWith(&file, 48000, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range v.Sound().Sound {
		if err := w.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: p.Seq, Timestamp: p.Timestamp}, Payload: p.Data}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ffmpeg", "-v", "error", "-f", "ogg", "-i", "-", "-t", fmt.Sprint(loop.Seconds()), "-f", "s16le", "-ar", fmt.Sprint(rate), "-ac", "1", "-")
	cmd.Stdin = &file
	return samples(t, cmd)
}

func samples(t *testing.T, cmd *exec.Cmd) []float64 {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	b, err := cmd.Output()
	if err != nil || len(b) < 2*rate {
		t.Fatalf("%v: %d bytes of samples, %s", err, len(b), said.String())
	}
	pcm := make([]float64, len(b)/2)
	for i := range pcm {
		pcm[i] = float64(int16(binary.LittleEndian.Uint16(b[2*i:]))) / 32768
	}
	return pcm
}

// loudness is the level of samples in dB of full scale.
func loudness(pcm []float64) float64 {
	var sum float64
	for _, v := range pcm {
		sum += v * v
	}
	return 10 * math.Log10(sum/float64(len(pcm))+1e-12)
}

// reference takes one turn of the film's sound as players get it; the function waits.
func (l *live) reference(camera string) func() []float64 {
	l.t.Helper()
	p, err := l.Client.NewStreamPassword(l.t.Context(), "reference", false, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	u := url.URL{Scheme: "rtsp", User: url.UserPassword(p.User, p.Password), Host: "127.0.0.1:8554", Path: "/" + camera + "/main"}
	got := make(chan []float64, 1) // one
	t := l.t
	var wg sync.WaitGroup
	wg.Go(func() {
		cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", u.String(), "-vn", "-t", fmt.Sprint(loop.Seconds()), "-f", "s16le", "-ar", fmt.Sprint(rate), "-ac", "1", "-")
		b, err := cmd.Output()
		if err != nil {
			t.Errorf("the reference: %v", err)
		}
		pcm := make([]float64, len(b)/2)
		for i := range pcm {
			pcm[i] = float64(int16(binary.LittleEndian.Uint16(b[2*i:]))) / 32768
		}
		got <- pcm
	})
	return sync.OnceValue(func() []float64 {
		wg.Wait()
		return <-got
	})
}

// tone is what the demo hears at a camera now, in Hz.
func (s *site) tone(t *testing.T, camera string) (hz float64, talking bool) {
	t.Helper()
	b, err := s.Client.Act(t.Context(), "demo", "talk_status", fmt.Appendf(nil, `{"camera":%q}`, camera))
	var st struct {
		Talking bool
		ToneHz  float64 `json:"tone_hz"`
	}
	if err == nil {
		err = json.Unmarshal(b, &st)
	}
	if err != nil {
		t.Fatal(err)
	}
	return st.ToneHz, st.Talking
}
