package homekit

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/pages/words"
)

// Topics of "No Response", by which what is known stands beside the step that it answers.
const (
	Running     = "running"
	Network     = "network"
	MDNS        = "mdns"
	Firewall    = "firewall"
	HomeHub     = "hub"
	Duplicate   = "duplicate"
	IPv6        = "ipv6"
	Clock       = "clock"
	Controllers = "controller"
	Pictures    = "pictures"
	Names       = "names"
	Rest        = ""
)

// Answer is one thing that is known of a step.
type Answer struct {
	Tone      string // ok, warn, bad, grey
	Text, Fix string
	Code      string
}

// Seen is what is known when somebody asks why Home says "No Response".
type Seen struct {
	Plugin  api.Plugin
	Status  *Status // nil: the plugin did not answer
	Trouble Answer  // why not
	Checks  []api.Check
	Looked  bool // Checks are of a look just now
	Now     time.Time
}

// Answers of each topic, in the order in which they are told.
func (s Seen) Answers() map[string][]Answer {
	out := map[string][]Answer{Running: s.running()}
	if s.Status != nil {
		out[Network] = s.networks()
		out[MDNS] = s.announced()
		out[HomeHub] = s.connected()
		out[Duplicate] = s.named()
		out[IPv6] = s.ipv6()
		out[Controllers] = s.controllers()
	}
	for _, c := range s.Checks {
		topic, a := s.judged(c)
		// What the plugin's status says already.
		known := topic == Controllers || topic == Pictures || topic == Names || a.Tone == "ok" && (topic == Network || topic == Running)
		if s.Status != nil && known || slices.Contains(out[topic], a) {
			continue
		}
		out[topic] = append(out[topic], a)
	}
	return out
}

// topicOf a word with which a line of the plugin's self-check begins, or which stands
// behind the accessory that the line is of: "front_door: mDNS".
func topicOf(word string) (topic string, ok bool) {
	switch word {
	case "network":
		return Network, true
	case "mdns":
		return MDNS, true
	case "port", "firewall":
		return Firewall, true
	case "duplicate":
		return Duplicate, true
	case "ipv6":
		return IPv6, true
	case "clock":
		return Clock, true
	case "controller":
		return Controllers, true
	case "camera", "store":
		return Running, true
	case "picture", "stream":
		return Pictures, true
	case "name":
		return Names, true
	}
	return Rest, false
}

// judged is a line of a check as an answer, and the topic that it is of.
func (s Seen) judged(c api.Check) (topic string, a Answer) {
	a = Answer{Tone: map[string]string{"ok": "ok", "warn": "warn", "fail": "bad"}[c.State], Fix: c.Fix, Code: c.Code}
	if a.Tone == "" {
		a.Tone = "grey"
	}
	told := []string{c.What}
	before, after, _ := strings.Cut(c.What, ": ")
	if c.Area == Clock { // the hub's own line, without a topic
		topic = Clock
	} else if t, ok := topicOf(first(before)); ok {
		topic, told = t, []string{after}
	} else if t, ok := topicOf(first(after)); ok {
		_, rest, _ := strings.Cut(after, " ")
		topic, told = t, []string{s.label(before), rest}
	} else if name := s.label(c.What); name != c.What { // an accessory as a whole
		topic, told = Running, []string{name}
	}
	told = append(told, c.Why)
	a.Text = strings.Join(slices.DeleteFunc(told, func(t string) bool { return t == "" }), ": ")
	return topic, a
}

func first(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return strings.ToLower(word)
}

// label gives a camera's name for its id; what is none stays.
func (s Seen) label(id string) string {
	if s.Status == nil || id == "" {
		return id
	}
	for _, a := range s.Status.All() {
		if a.Key() == id {
			return a.Label()
		}
	}
	return id
}

func (s Seen) running() []Answer {
	name := "The plugin " + s.Plugin.Name
	a := Answer{Tone: "bad", Text: name + " is " + s.Plugin.State, Fix: s.Plugin.Fix, Code: s.Plugin.Code}
	if s.Plugin.Reason != "" {
		a.Text += ": " + s.Plugin.Reason
	}
	switch s.Plugin.State {
	case "running":
		a = Answer{Tone: "ok", Text: name + " runs"}
		if !s.Plugin.Since.IsZero() {
			a.Text += ", since " + words.Rough(s.Now.Sub(s.Plugin.Since))
		}
	case "degraded", "starting", "configuring", "backoff":
		a.Tone = "warn"
	}
	out := []Answer{{Tone: "ok", Text: "The hub runs: this page comes from it"}, a}
	if s.Trouble.Text != "" {
		out = append(out, s.Trouble)
	}
	if s.Status == nil {
		return out
	}
	for _, x := range s.Status.All() {
		switch {
		case x.Problem != nil:
			out = append(out, Answer{Tone: "bad", Text: x.Label() + ": " + x.Problem.Message, Fix: x.Problem.Fix, Code: x.Problem.Code})
		case !x.Active && x.Camera != "":
			out = append(out, Answer{Tone: "warn", Text: x.Label() + " is switched off in Apple Home: it gives Home no picture",
				Fix: "in Home open its settings and switch it to Stream, or Detect Activity"})
		}
	}
	return out
}

