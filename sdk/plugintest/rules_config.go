package plugintest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/protobuf/proto"

	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

func ruleHandshake(ctx context.Context, b *bench) error {
	return b.with(ctx, false, func(*session) error { return nil })
}

func ruleDescribe(ctx context.Context, b *bench) error {
	return b.with(ctx, false, func(s *session) error {
		d, m := s.hub.desc, s.hub.man
		if err := m.Validate(); err != nil {
			return err
		}
		var caps []string
		for _, c := range m.Capabilities {
			caps = append(caps, string(c))
		}
		switch {
		case d.GetId() != m.ID || d.GetName() != m.Name || d.GetVersion() != m.Version:
			return fmt.Errorf("id, name or version differ between the answer (%s, %s, %s) and its manifest (%s, %s, %s)", d.GetId(), d.GetName(), d.GetVersion(), m.ID, m.Name, m.Version)
		case !slices.Equal(d.GetCapabilities(), caps):
			return fmt.Errorf("capabilities %v, but %v in the manifest", d.GetCapabilities(), caps)
		case !sameJSON(d.GetConfigSchema(), m.ConfigSchema) || !sameJSON(d.GetDeviceSchema(), m.DeviceSchema):
			return errors.New("a schema differs between the answer and its manifest")
		}
		for c, cmd := range map[manifest.Capability]string{manifest.Camera: "camera.source", manifest.Chime: "chime.play", manifest.Notifier: "notify.send"} {
			if m.Has(c) && !slices.Contains(d.GetCommands(), cmd) {
				return fmt.Errorf("has the capability %s, but does not answer %s", c, cmd)
			}
		}
		return nil
	})
}

func sameJSON(a string, b json.RawMessage) bool {
	var x, y bytes.Buffer
	if a == "" && len(b) == 0 {
		return true
	}
	return json.Compact(&x, []byte(a)) == nil && json.Compact(&y, b) == nil && x.String() == y.String()
}

func ruleDescribePure(ctx context.Context, b *bench) error {
	return b.with(ctx, false, func(s *session) error {
		if err := s.hub.open(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		first := s.hub.desc
		if _, err := s.hub.client.Check(ctx, &pb.CheckRequest{Config: string(s.o.Config), Devices: s.hub.devices()}); err != nil {
			return fmt.Errorf("check: %w", err)
		}
		if err := s.hub.describe(ctx); err != nil {
			return err
		}
		if !proto.Equal(first, s.hub.desc) {
			return errors.New("a second Describe answers otherwise than the first")
		}
		left, err := os.ReadDir(s.o.DataDir)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return fmt.Errorf("wrote %s before it had a config", left[0].Name())
		}
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		if s.hub.published > 0 || len(s.hub.calls) > 0 {
			return fmt.Errorf("published %d events and made %d calls before it had a config", s.hub.published, len(s.hub.calls))
		}
		return nil
	})
}

// schemas are those of the plugin, by what they are for.
func schemas(d *pb.Description) map[string]string {
	out := map[string]string{}
	add := func(what, s string) {
		if s != "" {
			out[what] = s
		}
	}
	add("config schema", d.GetConfigSchema())
	add("device schema", d.GetDeviceSchema())
	for _, a := range d.GetActions() {
		add("input of action "+a.GetName(), a.GetInputSchema())
		add("output of action "+a.GetName(), a.GetOutputSchema())
	}
	return out
}

// schemaURL names a schema in messages; nothing is fetched from it.
const schemaURL = "plugin:///schema.json"

func ruleSchema(ctx context.Context, b *bench) error {
	return b.with(ctx, false, func(s *session) error {
		var errs []error
		for what, text := range schemas(s.hub.desc) {
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			if err == nil {
				c := jsonschema.NewCompiler()
				c.DefaultDraft(jsonschema.Draft2020)
				c.UseLoader(jsonschema.SchemeURLLoader{}) // nothing is fetched
				if err = c.AddResource(schemaURL, v); err == nil {
					_, err = c.Compile(schemaURL)
				}
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", what, err))
			}
		}
		return errors.Join(errs...)
	})
}

func ruleSchemaTitles(ctx context.Context, b *bench) error {
	return b.with(ctx, false, func(s *session) error {
		var bare []string
		for what, text := range schemas(s.hub.desc) {
			var v any
			if json.Unmarshal([]byte(text), &v) == nil && !strings.HasPrefix(what, "output") {
				untitled(v, what, &bare)
			}
		}
		slices.Sort(bare)
		if len(bare) > 0 {
			return fmt.Errorf("no title: %s", strings.Join(bare, ", "))
		}
		return nil
	})
}

