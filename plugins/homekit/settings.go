package homekit

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/plugins/homekit/setup"
	"github.com/porchlight-hub/porchlight/sdk"
)

// settings are plugins.<name>.config.
type settings struct {
	// Expose names the cameras that Home sees; nil: all.
	Expose *[]string `json:"expose"`
	// Accessories, by the camera's id.
	Accessories     map[string]accessorySettings `json:"accessories"`
	ChimeMuteSwitch bool                         `json:"chime_mute_switch"`
	// Interfaces to be found on; empty: all that lead somewhere.
	Interfaces []string `json:"interfaces"`
}

// accessorySettings change one accessory.
type accessorySettings struct {
	// ID under which its identity is kept; empty: the camera's id. With it an
	// accessory stays the same one when its camera gets another id.
	ID        string `json:"id"`
	Name      string `json:"name"`
	SetupCode string `json:"setup_code"` // secret://name
	Port      int    `json:"port"`       // 0: any, and then always the same
}

const configSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Apple Home",
  "description": "Each doorbell and camera becomes an accessory of Apple Home, with a code of its own (porchlight homekit qr).",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "expose": {"type": "array", "uniqueItems": true, "maxItems": 128, "items": {"type": "string", "minLength": 1, "maxLength": 64, "title": "Camera"}, "title": "Cameras that Apple Home sees", "description": "Ids from cameras; left out: all of them.", "examples": [["front_door"]]},
    "accessories": {"type": "object", "title": "Settings of one accessory, by the camera's id", "additionalProperties": {
      "type": "object", "title": "Accessory", "additionalProperties": false, "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9_-]{1,64}$", "title": "Identity", "description": "Under which its pairing is kept. When a camera gets another id, write the old one here, and nothing need be paired again.", "examples": ["front_door"]},
        "name": {"type": "string", "minLength": 1, "maxLength": 60, "title": "Name in Apple Home", "description": "By default the camera's name."},
        "setup_code": {"type": "string", "pattern": "^(secret://.+|[0-9]{3}-?[0-9]{2}-?[0-9]{3})$", "patternErrorMessage": "is no setup code: write eight digits as 123-45-679, or secret://name", "maxLength": 200, "writeOnly": true, "title": "Setup code", "description": "Eight digits as 123-45-679, best by secret://name; left out, one is made up.", "examples": ["secret://porch_code"]},
        "port": {"type": "integer", "minimum": 0, "maximum": 65535, "default": 0, "title": "TCP port", "description": "0: any that is free; it stays the same after that."}
      }}},
    "chime_mute_switch": {"type": "boolean", "default": false, "title": "A switch that silences the chimes", "description": "Adds a bridge to Apple Home with one switch: while it is on, the house's chimes do not sound."},
    "interfaces": {"type": "array", "uniqueItems": true, "maxItems": 32, "items": {"type": "string", "minLength": 1, "maxLength": 15, "title": "Network interface"}, "title": "Network interfaces to be found on", "description": "Left out: all that can multicast, except bridges of containers.", "examples": [["eth0"]]}
  }
}`

// secretRef is a value that the hub keeps.
var secretRef = regexp.MustCompile(`^secret://([a-z0-9_.-]{1,64})$`)

// accessoryID is what stands in the store's folder names.
var accessoryID = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// bridgeID is the identity of the bridge; no camera has it.
const bridgeID = "_bridge"

// id of a camera's accessory.
func (s settings) id(camera string) string { return cmp.Or(s.Accessories[camera].ID, camera) }

// exposes says whether Home sees the camera.
func (s settings) exposes(camera string) bool {
	return s.Expose == nil || slices.Contains(*s.Expose, camera)
}

// check finds what the schema cannot.
func (s settings) check() (out []sdk.Problem) {
	by := map[string]string{}
	for _, camera := range slices.Sorted(maps.Keys(s.Accessories)) {
		a := s.Accessories[camera]
		path := "/accessories/" + camera
		id := s.id(camera)
		switch other := by[id]; {
		case !accessoryID.MatchString(id) || id == bridgeID:
			out = append(out, sdk.Problem{Path: path + "/id", Message: fmt.Sprintf("%q cannot be an identity", id), Fix: "small letters, digits, - and _, at most 64"})
		case other != "":
			out = append(out, sdk.Problem{Path: path + "/id", Message: fmt.Sprintf("is the identity of %s too", other), Fix: "two accessories cannot be the same one; give each its own"})
		}
		by[id] = camera
		if a.SetupCode == "" || secretRef.MatchString(a.SetupCode) {
			continue
		}
		if _, err := setup.ParseCode(a.SetupCode); err != nil {
			out = append(out, sdk.Problem{Path: path + "/setup_code", Message: err.Error(), Fix: "leave it out, and one is made up; or write eight digits into secrets.yaml and setup_code: secret://name here"})
		}
	}
	if s.Expose != nil {
		for i, c := range *s.Expose {
			if strings.TrimSpace(c) == "" {
				out = append(out, sdk.Problem{Path: fmt.Sprintf("/expose/%d", i), Message: "is empty", Fix: "write a camera's id"})
			}
		}
	}
	return out
}
