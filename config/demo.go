package config

// demoYAML is what the hub runs when it finds no file.
const demoYAML = `# What Porchlight runs when it finds no porchlight.yaml. Save it under that
# name to keep this setup, then change it to your taste.
version: 1

plugins:
  speaker: {builtin: speaker, optional: true} # no sound card: a warning, not a failure
  homekit: {builtin: homekit} # the porch in Apple Home: porchlight homekit qr

cameras:
  demo_porch: {name: Demo porch, kind: doorbell, plugin: demo}

chimes:
  browser: {builtin: browser, sound: ding_dong}
  speaker: {plugin: speaker, sound: ding_dong}
`

// DemoYAML is what the demo runs, as an owner could save it.
func DemoYAML() string { return demoYAML }

// Demo is the configuration of DemoYAML. Where its data lies is the caller's
// choice: Hub.DataDir is empty.
func Demo() *Config {
	c, problems := Parse("demo", []byte(demoYAML), Options{Builtins: []string{"demo", "homekit", "speaker"}})
	if c == nil {
		panic("config: demo.yaml: " + Text(problems, "")) // cannot happen: a test parses it
	}
	c.Hub.DataDir = ""
	return c
}
