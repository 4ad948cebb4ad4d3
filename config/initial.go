package config

// initialHead begins every file that init writes. The first line is for editors.
const initialHead = `# yaml-language-server: $schema=./porchlight.schema.json
# The line above lets editors complete and check this file. Porchlight takes a
# change as soon as it is saved; if something is wrong it tells the line and goes on
# with what last worked. config explain KEY says what a key means, config show
# --defaults lists what holds where nothing is written.
version: 1

# include: [conf.d/*.yaml] # more files of this form

hub:
  name: Porchlight
  # listen: 0.0.0.0:8480 # to reach it from other machines; only this one otherwise
  # tls: {mode: local-ca} # needed for that; /trust on its pages shows phones how to take it
  # timezone: Europe/Berlin # default: the system's
  # data_dir: ./data

`

const initialHouse = `cameras:
  # An RTSP camera. Its password stands in secrets.yaml:
  #   porchlight secrets set front_door
  # front_door:
  #   name: Front door
  #   kind: doorbell # or camera
  #   source:
  #     url: rtsp://192.168.1.40/stream1
  #     username: viewer
  #     password: secret://front_door

  # Neither plugin nor source: a bare button, rung by the address that its page shows.
  # back_door: {name: Back door}

chimes:
  browser: {builtin: browser, sound: ding_dong} # pages that are open
  # hallway: {plugin: speaker, sound: westminster, volume: 70} # this machine's loudspeaker
  # upstairs: {builtin: webhook, url: "http://192.168.1.60/ring"}
`

const initialDemo = `plugins:
  speaker: {builtin: speaker, optional: true} # no sound card: a warning, not a failure

cameras:
  demo_porch: {name: Demo porch, kind: doorbell, plugin: demo} # replace it by your own
  # front_door:
  #   source:
  #     url: rtsp://192.168.1.40/stream1
  #     username: viewer
  #     password: secret://front_door # porchlight secrets set front_door

chimes:
  browser: {builtin: browser, sound: ding_dong}
  speaker: {plugin: speaker, sound: ding_dong}
`

// InitialYAML is a first file for an owner to go on with: an empty house, or the demo.
func InitialYAML(demo bool) string {
	if demo {
		return initialHead + initialDemo
	}
	return initialHead + initialHouse
}

// InitialSecrets is a first secrets.yaml.
func InitialSecrets() string {
	return `# One line a secret, name: text. In porchlight.yaml it is named as secret://name.
# porchlight secrets set NAME asks for a value and writes it here. Keep this file to
# yourself (mode 0600).
`
}
