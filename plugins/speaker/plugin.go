package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/speaker/about"
	"github.com/porchlight-hub/porchlight/plugins/speaker/decode"
	"github.com/porchlight-hub/porchlight/plugins/speaker/sound"
	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

const (
	defaultSound  = about.DefaultSound
	defaultVolume = about.DefaultVolume
	// maxRepeat: a chime that goes on and on is no chime.
	maxRepeat = 2
	// inHand is how long a sound that the device was given at the last moment may take
	// to begin: it is asked, lest it sounds and the answer says that it did not. The
	// sdk waits so long for an answer after its deadline.
	inHand = 200 * time.Millisecond
)

// New makes the plugin.
func New() sdk.Plugin { return newSpeaker(sinkCommand, pluggedIn) }

func newSpeaker(command func() (*exec.Cmd, error), plugged func() string) *speaker {
	return &speaker{command: command, plugged: plugged, queue: newQueue()}
}

// sinkCommand starts this program once more, as its own sink.
func sinkCommand() (*exec.Cmd, error) {
	self := "/proc/self/exe" // stays right when the file is replaced by an update
	if runtime.GOOS != "linux" {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("sink: own path: %w", err)
		}
		self = exe
	}
	cmd := exec.Command(self, sinkArgument)
	cmd.Args[0] = "porchlight-speaker" // as the process list shows it
	return cmd, nil
}

// speaker is all chimes that sound here; they share one device and one queue.
type speaker struct {
	command func() (*exec.Cmd, error)
	plugged func() string
	queue   *queue
	clips   clips

	mu      sync.Mutex
	chimes  map[string]chimeSettings
	device  *device           // nil before Run
	files   map[string]string // chime: why its sound is replaced
	noticed time.Time         // when files last changed
}

// chimeSettings are a chime's own keys.
type chimeSettings struct {
	Device string `json:"device"`
	Sound  string `json:"sound"`
	Volume *int   `json:"volume"`
}

// Manifest says what the speaker is and what it may do.
func (s *speaker) Manifest() manifest.Manifest { return about.Manifest() }

// Missing tells whether there is anything to play on. A card may come later, so it is a warning.
func (s *speaker) Missing() []sdk.Missing {
	if why := buildLacks(); why != "" {
		return []sdk.Missing{{What: "sound in this build", Fix: why}}
	}
	if s.plugged() == "" {
		return []sdk.Missing{{What: "a sound card or a sound server", Fix: fixDevice}}
	}
	return nil
}

// Check looks at the chimes of a config.
func (s *speaker) Check(_ context.Context, c sdk.Config) []sdk.Problem {
	var out []sdk.Problem
	for _, d := range c.Devices {
		var cs chimeSettings
		if err := d.Decode(&cs); err != nil {
			out = append(out, sdk.Problem{Path: "devices/" + d.ID, Message: err.Error()})
			continue
		}
		if cs.Sound == "" {
			continue
		}
		if _, err := s.clips.get(cs.Sound); err != nil {
			p := sdk.Problem{Path: "devices/" + d.ID + "/sound", Message: err.Error()}
			var hint interface{ Hint() string }
			if errors.As(err, &hint) {
				p.Fix = hint.Hint()
			}
			out = append(out, p)
		}
	}
	return out
}

// Run keeps the device open until ctx ends.
func (s *speaker) Run(ctx context.Context, hub *sdk.Hub) error {
	s.mu.Lock()
	s.device = newDevice(s.queue, s.command, s.plugged, hub.Log())
	d := s.device
	s.mu.Unlock()
	if err := s.apply(hub.Devices()); err != nil {
		return err
	}
	d.serve(ctx)
	return nil
}

// Reconfigure takes other sounds and volumes; the device stays open.
func (s *speaker) Reconfigure(_ context.Context, c sdk.Config) error { return s.apply(c.Devices) }

// apply decodes every chime's sound, so that the first ring finds it ready. A sound
// that cannot be had is replaced: a wrong sound is better than none.
func (s *speaker) apply(devices []sdk.Device) error {
	chimes, files := map[string]chimeSettings{}, map[string]string{}
	for _, d := range devices {
		cs := chimeSettings{Sound: defaultSound}
		if err := d.Decode(&cs); err != nil {
			return err
		}
		if _, err := s.clips.get(cs.Sound); err != nil {
			files[d.ID] = err.Error()
		}
		chimes[d.ID] = cs
	}
	if _, err := s.clips.get(defaultSound); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chimes, s.files, s.noticed = chimes, files, time.Now()
	return nil
}