// untitled collects the properties without a title, wherever they stand.
func untitled(v any, at string, out *[]string) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	props, _ := m["properties"].(map[string]any)
	for name, p := range props {
		here := at + "/" + name
		if o, ok := p.(map[string]any); ok && o["title"] == nil && o["$ref"] == nil {
			*out = append(*out, here)
		}
		untitled(p, here, out)
	}
	for _, key := range []string{"items", "additionalProperties", "if", "then", "else"} {
		untitled(m[key], at+"/"+key, out)
	}
	for _, key := range []string{"$defs"} {
		defs, _ := m[key].(map[string]any)
		for name, d := range defs {
			untitled(d, at+"/"+key+"/"+name, out)
		}
	}
	for _, key := range []string{"allOf", "anyOf", "oneOf", "prefixItems"} {
		list, _ := m[key].([]any)
		for i, d := range list {
			untitled(d, fmt.Sprintf("%s/%s/%d", at, key, i), out)
		}
	}
}

func ruleBadConfig(ctx context.Context, b *bench) error {
	return b.with(ctx, false, func(s *session) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		tries := append([]json.RawMessage{[]byte(`{}`), []byte(`null`), []byte(`[]`), []byte(`"text"`), nil}, wrongTypes(s.hub.desc.GetConfigSchema())...)
		for _, c := range tries {
			if err := s.checkAnswer(ctx, c, false); err != nil {
				return err
			}
		}
		if s.o.BadConfig != nil {
			return s.checkAnswer(ctx, s.o.BadConfig, true)
		}
		return nil
	})
}

func (s *session) checkAnswer(ctx context.Context, config json.RawMessage, refused bool) error {
	r, err := s.hub.client.Check(ctx, &pb.CheckRequest{Config: string(config), Devices: s.hub.devices()})
	if err != nil {
		return fmt.Errorf("check of %.200s: %w", config, err)
	}
	for _, p := range r.GetProblems() {
		if p.GetMessage() == "" || !strings.HasPrefix(p.GetPath(), "/") && !strings.HasPrefix(p.GetPath(), "devices/") {
			return fmt.Errorf("check of %.200s: problem %q has the path %q; want a JSON pointer such as /address, or devices/<id>/…", config, p.GetMessage(), p.GetPath())
		}
	}
	if refused && len(r.GetProblems()) == 0 {
		return fmt.Errorf("check of %.200s: found nothing wrong with it", config)
	}
	return nil
}

// wrongTypes are configs in which one property after the other has the wrong type.
func wrongTypes(schema string) []json.RawMessage {
	var s struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	var out []json.RawMessage
	if json.Unmarshal([]byte(schema), &s) == nil {
		for name := range s.Properties {
			for _, v := range []string{`{"x":[1]}`, `-1`, `""`, `null`, `"` + strings.Repeat("a", 4096) + `"`} {
				c, err := json.Marshal(map[string]json.RawMessage{name: json.RawMessage(v)})
				if err == nil {
					out = append(out, c)
				}
			}
		}
	}
	return out
}

func ruleConfigure(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error {
		r, err := s.hub.configure(ctx, s.o.Config, true)
		switch {
		case err != nil:
			return fmt.Errorf("the same config again: %w", err)
		case r.GetOutcome() != pb.ConfigureResult_OUTCOME_APPLIED:
			return fmt.Errorf("the same config again was answered %s, want applied", r.GetOutcome())
		}
		return nil
	})
}

func ruleHealth(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error { return s.healthy(ctx) })
}

// healthy asks for the health, as the hub does every few seconds.
func (s *session) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second+grace)
	defer cancel()
	r, err := s.hub.client.Health(ctx, &pb.HealthRequest{})
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	for _, p := range r.GetParts() {
		if p.GetPart() == "" || p.GetState() == pb.PartHealth_STATE_UNSPECIFIED {
			return fmt.Errorf("health: part %q is %s; each part has a name and a state", p.GetPart(), p.GetState())
		}
		if p.GetState() != pb.PartHealth_STATE_OK && p.GetReason() == "" {
			return fmt.Errorf("health: part %q is %s without a reason", p.GetPart(), p.GetState())
		}
	}
	return nil
}
