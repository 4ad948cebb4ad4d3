package doctor

// busTexts explains what can be wrong with the files of events and logins.
func busTexts() map[string]Text {
	return map[string]Text{
		"E-STORE-NEWER": {
			"The file was written by a newer Porchlight",
			"journal.db or hub.db holds tables in a form that this version does not know. The hub does not start, and has not changed one byte of the file: an older program that writes into it could lose what the newer one kept there.",
			"Start the newer version again. To stay with the older one, put back the copies of journal.db and hub.db from before the update, or move the files (with their -wal and -shm) out of the data folder to begin new ones.",
		},
		"E-STORE-DAMAGED": {
			"The file is damaged",
			"journal.db or hub.db is no longer a whole SQLite file, as after a failing disk or memory card. The hub has not changed it.",
			"Look after the disk first (dmesg tells of read errors). Then put back a copy of the file, or move it with its -wal and -shm out of the data folder: the hub begins a new one. Without journal.db the history of events is gone, without hub.db logins and mutes are; cameras and chimes stand in porchlight.yaml.",
		},
		"E-STORE-OPEN": {
			"The file cannot be opened",
			"journal.db or hub.db, or their folder, may not be written by the user that the hub runs as, or the folder is missing.",
			"Check the owner and mode of the data folder: ls -ld and ls -l show both. hub.data_dir in porchlight.yaml names the folder.",
		},
		"E-BUS-DISK-FULL": {
			"The disk is full",
			"The journal has no room. The house rings on: events go to all who are there, publishers are told that an event is not kept yet, and the newest 10,000 rings and 10,000 other events wait in memory. If the hub is killed now, those are lost. A reserve of 16 MiB was given up first, and events older than the journal keeps were deleted.",
			"Make room on the disk of the data folder: df -h shows it. Nothing need be started again; the journal catches up within a second, and this note goes away when the reserve is back.",
		},
		"E-BUS-JOURNAL": {
			"The journal cannot be written",
			"Writing journal.db fails for another reason than a full disk: the disk gives errors or is mounted read-only, or another program holds the file. The house rings on and events are kept in memory as with a full disk.",
			"The cause stands beside this code and in the log; dmesg tells of a failing disk. Nothing need be started again once it can be written.",
		},
	}
}
