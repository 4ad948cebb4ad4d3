package rtsp

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

const configSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "RTSP and HTTP cameras",
  "description": "It has no settings of its own; each camera has some.",
  "type": "object",
  "additionalProperties": false,
  "properties": {}
}`

const presetsOutput = `{"type":"array","title":"Presets","items":{"type":"object","title":"Preset","properties":{
  "name":{"type":"string","title":"Name"},"title":{"type":"string","title":"Brand"},"main":{"type":"string","title":"Main stream"},"sub":{"type":"string","title":"Sub stream"},
  "snapshot":{"type":"string","title":"Picture"},"channel":{"type":"string","title":"What channel is, where it is no number"},"note":{"type":"string","title":"Note"}}}}`

// deviceSchema is that of cameras.<id>.source.
func deviceSchema() json.RawMessage {
	names, _ := json.Marshal(presetNames()) // strings always marshal
	var named []string
	for _, p := range presets() {
		if p.Alias != "" {
			named = append(named, p.Name)
		}
	}
	aliases, _ := json.Marshal(named)
	var brands strings.Builder
	for i, p := range presets() {
		if i > 0 {
			brands.WriteString(", ")
		}
		brands.WriteString(p.Name + " (" + p.Title + ")")
	}
	about, _ := json.Marshal("The camera's brand, which knows the paths: " + brands.String() + ".")
	return json.RawMessage(fmt.Sprintf(`{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Camera by RTSP or HTTP",
  "description": "Where the camera is and how to log in: url, or address and preset.",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "url": {"type": "string", "minLength": 1, "maxLength": 2048, "pattern": %s, "patternErrorMessage": %s, "title": "Address of the stream",
      "description": "rtsp:// or rtsps:// of a stream; http:// or https:// of a JPEG or an MJPEG stream. User name and password are keys of their own.", "examples": ["rtsp://192.168.1.40/stream1"]},
    "sub": {"type": "string", "minLength": 1, "maxLength": 2048, "pattern": %s, "patternErrorMessage": %s, "title": "Address of the small stream",
      "description": "A second, smaller stream of the same camera, for grids and motion. A path alone is one on the same device.", "examples": ["/stream2"]},
    "address": {"type": "string", "minLength": 1, "maxLength": 255, "title": "Address of the camera",
      "description": "Its IP address or name, with preset. A port behind a colon is that of the streams.", "examples": ["192.168.1.40"]},
    "preset": {"type": "string", "enum": %s, "title": "Brand", "description": %s, "examples": ["hikvision"]},
    "channel": {"type": ["integer", "string"], "minimum": 1, "maximum": %d, "title": "Channel", "default": 1,
      "description": "Which camera of a recorder; with unifi and go2rtc the stream's name.", "examples": [1]},
    "username": {"type": "string", "maxLength": 255, "title": "User name", "examples": ["viewer"]},
    "password": {"type": "string", "maxLength": 1024, "writeOnly": true, "title": "Password",
      "description": "Any characters. Better secret://name, which stands in secrets.yaml.", "examples": ["secret://front_door"]},
    "transport": {"type": "string", "enum": ["tcp", "udp"], "default": "tcp", "title": "Transport",
      "description": "How RTSP brings the pictures. tcp loses nothing; udp only where a camera cannot do it."},
    "fingerprint": {"type": "string", "maxLength": 128, "pattern": "^[sS][hH][aA]256:[0-9a-fA-F:]+$", "title": "Fingerprint of the certificate",
      "description": "For rtsps:// and https:// with a certificate of the device's own: sha256: and 64 hex digits. A refused certificate's message names it."},
    "snapshot_url": {"type": "string", "minLength": 1, "maxLength": 2048, "pattern": %s, "patternErrorMessage": %s, "title": "Address of a picture",
      "description": "Where the camera gives a JPEG. It is fetched with the same user name and password. A path alone is one on the same device.", "examples": ["/snapshot.jpg"]},
    "pull": {"type": "string", "enum": ["always", "on_demand", "battery"], "title": "When the camera can be pulled",
      "description": "What the camera bears: always, only while somebody looks, or for moments because it runs on a battery. The camera's own key pull is above it."},
    "talk": {"type": "string", "enum": ["auto", "off"], "default": "auto", "title": "Talking",
      "description": "auto: the hub asks the camera for an ONVIF back channel, by which people can talk. off: it is not asked."},
    "every": {"type": "string", "format": "duration-with-unit", "default": "1s", "title": "How often a JPEG is fetched",
      "description": "Of a camera by http:// that gives single JPEGs: 100ms to 1h.", "examples": ["1s"]}
  },
  "anyOf": [{"required": ["url"]}, {"required": ["address"]}],
  "dependentSchemas": {"url": {"properties": {"address": false}}, "address": {"required": ["preset"]}, "password": {"required": ["username"]}},
  "if": {"required": ["address", "preset"], "properties": {"preset": {"title": "Brand", "enum": %s}}},
  "then": {"required": ["channel"]},
  "else": {"properties": {"channel": {"title": "Channel", "pattern": "^[0-9]+$", "patternErrorMessage": "write a number from 1 on; only with unifi and go2rtc it is a name"}}}
}`, where("rtsps?|https?", false), wrongWhere, where("rtsps?|https?", true), wrongWhere, names, about, maxChannel,
		where("https?", true), wrongWhere, aliases))
}

// wrongWhere is what editors say of an address that has not the form of where.
const wrongWhere = `"write an address such as rtsp://192.168.1.40/path; user name and password are keys of their own, username and password, where any characters may stand"`

// where is the form of an address, as a JSON text: a scheme and a host without a login, or a
// secret, or a path alone. It has to find a login that nobody escaped, so what
// stands before the path can be nothing but a host and a port.
func where(schemes string, path bool) string {
	form := `^secret://.|^(` + schemes + `)://(\[[0-9A-Za-z:.%]+\]|[^/?#@:\[\]\s]+)(:[0-9]{1,5})?([/?][^#]*)?$`
	if path {
		form = "^/|" + form
	}
	b, _ := json.Marshal(form) // a text marshals
	return string(b)
}

// Manifest says what the plugin is and what it may do.
func (p *plugin) Manifest() manifest.Manifest {
	return manifest.Manifest{
		ID: "dev.porchlight.rtsp", Name: "RTSP and HTTP cameras", Version: "1.0.0", License: "Apache-2.0",
		Capabilities: []manifest.Capability{manifest.Camera},
		ConfigSchema: json.RawMessage(configSchema), DeviceSchema: deviceSchema(),
		Permissions: manifest.Permissions{
			// RTSP is pulled by the hub and needs none of this.
			Network: []manifest.Network{{To: "camera", Proto: manifest.Protos{"tcp"}, Optional: true, Why: "fetch the pictures of cameras that speak HTTP; those that speak RTSP the hub pulls itself"}},
			Media:   manifest.Media{Publish: true},
			Secrets: "own",
		},
		Actions: []manifest.Action{{
			Name: "presets", Title: "Brands whose paths are known", Role: "view", ReadOnly: true,
			OutputSchema: json.RawMessage(presetsOutput),
		}},
	}
}
