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
			"Somebody asked for a codec, size, profile or sound that the camera does not send. This version of the hub passes streams on as they come and converts nothing yet.",
			"Choose another stream of the camera (a smaller one is often called sub), or set codec and size in the camera itself. H.264 with AAC or Opus goes everywhere.",
		},
		"E-MEDIA-OFFLINE": {
			"The camera's stream has not begun",
			"Somebody asked for a stream in a certain form before the camera has sent anything, so that it is not known whether it fits.",
			"See on the plugins page whether the camera's plugin runs and what it says. The asker may try again once the camera is online.",
		},
		"E-SNAP-NO-DECODER": {
			"There is no picture of this camera",
			"The camera gives no JPEG of its own, its plugin made none, and the hub has no decoder with which to make one of the video. Live video is not touched by this.",
			"Give the camera a snapshot URL where its plugin has such a key, or switch snapshots on in the camera. If pictures came before, look at the plugin's log: porchlight plugins logs NAME.",
		},
	}
}
