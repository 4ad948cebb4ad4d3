package plugintest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
)

// Rule is one clause of the contract.
type Rule struct {
	Name string
	// Law says what the rule demands, in a sentence an author understands.
	Law string
	// process: the rule looks at a process of its own and does not apply in this one.
	process bool
	// check starts what it needs, and tells what is broken. A skip says why it does not apply.
	check func(context.Context, *bench) error
}

// skip is why a rule does not apply to this plugin.
type skip string

func (s skip) Error() string { return string(s) }

// bench is where one rule is tried.
type bench struct {
	target target
	o      Options
}

// Rules are all of them, in the order in which they are tried.
func Rules() []Rule {
	return []Rule{
		{Name: "handshake", Law: "starts within 10 s, prints the handshake line first, and listens on a Unix socket in PLUGIN_UNIX_SOCKET_DIR", check: ruleHandshake},
		{Name: "describe", Law: "Describe answers within 5 s, without a config, with a valid manifest that agrees with the rest of the answer", check: ruleDescribe},
		{Name: "describe-pure", Law: "Describe and Check have no effects: no file, no event, no call, and the same answer twice", check: ruleDescribePure},
		{Name: "schema", Law: "every schema is valid JSON Schema 2020-12", check: ruleSchema},
		{Name: "schema-titles", Law: "every key of a schema has a title, from which forms are made", check: ruleSchemaTitles},
		{Name: "bad-config", Law: "Check survives any config that a person could write, and names the place of each problem", check: ruleBadConfig},
		{Name: "configure", Law: "the first config is applied within 10 s, and the same one again changes nothing", check: ruleConfigure},
		{Name: "health", Law: "Health answers within 2 s, and each part has a name and a state", check: ruleHealth},
		{Name: "commands", Law: "each command that Describe lists is answered, and one that it does not list is refused", check: ruleCommands},
		{Name: "deadline", Law: "a command is answered by its deadline", check: ruleDeadline},
		{Name: "repeated-command", Law: "a command sent again under the same idempotency key gets the first answer and is not carried out again", check: ruleRepeatedCommand},
		{Name: "silent-replay", Law: "a chime never sounds a replay, nor a ring past its age", check: ruleSilentReplay},
		{Name: "publishes-declared", Law: "publishes valid events under the filters of its manifest, rings over Urgent, all else over Link", check: rulePublishes},
		{Name: "unknown-ignored", Law: "ignores messages of a newer hub", check: ruleUnknown},
		{Name: "denied", Law: "lives on, healthy or degraded, when all that it asks for is refused", check: ruleDenied},
		{Name: "not-yet", Law: "lives on when the hub cannot do yet what it is asked", check: ruleNotYet},
		{Name: "reconnect", Law: "takes new streams after the old ones broke, and sends again under the same id what was not answered", check: ruleReconnect},
		{Name: "handled-once", Law: "an event delivered again, also after a new connection, is acknowledged and not handled again", check: ruleHandledOnce},
		{Name: "growth", Law: "does not grow over 10,000 events", check: ruleGrowth},
		{Name: "stop", Law: "Stop is answered within 5 s and the process ends", check: ruleStop},
		{Name: "stdout", Law: "prints nothing on stdout but the handshake line", process: true, check: ruleStdout},
		{Name: "lifeline", Law: "ends when stdin closes, for then the hub is gone", process: true, check: ruleLifeline},
		{Name: "signals", Law: "ignores SIGINT and SIGTERM: it is the hub that stops plugins", process: true, check: ruleSignals},
		{Name: "by-hand", Law: "started by a person it says what it is and ends with code 2", process: true, check: ruleByHand},
		{Name: "killed", Law: "after SIGKILL a new process does not handle again what the old one had acknowledged", process: true, check: ruleKilled},
	}
}

// Outcome of a rule.
type Outcome string

// Outcomes.
const (
	Passed  Outcome = "passed"
	Broken  Outcome = "broken"
	Skipped Outcome = "skipped"
)

// Finding is the outcome of one rule, with what was seen.
type Finding struct {
	Rule    string  `json:"rule"`
	Law     string  `json:"law"`
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail,omitempty"`
}

// Report holds the findings of all rules.
type Report struct {
	Findings []Finding `json:"findings"`
}

