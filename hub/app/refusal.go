package app

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/config"
)

// refusal is one thing that a plugin finds wrong with one of its devices.
type refusal struct{ device, key, message, fix string }

func (r *refusal) Error() string {
	return fmt.Sprintf("the settings of %s are not accepted: %s", r.device, strings.TrimSpace(r.key+" "+r.message))
}

// Code and Hint are for people.
func (r *refusal) Code() string { return "E-CFG-DEVICE" }
func (r *refusal) Hint() string {
	return cmp.Or(r.fix, "mend it in the config; it is taken up when the file is saved")
}

// refuse keeps what a plugin does not accept, in place of what it did not accept before.
func (s *configState) refuse(plugin string, list []refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil {
		s.refused = map[string][]refusal{}
	}
	s.refused[plugin] = list
}

// refusals are the problems that plugins have with their devices, at the places where
// they stand in the running config. The caller holds mu.
func (s *configState) refusals() []config.Problem {
	var out []config.Problem
	for plugin, list := range s.refused {
		if _, there := s.current.Plugins[plugin]; !there {
			continue
		}
		for _, r := range list {
			path := "chimes." + r.device
			if cam, ok := s.current.Cameras[r.device]; ok && cam.Plugin == plugin {
				path = "cameras." + r.device + ".source"
			}
			at := s.current.Place(path)
			if exact := path + "." + r.key; r.key != "" && s.current.Place(exact).Line > 0 {
				path, at = exact, s.current.Place(exact)
			}
			out = append(out, config.Problem{File: cmp.Or(at.File, s.current.File()), Line: at.Line, Column: at.Column, Severity: config.Warning,
				Code: r.Code(), Path: path, Message: path + ": " + r.message + "; " + r.device + " is left out until this is mended", Hint: r.fix})
		}
	}
	slices.SortFunc(out, func(a, b config.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Message, b.Message))
	})
	return out
}
