package config

import "github.com/porchlight-hub/porchlight/config/files"

// FormatVersion is the only version of the format so far.
const FormatVersion = 1

// Config is one valid configuration with all defaults filled in. It is not
// changed after Parse returned it.
type Config struct {
	Version int               `json:"version" jsonschema_description:"Version of this file's format."`
	Hub     Hub               `json:"hub" jsonschema_description:"The hub itself."`
	Plugins map[string]Plugin `json:"plugins" jsonschema_description:"One process each; a bundled plugin needs an entry only to change it."`
	Cameras map[string]Camera `json:"cameras" jsonschema_description:"Cameras and doorbells by id."`
	Chimes  map[string]Chime  `json:"chimes" jsonschema_description:"What sounds, by id."`

	file   string
	set    *files.Set
	places map[string]Position // path of each written key to its place
	refs   map[string]string   // path of each own key that was written as a reference to that
}

// File is the name the configuration was read under; Source that file's bytes.
func (c *Config) File() string { return c.file }

// Source gives the bytes of the main file.
func (c *Config) Source() []byte {
	src, _ := c.FileText(c.file)
	return src
}

// Place tells where a path such as "hub.listen" was written. Its zero value
// means that the key has its default.
func (c *Config) Place(path string) Position { return c.places[path] }

// Hub is the part that flags and PORCHLIGHT_* variables may override.
type Hub struct {
	Name       string   `json:"name" jsonschema:"minLength=1,maxLength=64" jsonschema_description:"The house's name, shown on pages."`
	Listen     string   `json:"listen" jsonschema:"format=listen-address" jsonschema_description:"Address and port of the pages, as 127.0.0.1:8480."`
	Insecure   bool     `json:"insecure" jsonschema_description:"Allow other machines to reach the hub without TLS."`
	PublicURL  string   `json:"public_url,omitempty" jsonschema:"format=http-url" jsonschema_description:"The address used in links."`
	Timezone   string   `json:"timezone,omitempty" jsonschema:"format=timezone" jsonschema_description:"As Europe/Berlin; the system's if not set."`
	Language   string   `json:"language" jsonschema:"format=language" jsonschema_description:"auto, or a language tag such as en."`
	DataDir    string   `json:"data_dir" jsonschema:"minLength=1" jsonschema_description:"Where the hub keeps its data, relative to this file."`
	PluginPath []string `json:"plugin_path" jsonschema_description:"More folders to look for plugin binaries."`
	Log        Log      `json:"log"`
	Metrics    Metrics  `json:"metrics"`
	TLS        TLS      `json:"tls" jsonschema_description:"How the pages are encrypted; needed where other machines may reach them."`
	WebRTC     WebRTC   `json:"webrtc" jsonschema_description:"Live pictures with the least delay."`
	Restream   Restream `json:"rtsp" jsonschema_description:"The cameras handed on by RTSP, to players and recorders with a stream password."`
	Telemetry  bool     `json:"telemetry" jsonschema_description:"There is none; false is the only value."`
}

// Log says what is logged and how; auto is text on a terminal, else JSON.
type Log struct {
	Level  string `json:"level" jsonschema:"enum=debug,enum=info,enum=warn,enum=error"`
	Format string `json:"format" jsonschema:"enum=auto,enum=text,enum=json"`
}

// Metrics says whether /metrics answers, and to whom.
type Metrics struct {
	Enabled bool     `json:"enabled"`
	Allow   []string `json:"allow" jsonschema_description:"Networks that may read /metrics, as 127.0.0.1/32."`
}

func defaultHub() Hub {
	return Hub{
		Name: "Porchlight", Listen: "127.0.0.1:8480", Language: "auto", DataDir: "./data",
		PluginPath: []string{},
		Log:        Log{Level: "info", Format: "auto"},
		Metrics:    Metrics{Enabled: true, Allow: []string{"127.0.0.1/32", "::1/128"}},
		TLS:        TLS{Mode: TLSOff},
		WebRTC:     WebRTC{Enabled: true, Port: 8555, TCP: true, Interfaces: []string{}, STUN: []string{}},
		Restream:   Restream{Port: 8554},
	}
}
