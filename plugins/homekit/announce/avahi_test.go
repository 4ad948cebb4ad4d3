//go:build linux

package announce

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest/netns"
)

const busConfig = `<busconfig><type>system</type><listen>unix:path=BUS</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/><allow receive_type="*"/><allow send_destination="*"/>
</policy></busconfig>`

const avahiConfig = "[server]\nhost-name=laptop\nuse-ipv4=yes\nuse-ipv6=yes\nenable-dbus=yes\n"

// TestAvahi has the responder of most Linux machines look for the accessory: on a laptop,
// and on the hub's own machine, where both share port 5353.
func TestAvahi(t *testing.T) {
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	for _, name := range []string{"dbus-daemon", "avahi-daemon", "avahi-browse"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("SKIPPED: %v", err)
		}
	}
	if os.Geteuid() != 0 || exec.CommandContext(t.Context(), "avahi-daemon", "--check").Run() == nil {
		t.Skip("SKIPPED: avahi runs for the whole machine, or may not be started")
	}
	for _, where := range []string{"laptop", "house"} {
		t.Run(where, func(t *testing.T) { avahiFinds(t, where) })
	}
}

func avahiFinds(t *testing.T, where string) {
	netns.Need(t)
	c := netns.Join(t,
		netns.End{Host: netns.House(t), Interface: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix(houseAddr + "/24")}},
		netns.End{Host: netns.NewHost(t, "laptop"), Interface: "wlan0", Addresses: []netip.Prefix{netip.MustParsePrefix(phoneAddr + "/24")}})
	host := c.B.Host
	if where == "house" {
		host = c.A.Host
	}
	browse := avahi(t, host)
	a, stop := run(t, Options{})
	s := announced(t, a, record("Haustür", 4711))
	const name = `Haust\195\188r;_hap._tcp;local;Porchlight-AABBCCDDEEFF.local;`
	browse("the accessory", name+houseAddr+";4711;", `"sf=1"`, `"id=AA:BB:CC:DD:EE:FF"`)
	txt := record("", 0).TXT
	txt["sf"] = "0"
	if err := s.Update(txt); err != nil {
		t.Fatal(err)
	}
	browse("the text", `"sf=0"`)
	c.A.Replace(netip.MustParsePrefix(houseAddr+"/24"), netip.MustParsePrefix("10.77.0.9/24"))
	browse("the address", name+"10.77.0.9;4711;")
	if s.Name() != "Haustür" {
		t.Errorf("it is called %q beside avahi", s.Name())
	}
	stop()
	browse("the goodbye", "")
}

// avahi starts one on a host; browse looks until it lists what is wanted: all of it in
// one line, or nothing at all for an empty text.
func avahi(t *testing.T, host *netns.Host) (browse func(what string, wanted ...string)) {
	t.Helper()
	dir := t.TempDir()
	bus := filepath.Join(dir, "bus.sock")
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+bus)
	for file, text := range map[string]string{"bus.conf": strings.ReplaceAll(busConfig, "BUS", bus), "avahi.conf": avahiConfig} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start := func(name string, args ...string) {
		cmd := exec.Command(name, args...)
		cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
		if err := host.Start(cmd); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Signal(os.Interrupt) // avahi takes its pid file away
			_ = cmd.Wait()
		})
	}
	start("dbus-daemon", "--config-file="+filepath.Join(dir, "bus.conf"), "--nofork", "--nopidfile")
	await(t, "the bus is there", func() bool { _, err := os.Stat(bus); return err == nil })
	start("avahi-daemon", "--no-drop-root", "--no-chroot", "--no-rlimits", "-f", filepath.Join(dir, "avahi.conf"))
	return func(what string, wanted ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var out []byte
		for ctx.Err() == nil {
			out, _ = host.Output(exec.CommandContext(ctx, "avahi-browse", "-rpt", "_hap._tcp")) // avahi may not be up yet
			for line := range strings.Lines(string(out)) {
				if all(line, wanted) {
					return
				}
			}
			if wanted[0] == "" && ctx.Err() == nil && len(out) == 0 {
				return
			}
			await(t, "a moment has gone", moment())
		}
		t.Fatalf("avahi does not show %s: %s", what, out)
	}
}

func all(line string, wanted []string) bool {
	for _, w := range wanted {
		if w == "" || !strings.Contains(line, w) {
			return false
		}
	}
	return true
}

// moment keeps a question from being asked without pause.
func moment() func() bool {
	end := time.Now().Add(100 * time.Millisecond)
	return func() bool { return time.Now().After(end) }
}