func (s Seen) networks() []Answer {
	var used, not []Answer
	for _, i := range s.Status.Interfaces {
		at := strings.Join(i.Addresses, ", ")
		if i.Used {
			used = append(used, Answer{Tone: "ok", Text: fmt.Sprintf("Announced on %s (%s): the phone must be in the same network", i.Name, at)})
			continue
		}
		text := "Not announced on " + i.Name
		if i.Why != "" {
			text += ": " + i.Why
		}
		not = append(not, Answer{Tone: "grey", Text: text})
	}
	if len(used) == 0 {
		used = []Answer{{Tone: "bad", Text: "It is announced on no network at all",
			Fix: "connect the hub's machine to the network of the house, or name its interface: plugins.homekit.config.interfaces"}}
	}
	return append(used, not...)
}

func (s Seen) announced() []Answer {
	var out []Answer
	for _, x := range s.Status.All() {
		switch {
		case x.Problem != nil: // told already
		case x.Announced == "":
			out = append(out, Answer{Tone: "bad", Text: x.Label() + " is not announced"})
		case !s.Looked:
			out = append(out, Answer{Tone: "grey", Text: fmt.Sprintf("%s is announced as “%s”, port %d", x.Label(), x.Announced, x.Port)})
		}
	}
	return out
}

// named tells whose name somebody else has too.
func (s Seen) named() []Answer {
	var out []Answer
	announced := 0
	for _, x := range s.Status.All() {
		if x.Announced == "" {
			continue
		}
		announced++
		if x.Announced != x.Label() {
			out = append(out, Answer{Tone: "warn", Text: fmt.Sprintf("%s is announced as “%s”: another device has that name", x.Label(), x.Announced),
				Fix: "if it is of this house, from another hub or an older one, switch the other one off"})
		}
	}
	if out == nil && announced > 0 {
		out = []Answer{{Tone: "ok", Text: "No other device was heard with a name of this house"}}
	}
	return out
}

func (s Seen) connected() []Answer {
	var out []Answer
	for _, x := range s.Status.All() {
		if !x.Paired {
			out = append(out, Answer{Tone: "grey", Text: x.Label() + " is in no home: it waits for its code"})
			continue
		}
		var now int
		var last time.Time
		for _, c := range x.Controllers {
			if c.Connections > 0 {
				now++
			}
			if c.LastSeen.After(last) {
				last = c.LastSeen
			}
		}
		switch {
		case now > 0:
			out = append(out, Answer{Tone: "ok", Text: fmt.Sprintf("%s: %d of %s connected now", x.Label(), now, words.Count(len(x.Controllers), "controller"))})
		case last.IsZero():
			out = append(out, Answer{Tone: "warn", Text: x.Label() + ": nobody has connected since the plugin started"})
		default:
			out = append(out, Answer{Tone: "warn", Text: x.Label() + ": nobody is connected; the last one was here " + words.Ago(s.Now.Sub(last))})
		}
	}
	return out
}

func (s Seen) ipv6() []Answer {
	var out []Answer
	for _, i := range s.Status.Interfaces {
		if !i.Used {
			continue
		}
		four, six := families(i.Addresses)
		switch {
		case four && six:
			out = append(out, Answer{Tone: "ok", Text: "On " + i.Name + " the accessories answer by IPv4 and by IPv6"})
		case six:
			out = append(out, Answer{Tone: "warn", Text: "On " + i.Name + " the hub has IPv6 alone", Fix: "some controllers ask by IPv4 only: give the interface such an address too"})
		default:
			out = append(out, Answer{Tone: "ok", Text: "On " + i.Name + " the hub has IPv4 alone, which is enough"})
		}
	}
	return out
}

func families(addresses []string) (four, six bool) {
	for _, a := range addresses {
		a, _, _ = strings.Cut(a, "/")
		ip, err := netip.ParseAddr(a)
		if err != nil {
			continue
		}
		if ip.Unmap().Is4() {
			four = true
		} else {
			six = true
		}
	}
	return four, six
}

func (s Seen) controllers() []Answer {
	var out []Answer
	for _, x := range s.Status.All() {
		for _, c := range x.Controllers {
			if c.LastError == "" {
				continue
			}
			text := fmt.Sprintf("%s, controller %s: %s", x.Label(), c.Short(), c.LastError)
			if !c.LastErrorAt.IsZero() {
				text += ", " + words.Ago(s.Now.Sub(c.LastErrorAt))
			}
			out = append(out, Answer{Tone: "warn", Text: text})
		}
	}
	if out == nil {
		out = []Answer{{Tone: "ok", Text: "No controller met an error since the plugin started"}}
	}
	return out
}

// Rules open a firewall for Apple Home.
type Rules struct{ Name, Text string }

// Open gives the lines for this status' ports; none where there is no port yet.
func (s Status) Open() []Rules {
	var ports []int
	for _, x := range s.All() {
		if x.Port > 0 {
			ports = append(ports, x.Port)
		}
	}
	slices.Sort(ports)
	ports = slices.Compact(ports)
	if len(ports) == 0 {
		return nil
	}
	var list, firewalld []string
	for _, p := range ports {
		list = append(list, strconv.Itoa(p))
		firewalld = append(firewalld, fmt.Sprintf("--add-port=%d/tcp", p))
	}
	return []Rules{
		{"nftables", fmt.Sprintf("nft insert rule inet filter input udp dport 5353 accept\nnft insert rule inet filter input tcp dport { %s } accept\n", strings.Join(list, ", "))},
		{"ufw", fmt.Sprintf("ufw allow 5353/udp\nufw allow %s/tcp\n", strings.Join(list, ","))},
		{"firewalld", fmt.Sprintf("firewall-cmd --permanent --add-service=mdns %s\nfirewall-cmd --reload\n", strings.Join(firewalld, " "))},
	}
}
