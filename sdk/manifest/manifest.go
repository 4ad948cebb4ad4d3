package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Version is the format of plugin.yaml that this package reads.
const Version = 1

// Capability is what a plugin offers.
type Capability string

// The capabilities of protocol 1.
const (
	Camera   Capability = "camera"
	Chime    Capability = "chime"
	Bridge   Capability = "bridge"
	Notifier Capability = "notifier"
)

// Manifest is plugin.yaml, or the same in code. In code the fields Manifest,
// Protocol and Run may be left zero: Complete fills them.
type Manifest struct {
	Manifest     int          `json:"manifest" yaml:"manifest"` // format, 1
	ID           string       `json:"id" yaml:"id"`             // reverse DNS; never changes
	Name         string       `json:"name" yaml:"name"`
	Version      string       `json:"version" yaml:"version"`   // strict semver
	Protocol     []int        `json:"protocol" yaml:"protocol"` // majors it speaks
	Hub          string       `json:"hub,omitempty" yaml:"hub"` // e.g. ">=1.2"; shown when unmet
	Capabilities []Capability `json:"capabilities" yaml:"capabilities"`
	License      string       `json:"license,omitempty" yaml:"license"`
	Icon         string       `json:"icon,omitempty" yaml:"icon"`
	Homepage     string       `json:"homepage,omitempty" yaml:"homepage"`
	Publisher    Publisher    `json:"publisher,omitzero" yaml:"publisher"`
	// Run has one entry a platform (linux/amd64, …), or "any" with an interpreter.
	Run map[string]Run `json:"run,omitempty" yaml:"run"`
	// ConfigSchemaFile and DeviceSchemaFile name files beside plugin.yaml; ParseFS
	// reads them into ConfigSchema and DeviceSchema, JSON Schema 2020-12 of the
	// entry's own settings and of a camera's source or a chime's keys.
	ConfigSchemaFile string          `json:"-" yaml:"config_schema"`
	DeviceSchemaFile string          `json:"-" yaml:"device_schema"`
	ConfigSchema     json.RawMessage `json:"config_schema,omitempty" yaml:"-"`
	DeviceSchema     json.RawMessage `json:"device_schema,omitempty" yaml:"-"`
	Permissions      Permissions     `json:"permissions,omitzero" yaml:"permissions"`
	Limits           Limits          `json:"limits,omitzero" yaml:"limits"`
	Actions          []Action        `json:"actions,omitempty" yaml:"actions"`
}

// Publisher signs a packed plugin.
type Publisher struct {
	Name string `json:"name,omitempty" yaml:"name"`
	Key  string `json:"key,omitempty" yaml:"key"` // minisign public key
}

// Run says how a platform starts the plugin.
type Run struct {
	File        string `json:"file" yaml:"file"`
	SHA256      string `json:"sha256,omitempty" yaml:"sha256"`
	Interpreter string `json:"interpreter,omitempty" yaml:"interpreter"`
	Min         string `json:"min,omitempty" yaml:"min"`         // least version of the interpreter
	Adapter     string `json:"adapter,omitempty" yaml:"adapter"` // stdio: JSON lines instead of gRPC
}

// Permissions is what a plugin asks for, or what is left of it. Filters are those of sdk/event.
type Permissions struct {
	Network   []Network `json:"network,omitempty" yaml:"network"`
	Discovery []string  `json:"discovery,omitempty" yaml:"discovery"` // mdns, ws-discovery, ssdp
	Devices   []string  `json:"devices,omitempty" yaml:"devices"`     // audio
	Publish   []string  `json:"publish,omitempty" yaml:"publish"`
	Subscribe []string  `json:"subscribe,omitempty" yaml:"subscribe"`
	// Commands that it may have others carry out: device.act, chime.play, chime.quiet,
	// house.mode. What the hub asks of the plugin itself needs no permission; those
	// names may stand here too.
	Commands []string `json:"commands,omitempty" yaml:"commands"`
	Media    Media    `json:"media,omitzero" yaml:"media"`
	Talk     bool     `json:"talk,omitempty" yaml:"talk"`
	Secrets  string   `json:"secrets,omitempty" yaml:"secrets"` // own, or empty: none
	Storage  Size     `json:"storage,omitempty" yaml:"storage"` // of its data folder
}

// Media says which way pictures and sound may go.
type Media struct {
	Publish bool `json:"publish,omitempty" yaml:"publish"`
	Read    bool `json:"read,omitempty" yaml:"read"`
}

// Network is one rule: towards a peer (To, Ports) or as a listener (Listen).
type Network struct {
	// To is camera (the addresses of the cameras whose config names this plugin),
	// a CIDR, a host name, lan, or internet.
	To       string `json:"to,omitempty" yaml:"to"`
	Listen   string `json:"listen,omitempty" yaml:"listen"` // lan
	Ports    []int  `json:"ports,omitempty" yaml:"ports"`
	Proto    Protos `json:"proto,omitempty" yaml:"proto"` // tcp (default), udp, mdns
	Why      string `json:"why,omitempty" yaml:"why"`
	Optional bool   `json:"optional,omitempty" yaml:"optional"` // the plugin works without it
	// Within: the address must lie in each of these too. Made by narrowing, never asked for.
	Within []string `json:"within,omitempty" yaml:"-"`
}

// network has the fields of Network without its methods.
type network Network

// UnmarshalJSON takes a rule, or its To as plain text.
func (n *Network) UnmarshalJSON(b []byte) error {
	var to string
	if json.Unmarshal(b, &to) == nil {
		*n = Network{To: to}
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode((*network)(n))
}

// Protos are names of protocols; YAML and JSON may give one as plain text.
type Protos []string

// UnmarshalJSON takes one name or a list.
func (p *Protos) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*p = Protos{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(p))
}

