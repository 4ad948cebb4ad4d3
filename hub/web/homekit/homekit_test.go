package homekit

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// plugin answers with what a test wants, and keeps what it was asked.
type plugin struct {
	answer string
	err    error
	asked  []string
}

func (p *plugin) Act(_ context.Context, name, action string, in json.RawMessage) (json.RawMessage, error) {
	p.asked = append(p.asked, name+" "+action+" "+string(in))
	return json.RawMessage(p.answer), p.err
}

func TestWhichPluginIsAsked(t *testing.T) {
	own := api.Plugin{Name: "apple", ID: PluginID}
	for _, c := range []struct {
		all  []api.Plugin
		want string
	}{
		{nil, ""},
		{[]api.Plugin{{Name: "demo", ID: "org.porchlight.demo"}}, ""},
		{[]api.Plugin{{Name: "homekit"}}, "homekit"}, // before it has told its id
		{[]api.Plugin{{Name: "homekit", ID: "org.example.other"}}, ""},
		{[]api.Plugin{{Name: "homekit"}, own}, "apple"},
	} {
		p, ok := Find(c.all)
		if p.Name != c.want || ok != (c.want != "") {
			t.Errorf("%v: %q %t, want %q", c.all, p.Name, ok, c.want)
		}
	}
}

func TestAsking(t *testing.T) {
	p := &plugin{answer: `{"accessories":[{"camera":"porch","name":"Porch","paired":true,"controllers":[{"id":"A1","last_seen":"2026-11-24T12:00:00Z"}],"watching":[{"how":"converted: B-frames"}],"problem":null,"last_ring":null}],"bridge":{"id":"bridge","name":"House"},"interfaces":null,"news":1}`}
	s, err := AskStatus(t.Context(), p, "homekit")
	if err != nil || len(s.Accessories) != 1 || len(s.All()) != 2 || s.All()[1].Label() != "House" || s.Accessories[0].Controllers[0].LastSeen.IsZero() {
		t.Errorf("%+v, %v", s, err)
	}
	if why, yes := s.Accessories[0].Watching[0].Converted(); !yes || why != "B-frames" {
		t.Errorf("%q %t", why, yes)
	}
	p.answer = `{"accessories":[{"camera":"porch","code":"314-15-926","uri":"X-HM://0"}]}`
	codes, err := AskCodes(t.Context(), p, "homekit", "porch")
	if err != nil || len(codes) != 1 || codes[0].Label() != "porch" {
		t.Errorf("%v, %v", codes, err)
	}
	p.answer = `{"removed":2}`
	if n, err := Unpair(t.Context(), p, "homekit", "", "A1"); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	p.answer = `{"reset":["porch"]}`
	if got, err := Reset(t.Context(), p, "homekit", "porch"); !slices.Equal(got, []string{"porch"}) || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	want := []string{`homekit status {}`, `homekit qr {"camera":"porch"}`, `homekit unpair {"controller":"A1"}`, `homekit reset {"camera":"porch"}`}
	if !slices.Equal(p.asked, want) {
		t.Errorf("asked %q", p.asked)
	}
	// An answer that is none says so, and quotes nothing of it: it may hold a code.
	p.answer = `{"accessories":"314-15-926"}`
	if _, err := AskCodes(t.Context(), p, "homekit", ""); err == nil || strings.Contains(err.Error(), "314") {
		t.Errorf("%v", err)
	}
	p.err = errors.New("plugin homekit: no answer in time")
	if _, err := AskStatus(t.Context(), p, "homekit"); !errors.Is(err, p.err) {
		t.Errorf("%v", err)
	}
}

func TestTheControllerThatIsMeant(t *testing.T) {
	s := Status{Accessories: []Accessory{
		{Camera: "a", Controllers: []Controller{{ID: "C4B1-1"}, {ID: "C4B2-2"}}},
		{Camera: "b", ID: "b1", Controllers: []Controller{{ID: "C4B1-1"}, {ID: "C4B1-1-more"}}},
	}}
	for _, c := range []struct{ word, camera, want string }{
		{"c4b2", "", "C4B2-2"}, {"C4B1-1", "", "C4B1-1"}, {"c4b1", "a", "C4B1-1"}, {"C4B1-1-", "b", "C4B1-1-more"},
		{"C4B", "", ""}, {"", "a", ""}, {"D", "", ""}, {"C4B2-2", "b", ""},
	} {
		if got, err := s.Controller(c.word, c.camera); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q of %q: %q, %v", c.word, c.camera, got, err)
		}
	}
}

