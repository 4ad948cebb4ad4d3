package config

import (
	"fmt"
	"strings"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// Severity says whether a problem stands in the way.
type Severity string

const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is one thing to mend, with its place. Excerpt and Message never hold
// the value of a secret or of an unknown key.
type Problem struct {
	File       string   `json:"file"`
	Line       int      `json:"line"`   // 0: the file, flag or variable as a whole
	Column     int      `json:"column"` // in characters, from 1
	Severity   Severity `json:"severity"`
	Code       string   `json:"code"`
	Message    string   `json:"message"`
	Excerpt    string   `json:"excerpt,omitempty"`    // the line with its number, and carets below
	Suggestion string   `json:"suggestion,omitempty"` // the word that was probably meant
	Hint       string   `json:"hint,omitempty"`       // how to mend it
	Path       string   `json:"path,omitempty"`       // as cameras.front_door.source
}

// String is the form for a terminal: place, message, excerpt.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s", Position{File: p.File, Line: p.Line, Column: p.Column}, p.Severity, p.Message)
	tail := p.Hint
	if p.Suggestion != "" {
		tail = fmt.Sprintf("did you mean %q?", p.Suggestion)
	}
	switch {
	case p.Excerpt != "" && tail != "":
		fmt.Fprintf(&b, "\n%s  %s", p.Excerpt, tail)
	case p.Excerpt != "":
		b.WriteString("\n" + p.Excerpt)
	case tail != "":
		b.WriteString("; " + tail)
	}
	return b.String()
}

// Count gives the numbers of errors and of warnings.
func Count(problems []Problem) (errors, warnings int) {
	for _, p := range problems {
		if p.Severity == Error {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

// Text is all problems for a terminal, closed by a line with their number, what
// the hub does (the caller's sentence, may be empty) and where to read more.
func Text(problems []Problem, consequence string) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.String() + "\n")
	}
	e, w := Count(problems)
	fmt.Fprintf(&b, "%s, %s.", tree.Plural(e, "error"), tree.Plural(w, "warning"))
	if consequence != "" {
		b.WriteString(" " + consequence)
	}
	if len(problems) > 0 {
		code := problems[0].Code
		if e > 0 {
			code = (&Invalid{problems}).Code()
		}
		fmt.Fprintf(&b, "   [%s: porchlight explain %[1]s]", code)
	}
	return b.String() + "\n"
}

// Invalid is the error of a configuration that cannot be used.
type Invalid struct{ Problems []Problem }

func (e *Invalid) Error() string {
	for _, p := range e.Problems {
		if p.Severity == Error {
			n, _ := Count(e.Problems)
			return fmt.Sprintf("config: %s: %s (%s)", Position{File: p.File, Line: p.Line, Column: p.Column}, p.Message, tree.Plural(n, "error"))
		}
	}
	return "config: not valid"
}

// Code is that of the first error.
func (e *Invalid) Code() string {
	for _, p := range e.Problems {
		if p.Severity == Error {
			return p.Code
		}
	}
	return "E-CFG-READ"
}

// Hint says how to see everything.
func (e *Invalid) Hint() string {
	return "porchlight config validate shows every problem with its place"
}

// AsError is nil if there is no error among the problems.
func AsError(problems []Problem) error {
	if n, _ := Count(problems); n == 0 {
		return nil
	}
	return &Invalid{Problems: problems}
}
