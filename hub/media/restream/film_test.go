package restream

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// film is what ffmpeg made for a test: H.264 of 25 pictures a second with a key frame
// each second, and AAC of 32 kHz.
type film struct {
	video, sound av.Track
	units        []*av.Unit // of both, by time
	length       time.Duration
}

// tool finds a program, or skips, which in CI is a failure.
func tool(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is needed: apt-get install %s", name, pkg)
		}
		t.Skipf("SKIPPED: %s is not installed (apt-get install %s); the stream is not read by a second program", name, pkg)
	}
	return path
}

func output(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), tool(t, name, "ffmpeg"), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, stderr.Bytes())
	}
	return out
}

func newFilm(t testing.TB, size string) film {
	t.Helper()
	const seconds = "4"
	f := film{length: 4 * time.Second}
	raw := output(t, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=r=25:s="+size, "-t", seconds,
		"-c:v", "libx264", "-profile:v", "main", "-bf", "0", "-g", "25", "-pix_fmt", "yuv420p",
		"-x264-params", "aud=1:scenecut=0:open-gop=0:sliced-threads=0", "-f", "h264", "-")
	aud := []byte{0, 0, 0, 1, 9}
	for i, au := range bytes.Split(raw, aud)[1:] {
		p := av.H264FromAnnexB(append(bytes.Clone(aud), au...))
		if i == 0 {
			var err error
			if f.video, err = av.H264Track(1, p.SPS, p.PPS); err != nil {
				t.Fatal(err)
			}
		}
		at := int64(i) * 3600
		f.units = append(f.units, &av.Unit{Track: 1, Key: p.Key, PTS: at, DTS: at, Data: p.Data})
	}
	var packets mpeg4audio.ADTSPackets
	if err := packets.Unmarshal(output(t, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=32000", "-t", seconds,
		"-c:a", "aac", "-ac", "1", "-f", "adts", "-")); err != nil {
		t.Fatal(err)
	}
	conf := mpeg4audio.AudioSpecificConfig{Type: packets[0].Type, SampleRate: packets[0].SampleRate, ChannelCount: packets[0].ChannelCount}
	asc, err := conf.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if f.sound, err = av.AACTrack(2, asc); err != nil {
		t.Fatal(err)
	}
	at := 0
	for i, p := range packets[:4*32000/av.AACFrame] {
		dts := int64(i) * av.AACFrame
		for at < len(f.units) && (f.units[at].Track != 1 || av.Duration(f.units[at].DTS, 90000) <= av.Duration(dts, 32000)) {
			at++
		}
		u := &av.Unit{Track: 2, PTS: dts, DTS: dts, Data: p.AU}
		f.units = append(f.units[:at], append([]*av.Unit{u}, f.units[at:]...)...)
	}
	return f
}

// play puts the film into w once, as a fresh copy, shifted by so many rounds.
func (f film) play(t testing.TB, w *media.Writer, round int) {
	t.Helper()
	for _, u := range f.units {
		if err := w.Put(f.copy(u, round)); err != nil {
			t.Fatal(err)
		}
	}
}

func (f film) copy(u *av.Unit, round int) *av.Unit {
	c := *u
	tr := f.video
	if u.Track == 2 {
		tr = f.sound
	}
	shift := tr.Ticks(time.Duration(round) * f.length)
	c.PTS, c.DTS = u.PTS+shift, u.DTS+shift
	return &c
}

// show plays the film as a camera does, at its own pace, over and over.
func (f film) show(t testing.TB, s *media.Stream) {
	t.Helper()
	w, err := s.Begin([]av.Track{f.video, f.sound})
	if err != nil {
		t.Fatal(err)
	}
	f.play(t, w, 0) // what the ring holds
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	wg.Go(func() {
		began := time.Now()
		for round := 1; ; round++ {
			for _, u := range f.units {
				c := f.copy(u, round)
				tr := f.video
				if u.Track == 2 {
					tr = f.sound
				}
				select {
				case <-time.After(time.Until(began.Add(tr.Duration(c.DTS) - f.length))):
				case <-ctx.Done():
					return
				}
				c.Wall = time.Now()
				if w.Put(c) != nil {
					return
				}
			}
		}
	})
}

// logins is a house with passwords, by user.
type logins struct {
	mu    sync.Mutex
	all   map[string][]Credential
	wrong int
	wait  error
}

func newLogins(user, password string, v Viewer) *logins {
	c := Credential{ID: "1", Viewer: v}
	c.MD5, c.SHA256 = HA1(user, password)
	return &logins{all: map[string][]Credential{user: {c}}}
}

func (l *logins) Credentials(_ context.Context, user, _ string) ([]Credential, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[user], l.wait
}

func (l *logins) Wrong(string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong++
}

func (l *logins) Used(context.Context, string, string) {}

func (l *logins) Valid(_ context.Context, id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, all := range l.all {
		for _, c := range all {
			if c.ID == id {
				return true
			}
		}
	}
	return false
}

func (l *logins) revoke() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = nil
}

// house is a server of one camera.
type house struct {
	*Server
	core   *media.Core
	logins *logins
}

func newHouse(t testing.TB, change func(*Options)) *house {
	t.Helper()
	h := &house{core: media.New(media.Limits{}), logins: newLogins("owner", "secret words", Viewer{User: "owner", Name: "test", MayTalk: true})}
	o := Options{Core: h.core, Logins: h.logins}
	if change != nil {
		change(&o)
	}
	h.Server = New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	await(t, "listening", func() bool { return h.Addr() != nil || h.Trouble() != nil })
	return h
}

// url of a path, with the right password.
func (h *house) url(path string) string {
	return "rtsp://owner:secret%20words@" + h.Addr().String() + "/" + path
}

func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// picture is a unit of n bytes that nobody decodes.
func picture(key bool, at int64, n int) *av.Unit {
	b := make([]byte, n)
	binary.BigEndian.PutUint32(b, uint32(n-4))
	b[4] = 0x41
	if key {
		b[4] = 0x65
	}
	return &av.Unit{Track: 1, Key: key, PTS: at, DTS: at, Data: b}
}

// track is H.264 with real parameter sets.
func track(t testing.TB) av.Track {
	t.Helper()
	sps, _ := hex.DecodeString("674d400cd901419f9f011000000300100000030320f142a480")
	pps, _ := hex.DecodeString("68ebc3cb20")
	tr, err := av.H264Track(1, sps, pps)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}
