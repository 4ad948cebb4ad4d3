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
			"A file of an accessory is damaged",
			"Apple Home knows a doorbell or a camera by an identity that is kept in the hub's data folder, with its setup code and its pairings. The file that is named cannot be read: a disk that was full or fails, or somebody edited it. Nothing was changed and no new identity was made, because every home would lose the accessory. It stays out of Apple Home; the others go on.",
			"Put the file back from a backup of the data folder, then porchlight plugins restart homekit. Without a backup: porchlight homekit reset CAMERA, remove the old tile in the Home app, and scan the new code.",
		},
		"E-HOMEKIT-CODE": {
			"The setup code cannot be used",
			"A setup code has eight digits. Not allowed are rows such as 11111111, 12345678 and 87654321, and the sample that stands in every document: anybody would guess it.",
			"Write eight other digits in the form 123-45-678, or leave setup_code out: the hub draws one, and the page Apple Home shows it.",
		},
		"E-HOMEKIT-MDNS": {
			"Phones cannot find the accessories",
			"Phones look for accessories by multicast to UDP port 5353. The port cannot be opened here: another program keeps it for itself, or this machine or its container may not use multicast.",
			"Have the other program share the port, as avahi and systemd-resolved do: porchlight doctor homekit tells what is heard. In a container, give the hub the network of its host (Docker: network_mode: host).",
		},
		"E-HOMEKIT-TRIES": {
			"Too many wrong setup codes",
			"Somebody in the network tried a hundred setup codes that were wrong, so the accessory takes none any more, not even the right one. Who is paired already notices nothing. The count outlives restarts.",
			"Find out who it was (porchlight plugins logs homekit tells when they tried), then porchlight homekit reset CAMERA: the accessory gets a new code.",
		},
		"E-HOMEKIT-ACCESSORY": {
			"One accessory is not in Apple Home",
			"A doorbell, a camera or the bridge could not be made an accessory; the message says why. Nothing of its identity and of its pairings is lost, and the others go on.",
			"Do what the message says, then porchlight plugins restart homekit. porchlight plugins logs homekit tells more.",
		},
	}
}
