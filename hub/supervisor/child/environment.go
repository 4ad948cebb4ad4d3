package child

import (
	"fmt"
	"os"
	"slices"

	"github.com/porchlight-hub/porchlight/hub/supervisor/launch"
)

// A plugin's whole environment is written here; nothing of the hub's is inherited.

// dataSlack is what RLIMIT_DATA allows above the memory limit: Go maps its heap in
// steps of 64 MiB and C threads map 8 MiB stacks, long before they touch them. The
// limit proper is kept by the sampler, on memory that is really used.
const dataSlack = 512 << 20

// audioVariables lead to the user's sound server or card. HOME and XDG_CONFIG_HOME are
// among them: there ALSA looks for the card that the user chose (.asoundrc), and
// PulseAudio for its cookie and its client.conf. What a plugin keeps belongs into
// PORCHLIGHT_DATA_DIR all the same.
func audioVariables() []string {
	return []string{"HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "PULSE_SERVER", "PULSE_COOKIE", "PULSE_RUNTIME_PATH", "PULSE_CLIENTCONFIG",
		"PIPEWIRE_RUNTIME_DIR", "PIPEWIRE_REMOTE", "ALSA_CONFIG_PATH", "ALSA_CARD"}
}

func environment(w Want, dataDir string) []string {
	env := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"LANG=C.UTF-8",
		"PORCHLIGHT_ENTRY=" + w.Name,
		"PORCHLIGHT_DATA_DIR=" + dataDir,
		fmt.Sprintf("GOMEMLIMIT=%d", w.Memory/10*9),
	}
	// Time zone and trust of this machine are no secrets, and nothing works without.
	pass := []string{"TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"}
	if slices.Contains(w.Reach, "audio") {
		pass = append(pass, audioVariables()...)
		// A hub that was started outside a session (su, cron) does not know the session's folder.
		if dir := fmt.Sprintf("/run/user/%d", os.Getuid()); os.Getenv("XDG_RUNTIME_DIR") == "" && isDir(dir) {
			env = append(env, "XDG_RUNTIME_DIR="+dir)
		}
	}
	home := dataDir
	for _, name := range pass {
		v := os.Getenv(name)
		switch {
		case v == "":
		case name == "HOME":
			home = v
		default:
			env = append(env, name+"="+v)
		}
	}
	return append(env, "HOME="+home)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func limitsOf(w Want) launch.Limits {
	return launch.Limits{
		Files:    uint64(w.Files),
		FileSize: uint64(w.FileSize),
		Data:     uint64(w.Memory) + dataSlack,
	}
}
