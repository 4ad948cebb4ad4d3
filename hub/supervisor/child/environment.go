package child

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/porchlight-hub/porchlight/hub/supervisor/launch"
)

// A plugin's whole environment is written here; nothing of the hub's is inherited.

// dataSlack is what RLIMIT_DATA allows above the memory limit: Go maps its heap in
// steps of 64 MiB and C threads map 8 MiB stacks, long before they touch them. The
// limit proper is kept by the sampler, on memory that is really used.
const dataSlack = 512 << 20

// audioVariables lead to the user's sound server or card.
func audioVariables() []string {
	return []string{"XDG_RUNTIME_DIR", "PULSE_SERVER", "PULSE_COOKIE", "PULSE_RUNTIME_PATH", "PIPEWIRE_RUNTIME_DIR", "PIPEWIRE_REMOTE", "ALSA_CONFIG_PATH", "ALSA_CARD"}
}

func environment(w Want, dataDir string) []string {
	env := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"HOME=" + dataDir,
		"LANG=C.UTF-8",
		"PORCHLIGHT_ENTRY=" + w.Name,
		"PORCHLIGHT_DATA_DIR=" + dataDir,
		fmt.Sprintf("GOMEMLIMIT=%d", w.Memory/10*9),
	}
	// Time zone and trust of this machine are no secrets, and nothing works without.
	pass := []string{"TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"}
	if slices.Contains(w.Reach, "audio") {
		pass = append(pass, audioVariables()...)
		// Where PULSE_COOKIE is not set the sound server's cookie lies in the user's own home.
		if _, set := os.LookupEnv("PULSE_COOKIE"); !set {
			if cookie := pulseCookie(); cookie != "" {
				env = append(env, "PULSE_COOKIE="+cookie)
			}
		}
	}
	for _, name := range pass {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func pulseCookie() string {
	conf, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	for _, path := range []string{filepath.Join(conf, "pulse", "cookie"), filepath.Join(filepath.Dir(conf), ".pulse-cookie")} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

func limitsOf(w Want) launch.Limits {
	return launch.Limits{
		Files:    uint64(w.Files),
		FileSize: uint64(w.FileSize),
		Data:     uint64(w.Memory) + dataSlack,
	}
}