// What the pages' scenes do not reach: each state in the words of its step.
func TestAnswers(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	a := Accessory{Camera: "porch", Name: "Porch", Paired: true, Active: true, Announced: "Porch", Port: 5000}
	for _, c := range []struct {
		seen        Seen
		topic, tone string
		text        string
	}{
		{Seen{Plugin: api.Plugin{Name: "homekit", State: "backoff", Reason: "it crashed"}}, Running, "warn", "The plugin homekit is backoff: it crashed"},
		{Seen{Plugin: api.Plugin{Name: "homekit", State: "blocked"}}, Running, "bad", "The plugin homekit is blocked"},
		{Seen{Status: &Status{Accessories: []Accessory{a}}}, HomeHub, "warn", "Porch: nobody has connected since the plugin started"},
		{Seen{Status: &Status{Accessories: []Accessory{a}}}, MDNS, "grey", "Porch is announced as “Porch”, port 5000"},
		{Seen{Status: &Status{Accessories: []Accessory{a}}}, Network, "bad", "It is announced on no network at all"},
		{Seen{Status: &Status{Accessories: []Accessory{a}}}, Controllers, "ok", "No controller met an error since the plugin started"},
		{Seen{Status: &Status{Interfaces: []Interface{{Name: "e", Used: true, Addresses: []string{"10.0.0.2/24"}}}}}, IPv6, "ok", "On e the hub has IPv4 alone, which is enough"},
		{Seen{Status: &Status{Interfaces: []Interface{{Name: "e", Used: true, Addresses: []string{"fe80::1%e/64", "what"}}}}}, IPv6, "warn", "On e the hub has IPv6 alone"},
		{Seen{Checks: []api.Check{{State: "fail", What: "store: porch: keypair does not parse"}}}, Running, "bad", "porch: keypair does not parse"},
		{Seen{Checks: []api.Check{{State: "odd", What: "no topic at all"}}}, Rest, "grey", "no topic at all"},
		{Seen{Checks: []api.Check{{State: "warn", What: "duplicate: two of one name"}}}, Duplicate, "warn", "two of one name"},
		{Seen{Checks: []api.Check{{State: "fail", What: "porch: mDNS", Why: "it is not heard"}}}, MDNS, "bad", "porch: it is not heard"},
		{Seen{Status: &Status{Accessories: []Accessory{a}}, Checks: []api.Check{{State: "ok", What: "porch: port", Why: "5000 answers"}}}, Firewall, "ok", "Porch: 5000 answers"},
		{Seen{Status: &Status{Accessories: []Accessory{a}}, Checks: []api.Check{{State: "fail", What: "porch", Why: "its store is damaged"}}}, Running, "bad", "Porch: its store is damaged"},
		{Seen{Checks: []api.Check{{State: "warn", What: "porch: controller C4B1", Why: "it closed"}}}, Controllers, "warn", "porch: C4B1: it closed"},
		{Seen{Status: &Status{}, Checks: []api.Check{{State: "fail", What: "network interfaces", Why: "none"}}}, Network, "bad", "none"},
		{Seen{Checks: []api.Check{{Area: "clock", State: "warn", What: "3 s off", Why: "it jumps"}}}, Clock, "warn", "3 s off: it jumps"},
	} {
		c.seen.Now = now
		if got := c.seen.Answers()[c.topic]; !slices.ContainsFunc(got, func(x Answer) bool { return x.Tone == c.tone && x.Text == c.text }) {
			t.Errorf("%s lacks %s %q: %+v", c.topic, c.tone, c.text, got)
		}
	}
	if got := (Status{Accessories: []Accessory{{Port: 7000}, {Port: 6000}, {Port: 7000}, {}}}).Open(); len(got) != 3 || !strings.Contains(got[1].Text, "ufw allow 6000,7000/tcp") {
		t.Errorf("%v", got)
	}
	if got := (Status{}).Open(); got != nil {
		t.Errorf("no port, and yet %v", got)
	}
}
