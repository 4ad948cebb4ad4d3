package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// speaker is the bundled plugin that sounds on this machine.
const speaker = "speaker"

func checkAudio(_ context.Context, d *Deps) []Finding {
	used := speakerChimes(d)
	var out []Finding
	cards, _ := filepath.Glob(d.root("dev/snd/pcm*p")) // the pattern is well formed
	server := soundServer(d)
	// What is missing hurts only where a chime wants it.
	hurt := Skip
	why := "no chime uses this machine's loudspeaker"
	if len(used) > 0 {
		hurt, why = Warn, "the chime "+strings.Join(used, ", ")+" sounds on this machine's loudspeaker"
	}
	switch denied := firstDenied(cards); {
	case len(cards) == 0 && server == "":
		out = append(out, Finding{State: hurt, What: "there is no sound card and no sound server", Why: why, Fix: "plug in a loudspeaker, or use the browser's chime: chimes: {browser: {builtin: browser}}"})
	case server != "":
		out = append(out, Finding{State: OK, What: "a sound server runs: " + server})
	case denied != "":
		out = append(out, Finding{State: hurt, What: "this user may not use the sound card " + filepath.Base(denied), Why: why, Fix: "sudo usermod -aG audio $(id -un), then log in again"})
	default:
		out = append(out, Finding{State: OK, What: fmt.Sprintf("a sound card is there (%s)", filepath.Base(cards[0]))})
	}
	if len(used) == 0 || d.Plugins == nil {
		return out
	}
	for _, p := range d.Plugins() {
		if p.Name != speaker {
			continue
		}
		f := pluginFinding(p)
		if f.State == OK {
			f.What = "the speaker plugin is ready"
		}
		out = append(out, f)
	}
	return out
}

// speakerChimes are those that the bundled speaker sounds.
func speakerChimes(d *Deps) (ids []string) {
	if d.Config == nil {
		return nil
	}
	for id, c := range sorted(d.Config.Chimes) {
		p, ok := d.Config.Plugins[c.Plugin]
		if c.Plugin == speaker && (!ok || p.Path == "") || ok && p.Builtin == speaker {
			ids = append(ids, id)
		}
	}
	return ids
}

// soundServer is the socket of PulseAudio or PipeWire that a plugin of this user finds.
func soundServer(d *Deps) string {
	run := os.Getenv("XDG_RUNTIME_DIR")
	if run == "" {
		run = d.root(fmt.Sprintf("run/user/%d", os.Geteuid()))
	}
	named := strings.TrimPrefix(os.Getenv("PULSE_SERVER"), "unix:")
	for _, path := range []string{named, filepath.Join(run, "pulse/native"), filepath.Join(run, "pipewire-0"), d.root("run/pulse/native")} {
		if !filepath.IsAbs(path) {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
			return path
		}
	}
	return ""
}

// firstDenied is a card that this user may not open, where he may open none.
func firstDenied(cards []string) string {
	denied := ""
	for _, c := range cards {
		err := mayOpen(c)
		if !errors.Is(err, fs.ErrPermission) {
			return ""
		}
		denied = c
	}
	return denied
}
