package about

import (
	"encoding/json"
	"fmt"

	"github.com/porchlight-hub/porchlight/plugins/speaker/sound"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

// What a chime sounds, and how loud, where its entry does not say.
const (
	DefaultSound  = "ding_dong"
	DefaultVolume = 70
)

const configSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Speaker",
  "description": "The computer's own loudspeaker. It has no settings of its own; each chime has some.",
  "type": "object",
  "additionalProperties": false,
  "properties": {}
}`

func deviceSchema() json.RawMessage {
	names, _ := json.Marshal(sound.Names()) // strings always marshal
	return json.RawMessage(fmt.Sprintf(`{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Chime on the loudspeaker",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "device": {"type": "string", "default": "default", "title": "Sound device", "description": "Only the system's default device can be used; choose it in the system's own sound settings.", "enum": ["default"]},
    "sound": {"type": "string", "default": %q, "minLength": 1, "maxLength": 4096, "title": "Sound", "description": "One of the built-in sounds, or the whole path of a WAV, OGG or MP3 file of at most 10 MiB and 30 s.", "examples": %s},
    "volume": {"type": "integer", "default": %d, "minimum": 0, "maximum": 100, "title": "Volume", "description": "0 is silent, 100 as loud as the device is set."}
  }
}`, DefaultSound, names, DefaultVolume))
}

// Manifest says what the speaker is and what it may do.
func Manifest() manifest.Manifest {
	return manifest.Manifest{
		ID: "dev.porchlight.speaker", Name: "Speaker", Version: "1.0.0", License: "Apache-2.0",
		Capabilities: []manifest.Capability{manifest.Chime},
		ConfigSchema: json.RawMessage(configSchema), DeviceSchema: deviceSchema(),
		Permissions: manifest.Permissions{Devices: []string{"audio"}},
		Limits:      manifest.Limits{Memory: 256 << 20},
		Actions: []manifest.Action{
			{Name: "sounds", Title: "Built-in sounds", Role: "view", ReadOnly: true,
				OutputSchema: json.RawMessage(`{"type":"array","title":"Sounds","items":{"type":"object","title":"Sound","properties":{"name":{"type":"string","title":"Name"},"title":{"type":"string","title":"Title"},"seconds":{"type":"number","title":"Length in seconds"}}}}`)},
			{Name: "status", Title: "What sounds and what waits", Role: "view", ReadOnly: true,
				OutputSchema: json.RawMessage(`{"type":"object","title":"Status","properties":{"sounding":{"type":"string","title":"Chime that sounds"},"waiting":{"type":"integer","title":"Sounds that wait"}}}`)},
		},
	}
}
