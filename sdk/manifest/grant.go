package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/porchlight-hub/porchlight/sdk/event"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// Narrowing is the `permissions` key of a config entry. A field that is there
// narrows what the manifest asks for; one that is absent leaves it as it is. For an
// executable by `path:` it is the whole permission.
type Narrowing struct {
	Network   *[]Network `json:"network"`
	Discovery *[]string  `json:"discovery"`
	Devices   *[]string  `json:"devices"`
	Publish   *[]string  `json:"publish"`
	Subscribe *[]string  `json:"subscribe"`
	Commands  *[]string  `json:"commands"`
	Media     *Media     `json:"media"`
	Talk      *bool      `json:"talk"`
	Secrets   *string    `json:"secrets"`
	Storage   *Size      `json:"storage"`
}

// ParseNarrowing reads the key as JSON; empty input narrows nothing. All problems
// come joined in one error.
func ParseNarrowing(b []byte) (Narrowing, error) {
	var n Narrowing
	if len(bytes.TrimSpace(b)) == 0 || string(bytes.TrimSpace(b)) == "null" {
		return n, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return n, fmt.Errorf("permissions: want a mapping: %w", err)
	}
	var errs []error
	for _, key := range slices.Sorted(mapKeys(fields)) {
		one, _ := json.Marshal(map[string]json.RawMessage{key: fields[key]}) // of valid JSON
		d := json.NewDecoder(bytes.NewReader(one))
		d.DisallowUnknownFields()
		if err := d.Decode(&n); err != nil {
			errs = append(errs, fmt.Errorf("permissions: %s: %s", key, strings.TrimPrefix(err.Error(), "json: ")))
		}
	}
	for _, p := range n.permissions().problems("permissions") {
		errs = append(errs, fmt.Errorf("%s: %s", p.Path, p.Message))
	}
	return n, errors.Join(errs...)
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// permissions are the fields that are there.
func (n Narrowing) permissions() Permissions {
	return Permissions{
		Network: deref(n.Network), Discovery: deref(n.Discovery), Devices: deref(n.Devices),
		Publish: deref(n.Publish), Subscribe: deref(n.Subscribe), Commands: deref(n.Commands),
		Media: deref(n.Media), Talk: deref(n.Talk), Secrets: deref(n.Secrets), Storage: deref(n.Storage),
	}
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// Narrow is what the manifest asks for as far as the narrowing lets it: never more
// than either.
func Narrow(asked Permissions, n Narrowing) Permissions {
	out := asked
	if n.Network != nil {
		out.Network = narrowNetwork(asked.Network, *n.Network)
	}
	out.Discovery = narrowNames(asked.Discovery, n.Discovery)
	out.Devices = narrowNames(asked.Devices, n.Devices)
	out.Commands = narrowNames(asked.Commands, n.Commands)
	out.Publish = narrowFilters(asked.Publish, n.Publish)
	out.Subscribe = narrowFilters(asked.Subscribe, n.Subscribe)
	if n.Media != nil {
		out.Media.Publish = asked.Media.Publish && n.Media.Publish
		out.Media.Read = asked.Media.Read && n.Media.Read
	}
	if n.Talk != nil {
		out.Talk = asked.Talk && *n.Talk
	}
	if n.Secrets != nil && *n.Secrets != "own" {
		out.Secrets = ""
	}
	if n.Storage != nil {
		out.Storage = min(asked.Storage, *n.Storage)
	}
	return out
}

// Unsigned is what an executable by `path:` may do: of what its manifest asks for,
// that which its config entry names; where the entry is silent, publish events and
// pictures of its own devices, and nothing else.
func Unsigned(asked Permissions, devices []string, n Narrowing) Permissions {
	by := n.permissions()
	if n.Publish == nil {
		for _, id := range devices {
			by.Publish = append(by.Publish, "camera."+id+".**", "chime."+id+".*", "device."+id+".status")
		}
	}
	if n.Media == nil {
		by.Media.Publish = true
	}
	return Narrow(asked, Narrowing{
		Network: &by.Network, Discovery: &by.Discovery, Devices: &by.Devices, Publish: &by.Publish, Subscribe: &by.Subscribe,
		Commands: &by.Commands, Media: &by.Media, Talk: &by.Talk, Secrets: &by.Secrets, Storage: &by.Storage,
	})
}

func narrowNames(asked []string, by *[]string) []string {
	if by == nil {
		return asked
	}
	return slices.DeleteFunc(slices.Clone(asked), func(s string) bool { return !slices.Contains(*by, s) })
}

func narrowFilters(asked []string, by *[]string) []string {
	if by == nil {
		return asked
	}
	var out []string
	for _, a := range asked {
		for _, b := range *by {
			if f, ok := event.Intersect(a, b); ok && !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

func narrowNetwork(asked, by []Network) []Network {
	var out []Network
	for _, a := range asked {
		for _, b := range by {
			if n, ok := a.within(b); ok {
				out = append(out, n)
			}
		}
	}
	return out
}

// within is the rule a, held to what b allows too.
func (a Network) within(b Network) (Network, bool) {
	if (a.Listen == "") != (b.Listen == "") || a.Listen != b.Listen {
		return Network{}, false
	}
	out := a
	var ok bool
	if out.Ports, ok = both(a.Ports, b.Ports); !ok {
		return Network{}, false
	}
	protos, ok := both(a.protos(), b.Proto)
	if !ok {
		return Network{}, false
	}
	out.Proto = protos
	if a.To == b.To || b.To == "internet" {
		return out, true
	}
	x, errA := netip.ParsePrefix(a.To)
	y, errB := netip.ParsePrefix(b.To)
	switch {
	case errA == nil && errB == nil && !x.Overlaps(y):
		return Network{}, false
	case errA == nil && errB == nil && x.Bits() >= y.Bits():
		return out, true // a lies inside b
	case errA == nil && errB == nil:
		out.To = b.To
		return out, true
	case a.To == "internet":
		out.To = b.To
		return out, true
	}
	out.Within = append(slices.Clone(a.Within), b.To) // who that is shows at the time of the call
	return out, true
}

// both keeps what stands in both lists; an empty list stands for all.
func both[T comparable](a, b []T) ([]T, bool) {
	switch {
	case len(a) == 0:
		return b, true
	case len(b) == 0:
		return a, true
	}
	out := slices.DeleteFunc(slices.Clone(a), func(v T) bool { return !slices.Contains(b, v) })
	return out, len(out) > 0
}

// protos are the rule's protocols; tcp where it names none.
func (n Network) protos() []string {
	if len(n.Proto) == 0 {
		return []string{"tcp"}
	}
	return n.Proto
}

// String is the rule in the text of the protocol: "tcp camera:80,443", "listen lan tcp,udp".
func (n Network) String() string {
	var b strings.Builder
	if n.Listen != "" {
		b.WriteString("listen " + n.Listen + " " + strings.Join(n.protos(), ","))
	} else {
		b.WriteString(strings.Join(n.protos(), ",") + " " + n.To)
	}
	for i, p := range n.Ports {
		b.WriteString(map[bool]string{true: ":", false: ","}[i == 0] + strconv.Itoa(p))
	}
	for _, w := range n.Within {
		b.WriteString(" within " + w)
	}
	return b.String()
}

// Grant is the protocol's form of effective permissions. Secrets are the names that
// the entry's own config refers to; they are given only where `secrets: own` is.
func (p Permissions) Grant(secrets []string) *pb.Grant {
	g := &pb.Grant{
		Publish: p.Publish, Subscribe: p.Subscribe, Commands: p.Commands,
		MediaPublish: p.Media.Publish, MediaRead: p.Media.Read, Talk: p.Talk,
		StorageBytes: uint64(p.Storage), Discovery: p.Discovery, Devices: p.Devices,
	}
	if p.Secrets == "own" {
		g.Secrets = secrets
	}
	for _, n := range p.Network {
		g.Network = append(g.Network, n.String())
	}
	return g
}
