package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	failure "github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// checkSchema holds a part of the tree against a schema and notes each failure
// at its place. base is where the part lies in the whole.
func (l *loader) checkSchema(s *jsonschema.Schema, part *node, base string) {
	l.hideWriteOnly(s, part, nil)
	var failed *jsonschema.ValidationError
	if err := s.Validate(part.plain()); !errors.As(err, &failed) {
		return
	}
	for _, leaf := range leaves(failed) {
		l.noteFailure(s, part, base, leaf)
	}
}

// leaves are the failures that name a cause. Of alternatives (anyOf, oneOf) only
// the one that came nearest is told.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch e.ErrorKind.(type) {
	case *failure.AnyOf, *failure.OneOf:
		var best []*jsonschema.ValidationError
		for _, c := range e.Causes {
			got := leaves(c)
			if best == nil || len(got) < len(best) || len(got) == len(best) && depth(got) > depth(best) {
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

func depth(es []*jsonschema.ValidationError) int {
	d := 0
	for _, e := range es {
		d = max(d, len(e.InstanceLocation))
	}
	return d
}

// locate follows an instance location; e is the entry that holds the value, nil
// at the root and in lists.
func locate(n *node, location []string, base string) (at *node, e *entry, path string) {
	path = base
	for _, step := range location {
		e = nil
		if n.kind == kindList {
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(n.items) {
				return n, nil, path
			}
			n, path = n.items[i], fmt.Sprintf("%s[%d]", path, i)
			continue
		}
		if e = n.entry(step); e == nil {
			return n, nil, path
		}
		n, path = e.value, join(path, step)
	}
	return n, e, path
}

func (l *loader) noteFailure(s *jsonschema.Schema, part *node, base string, leaf *jsonschema.ValidationError) {
	at, e, path := locate(part, leaf.InstanceLocation, base)
	if k, ok := leaf.ErrorKind.(*failure.AdditionalProperties); ok {
		for _, key := range k.Properties {
			l.unknownKey(at.entry(key), path, keysAt(s, leaf.InstanceLocation))
		}
		return
	}
	if k, ok := leaf.ErrorKind.(*failure.PropertyNames); ok {
		if e := at.entry(k.Property); e != nil {
			l.errorAt(e.pos, len(k.Property), join(path, e.key), "E-CFG-ID",
				"%s: %q is no id: begin with a letter, then a-z, 0-9 and _, at most 32", path, clip(e.key))
		}
		return
	}
	if at.kind == kindNull {
		return // "key:" with nothing behind it is a key that was not set
	}
	pos, width := at.pos, at.width()
	if len(at.entries)+len(at.items) > 0 && e != nil {
		pos, width = e.pos, utf8.RuneCountInString(e.key) // a whole block: the caret stands under its key
	}
	if path == "" {
		path = "the file"
	}
	code, message, suggestion := explainFailure(path, at, leaf.ErrorKind)
	if needs := unitOf(s, leaf.InstanceLocation, at); needs != "" {
		code, message, suggestion = "E-CFG-UNIT", path+" "+needs, ""
	}
	l.errorAt(pos, width, path, code, "%s", message)
	l.faults[len(l.faults)-1].Suggestion = suggestion
}

// unitOf says which unit a bare number lacks, empty if none is wanted.
func unitOf(s *jsonschema.Schema, location []string, at *node) string {
	if at.kind != kindNumber || at.secret {
		return ""
	}
	for _, sub := range schemasAt(s, location, 0) {
		if sub.Format == nil {
			continue
		}
		if err := sub.Format.Validate(at.written); err != nil && strings.HasPrefix(err.Error(), "needs a unit") {
			return err.Error()
		}
	}
	return ""
}

// explainFailure says a failure in an owner's words. The value is quoted only
// where it is no secret.
func explainFailure(path string, at *node, k jsonschema.ErrorKind) (code, message, suggestion string) {
	got := at.text
	if at.kind == kindNumber {
		got = at.written
	}
	if at.secret {
		got = hidden
	}
	switch k := k.(type) {
	case *failure.Type:
		return typeFailure(path, got, at, k.Want)
	case *failure.Format:
		if at.secret {
			return "E-CFG-VALUE", fmt.Sprintf("%s is not %s", path, article(k.Want)), ""
		}
		says := k.Err.Error()
		switch {
		case strings.HasPrefix(says, "needs a unit"):
			return "E-CFG-UNIT", path + " " + says, ""
		case strings.HasPrefix(says, "is not"):
			return "E-CFG-VALUE", path + " " + says, ""
		case slices.Contains(ownFormats(), k.Want):
			return "E-CFG-VALUE", path + ": " + says, ""
		}
		return "E-CFG-VALUE", fmt.Sprintf("%s: %q is not %s", path, clip(got), article(k.Want)), ""
	case *failure.Enum:
		var words []string
		for _, w := range k.Want {
			words = append(words, fmt.Sprint(w))
		}
		return "E-CFG-VALUE", fmt.Sprintf("%s: %q is not one of: %s", path, clip(got), strings.Join(words, ", ")), nearest(got, words)
	case *failure.Const:
		return "E-CFG-VALUE", fmt.Sprintf("%s must be %v", path, k.Want), ""
	case *failure.Required:
		return "E-CFG-MISSING", fmt.Sprintf("%s lacks %s", path, strings.Join(k.Missing, ", ")), ""
	case *failure.Minimum:
		return "E-CFG-VALUE", fmt.Sprintf("%s: %s is below %s", path, got, k.Want.RatString()), ""
	case *failure.Maximum:
		return "E-CFG-VALUE", fmt.Sprintf("%s: %s is above %s", path, got, k.Want.RatString()), ""
	case *failure.ExclusiveMinimum:
		return "E-CFG-VALUE", fmt.Sprintf("%s: %s is not above %s", path, got, k.Want.RatString()), ""
	case *failure.ExclusiveMaximum:
		return "E-CFG-VALUE", fmt.Sprintf("%s: %s is not below %s", path, got, k.Want.RatString()), ""
	case *failure.MinLength:
		return "E-CFG-VALUE", fmt.Sprintf("%s is too short: at least %s", path, plural(k.Want, "character")), ""
	case *failure.MaxLength:
		return "E-CFG-VALUE", fmt.Sprintf("%s is too long: at most %s", path, plural(k.Want, "character")), ""
	case *failure.MinItems:
		return "E-CFG-VALUE", fmt.Sprintf("%s needs at least %s", path, plural(k.Want, "line")), ""
	case *failure.MaxItems:
		return "E-CFG-VALUE", fmt.Sprintf("%s takes at most %s", path, plural(k.Want, "line")), ""
	case *failure.Pattern:
		return "E-CFG-VALUE", fmt.Sprintf("%s: %q does not have the form %s", path, clip(got), k.Want), ""
	case *failure.UniqueItems:
		return "E-CFG-VALUE", fmt.Sprintf("%s holds the same line twice", path), ""
	case *failure.FalseSchema:
		return "E-CFG-VALUE", path + " must not be set here", ""
	}
	return "E-CFG-VALUE", path + " does not fit the plugin's schema", ""
}

func ownFormats() []string {
	var out []string
	for name := range formats() {
		out = append(out, name)
	}
	return out
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

func typeFailure(path, got string, at *node, want []string) (code, message, suggestion string) {
	is := map[string]string{
		"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
		"object": "a block of keys", "array": "a list", "null": "empty",
	}
	var wants []string
	for _, w := range want {
		wants = append(wants, is[w])
	}
	message = fmt.Sprintf("%s must be %s, not %s", path, strings.Join(wants, " or "), at.kind)
	switch {
	case slices.Contains(want, "string") && (at.kind == kindNumber || at.kind == kindBool):
		message += fmt.Sprintf(": write it in quotes, %q", clip(got))
	case slices.Contains(want, "boolean") && at.kind == kindText:
		switch strings.ToLower(got) {
		case "yes", "on", "y":
			suggestion = "true"
		case "no", "off", "n":
			suggestion = "false"
		}
	case slices.Contains(want, "array") && at.kind == kindText && !at.secret:
		message += fmt.Sprintf(": write [%s]", clip(got))
	case slices.Contains(want, "integer") && at.kind == kindText && !at.secret && json.Valid([]byte(got)):
		message += ": write it without quotes"
	}
	return "E-CFG-TYPE", message, suggestion
}

// width is the length of the part of a value that a caret stands under.
func (n *node) width() int {
	switch {
	case n.kind == kindMap || n.kind == kindList:
		return 1
	case n.written != "":
		return utf8.RuneCountInString(n.written)
	}
	return utf8.RuneCountInString(firstLine(n.text))
}

// unknownKey notes a key that a block does not have. What it holds is hidden:
// a mistyped key is often the password.
func (l *loader) unknownKey(e *entry, path string, known []string) {
	if e == nil {
		return
	}
	e.value.hide(true)
	where := " in " + path
	if path == "" {
		where = ""
	}
	l.errorAt(e.pos, utf8.RuneCountInString(e.key), join(path, e.key), "E-CFG-UNKNOWN-KEY", "unknown key %q%s", clip(e.key), where)
	f := &l.faults[len(l.faults)-1]
	if f.Suggestion = nearest(e.key, known); f.Suggestion == "" && len(known) > 0 && len(known) <= 16 {
		slices.Sort(known)
		f.Hint = "known here: " + strings.Join(known, ", ")
	}
}

// hideWriteOnly marks what a schema itself calls secret.
func (l *loader) hideWriteOnly(s *jsonschema.Schema, n *node, path []string) {
	for _, e := range n.entries {
		below := append(slices.Clone(path), e.key)
		if slices.ContainsFunc(schemasAt(s, below, 0), func(at *jsonschema.Schema) bool {
			return at.WriteOnly || at.Format != nil && at.Format.Name == "password"
		}) {
			e.value.hide(false)
			continue
		}
		l.hideWriteOnly(s, e.value, below)
	}
	for i, item := range n.items {
		l.hideWriteOnly(s, item, append(slices.Clone(path), strconv.Itoa(i)))
	}
}
