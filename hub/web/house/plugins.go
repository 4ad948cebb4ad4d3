package house

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/supervisor"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// actTime bounds an action; a page that waits longer looks broken.
const actTime = 20 * time.Second

// Supervisor is what the web asks of it.
type Supervisor interface {
	Status() []supervisor.Status
	Plugin(name string) (supervisor.Status, bool)
	Restart(ctx context.Context, name string) error
	Logs(name string, n int) []supervisor.LogLine
	Command(ctx context.Context, plugin string, c *pb.Command) (*pb.Reply, error)
}

// Plugins shows the supervisor.
func Plugins(s Supervisor) api.Plugins { return plugins{s} }

type plugins struct{ supervisor Supervisor }

func (p plugins) Plugins() []api.Plugin {
	all := p.supervisor.Status()
	out := make([]api.Plugin, 0, len(all))
	for i := range all {
		out = append(out, plugin(&all[i]))
	}
	slices.SortFunc(out, func(a, b api.Plugin) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (p plugins) Plugin(name string) (api.Plugin, bool) {
	st, ok := p.supervisor.Plugin(name)
	if !ok {
		return api.Plugin{}, false
	}
	return plugin(&st), true
}

func plugin(st *supervisor.Status) api.Plugin {
	out := api.Plugin{
		Name: st.Name, ID: st.ID, Title: st.Title, Version: st.Version, Optional: st.Optional, Warning: st.Warning,
		State: string(st.State), Code: st.Code, Reason: st.Reason, Fix: st.Fix, PID: st.PID, Since: st.Since,
		Restarts: st.Restarts, NextTry: st.NextTry, Capabilities: append([]string{}, st.Capabilities...),
		Parts: make([]api.Part, 0, len(st.Parts)), Actions: make([]api.Action, 0, len(st.Actions)),
		Missing: st.Missing, LastLog: st.LastLog, Sandbox: st.Sandbox, CPUPercent: st.CPU, MemoryBytes: st.Memory,
	}
	for _, x := range st.Parts {
		out.Parts = append(out.Parts, api.Part{Name: x.Name, State: x.State, Reason: x.Reason, Fix: x.Fix, Since: x.Since})
	}
	for _, x := range st.Actions {
		a := api.Action{Name: x.Name, Title: x.Title, Role: x.Role, ReadOnly: x.ReadOnly}
		if json.Valid([]byte(x.Input)) { // it is the plugin's word
			a.InputSchema = api.RawJSON(x.Input)
		}
		out.Actions = append(out.Actions, a)
	}
	return out
}

func (p plugins) Restart(ctx context.Context, name string) error {
	return p.supervisor.Restart(ctx, name)
}

func (p plugins) Logs(name string, n int) []api.LogLine {
	lines := p.supervisor.Logs(name, n)
	out := make([]api.LogLine, 0, len(lines))
	for _, l := range lines {
		var fields []string
		for _, k := range slices.Sorted(maps.Keys(l.Attrs)) {
			fields = append(fields, k+"="+l.Attrs[k])
		}
		out = append(out, api.LogLine{Time: l.Time, Level: l.Level, Origin: l.Origin, Text: l.Text, Fields: strings.Join(fields, " ")})
	}
	return out
}

// Act asks the plugin; who asks and with what role goes along.
func (p plugins) Act(ctx context.Context, name, action string, input json.RawMessage) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, actTime)
	defer cancel()
	who, _ := access.From(ctx)
	caller, role := who.User, "view"
	switch who.Via {
	case access.ViaSocket:
		caller = "cli"
	case access.ViaToken:
		caller = "token " + who.Token
	}
	switch {
	case who.May(access.ScopeAdmin):
		role = "admin"
	case who.May(access.ScopeControl):
		role = "control"
	}
	reply, err := p.supervisor.Command(ctx, name, &pb.Command{
		Deadline: durationpb.New(actTime),
		C:        &pb.Command_Action{Action: &pb.Action{Name: action, Input: string(input), Caller: caller, Role: role}},
	})
	if err != nil {
		return nil, fmt.Errorf("plugin %s: action %s: %w", name, action, err)
	}
	if e := reply.GetError(); e != nil {
		code := cmp.Or(e.GetExplain(), "E-API-ACTION")
		return nil, api.NewProblem(http.StatusUnprocessableEntity, code, fmt.Sprintf("plugin %s: %s: %s", name, action, e.GetMessage()), "")
	}
	out := reply.GetAction().GetOutput()
	if out == "" {
		return json.RawMessage("null"), nil
	}
	if !json.Valid([]byte(out)) {
		return nil, api.NewProblem(http.StatusBadGateway, "E-API-ACTION", fmt.Sprintf("plugin %s: %s: the answer is not JSON", name, action), "")
	}
	return json.RawMessage(out), nil
}
