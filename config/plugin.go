package config

import "time"

// Plugin is one process. Exactly one of Builtin and Path is set, except in an
// entry that this version cannot start yet, which is Disabled.
type Plugin struct {
	Builtin     string `json:"builtin,omitempty" jsonschema:"minLength=1" jsonschema_description:"The bundled plugin that this entry runs."`
	Path        string `json:"path,omitempty" jsonschema:"minLength=1" jsonschema_description:"An executable of yours, relative to this file."`
	Disabled    bool   `json:"disabled" jsonschema_description:"Do not start it."`
	Optional    bool   `json:"optional" jsonschema_description:"Missing hardware is a warning, not a failure."`
	Permissions Raw    `json:"permissions,omitzero" jsonschema_description:"Narrows what the plugin may do."`
	Config      Raw    `json:"config,omitzero" jsonschema_description:"The plugin's own settings."`
	Limits      Limits `json:"limits" jsonschema_description:"What the process may use and how it is restarted."`
	Sandbox     string `json:"sandbox" jsonschema:"enum=best-effort,enum=required" jsonschema_description:"required: do not start where a layer is missing."`
}

// Limits bounds one plugin. Memory, CPU, Processes and Files are zero where the
// owner wrote nothing: then the plugin's manifest decides.
type Limits struct {
	Memory    ByteSize `json:"memory,omitzero"`
	CPU       Percent  `json:"cpu,omitzero" jsonschema_description:"Of one core, as 50%."`
	Processes int      `json:"processes,omitzero" jsonschema:"minimum=1,maximum=4096"`
	Files     int      `json:"files,omitzero" jsonschema:"minimum=16,maximum=65536"`
	Restart   Restart  `json:"restart"`
	Health    Health   `json:"health"`
	Rates     Rates    `json:"rates"`
}

// Restart is the ladder after a crash: First to Longest between tries, given up
// after Max of them within Per.
type Restart struct {
	Max     int      `json:"max" jsonschema:"minimum=0,maximum=1000"`
	Per     Duration `json:"per"`
	First   Duration `json:"first"`
	Longest Duration `json:"longest"`
}

// Health says how often a plugin is asked and how many answers it may miss
// before it counts as hung.
type Health struct {
	Every  Duration `json:"every"`
	Misses int      `json:"misses" jsonschema:"minimum=1,maximum=100"`
}

// Rates are the token buckets of a plugin's publishing, one per event class.
type Rates struct {
	Critical Rate `json:"critical"`
	Normal   Rate `json:"normal"`
	State    Rate `json:"state"`
	Debug    Rate `json:"debug"`
}

// Rate is a token bucket: events per second, and how many at once.
type Rate struct {
	PerSecond float64 `json:"per_second" jsonschema:"minimum=0.01,maximum=1000000"`
	Burst     int     `json:"burst" jsonschema:"minimum=1,maximum=1000000"`
}

func defaultPlugin() Plugin {
	return Plugin{
		Sandbox: "best-effort",
		Limits: Limits{
			Restart: Restart{
				Max: 5, Per: Duration(10 * time.Minute),
				First: Duration(100 * time.Millisecond), Longest: Duration(time.Minute),
			},
			Health: Health{Every: Duration(5 * time.Second), Misses: 3},
			Rates: Rates{
				Critical: Rate{PerSecond: 5, Burst: 20},
				Normal:   Rate{PerSecond: 50, Burst: 200},
				State:    Rate{PerSecond: 20, Burst: 80},
				Debug:    Rate{PerSecond: 100, Burst: 400},
			},
		},
	}
}
