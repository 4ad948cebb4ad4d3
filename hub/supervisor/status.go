package supervisor

import (
	"time"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// State of a plugin, as pages and terminal show it.
type State string

// The states that a started hub can see.
const (
	Starting    State = "starting"
	Configuring State = "configuring"
	Running     State = "running"
	Degraded    State = "degraded" // it runs, and something in it does not
	Stopping    State = "stopping"
	Stopped     State = "stopped"
	Backoff     State = "backoff" // it will be started again at NextTry
	Failed      State = "failed"  // too many restarts; one slow try each 15 min, or Restart
	Blocked     State = "blocked" // starting it again would not help
	Disabled    State = "disabled"
)

// Alive: a process of this state takes commands.
func (s State) Alive() bool { return s == Running || s == Degraded }

// Status is a copy of all that is known of one plugin.
type Status struct {
	Name     string    `json:"name"`
	State    State     `json:"state"`
	Code     string    `json:"code,omitempty"`   // E-PLUGIN-…, where something is wrong
	Reason   string    `json:"reason,omitempty"` // what is wrong
	Fix      string    `json:"fix,omitempty"`    // what mends it
	Warning  bool      `json:"warning,omitempty"`
	Optional bool      `json:"optional,omitempty"`
	LastLog  []string  `json:"last_log,omitempty"` // of the process that failed, at most 50 lines
	PID      int       `json:"pid,omitempty"`
	Since    time.Time `json:"since,omitzero"` // of this state
	Restarts int       `json:"restarts"`       // since the hub's start
	NextTry  time.Time `json:"next_try,omitzero"`

	ID           string   `json:"id,omitempty"`
	Title        string   `json:"title,omitempty"` // display name
	Version      string   `json:"version,omitempty"`
	Capabilities []string `json:"capabilities,omitempty"`
	Parts        []Part   `json:"parts,omitempty"`
	Actions      []Action `json:"actions,omitempty"`
	Missing      []string `json:"missing,omitempty"` // what it lacks on this machine, with the fix

	Sandbox string  `json:"sandbox,omitempty"` // full, partial: what is missing, none
	CPU     float64 `json:"cpu"`               // per cent of one core, over the last sample
	Memory  int64   `json:"memory"`            // bytes, PSS
	RSS     int64   `json:"rss"`               // bytes

	UnknownMessages uint64 `json:"unknown_messages,omitempty"`
	LateReplies     uint64 `json:"late_replies,omitempty"`
	DroppedLines    uint64 `json:"dropped_lines,omitempty"`
}

// Part is one part of a plugin, as its Health tells.
type Part struct {
	Name   string    `json:"name"`
	State  string    `json:"state"` // ok, degraded, failed
	Reason string    `json:"reason,omitempty"`
	Fix    string    `json:"fix,omitempty"`
	Since  time.Time `json:"since,omitzero"`
}

// Action is something that a plugin lets people do with its own data.
type Action struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Role     string `json:"role"`
	ReadOnly bool   `json:"read_only"`
	Input    string `json:"input,omitempty"`  // JSON Schema
	Output   string `json:"output,omitempty"` // JSON Schema
}

// sandbox names what this version of the launcher applies and what it does not.
func sandbox(walled bool) string {
	if walled {
		return "partial: no file and network walls yet (environment, descriptors, no-new-privileges, limits and a process namespace are in force)"
	}
	return "partial: no file and network walls yet, and this machine allows no process namespace: what a plugin started may outlive a killed hub until its next start (environment, descriptors, no-new-privileges and limits are in force)"
}

func (st *Status) describe(d *pb.Description) {
	st.ID, st.Title, st.Version = d.GetId(), d.GetName(), d.GetVersion()
	st.Capabilities = d.GetCapabilities()
	st.Actions, st.Missing = nil, nil
	for _, a := range d.GetActions() {
		st.Actions = append(st.Actions, Action{a.GetName(), a.GetTitle(), a.GetRole(), a.GetReadOnly(), a.GetInputSchema(), a.GetOutputSchema()})
	}
	for _, m := range d.GetMissing() {
		st.Missing = append(st.Missing, m.GetWhat()+": "+m.GetFix())
	}
}

func (st *Status) parts(r *pb.HealthReport) {
	st.Parts = nil
	for _, p := range r.GetParts() {
		part := Part{Name: p.GetPart(), State: "ok", Reason: p.GetReason(), Fix: p.GetFix()}
		switch p.GetState() {
		case pb.PartHealth_STATE_DEGRADED:
			part.State = "degraded"
		case pb.PartHealth_STATE_FAILED:
			part.State = "failed"
		}
		if p.GetSince().IsValid() {
			part.Since = p.GetSince().AsTime()
		}
		st.Parts = append(st.Parts, part)
	}
}