// Broken are the rules that did not hold.
func (r Report) Broken() []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return f.Outcome != Broken })
}

// JSON is the report for machines.
func (r Report) JSON() []byte {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		panic("plugintest: a report marshals: " + err.Error())
	}
	return b
}

func (r Report) String() string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-8s %-20s %s", f.Outcome, f.Rule, f.Law)
		if f.Detail != "" {
			fmt.Fprintf(&b, "\n%30s%s", "", strings.ReplaceAll(f.Detail, "\n", "\n"+strings.Repeat(" ", 30)))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Check tries all rules on a binary; each call of cmd makes a fresh, unstarted command.
func Check(ctx context.Context, cmd func() *exec.Cmd, o Options) Report {
	return try(ctx, process{cmd}, o)
}

// CheckInProcess tries the rules as InProcess does.
func CheckInProcess(ctx context.Context, newPlugin func() sdk.Plugin, o Options) Report {
	return try(ctx, inProcess{newPlugin}, o)
}

func try(ctx context.Context, t target, o Options) Report {
	var out Report
	for _, r := range o.rules() {
		out.Findings = append(out.Findings, tryOne(ctx, t, o, r))
	}
	return out
}

// Run tries all rules on a binary, each as a subtest.
func Run(t *testing.T, cmd func() *exec.Cmd, o Options) {
	t.Helper()
	subtests(t, process{cmd}, o)
}

// InProcess tries the rules on a Go plugin inside the test, over the same wire; those
// about processes are skipped. A panic of the plugin is a broken rule, not a crash.
func InProcess(t *testing.T, newPlugin func() sdk.Plugin, o Options) {
	t.Helper()
	subtests(t, inProcess{newPlugin}, o)
}

func subtests(t *testing.T, target target, o Options) {
	t.Helper()
	for _, r := range o.rules() {
		t.Run(r.Name, func(t *testing.T) {
			f := tryOne(t.Context(), target, o, r)
			switch f.Outcome {
			case Broken:
				t.Errorf("%s: %s\nbroken: %s", f.Rule, f.Law, f.Detail)
			case Skipped:
				t.Skip(f.Detail)
			}
		})
	}
	for _, name := range append(slices.Collect(maps.Keys(o.Skip)), o.Only...) {
		if !slices.ContainsFunc(Rules(), func(r Rule) bool { return r.Name == name }) {
			t.Errorf("the options name %q, which is no rule", name)
		}
	}
}

func (o Options) rules() []Rule {
	return slices.DeleteFunc(Rules(), func(r Rule) bool { return len(o.Only) > 0 && !slices.Contains(o.Only, r.Name) })
}

// ruleTime bounds one rule; the growth rule takes the longest.
const ruleTime = 60 * time.Second

func tryOne(ctx context.Context, t target, o Options, r Rule) Finding {
	f := Finding{Rule: r.Name, Law: r.Law, Outcome: Passed}
	if why, ok := o.Skip[r.Name]; ok {
		f.Outcome, f.Detail = Skipped, why
		return f
	}
	if _, own := t.(process); r.process && !own {
		f.Outcome, f.Detail = Skipped, "the plugin runs inside this process"
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, ruleTime)
	defer cancel()
	err := r.check(ctx, &bench{target: t, o: o})
	switch err := err.(type) {
	case nil:
	case skip:
		f.Outcome, f.Detail = Skipped, string(err)
	default:
		f.Outcome, f.Detail = Broken, err.Error()
	}
	return f
}

// with starts a plugin for a rule; ready also configures it and opens the streams.
func (b *bench) with(ctx context.Context, ready bool, f func(*session) error) error {
	s, err := newSession(ctx, b.target, b.o)
	if err != nil {
		return err
	}
	defer s.end()
	if ready {
		if err := s.ready(ctx); err != nil {
			return s.explain(err)
		}
	}
	return s.explain(f(s))
}

// explain adds why the plugin ended, where it did.
func (s *session) explain(err error) error {
	if _, is := err.(skip); err == nil || is || s.over {
		return err
	}
	if !s.alive() {
		return fmt.Errorf("%w; the plugin ended with code %d: %.600s", err, s.run.code(), s.run.stderr())
	}
	return err
}
