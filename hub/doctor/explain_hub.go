package doctor

// hubTexts explains what concerns the hub as a whole, and what plugins may do.
func hubTexts() map[string]Text {
	return map[string]Text{
		"E-HUB-DATA-TAKEN": {
			"Another hub uses this data folder",
			"Two hubs on one data folder would each ring, and each write the other's files. The second one does not start; the process that holds the folder is named.",
			"Stop the other hub, or give this one a folder of its own with hub.data_dir. The lock goes with its process, so after a crash there is nothing to clean up.",
		},
		"E-HUB-DATA-FOLDER": {
			"The data folder cannot be used",
			"The hub keeps its journal, its logins and its sockets in one folder, and nobody else may put files of his own there. What is in the way is named: a file or a link where a folder should be, or a right that is missing.",
			"Move away what is in the way, give the folder to the user that the hub runs as, or name another one in hub.data_dir.",
		},
		"E-CLI-PERMISSION": {
			"This user may not reach the hub",
			"Commands reach the running hub by a socket in its data folder, which only the hub's own user may open: whoever can, is its owner.",
			"Run the command as the user that the hub runs as, for example with sudo -u. If the data folder's owner was changed by hand, give it back.",
		},
		"E-PLUGIN-ACTION": {
			"The plugin could not do what it was asked",
			"An action that the plugin declares was called and it answered with an error of its own. The plugin runs on.",
			"The sentence is the plugin's; porchlight plugins logs NAME may tell more.",
		},
		"E-PLUGIN-GRANT": {
			"The plugin's permissions cannot be read",
			"What a plugin may do is what its manifest asks for, narrowed by permissions in its entry. One of the two holds something that is no permission, so the plugin is not started.",
			"Correct the named word in plugins.NAME.permissions, or tell the plugin's author. Filters are dotted words with * for one and a final ** for the rest, as camera.*.ring.",
		},
	}
}
