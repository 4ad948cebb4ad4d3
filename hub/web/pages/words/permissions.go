package words

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

// Grants tells in sentences what a plugin may do, what it may not first.
func Grants(p manifest.Permissions) []string {
	out := network(p.Network)
	if len(p.Discovery) > 0 {
		out = append(out, "It looks for devices in the house ("+series(p.Discovery)+").")
	}
	if slices.Contains(p.Devices, "audio") {
		out = append(out, "It may use the sound card.")
	}
	if what := subjects(p.Publish); what != "" {
		out = append(out, "It tells of "+what+".")
	}
	if what := subjects(p.Subscribe); what != "" {
		out = append(out, "It is told of "+what+".")
	}
	if p.Media.Publish {
		out = append(out, "It sends the pictures of its own cameras.")
	}
	if p.Media.Read {
		out = append(out, "It sees and hears cameras.")
	}
	if p.Talk {
		out = append(out, "It may speak at a door.")
	}
	for _, c := range []struct{ command, says string }{
		{"device.act", "It may switch what devices have: modes, lights, and the doors that they open."}, {"chime.play", "It may sound chimes."},
		{"chime.quiet", "It may keep chimes quiet."}, {"house.mode", "It may change the mode of the house."},
	} {
		if slices.Contains(p.Commands, c.command) {
			out = append(out, c.says)
		}
	}
	if p.Secrets != "" {
		out = append(out, "It reads the secrets that its own config names.")
	}
	if p.Storage > 0 {
		out = append(out, "It keeps up to "+ByteSize(int64(p.Storage))+" of its own.")
	}
	return out
}

func network(rules []manifest.Network) []string {
	if len(rules) == 0 {
		return []string{"It has no network."}
	}
	var out []string
	for _, n := range rules {
		var s string
		switch {
		case n.Listen != "":
			s = "It is open to the house's network"
		case n.To == "camera":
			s = "It talks to the cameras that name it"
		case n.To == "lan":
			s = "It talks to the house's network"
		case n.To == "internet":
			s = "It talks to the internet"
		default:
			s = "It talks to " + n.To
		}
		if len(n.Ports) > 0 {
			ports := make([]string, 0, len(n.Ports))
			for _, port := range n.Ports {
				ports = append(ports, strconv.Itoa(port))
			}
			s += " (port " + series(ports) + ")"
		}
		if n.Why != "" {
			s += fmt.Sprintf(", \u201c%s\u201d", n.Why) // the author's words, as such
		}
		out = append(out, s+".")
	}
	return out
}

// subjects names what filters let through, for people.
func subjects(filters []string) string {
	names := map[string]string{"ring": "rings", "motion": "motion", "person": "persons", "parcel": "parcels", "audio": "sounds", "online": "cameras that come and go",
		"offline": "", "status": "the state of devices", "played": "what chimes did", "failed": "", "talk": "talk", "started": "", "ended": "", "state": "the state of plugins", "fired": "rules", "time": "the time",
		"vehicle": "vehicles", "animal": "animals", "hop": "what became of a ring", "quiet": "quiet times", "cameras": "which cameras there are", "house": "the house's state"}
	var out []string
	for _, f := range filters {
		tokens := strings.Split(f, ".")
		last := tokens[len(tokens)-1]
		word, known := names[last]
		switch {
		case last == "**" || last == "*":
			word = "everything about " + tokens[0] + "s"
			if tokens[0] == "**" || tokens[0] == "*" {
				word = "everything in the house"
			}
		case !known:
			word = f
		}
		if word != "" && !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return series(out)
}

func series(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
