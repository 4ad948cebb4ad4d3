package doctor

// homekitTexts explains what hinders Apple Home.
func homekitTexts() map[string]Text {
	return map[string]Text{
		"E-HOMEKIT-NONE": {
			"Apple Home is not part of this house",
			"The config has no entry for the homekit plugin, so nothing of the house can be added to Apple Home. Everything else works without it.",
			"Write these lines into porchlight.yaml:\n\nplugins: {homekit: {builtin: homekit}}\n\nThe file is watched: the page Apple Home shows the codes some seconds later.",
		},
		"E-HOMEKIT-STORE": {
			"What an accessory knows of its home cannot be read",
			"Identity, setup code and pairings of each doorbell and camera are kept in files of the hub's data folder. One of them does not parse: the disk was full or failed, or somebody edited it. That accessory stays out of Apple Home; the others go on. A new identity is not made by itself, because every home would lose the accessory.",
			"Put the file that the message names back from a backup of the data folder, and restart the plugin: porchlight plugins restart homekit. Without a backup, start that accessory over with porchlight homekit reset CAMERA, remove it in the Home app, and scan its new code.",
		},
	}
}
