package manifest

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

// Problem is one thing wrong with a manifest. Path is dotted, as in
// permissions.publish[0]; line and column are known where the manifest was a file.
type Problem struct {
	Path, Message string
	Line, Column  int
}

func (p Problem) String() string {
	where := ""
	if p.Line > 0 {
		where = fmt.Sprintf("%d:%d: ", p.Line, p.Column)
	}
	return where + p.Path + ": " + p.Message
}

// Problems are all that is wrong, as one error.
type Problems []Problem

func (ps Problems) Error() string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.String()
	}
	return "manifest: " + strings.Join(texts, "; ")
}

// Validate tells all that is wrong, nil where nothing is. The manifest is taken as
// Complete leaves it.
func (m Manifest) Validate() error {
	if ps := m.problems(); len(ps) > 0 {
		return ps
	}
	return nil
}

func (m Manifest) problems() Problems {
	m = m.Complete()
	var ps Problems
	bad := func(path, format string, args ...any) {
		ps = append(ps, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if m.Manifest != Version {
		bad("manifest", "is %d; this hub reads format %d", m.Manifest, Version)
	}
	if !idForm().MatchString(m.ID) {
		bad("id", "%q: want reverse DNS of a-z, 0-9, - and dots, e.g. org.example.frontgate", m.ID)
	}
	if m.Name == "" || len(m.Name) > 80 {
		bad("name", "want 1 to 80 characters")
	}
	if !semverForm().MatchString(m.Version) {
		bad("version", "%q: want strict semver, e.g. 1.4.2", m.Version)
	}
	if len(m.Capabilities) == 0 {
		bad("capabilities", "want at least one of camera, chime, bridge, notifier")
	}
	for i, c := range m.Capabilities {
		if !slices.Contains([]Capability{Camera, Chime, Bridge, Notifier}, c) {
			bad(fmt.Sprintf("capabilities[%d]", i), "%q: want camera, chime, bridge or notifier", c)
		}
	}
	for _, s := range []struct {
		path string
		b    json.RawMessage
	}{{"config_schema", m.ConfigSchema}, {"device_schema", m.DeviceSchema}} {
		var object map[string]json.RawMessage
		if len(s.b) > 0 && json.Unmarshal(s.b, &object) != nil {
			bad(s.path, "is no JSON object")
		}
	}
	for platform, r := range m.Run {
		if r.File == "" {
			bad("run."+platform, "file is missing")
		}
		if (platform == "any") != (r.Interpreter != "") {
			bad("run."+platform, "interpreter goes with the platform any, and only with it")
		}
		if r.Adapter != "" && r.Adapter != "stdio" {
			bad("run."+platform+".adapter", "%q: want stdio", r.Adapter)
		}
	}
	ps = append(ps, m.Permissions.problems("permissions")...)
	ps = append(ps, m.Limits.problems()...)
	return append(ps, actionProblems(m.Actions)...)
}

// problems of permissions under path.
func (p Permissions) problems(path string) Problems {
	var ps Problems
	bad := func(at, format string, args ...any) {
		ps = append(ps, Problem{Path: path + "." + at, Message: fmt.Sprintf(format, args...)})
	}
	for _, list := range []struct {
		name    string
		filters []string
	}{{"publish", p.Publish}, {"subscribe", p.Subscribe}} {
		for i, f := range list.filters {
			if err := event.CheckFilter(f); err != nil {
				bad(fmt.Sprintf("%s[%d]", list.name, i), "%v", err)
			}
		}
	}
	names := func(key string, have, want []string) {
		for i, s := range have {
			if !slices.Contains(want, s) {
				bad(fmt.Sprintf("%s[%d]", key, i), "%q: want one of %s", s, strings.Join(want, ", "))
			}
		}
	}
	names("discovery", p.Discovery, []string{"mdns", "ws-discovery", "ssdp"})
	names("devices", p.Devices, []string{"audio"})
	names("commands", p.Commands, Commands())
	if p.Secrets != "" && p.Secrets != "own" && p.Secrets != "none" {
		bad("secrets", "%q: want own or none", p.Secrets)
	}
	for i, n := range p.Network {
		if msg := n.problem(); msg != "" {
			bad(fmt.Sprintf("network[%d]", i), "%s", msg)
		}
	}
	return ps
}

// Commands are the names of what the hub may ask of a plugin, and of what a plugin
// may have others do through the hub.
func Commands() []string {
	return []string{
		"camera.snapshot", "camera.source", "camera.talk", "camera.key_frame", "chime.play", "chime.stop",
		"camera.demand", "notify.send", "device.identify", "device.describe", "device.act", "test.selfcheck", "action",
		"chime.quiet", "house.mode",
	}
}

func (n Network) problem() string {
	switch {
	case (n.To == "") == (n.Listen == ""):
		return "want either to or listen"
	case n.Listen != "" && n.Listen != "lan":
		return fmt.Sprintf("listen %q: want lan", n.Listen)
	case n.To != "" && !goodPeer(n.To):
		return fmt.Sprintf("to %q: want camera, lan, internet, a CIDR or a host name", n.To)
	}
	for _, p := range n.Ports {
		if p < 1 || p > 65535 {
			return fmt.Sprintf("port %d: want 1 to 65535", p)
		}
	}
	for _, p := range n.Proto {
		if p != "tcp" && p != "udp" && p != "mdns" {
			return fmt.Sprintf("proto %q: want tcp, udp or mdns", p)
		}
	}
	return ""
}

func goodPeer(to string) bool {
	if to == "camera" || to == "lan" || to == "internet" {
		return true
	}
	if strings.Contains(to, "/") {
		_, err := netip.ParsePrefix(to)
		return err == nil
	}
	if _, err := netip.ParseAddr(to); err == nil {
		return true
	}
	return hostForm().MatchString(to) && len(to) <= 253
}

func (l Limits) problems() Problems {
	var ps Problems
	if l.Processes < 0 || l.Files < 0 || l.CPU < 0 {
		ps = append(ps, Problem{Path: "limits", Message: "no limit is below zero"})
	}
	if l.Memory > 0 && l.Memory < 16<<20 {
		ps = append(ps, Problem{Path: "limits.memory", Message: "is below 16MiB, with which no process starts"})
	}
	if l.Files > 0 && l.Files < 32 {
		ps = append(ps, Problem{Path: "limits.files", Message: "is below 32, with which no plugin works"})
	}
	return ps
}

func actionProblems(as []Action) Problems {
	var ps Problems
	seen := make(map[string]bool)
	for i, a := range as {
		at := fmt.Sprintf("actions[%d]", i)
		switch {
		case !actionForm().MatchString(a.Name):
			ps = append(ps, Problem{Path: at + ".name", Message: fmt.Sprintf("%q: want dotted words of a-z, 0-9 and _", a.Name)})
		case seen[a.Name]:
			ps = append(ps, Problem{Path: at + ".name", Message: a.Name + " stands here twice"})
		}
		seen[a.Name] = true
		if a.Role != "" && !slices.Contains([]string{"view", "control", "admin", "hub"}, a.Role) {
			ps = append(ps, Problem{Path: at + ".role", Message: fmt.Sprintf("%q: want view, control, admin or hub", a.Role)})
		}
	}
	return ps
}

func idForm() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)
}

func hostForm() *regexp.Regexp {
	return regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`)
}

func actionForm() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)*$`) }

// semverForm follows the grammar of semver 2.0.0.
func semverForm() *regexp.Regexp {
	return regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)
}
