package doctor

// configTexts explains what can be wrong with porchlight.yaml.
func configTexts() map[string]Text {
	return map[string]Text{
		"E-CFG-READ": {
			"The configuration file cannot be read",
			"The file is missing, is a folder, or may not be read by the user that the hub runs as. A hub that is running keeps its last good configuration.",
			"Check the path given with --config, and the file's owner and mode: ls -l shows both.",
		},
		"E-CFG-TOO-LARGE": {
			"The configuration file is too large",
			"A file of more than 1 MiB, or of more than 10,000 keys, is not read, nor are files of more than 2 MiB together; a large house needs a tenth of it. Most often the wrong file was named.",
			"Look at what the file holds. Pictures, keys and lists of addresses belong in files of their own.",
		},
		"E-CFG-ENCODING": {
			"The file is not plain UTF-8 text",
			"Some bytes are not UTF-8, or an invisible control character stands in the file. Editors on Windows sometimes save UTF-16, and text copied from a web page can bring such characters along.",
			"Save the file as UTF-8 in your editor, and type the named place again by hand.",
		},
		"E-CFG-EMPTY": {
			"The file says nothing",
			"The file is empty or holds comments only. It is not taken as \"no cameras\", since a file that is just being written looks the same.",
			"Write at least the line version: 1. To start over, stop the hub, move the file away and run porchlight: the demo prints a file to begin with.",
		},
		"E-CFG-SYNTAX": {
			"The text is not YAML",
			"The place shown is where reading stopped; the cause is in that line or in the one before it. Usual causes: a missing colon or the space after it, a quote that is not closed, lines of one block that are indented differently, a tab.",
			"Mend that place and save. Only the first such error can be told, since what follows it cannot be understood.",
		},
		"E-CFG-DOCUMENTS": {
			"The file holds more than one document",
			"A line of three dashes begins a new YAML document, and only one can count.",
			"Remove the line --- and put everything below the keys of the first part.",
		},
		"E-CFG-TOO-DEEP": {
			"The file is nested too deeply",
			"Blocks within blocks are read down to 64 levels, and values, repeated aliases included, up to 50,000 in all files together. Nothing that is meant needs more; a text that blows up like this is refused before it eats memory.",
			"Look at the named place for brackets that are never closed, or for aliases (*name) that repeat each other.",
		},
		"E-CFG-ALIAS": {
			"An alias refers to nothing",
			"A value that begins with * repeats what was marked with & further up. There is no such mark above this line, or it contains itself.",
			"Put the value in quotes if the * is part of it, otherwise add the mark.",
		},
		"E-CFG-DUPLICATE-KEY": {
			"A key is there twice",
			"Two lines of one block have the same key. Which of them was meant cannot be known, so neither is guessed.",
			"Remove one, or give one of them another id. The message names the first line.",
		},
		"E-CFG-UNKNOWN-KEY": {
			"A key is not known",
			"The block has no such key: it is misspelt, or it belongs one level further in or out. It is an error rather than ignored, since a setting that silently does nothing is the hardest to find. Its value is hidden in every message, because a misspelt key is often the password's.",
			"Take the suggested word, or compare with config/example.yaml, which shows every key in its place.",
		},
		"E-CFG-TYPE": {
			"A value is of the wrong kind",
			"The key wants text, a number, true or false, a list or a block of keys, and got something else. Note that yes and no are text, and that digits such as a door code must stand in quotes to be text.",
			"Write the value as the message says: text in quotes, lists as [a, b], switches as true or false.",
		},
		"E-CFG-VALUE": {
			"A value is not possible here",
			"The kind is right, and the value is outside of what the key allows: not in its list, too small, too large, or not of its form.",
			"The message names what is allowed. For a plugin's own keys it comes from the plugin.",
		},
		"E-CFG-UNIT": {
			"A unit is missing",
			"Lengths of time and sizes are written with their unit, so that 3 cannot be read as minutes by one and as seconds by another.",
			"Times: ms, s, m, h, d, w, as 3s or 1h30m. Sizes: KiB, MiB, GiB, or kB, MB, GB, as 128MiB. Shares of the processor: 50%.",
		},
		"E-CFG-MISSING": {
			"Something that is needed is not there",
			"The entry cannot work without the named key: a plugin needs builtin or path, a chime needs builtin or plugin, a source needs a plugin that reads it.",
			"Add the key. If the whole entry is a left-over, remove it.",
		},
		"E-CFG-CONFLICT": {
			"Two keys exclude each other",
			"An entry is one thing: a bundled plugin or an executable of yours, a built-in chime or a plugin's.",
			"Keep one of the two keys.",
		},
		"E-CFG-ID": {
			"An id has the wrong form",
			"Ids of plugins, cameras and chimes name events, folders and addresses, so they are plain: they begin with a letter a-z, then a-z, 0-9 and _, at most 32 in all.",
			"Choose such an id, and put the name that people see into name:, which may be anything.",
		},
		"E-CFG-UNKNOWN-PLUGIN": {
			"No plugin has this name",
			"A camera or chime names a plugin that is neither an entry of plugins nor bundled with this hub, or an entry asks for a bundled plugin that there is none of.",
			"Correct the name (the message lists what there is), or add an entry under plugins: with the path of your own executable.",
		},
		"E-CFG-INCLUDE": {
			"An included file cannot be taken",
			"A file that include names is not there, is a folder, may not be read, or is one too many (two hundred files, eight deep), or a pattern would look at more than 5,000 names. A pattern such as conf.d/*.yaml may match nothing; a plain name may not. Names begin at the folder of the file that includes.",
			"Correct the name, or write a pattern. Remove the line if the file is gone for good.",
		},
		"E-CFG-INCLUDE-CYCLE": {
			"Files include each other in a circle",
			"A file includes itself, directly or by way of another. The message shows the way round.",
			"Remove one of the include lines. What several files need belongs into one that includes nothing.",
		},
		"E-CFG-REF": {
			"A reference leads nowhere",
			"A value that begins with secret://, env:// or file:// stands for another: a line of secrets.yaml, a variable of the hub's process, the text of a file. Here the name has the wrong form, the variable is not set, or the file cannot be read. Only a whole value can be a reference, not a part of one.",
			"env://NAME needs a variable that is set where the hub is started. file:// needs a whole path (three slashes) to a text of at most 64 KiB that the hub's user may read.",
		},
		"E-CFG-UNKNOWN-SECRET": {
			"No secret has this name",
			"secret://name stands for the line name: … of secrets.yaml, beside the main file, and there is no such line.",
			"Correct the name, or keep the secret by: porchlight secrets set NAME. It asks for the value, so that the value stands in no command line. porchlight secrets ls lists the names.",
		},
		"E-CFG-SECRETS": {
			"secrets.yaml is not as it must be",
			"The file of secrets holds one line a secret, name: text, and nothing else: no blocks, no lists, no empty values. Names are letters, digits, _, - and ., at most 64.",
			"Mend the named line; a text with special signs goes in single quotes. Or let porchlight secrets set NAME write it.",
		},
		"E-CFG-SECRETS-MODE": {
			"Others on this machine may read secrets.yaml",
			"The file's mode lets users beside its owner read or change it. Passwords of cameras stand in it.",
			"Run the chmod line of the message, as the file's owner. Where a service manager makes the file, let it make it with mode 0600, or use file:///run/credentials/… instead.",
		},
		"E-CFG-INSECURE": {
			"The hub would be open to the network without TLS",
			"Other machines can reach an address that is not loopback. Without TLS passwords and pictures would cross the network in clear, so this needs a word from the owner.",
			"Write hub.tls: {mode: local-ca}, and the page /trust shows each phone and computer how to take the hub's certificate. Or keep hub.listen at 127.0.0.1, or write hub.insecure: true if you trust everyone on that network.",
		},
		"E-CFG-VERSION": {
			"The file's format is not known",
			"The key version names the format of the file. This hub reads version 1; a higher number was written for a later Porchlight, and an included file may not say another than the main one.",
			"Update the hub, or write version: 1 and mend what it then names. A file of an older version is turned into the new form by porchlight config migrate.",
		},
		"E-CLI-EXISTS": {
			"A porchlight.yaml is already there",
			"porchlight init writes a first file and never over one that is there: what stands in it may be the only copy of somebody's house.",
			"Name another folder with --dir, or edit the file. porchlight config show --defaults and config explain KEY tell what could be added.",
		},
		"E-CFG-MIGRATE": {
			"A file of an older version cannot be turned into the new form",
			"config migrate rewrites what changed between versions and keeps all else. Here it met something that it does not understand; nothing was written.",
			"Mend what the message names in the old file and run it again, or begin with porchlight init and carry the entries over.",
		},
		"E-CFG-PLUGIN-SCHEMA": {
			"A plugin's own schema is broken",
			"A plugin says which settings it takes by a JSON schema, and this one cannot be used: it is no valid schema, it is too large, or it refers to files or addresses. The settings go to the plugin unchecked.",
			"This is for the plugin's author to mend. porchlight plugins logs NAME shows whether the plugin itself accepted them.",
		},
		"E-CFG-DEVICE": {
			"A plugin does not accept the settings of one device",
			"The file is in force, but the plugin that speaks for this camera or chime has found something in its settings that it cannot work with. That one is left out; the plugin's other devices go on.",
			"Mend the line that the message names and save: it is taken up at once.",
		},
		"E-CFG-NEXT-START": {
			"A change waits for the hub's next start",
			"Most of the file takes effect when it is saved. Some keys of the hub section, such as the address, the data folder and the time zone, are read once, when the hub starts. Until then it goes on with the old value.",
			"Stop the hub and start it again when it suits you, or write the old value back. Plugins, cameras and chimes need no restart.",
		},
		"E-CFG-NOT-YET": {
			"This part is known and not built yet",
			"The key or plugin belongs to the format and does nothing in this version. It is a warning: the rest of the file works.",
			"Nothing has to be done. Remove the part if the warning is in the way.",
		},
	}
}
