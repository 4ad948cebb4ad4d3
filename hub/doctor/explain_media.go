package doctor

// mediaTexts explains what can be wrong with pictures and sound on their way.
func mediaTexts() map[string]Text {
	return map[string]Text{
		"E-MEDIA-TOKEN": {
			"The media token is not valid",
			"A plugin came to its media socket with a token that the hub does not know, that was used before, or that is older than 10 seconds. The connection was refused; everything else goes on.",
			"This is for the plugin's author: ask the hub for a new token (PublishMedia or OpenMedia) for each connection, and connect at once.",
		},
		"E-MEDIA-LIMIT": {
			"The plugin has too many media connections",
			"One plugin may have 128 connections to its media socket at a time. The one beyond that was refused.",
			"Restart the plugin (porchlight plugins restart NAME). If it comes back, the plugin does not close readers or publishers that it no longer needs: tell its author.",
		},
		"E-MEDIA-FRAME": {
			"The plugin sent a bad unit of media",
			"A unit was larger than 8 MiB, belonged to a track that was not described before, or was no unit at all. That connection was closed, with the reason; the plugin and its other connections go on, and it may connect again.",
			"This is for the plugin's author: describe each track before its first unit, describe it again when its parameter sets change, and keep units under 8 MiB. The log names camera and cause.",
		},
		"E-MEDIA-NOT-YET": {
			"The stream would have to be converted",
			"Somebody asked for a codec, size, profile or sound that the camera does not send, in a place where streams are passed on only as they come.",
			"Choose another stream of the camera (a smaller one is often called sub), or set codec and size in the camera itself. H.264 with AAC or Opus goes everywhere.",
		},
		"E-MEDIA-OFFLINE": {
			"The camera's stream has not begun",
			"Somebody asked for a stream in a certain form before the camera has sent anything, so that it is not known whether it fits.",
			"See on the plugins page whether the camera's plugin runs and what it says. The asker may try again once the camera is online.",
		},
		"E-SNAP-NO-DECODER": {
			"There is nothing to make a picture with",
			"The camera sends video and no JPEG of its own, and the hub finds no ffmpeg with which to make one. Live video is not touched by this; snapshots, pictures in notifications and the moving pictures for browsers that cannot decode the camera's video are missing.",
			"Install ffmpeg: sudo apt install ffmpeg (Debian, Ubuntu, Raspberry Pi OS). The hub finds it without a restart. Or give the camera a snapshot URL (snapshot_url), which most have.",
		},
		"E-SNAP-NOTHING-YET": {
			"There is no picture of this camera yet",
			"No way to a picture has led to one since the camera was added: no stream of it is live, its plugin made no picture, and it has no snapshot URL.",
			"See on the camera's page whether its source is live and what it says. A battery camera sends its first picture when it is woken, by a ring or by opening its page.",
		},
		"E-SNAP-URL": {
			"The camera's snapshot URL gives no picture",
			"The camera could not be reached there, gave no answer within 2 seconds, answered with an error, led to another host, or sent something that is not one JPEG. The hub goes on with the next way: a picture of the stream, or the last one there was. It asks again after a few seconds.",
			"Open the URL in a browser on the hub's network: it must show one still picture. The camera's manual, or its preset, names the right path. An https camera may need http, or a pinned certificate.",
		},
		"E-SNAP-LOGIN": {
			"The camera refused the login for its snapshot",
			"The camera's snapshot URL was refused with the username and password of its source, or asks for a login that it has not got. So that the camera locks nobody out it is asked again only after 5 minutes, or when the entry changes.",
			"Check username and password in the camera's source; some cameras have a user of their own for this, or allow pictures only to an operator. Nothing of the password is encoded: write it as it is, in quotes.",
		},
		"E-SNAP-CERT": {
			"The certificate of the snapshot URL is not trusted",
			"The camera's https certificate is signed by nobody whom this machine trusts, as is usual for cameras, or is another one than the fingerprint in its entry says. No password was sent.",
			"If you know that this is your camera, add the fingerprint that the message names to its source (fingerprint: sha256:...). If one was there before and the camera was neither reset nor updated, find out who answers at its address.",
		},
		"E-CONV-NO-FFMPEG": {
			"ffmpeg is not installed",
			"Pictures of video, other forms of a moving picture, and AAC sound are made by ffmpeg, and none is found in PATH. Streams go out as the cameras send them, and G.711, L16 and Opus become each other, without it.",
			"sudo apt install ffmpeg (Debian, Ubuntu, Raspberry Pi OS). No restart is needed.",
		},
		"E-CONV-FFMPEG": {
			"ffmpeg does not work",
			"ffmpeg is there, but ends at once or answers nothing. After three attempts the hub waits 15 seconds before it tries again. The log has what ffmpeg said.",
			"Run ffmpeg -version as the user of the hub. If that fails, install it anew: sudo apt install --reinstall ffmpeg. Version 4.3 or newer is needed, with its decoders for H.264 and H.265.",
		},
		"E-CONV-PICTURE": {
			"A key frame could not be decoded",
			"What the camera sent as a whole picture is broken, of a kind that ffmpeg does not know, or larger than 20 megapixels. It was left out; the stream's next ones are tried after a rest of 2 to 60 seconds.",
			"A few of these are lost packets: use transport tcp, or look at the camera's Wi-Fi. If no picture ever comes, choose H.264 without smart codec (H.264+, Smart) in the camera's settings.",
		},
		"E-CONV-SLOW": {
			"Making a picture took too long",
			"ffmpeg did not give a picture within 2 seconds, so it was ended and started anew. The last picture is shown instead.",
			"The machine may be too busy, or the picture too large for it: let snapshots come from a smaller stream, or from the camera's own snapshot URL.",
		},
		"E-CONV-BUSY": {
			"More is to be converted than this machine may",
			"Either more still pictures are wanted than can be made, of which the newest come first and this one gave way; or as many moving pictures are converted already as the machine has half cores; or sound is converted 64 times already. Streams that go out as the camera sends them are not counted.",
			"Close views of cameras whose picture is converted (the player's badge says so), or let those cameras send H.264 without B-frames, which needs no conversion. Snapshot URLs of the cameras spare stills.",
		},
		"E-CONV-CODEC": {
			"This form of the stream cannot be made",
			"Somebody asked for a codec that the hub does not make of what the camera sends. It makes H.264 of any picture, and Opus, AAC, G.711 and L16 of each other.",
			"Ask for the stream as it is, or for H.264 with Opus or AAC. If it is the camera's sound that is not understood (AAC of a rare kind), choose AAC-LC or G.711 in its settings.",
		},
		"E-CONV-NO-ENCODER": {
			"This ffmpeg lacks a codec",
			"ffmpeg is there, but it was built without libx264, by which H.264 is made, or without AAC. Snapshots may work all the same.",
			"Install the distribution's own ffmpeg: sudo apt install --reinstall ffmpeg. The command ffmpeg -encoders lists what it has; libx264 and aac must be among it.",
		},
	}
}
