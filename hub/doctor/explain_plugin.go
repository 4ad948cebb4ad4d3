package doctor

// pluginTexts are the codes of hub/supervisor: why a plugin does not run, or not well.
func pluginTexts() map[string]Text {
	return map[string]Text{
		"E-PLUGIN-NOT-FOUND": {
			"the plugin's program is not there",
			"The entry names a path, or a bundled plugin with a binary of its own, and no file is found. Nothing is started; a try follows every 15 minutes, since the file may come.",
			"Check the path in the config. For a bundled binary such as porchlight-speaker: build it with `make run`, put it beside the hub's binary, or name its folder in hub.plugin_path. Then `porchlight plugins restart NAME`.",
		},
		"E-PLUGIN-NOT-EXECUTABLE": {
			"the file may not be executed",
			"The plugin's file is there, but it is no regular file, this user may not read it, or its mode forbids to run it.",
			"Run the `chmod +x` shown with the reason, or correct the path.",
		},
		"E-PLUGIN-WRONG-ARCH": {
			"the program is made for another machine",
			"The head of the file says another processor or system than this one, or is no program at all.",
			"Get the build for this machine (`uname -m` names it) and put it in the same place.",
		},
		"E-PLUGIN-LOADER": {
			"the program needs a loader or interpreter that is not installed",
			"A dynamic binary names its loader in its own head, a script in its first line; that file is missing here. The system would only say \"no such file\".",
			"Install what provides the file that the reason names, or take a static build.",
		},
		"E-PLUGIN-HASH": {
			"the program is not the one that was expected",
			"The config holds a sha256 for the file, and the file has another one. It is never started, since somebody else may have changed it.",
			"If you replaced it yourself, put the new sha256 into the config; `sha256sum FILE` prints it.",
		},
		"E-PLUGIN-LAUNCH": {
			"a wall of the sandbox could not be put up",
			"Before a plugin runs, the launcher clears its environment, closes descriptors and sets limits. One of these steps failed or took more than 2 s; the plugin is not started without it.",
			"The reason names the step. `porchlight doctor` shows what this machine can do.",
		},
		"E-PLUGIN-SANDBOX": {
			"the sandbox that is required is not complete",
			"The entry says `sandbox: required`, and not all walls are in force here.",
			"Set `sandbox: best-effort` for this plugin if you trust it, or do without it.",
		},
		"E-PLUGIN-START": {
			"the plugin could not be started",
			"The system refused to start the process, or the hub could not make what it needs: a folder, a pipe.",
			"The reason holds the system's own words; space, permissions and the number of open files are the usual ones.",
		},
		"E-PLUGIN-NOISE": {
			"the plugin wrote to stdout before its handshake",
			"The first line of stdout belongs to the handshake, by which the plugin says where it listens. Something else came; it is quoted.",
			"As the author: log to stderr or through the SDK, also in libraries that print at start. As the owner: report it with the quoted line.",
		},
		"E-PLUGIN-HANDSHAKE": {
			"the plugin did not say where it listens in time",
			"A bundled plugin has 3 s, another 10 s, until its handshake line.",
			"See `porchlight plugins logs NAME`. On a slow machine give it more time with limits.start.",
		},
		"E-PLUGIN-EARLY-EXIT": {
			"the plugin ended before its handshake",
			"The process was started and ended by itself. It is tried again, with longer and longer pauses.",
			"Its last log lines usually say why.",
		},
		"E-PLUGIN-PROTOCOL": {
			"hub and plugin speak different versions",
			"The handshake carries the version of the protocol, and the two have none in common. Starting again would not help.",
			"The reason says which side to update.",
		},
		"E-PLUGIN-ADDRESS": {
			"the plugin named an address that the hub does not trust",
			"The hub connects to nothing but a Unix socket directly in the plugin's own folder, owned by the plugin's user: an address elsewhere would let a plugin point the hub at another program.",
			"Report it to the plugin's author: the socket must be made where go-plugin's environment says.",
		},
		"E-PLUGIN-CONNECT": {
			"the hub could not talk to the plugin",
			"The handshake was right, but no encrypted gRPC connection came about. Both sides make a certificate for each start; a plugin without one is refused.",
			"Report it to the plugin's author: serve with go-plugin's AutoMTLS.",
		},
		"E-PLUGIN-DESCRIBE": {
			"the plugin did not say who it is",
			"Each plugin describes itself before anything else. The answer did not come within 5 s, or lacks id, version or a valid schema.",
			"See its log, and report it to its author.",
		},
		"E-PLUGIN-PERMISSION": {
			"the plugin was not given what it needs",
			"The grant is what its manifest asks, what you allowed and what the hub's policy admits, together.",
			"See `permissions` of its entry in the config.",
		},
		"E-PLUGIN-MISSING": {
			"the plugin lacks something on this machine",
			"It says of itself that it is of no use without a library or device that is not there. For an optional plugin that is a warning.",
			"The fix that it names is shown with the reason. It is tried again every 15 minutes.",
		},
		"E-PLUGIN-CONFIG": {
			"the plugin does not accept its config",
			"The config has the right shape, but the plugin's own check found a fault in it. Where an older config was accepted, that one goes on.",
			"The reason names the key. Mend it in the YAML; saving is enough.",
		},
		"E-PLUGIN-CONFIGURE": {
			"the plugin could not take its config",
			"It did not answer within 10 s, or ended with an error, while it was given its config.",
			"See its last log lines.",
		},
		"E-PLUGIN-CRASH": {
			"the plugin ended unexpectedly",
			"The process ended by an exit code or a signal. It is started again at once, then with longer and longer pauses; too many times in ten minutes and it is stopped with this reason. Only this plugin is touched.",
			"Its last log lines usually say why. `porchlight plugins restart NAME` begins anew. Exit code 70 is a panic of the plugin: report it.",
		},
		"E-PLUGIN-HANG": {
			"the plugin gave no sign of life",
			"The hub asks every 5 s; after three answers that did not come, it kills the process and starts it again.",
			"See its last log lines. The interval is limits.health of its entry.",
		},
		"E-PLUGIN-LINK": {
			"the plugin closed its connection",
			"The process lives, but one of its two streams ended, and without them it is no plugin. It is started again.",
			"See its last log lines, and report it to its author.",
		},
		"E-PLUGIN-MESSAGE": {
			"the plugin sent a message over the limit",
			"A message has at most 1 MiB and an event 64 KiB, so that no plugin can fill the hub's memory. The connection is ended.",
			"Report it to its author: pictures and sound go over media.sock.",
		},
		"E-PLUGIN-HEALTH": {
			"a part of the plugin does not work",
			"The plugin runs and says itself that a part of it has failed, or it answers late. The rest goes on.",
			"The reason names the part, and what the plugin thinks mends it.",
		},
		"E-PLUGIN-MEMORY": {
			"the plugin used more memory than it may",
			"Memory is measured every 5 s, with that of the processes that the plugin has started. Over limits.memory it is killed and started again.",
			"Raise limits.memory of its entry, or report it to its author.",
		},
		"E-PLUGIN-CPU": {
			"the plugin uses more of the processor than it may",
			"A minute over limits.cpu makes it degraded, two minutes start it again.",
			"Raise limits.cpu of its entry, or see in its log what it works on.",
		},
		"E-PLUGIN-SLOW": {
			"the plugin does not read or answer in time",
			"What it is sent stays in its queue, or a command got no answer. Others are not delayed by it: its events wait in the journal until it reads again.",
			"See its log; `porchlight plugins restart NAME` ends what it hangs in.",
		},
		"E-PLUGIN-NOT-RUNNING": {
			"the plugin does not run at the moment",
			"Something was asked of a plugin that is starting, stopped or has failed.",
			"`porchlight plugins ls` shows its state and the reason.",
		},
		"E-PLUGIN-UNKNOWN": {
			"no plugin has this name",
			"The name is that of an entry of the config, not the id of a plugin.",
			"`porchlight plugins ls` shows all names.",
		},
	}
}
