package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	failure "github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// Check holds a tree against the schema and tells each failure at its place; base
// is where the tree lies in the whole file. What the schema calls secret, and
// what hangs below unknown keys, is marked in the tree.
func (s *Schema) Check(n *tree.Node, base string) (faults []tree.Fault) {
	defer func() {
		if v := recover(); v != nil { // a stranger's schema that the checker did not foresee
			faults = append(faults, tree.Fault{
				Pos: n.Pos, Width: 1, Path: base, Code: "E-CFG-PLUGIN-SCHEMA", Warning: true,
				Message: fmt.Sprintf("%s cannot be checked: its schema is broken", base),
			})
		}
	}()
	s.hide(n, nil)
	s.adapt(n, nil)
	faults = s.names(n, base, nil)
	var failed *jsonschema.ValidationError
	if err := s.root.Validate(n.Plain()); !errors.As(err, &failed) {
		return faults
	}
	for _, leaf := range leaves(failed) {
		faults = append(faults, s.failure(n, base, leaf)...)
	}
	return faults
}

// leaves are the failures that name a cause. Of alternatives (anyOf, oneOf) only
// the one that came nearest is told.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch e.ErrorKind.(type) {
	case *failure.AnyOf, *failure.OneOf:
		var best []*jsonschema.ValidationError
		for _, c := range e.Causes {
			if got := leaves(c); best == nil || nearer(got, best, len(e.InstanceLocation)) {
				best = got
			}
		}
		if best != nil {
			return best
		}
	case *failure.PropertyNames:
		return []*jsonschema.ValidationError{e}
	}
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var out []*jsonschema.ValidationError
	for _, c := range e.Causes {
		out = append(out, leaves(c)...)
	}
	return out
}

// nearer tells whether one alternative's failures are closer to what was meant:
// the kind of the value itself is right, or less is wrong.
func nearer(a, b []*jsonschema.ValidationError, depth int) bool {
	other := func(all []*jsonschema.ValidationError) bool {
		return slices.ContainsFunc(all, func(e *jsonschema.ValidationError) bool {
			switch e.ErrorKind.(type) {
			case *failure.Type, *failure.Const, *failure.Enum:
				return len(e.InstanceLocation) == depth
			}
			return false
		})
	}
	if x, y := other(a), other(b); x != y {
		return y
	}
	return len(a) < len(b)
}

// locate follows an instance location; e is the entry that holds the value, nil
// at the root and in lists.
func locate(n *tree.Node, location []string, base string) (at *tree.Node, e *tree.Entry, path string) {
	path = base
	for _, step := range location {
		e = nil
		if n.Kind == tree.List {
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(n.Items) {
				return n, nil, path
			}
			n, path = n.Items[i], fmt.Sprintf("%s[%d]", path, i)
			continue
		}
		if e = n.Entry(step); e == nil {
			return n, nil, path
		}
		n, path = e.Value, tree.Join(path, step)
	}
	return n, e, path
}

func (s *Schema) failure(n *tree.Node, base string, leaf *jsonschema.ValidationError) []tree.Fault {
	at, e, path := locate(n, leaf.InstanceLocation, base)
	switch k := leaf.ErrorKind.(type) {
	case *failure.AdditionalProperties:
		return s.unknown(at, path, k.Properties, s.Keys(leaf.InstanceLocation...))
	case *failure.PropertyNames:
		return nil // told by names: the checker's own place for it is not to be relied on
	}
	if at.Kind == tree.Null {
		return nil // "key:" with nothing behind it is a key that was not set
	}
	pos, width := at.Pos, at.Width()
	if len(at.Entries)+len(at.Items) > 0 && e != nil && at.Pos.Line != e.Pos.Line {
		pos, width = e.Pos, utf8.RuneCountInString(e.Key) // a block of lines: the caret stands under its key
	}
	if path == "" {
		path = "the file"
	}
	code, message, suggestion := s.explain(path, at, leaf.ErrorKind)
	if _, ok := leaf.ErrorKind.(*failure.Pattern); ok {
		if says := s.patternMessage(leaf.SchemaURL); says != "" {
			message = path + ": " + says
		}
	}
	if needs := s.unitOf(leaf.InstanceLocation, at); needs != "" {
		code, message, suggestion = "E-CFG-UNIT", path+" "+needs, ""
	}
	f := tree.At(pos, width, code, "%s", message)
	f.Path, f.Suggestion = path, suggestion
	return []tree.Fault{f}
}

// unitOf says which unit a bare number lacks, empty if none is wanted.
func (s *Schema) unitOf(location []string, at *tree.Node) string {
	if at.Kind != tree.Number || at.Secret {
		return ""
	}
	for _, sub := range s.at(location) {
		if sub.Format == nil {
			continue
		}
		if err := sub.Format.Validate(at.Written); err != nil && strings.HasPrefix(err.Error(), "needs a unit") {
			return err.Error()
		}
	}
	return ""
}

