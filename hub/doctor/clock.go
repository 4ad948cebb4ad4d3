package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// clockApart from the hardware clock is worth a word.
	clockApart = time.Minute
	// clockBehind the newest file of the hub's own means that the clock was set back;
	// a file system may round its times up by two seconds.
	clockBehind = 5 * time.Second
)

func checkClock(_ context.Context, d *Deps) []Finding {
	now := d.now()
	var out []Finding
	if newest, name := newestFile(d.DataDir); newest.Sub(now) > clockBehind {
		out = append(out, Finding{State: Fail, What: fmt.Sprintf("this machine's clock stands before the time at which %s was last written (%s)", name, newest.Format(time.DateTime)),
			Why: "new events would stand before old ones, and a ring may count as too old to sound", Fix: "sudo timedatectl set-ntp true"})
	}
	if synced, known := kernelClock(); known && !synced {
		out = append(out, Finding{State: Warn, What: "this machine's clock is not kept by the network",
			Why: "it drifts, and times of events and recordings with it", Fix: "sudo timedatectl set-ntp true"})
	} else if known {
		out = append(out, Finding{State: OK, What: "this machine's clock is kept by the network"})
	}
	if f, ok := hardwareClock(d, now); ok {
		out = append(out, f)
	}
	return append(out, zone(d, now))
}

// newestFile of the hub's own that the hub writes often.
func newestFile(dir string) (newest time.Time, name string) {
	if dir == "" {
		return newest, name
	}
	for _, n := range []string{"journal.db", "journal.db-wal", "hub.db", "hub.db-wal"} {
		if info, err := os.Stat(filepath.Join(dir, n)); err == nil && info.ModTime().After(newest) {
			newest, name = info.ModTime(), n
		}
	}
	return newest, name
}

// hardwareClock compares with the clock that runs on while the machine is off. One that
// keeps local time is apart by whole quarters of an hour, and that is meant.
func hardwareClock(d *Deps, now time.Time) (Finding, bool) {
	b, err := os.ReadFile(d.root("sys/class/rtc/rtc0/since_epoch"))
	if err != nil {
		return Finding{}, false
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return Finding{}, false
	}
	apart := now.Sub(time.Unix(seconds, 0))
	if _, offset := now.Local().Zone(); offset != 0 && (apart+time.Duration(offset)*time.Second).Abs() < clockApart {
		apart = 0
	}
	if apart.Abs() < clockApart {
		return Finding{}, false
	}
	return Finding{State: Warn, What: fmt.Sprintf("the hardware clock is %s away from this machine's time", apart.Abs().Round(time.Second)),
		Why: "after a power cut without network the hub would start in the wrong time", Fix: "sudo hwclock --systohc"}, true
}

// zone is that of the times people are shown.
func zone(d *Deps, now time.Time) Finding {
	name := ""
	if d.Config != nil {
		name = d.Config.Hub.Timezone
	}
	if name == "" {
		name, _ = now.Local().Zone()
		if name == "UTC" {
			return Finding{State: OK, What: "times are told in UTC, this machine's zone; hub.timezone sets another"}
		}
		return Finding{State: OK, What: "times are told in this machine's zone, " + name}
	}
	at, err := time.LoadLocation(name)
	if err != nil {
		return Finding{State: Fail, What: "hub.timezone is not known: " + err.Error(), Fix: "write it as Europe/Berlin, or remove the key"}
	}
	return Finding{State: OK, What: fmt.Sprintf("times are told in %s, where it is %s", name, now.In(at).Format("15:04"))}
}