// UnmarshalYAML takes one name or a list.
func (p *Protos) UnmarshalYAML(b []byte) error {
	var one string
	if yaml.Unmarshal(b, &one) == nil && !strings.HasPrefix(strings.TrimSpace(string(b)), "[") {
		*p = Protos{one}
		return nil
	}
	return yaml.Unmarshal(b, (*[]string)(p))
}

// Action is a question or an order that CLI, API and pages may put to the plugin.
type Action struct {
	Name         string          `json:"name" yaml:"name"`
	Title        string          `json:"title,omitempty" yaml:"title"`
	InputSchema  json.RawMessage `json:"input_schema,omitempty" yaml:"-"`
	OutputSchema json.RawMessage `json:"output_schema,omitempty" yaml:"-"`
	Role         string          `json:"role,omitempty" yaml:"role"` // view, control, admin (default), hub (nobody but webhooks and the owner's answers)
	ReadOnly     bool            `json:"read_only,omitempty" yaml:"read_only"`
}

// Limits of the process. Zero: the default of DefaultLimits.
type Limits struct {
	Memory    Size    `json:"memory,omitempty" yaml:"memory"`
	CPU       Percent `json:"cpu,omitempty" yaml:"cpu"` // of one core
	Processes int     `json:"processes,omitempty" yaml:"processes"`
	Files     int     `json:"files,omitempty" yaml:"files"` // open at once
}

// DefaultLimits hold where a manifest says nothing.
func DefaultLimits() Limits {
	return Limits{Memory: 128 << 20, CPU: 50, Processes: 16, Files: 256}
}

// WithDefaults fills what is zero.
func (l Limits) WithDefaults() Limits {
	d := DefaultLimits()
	if l.Memory == 0 {
		l.Memory = d.Memory
	}
	if l.CPU == 0 {
		l.CPU = d.CPU
	}
	if l.Processes == 0 {
		l.Processes = d.Processes
	}
	if l.Files == 0 {
		l.Files = d.Files
	}
	return l
}

// Complete fills what a manifest in code may leave out.
func (m Manifest) Complete() Manifest {
	if m.Manifest == 0 {
		m.Manifest = Version
	}
	if len(m.Protocol) == 0 {
		m.Protocol = []int{1}
	}
	m.Limits = m.Limits.WithDefaults()
	return m
}

// Has tells whether the plugin offers a capability.
func (m Manifest) Has(c Capability) bool {
	for _, have := range m.Capabilities {
		if have == c {
			return true
		}
	}
	return false
}

// JSON is the manifest as it travels in Describe. A schema in code that is no JSON is left out; Validate names it.
func (m Manifest) JSON() []byte {
	m.ConfigSchema, m.DeviceSchema = validJSON(m.ConfigSchema), validJSON(m.DeviceSchema)
	actions := make([]Action, len(m.Actions))
	for i, a := range m.Actions {
		a.InputSchema, a.OutputSchema = validJSON(a.InputSchema), validJSON(a.OutputSchema)
		actions[i] = a
	}
	m.Actions = actions
	b, err := json.Marshal(m)
	if err != nil {
		panic("manifest: every field marshals: " + err.Error())
	}
	return b
}

func validJSON(b json.RawMessage) json.RawMessage {
	if !json.Valid(b) {
		return nil
	}
	return b
}

// FromJSON reads what JSON wrote.
func FromJSON(b []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return Manifest{}, fmt.Errorf("manifest: decode: %w", err)
	}
	return m, nil
}

// Size is a number of bytes; in text 64KiB, 128MiB, 2GiB or a plain number.
type Size uint64

func (s Size) String() string {
	for _, u := range []struct {
		name string
		n    Size
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s >= u.n && s%u.n == 0 {
			return strconv.FormatUint(uint64(s/u.n), 10) + u.name
		}
	}
	return strconv.FormatUint(uint64(s), 10)
}

// MarshalText writes it with its unit.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a number with or without its unit.
func (s *Size) UnmarshalText(b []byte) error {
	t, unit := strings.TrimSpace(string(b)), uint64(1)
	for _, u := range []struct {
		name string
		n    uint64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}} {
		if rest, ok := strings.CutSuffix(t, u.name); ok {
			t, unit = strings.TrimSpace(rest), u.n
			break
		}
	}
	n, err := strconv.ParseUint(t, 10, 64)
	if err != nil || n > 1<<50/unit {
		return fmt.Errorf("size %.40q: want a number with KiB, MiB or GiB, e.g. 128MiB", b)
	}
	*s = Size(n * unit)
	return nil
}

// UnmarshalJSON takes a plain number as well as a text.
func (s *Size) UnmarshalJSON(b []byte) error { return s.UnmarshalText(unquote(b)) }

// UnmarshalJSON takes a plain number as well as a text.
func (p *Percent) UnmarshalJSON(b []byte) error { return p.UnmarshalText(unquote(b)) }

func unquote(b []byte) []byte {
	var t string
	if json.Unmarshal(b, &t) == nil {
		return []byte(t)
	}
	return b
}

// Percent of one core; in text 50%.
type Percent float64

// MarshalText writes it with its sign.
func (p Percent) MarshalText() ([]byte, error) {
	return []byte(strconv.FormatFloat(float64(p), 'g', -1, 64) + "%"), nil
}

// UnmarshalText reads 50% or 50.
func (p *Percent) UnmarshalText(b []byte) error {
	f, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(string(b)), "%"), 64)
	if err != nil || f <= 0 || f > 100*1024 {
		return fmt.Errorf("percent %.40q: want e.g. 50%%", b)
	}
	*p = Percent(f)
	return nil
}