// explain says a failure in an owner's words. The value is quoted only
// where it is no secret.
func (s *Schema) explain(path string, at *tree.Node, k jsonschema.ErrorKind) (code, message, suggestion string) {
	got := tree.MaskLogins(at.Text)
	if at.Kind == tree.Number {
		got = at.Written
	}
	if at.Secret {
		got = tree.Mask
	}
	switch k := k.(type) {
	case *failure.Type:
		return typeFailure(path, got, at, k.Want)
	case *failure.Format:
		if at.Secret {
			return "E-CFG-VALUE", fmt.Sprintf("%s is not %s", path, article(k.Want)), ""
		}
		says := k.Err.Error()
		switch {
		case strings.HasPrefix(says, "needs a unit"):
			return "E-CFG-UNIT", path + " " + says, ""
		case strings.HasPrefix(says, "is not"):
			return "E-CFG-VALUE", path + " " + says, ""
		case s.formats[k.Want] != nil:
			return "E-CFG-VALUE", path + ": " + says, ""
		}
		return "E-CFG-VALUE", fmt.Sprintf("%s: %q is not %s", path, tree.Clip(got), article(k.Want)), ""
	case *failure.Enum:
		var words []string
		for _, w := range k.Want {
			words = append(words, fmt.Sprint(w))
		}
		return "E-CFG-VALUE", fmt.Sprintf("%s: %q is not one of: %s", path, tree.Clip(got), strings.Join(words, ", ")), Nearest(got, words)
	case *failure.Const:
		return "E-CFG-VALUE", fmt.Sprintf("%s must be %v", path, k.Want), ""
	case *failure.Required:
		return "E-CFG-MISSING", fmt.Sprintf("%s lacks %s", path, strings.Join(k.Missing, ", ")), ""
	case *failure.Minimum:
		return "E-CFG-VALUE", fmt.Sprintf("%s: %s is below %s", path, got, number(k.Want)), ""
	case *failure.Maximum:
		return "E-CFG-VALUE", fmt.Sprintf("%s: %s is above %s", path, got, number(k.Want)), ""
	case *failure.ExclusiveMinimum:
		return "E-CFG-VALUE", fmt.Sprintf("%s: %s is not above %s", path, got, number(k.Want)), ""
	case *failure.ExclusiveMaximum:
		return "E-CFG-VALUE", fmt.Sprintf("%s: %s is not below %s", path, got, number(k.Want)), ""
	case *failure.MinLength:
		return "E-CFG-VALUE", fmt.Sprintf("%s is too short: at least %s", path, tree.Plural(k.Want, "character")), ""
	case *failure.MaxLength:
		return "E-CFG-VALUE", fmt.Sprintf("%s is too long: at most %s", path, tree.Plural(k.Want, "character")), ""
	case *failure.MinItems:
		return "E-CFG-VALUE", fmt.Sprintf("%s needs at least %s", path, tree.Plural(k.Want, "line")), ""
	case *failure.MaxItems:
		return "E-CFG-VALUE", fmt.Sprintf("%s takes at most %s", path, tree.Plural(k.Want, "line")), ""
	case *failure.Pattern:
		return "E-CFG-VALUE", fmt.Sprintf("%s: %q does not have the form %s", path, tree.Clip(got), k.Want), ""
	case *failure.UniqueItems:
		return "E-CFG-VALUE", fmt.Sprintf("%s holds the same line twice", path), ""
	case *failure.FalseSchema:
		return "E-CFG-VALUE", path + " must not be set here", ""
	}
	return "E-CFG-VALUE", path + " does not fit the plugin's schema", ""
}

func article(format string) string {
	switch format {
	case "uri", "uri-reference":
		return "an address"
	case "ipv4", "ipv6":
		return "an IP address"
	case "hostname":
		return "a host name"
	}
	return "a " + strings.ReplaceAll(format, "-", " ")
}

