package mse

import (
	"encoding/json"
	"errors"
	"fmt"
)

const (
	// maxControl is the biggest message that a page may send, in bytes.
	maxControl = 1 << 10
	// maxControls a page may send in one go, and then ten a second.
	maxControls = 40
)

// Control is what a page asks of its connection.
type Control struct {
	// Type is pause (a hidden tab) or resume. Others are ignored, for pages that are
	// newer than the hub.
	Type string `json:"type"`
}

// Kinds of control messages.
const (
	Pause  = "pause"
	Resume = "resume"
)

// ParseControl reads one message of a page.
func ParseControl(b []byte) (Control, error) {
	if len(b) > maxControl {
		return Control{}, fmt.Errorf("control: %d bytes, at most %d", len(b), maxControl)
	}
	var c Control
	if err := json.Unmarshal(b, &c); err != nil {
		return Control{}, fmt.Errorf("control: %w", err)
	}
	if c.Type == "" {
		return Control{}, errors.New("control: no type")
	}
	return c, nil
}
