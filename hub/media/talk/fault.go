package talk

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Busy: somebody else speaks.
type Busy struct {
	Camera, Talker string
	Since          time.Time
}

func (e *Busy) Error() string { return e.Talker + " is talking to " + e.Camera }

// Code and Hint are for people.
func (e *Busy) Code() string { return "E-TALK-BUSY" }
func (e *Busy) Hint() string { return "wait until " + e.Talker + " has finished: one talks at a time" }

// Ended says why a talk is over that nobody closed.
type Ended struct {
	code, why, hint string
	err             error
}

func (e *Ended) Error() string { return e.why }
func (e *Ended) Unwrap() error { return e.err }

// Code and Hint are for people. Where the door's own error says what to mend, they are its.
func (e *Ended) Code() string {
	var c interface{ Code() string }
	if e.err != nil && errors.As(e.err, &c) && c.Code() != "" {
		return c.Code()
	}
	return e.code
}

// Hint says what to do about it.
func (e *Ended) Hint() string {
	var h interface{ Hint() string }
	if e.err != nil && errors.As(e.err, &h) && h.Hint() != "" {
		return h.Hint()
	}
	return e.hint
}

func silent(d time.Duration) *Ended {
	return &Ended{code: "E-TALK-SILENT", why: fmt.Sprintf("nothing was said for %v", d),
		hint: "press talk again; if it happens while you speak, the microphone or the network has stopped"}
}

func tooLong(d time.Duration) *Ended {
	return &Ended{code: "E-TALK-LONG", why: fmt.Sprintf("a talk lasts %v at most", d), hint: "press talk again"}
}

func doorEnded(err error) *Ended {
	why := "the door has ended the talk"
	if err != nil {
		why += ": " + err.Error()
	}
	return &Ended{code: "E-TALK-DOOR", why: why, err: err,
		hint: "talk again; if it happens each time, look whether the device's own app talks to it at the same time"}
}

// unmade: none of what the door takes can be made of what the talker has.
func unmade(camera string, from av.Track, takes []av.Track, err error) *Ended {
	names := make([]string, 0, len(takes))
	for _, t := range takes {
		names = append(names, string(t.Codec))
	}
	takesWhat := strings.Join(names, ", ")
	if takesWhat == "" {
		takesWhat = "nothing"
	}
	return &Ended{code: "E-TALK-CODEC", why: fmt.Sprintf("%s takes %s, which is not made of %s here", camera, takesWhat, from.Codec), err: err,
		hint: "set the camera's two-way audio to G.711 (PCMU or PCMA) in its app or page"}
}