func number(r *big.Rat) string {
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func typeFailure(path, got string, at *tree.Node, want []string) (code, message, suggestion string) {
	is := map[string]string{
		"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
		"object": "a block of keys", "array": "a list", "null": "empty",
	}
	var wants []string
	for _, w := range want {
		wants = append(wants, is[w])
	}
	message = fmt.Sprintf("%s must be %s, not %s", path, strings.Join(wants, " or "), at.Kind)
	switch {
	case at.Kind == tree.Number && slices.Contains(want, "integer"):
		message = fmt.Sprintf("%s must be %s, not %s", path, strings.Join(wants, " or "), got)
	case at.Secret:
	case slices.Contains(want, "string") && (at.Kind == tree.Number || at.Kind == tree.Bool):
		message += fmt.Sprintf(": write it in quotes, %q", tree.Clip(got))
	case slices.Contains(want, "boolean") && at.Kind == tree.Text:
		switch strings.ToLower(got) {
		case "yes", "on", "y":
			suggestion = "true"
		case "no", "off", "n":
			suggestion = "false"
		}
	case slices.Contains(want, "array") && at.Kind == tree.Text:
		message += fmt.Sprintf(": write [%s]", tree.Clip(got))
	case slices.Contains(want, "integer") && at.Kind == tree.Text && json.Valid([]byte(got)):
		message += ": write it without quotes"
	}
	return "E-CFG-TYPE", message, suggestion
}

// unknown tells of each key in keys; all are hidden, and the first maxUnknown
// are told.
func (s *Schema) unknown(n *tree.Node, path string, keys, known []string) []tree.Fault {
	const maxUnknown = 200
	wrong := make(map[string]bool, len(keys))
	for _, k := range keys {
		wrong[k] = true
	}
	var out []tree.Fault
	for i := range n.Entries {
		switch e := &n.Entries[i]; {
		case !wrong[e.Key]:
		case len(out) < maxUnknown:
			out = append(out, Unknown(e, path, known))
		default:
			e.Value.Hide(true)
		}
	}
	return out
}

// Unknown tells of a key that a block does not have, and hides what it holds: a
// mistyped key is often the password's.
func Unknown(e *tree.Entry, path string, known []string) tree.Fault {
	e.Value.Hide(true)
	where := " in " + path
	if path == "" {
		where = ""
	}
	f := tree.At(e.Pos, utf8.RuneCountInString(e.Key), "E-CFG-UNKNOWN-KEY", "unknown key %q%s", tree.Clip(e.Key), where)
	f.Path = tree.Join(path, e.Key)
	switch f.Suggestion = Nearest(e.Key, known); {
	case f.Suggestion != "" || len(known) > 16:
	case len(known) == 0:
		f.Hint = "this block takes no keys"
	default:
		f.Hint = "known here: " + strings.Join(known, ", ")
	}
	return f
}

// adapt makes numbers and switches of what references stand for, where no text may
// stand: a variable is always text.
func (s *Schema) adapt(n *tree.Node, path []string) {
	for _, e := range n.Entries {
		s.adapt(e.Value, append(slices.Clone(path), e.Key))
	}
	for i, item := range n.Items {
		s.adapt(item, append(slices.Clone(path), strconv.Itoa(i)))
	}
	if n.Ref == "" || n.Kind != tree.Text || s.Allows("string", path...) {
		return
	}
	_, err := strconv.ParseFloat(n.Text, 64)
	switch {
	case (s.Allows("integer", path...) || s.Allows("number", path...)) && err == nil && json.Valid([]byte(n.Text)):
		n.Kind = tree.Number
	case s.Allows("boolean", path...) && (n.Text == "true" || n.Text == "false"):
		n.Kind = tree.Bool
	}
}

// hide marks what the schema itself calls secret.
func (s *Schema) hide(n *tree.Node, path []string) {
	for _, e := range n.Entries {
		below := append(slices.Clone(path), e.Key)
		if slices.ContainsFunc(s.at(below), func(at *jsonschema.Schema) bool {
			return at.WriteOnly || at.Format != nil && at.Format.Name == "password"
		}) {
			e.Value.Hide(false)
			continue
		}
		s.hide(e.Value, below)
	}
	for i, item := range n.Items {
		s.hide(item, append(slices.Clone(path), strconv.Itoa(i)))
	}
}

// names checks keys that the schema itself restricts (propertyNames).
func (s *Schema) names(n *tree.Node, base string, path []string) (faults []tree.Fault) {
	for _, at := range s.at(path) {
		if at.PropertyNames == nil || n.Kind != tree.Map {
			continue
		}
		for _, e := range n.Entries {
			if at.PropertyNames.Validate(e.Key) == nil {
				continue
			}
			f := tree.At(e.Pos, utf8.RuneCountInString(e.Key), "E-CFG-VALUE", "%s: the key %q is not possible here", base, tree.Clip(e.Key))
			if p := at.PropertyNames.Pattern; p != nil && p.String() == IDPattern {
				f = tree.At(e.Pos, f.Width, "E-CFG-ID", "%s: %q is no id: begin with a letter a-z, then a-z, 0-9 and _, at most 32", base, tree.Clip(e.Key))
			}
			f.Path = tree.Join(base, e.Key)
			faults = append(faults, f)
		}
	}
	for _, e := range n.Entries {
		faults = append(faults, s.names(e.Value, tree.Join(base, e.Key), append(slices.Clone(path), e.Key))...)
	}
	for i, item := range n.Items {
		faults = append(faults, s.names(item, fmt.Sprintf("%s[%d]", base, i), append(slices.Clone(path), strconv.Itoa(i)))...)
	}
	return faults
}
