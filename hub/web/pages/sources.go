package pages

import (
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/pages/words"
)

// sourceView is one stream of a camera as people read it.
type sourceView struct {
	api.Source
	Title  string
	Tone   string // ok, warn, bad, busy, grey
	Word   string
	Says   string // what is wrong, in words for people; Reason is its exact cause
	Wait   string // until the next try
	Idle   string // why there is no picture, where that is as it should be
	Facts  []words.Fact
	Advice []string
}

// Retryable tells whether trying now would do anything.
func (v sourceView) Retryable() bool { return v.State == "waiting" || v.State == "locked" }

func (p *pages) sourceViews(c api.Camera) []sourceView {
	var out []sourceView
	for _, s := range c.Sources {
		if !words.Real(s) {
			continue
		}
		v := sourceView{Source: s, Title: words.Stream(s.Stream), Facts: words.Facts(s), Advice: words.Advice(s)}
		v.Tone, v.Word = words.State(s)
		if v.Says, v.Reason = p.inWords(s), words.Bare(s.Reason); v.Says == v.Reason {
			v.Reason = ""
		}
		switch s.State {
		case "waiting", "locked":
			if wait := s.NextTry.Sub(p.now()); !s.NextTry.IsZero() && wait > 0 {
				v.Wait = words.Rough(wait)
			}
		case "off":
			if s.Code == "" {
				v.Says, v.Reason = "", "" // the next line says it
			}
			v.Idle = "Nobody looks at it. It connects when somebody does."
			if s.Pull == "battery" {
				v.Idle = "It runs on a battery: it is woken by a ring, or when somebody looks."
			}
		}
		out = append(out, v)
	}
	return out
}

// inWords is what is wrong with a source as people say it: the title that its code has,
// else the reason itself.
func (p *pages) inWords(s api.Source) string {
	if x, ok := p.rooms.Explain.Explain(s.Code); ok && s.Code != "" && x.Title != "" {
		return x.Title
	}
	return words.Bare(s.Reason)
}
