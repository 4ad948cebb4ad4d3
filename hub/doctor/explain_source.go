package doctor

// sourceTexts explains what can be wrong with what a plugin says of a camera.
func sourceTexts() map[string]Text {
	return map[string]Text{
		"E-SOURCE-BAD": {
			"The plugin describes the camera wrongly",
			"The camera's plugin told where its pictures come from in a way that the hub does not accept, for example with an address that is none, or with a password inside the address. The hub goes on with the last good description, if there was one.",
			"Look at the camera's source in the config: an address like rtsp://192.168.1.40/stream1 with username and password as keys of their own. If that is right, tell the plugin's author; the message says what was wrong.",
		},
		"E-SOURCE-SECRET": {
			"The camera's password is a secret that is not there",
			"The config writes secret://NAME for this camera, and there is no secret of that name, or it is not in this camera's own settings. Without it the hub does not try to log in: wrong tries lock some cameras.",
			"porchlight secrets set NAME asks for the value and keeps it in secrets.yaml beside the config (mode 0600). The hub takes it up by itself.",
		},
		"E-SOURCE-PLUGIN": {
			"The camera's plugin does not say where pictures come from",
			"The plugin that speaks for this camera does not run, or it answers with an error when the hub asks where the pictures are. What the hub knew before stays in force; it asks again by itself.",
			"See the plugins page, or porchlight plugins ls, whether the plugin runs, and porchlight plugins logs NAME for what it says.",
		},
	}
}