// Play waits until the first sample sounds, or answers why none does.
func (s *speaker) Play(ctx context.Context, r sdk.PlayRequest) (sdk.PlayResult, error) {
	arrived := time.Now()
	s.mu.Lock()
	cs, known := s.chimes[r.Chime]
	s.mu.Unlock()
	if !known {
		return sdk.PlayResult{}, fmt.Errorf("chime %q: %w", r.Chime, sdk.ErrNotFound)
	}
	name := cs.Sound
	if r.Sound != "" {
		name = r.Sound
	}
	clip, err := s.clips.get(name)
	if err != nil {
		s.replaced(r.Chime, err)
		name = defaultSound
		if clip, err = s.clips.get(name); err != nil {
			return sdk.PlayResult{}, err
		}
	}
	result := sdk.PlayResult{Sound: described(name)}
	j, reason := s.queue.add(r.Chime, samples(clip, gain(r.Volume, cs.Volume), min(max(r.Repeat, 0), maxRepeat)))
	if reason != "" {
		result.Reason = reason
		return result, nil
	}
	select {
	case <-j.started:
	case <-ctx.Done():
		s.queue.drop("it waited too long behind other sounds", func(o *job) bool { return o == j })
		select {
		case <-j.started: // it had its turn, or has been taken out just now
		case <-time.After(inHand): // the device has it and does not begin
			result.Reason = "the sound device did not take it in time"
			return result, nil
		}
	}
	if j.reason != "" {
		result.Reason = j.reason
		return result, nil
	}
	result.Played, result.Took = true, j.at.Sub(arrived)
	return result, nil
}

// gain makes the volume of a request, or else of the chime, a factor. The square
// follows the ear better than a straight line.
func gain(request, chime *int) float64 {
	v := defaultVolume
	switch {
	case request != nil:
		v = *request
	case chime != nil:
		v = *chime
	}
	f := float64(min(max(v, 0), 100)) / 100
	return f * f
}

// replaced notes that a chime sounds other than it should.
func (s *speaker) replaced(chime string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files[chime] != err.Error() {
		s.files[chime], s.noticed = err.Error(), time.Now()
	}
}

// StopPlaying silences a chime: what sounds, and what waits for it.
func (s *speaker) StopPlaying(_ context.Context, chime string) error {
	s.queue.drop("it was stopped", func(j *job) bool { return chime == "" || j.chime == chime })
	sounding, _ := s.queue.sounding()
	s.mu.Lock()
	d := s.device
	s.mu.Unlock()
	if d == nil || sounding == "" || chime != "" && sounding != chime {
		return nil
	}
	return d.stop()
}

// Health tells of the device and of sounds that are replaced.
func (s *speaker) Health(context.Context) []sdk.Part {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.device == nil {
		return nil
	}
	parts := []sdk.Part{s.device.part()}
	var ids []string
	for id := range s.files {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		parts = append(parts, sdk.Part{
			Name: "chime " + id, State: sdk.PartDegraded, Since: s.noticed,
			Reason: s.files[id] + "; " + defaultSound + " sounds instead", Fix: "name another sound, or mend the file; a new save of the config reads it again",
		})
	}
	return parts
}

// SelfCheck looks at the device for the doctor.
func (s *speaker) SelfCheck(ctx context.Context, _ bool) []sdk.CheckLine {
	var out []sdk.CheckLine
	for _, p := range s.Health(ctx) {
		l := sdk.CheckLine{State: "ok", What: p.Name}
		if p.State != sdk.PartOK {
			l.State, l.Why, l.Fix = "warn", p.Reason, p.Fix
		}
		out = append(out, l)
	}
	return out
}

// Action answers what there is, and what sounds.
func (s *speaker) Action(_ context.Context, c sdk.ActionCall) (json.RawMessage, error) {
	switch c.Name {
	case "sounds":
		type entry struct {
			Name    string  `json:"name"`
			Title   string  `json:"title"`
			Seconds float64 `json:"seconds"`
		}
		var out []entry
		for _, x := range sound.All() {
			out = append(out, entry{x.Name, x.Title, x.Length})
		}
		return json.Marshal(out)
	case "status":
		sounding, waiting := s.queue.sounding()
		return json.Marshal(struct {
			Sounding string `json:"sounding"`
			Waiting  int    `json:"waiting"`
		}{sounding, waiting})
	}
	return nil, fmt.Errorf("action %q: %w", c.Name, sdk.ErrNotFound)
}

// described names a file without its folders, for a trace that others may read.
func described(name string) string {
	if decode.IsFile(name) {
		return name[strings.LastIndexByte(name, '/')+1:]
	}
	return name
}
