package homekit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Status is the answer of the plugin's action status.
type Status struct {
	Accessories []Accessory `json:"accessories"`
	Interfaces  []Interface `json:"interfaces"`
	Bridge      *Accessory  `json:"bridge"` // of what has no picture; nil: there is none
}

// All lists the accessories, the bridge last.
func (s Status) All() []Accessory {
	if s.Bridge == nil {
		return s.Accessories
	}
	return append(s.Accessories[:len(s.Accessories):len(s.Accessories)], *s.Bridge)
}

// Controller gives the id that begins with a word, where exactly one does among those of
// a camera, none: of all.
func (s Status) Controller(word, camera string) (string, error) {
	var found []string
	for _, a := range s.All() {
		if camera != "" && a.Key() != camera {
			continue
		}
		for _, c := range a.Controllers {
			if c.ID == word {
				return word, nil
			}
			if strings.HasPrefix(strings.ToLower(c.ID), strings.ToLower(word)) && !slices.Contains(found, c.ID) {
				found = append(found, c.ID)
			}
		}
	}
	switch n := len(found); {
	case n == 0 || word == "":
		return "", fmt.Errorf("homekit: no controller %q is paired; porchlight homekit status lists them", word)
	case n == 1:
		return found[0], nil
	}
	return "", fmt.Errorf("homekit: the ids of several controllers begin with %q; say more of the one that is meant", word)
}

// Accessory is one entry of Apple Home: a doorbell, a camera, or the bridge.
type Accessory struct {
	Camera       string       `json:"camera"` // its id in the config; empty: the bridge
	ID           string       `json:"id"`     // under which its pairings are kept
	Name         string       `json:"name"`
	Kind         string       `json:"kind"` // doorbell, camera, bridge
	Category     int          `json:"category"`
	Port         int          `json:"port"`
	Device       string       `json:"device"` // AA:BB:CC:DD:EE:FF
	Paired       bool         `json:"paired"`
	Announced    string       `json:"announced"` // the name by mDNS; empty: it is not
	ConfigNumber uint32       `json:"config_number"`
	Controllers  []Controller `json:"controllers"`
	Watching     []Watch      `json:"watching"`
	Active       bool         `json:"active"` // Home's own switch lets it be used
	Problem      *Problem     `json:"problem"`
	LastRing     *Ring        `json:"last_ring"`
	Choices      []string     `json:"choices"` // why the last streams were what they were
}

// Label names the accessory for people.
func (a Accessory) Label() string { return cmp.Or(a.Name, a.Camera, "Bridge") }

// Key is the word by which the actions know the accessory.
func (a Accessory) Key() string { return cmp.Or(a.Camera, "bridge") }

// Controller is a home's, a person's or a home hub's identity that is paired.
type Controller struct {
	ID          string    `json:"id"`
	Admin       bool      `json:"admin"`
	Connections int       `json:"connections"`
	Addresses   []string  `json:"addresses"`
	Subscribed  int       `json:"subscribed"`
	LastSeen    time.Time `json:"last_seen,omitzero"`
	LastError   string    `json:"last_error"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
}

// Short is enough of the id to tell two apart by eye.
func (c Controller) Short() string {
	short, _, _ := strings.Cut(c.ID, "-")
	if len(short) > 8 {
		short = short[:8]
	}
	return short
}

// Watch is one live stream to a controller.
type Watch struct {
	Controller string    `json:"controller"`
	Since      time.Time `json:"since,omitzero"`
	Stream     string    `json:"stream"` // main, sub
	How        string    `json:"how"`    // copy, or "converted: why"
	Codec      string    `json:"codec"`
	Width      int       `json:"width"`
	Height     int       `json:"height"`
	FPS        float64   `json:"fps"`
	Kbps       float64   `json:"kbps"`
	Sound      bool      `json:"sound"`
	Talking    bool      `json:"talking"`
}

// Converted tells whether the hub turns the picture into another, and why.
func (w Watch) Converted() (why string, yes bool) {
	if w.How == "" || w.How == "copy" {
		return "", false
	}
	why, _ = strings.CutPrefix(w.How, "converted")
	return strings.TrimLeft(why, ": "), true
}

// Problem of one accessory.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Fix     string `json:"fix"`
}

// Ring is the last press, and how many controllers were told of it.
type Ring struct {
	At   time.Time `json:"at"`
	Told int       `json:"told"`
}

// Interface of the machine, and whether Apple Home is announced on it.
type Interface struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"`
	Used      bool     `json:"used"`
	Why       string   `json:"why"` // it is not
}

// Code is what adds an accessory to a home: a secret, for its owner only.
type Code struct {
	Camera string `json:"camera"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Paired bool   `json:"paired"`
	Code   string `json:"code"` // 123-45-678
	URI    string `json:"uri"`  // X-HM://…, which the QR code says
}

// Label names the accessory for people.
func (c Code) Label() string { return cmp.Or(c.Name, c.Camera, "Bridge") }
