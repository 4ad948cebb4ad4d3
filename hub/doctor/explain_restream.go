package doctor

// restreamTexts explains what other programs meet that read cameras by RTSP.
func restreamTexts() map[string]Text {
	return map[string]Text{
		"E-RESTREAM-PORT-TAKEN": {
			"The port of RTSP is taken",
			"Another program listens on hub.rtsp.port already, so no other program can read the cameras from the hub. The hub tries again every five seconds; pages are not affected.",
			"Stop that program, or give the hub another port: rtsp: {port: 8555} in the hub section; 0 takes any that is free.",
		},
		"E-RESTREAM-LISTEN": {
			"The hub cannot listen for RTSP",
			"The system refused the port of hub.rtsp.port for the reason in the message. The hub tries again every five seconds; pages are not affected.",
			"Set hub.rtsp.port to a port above 1023, as 8554.",
		},
		"E-RESTREAM-OFF": {
			"The hub does not listen for RTSP yet",
			"The hub is starting, or is just taking up new settings, so there is no address to read from.",
			"Ask again in a moment; the log tells if it cannot listen.",
		},
		"E-RESTREAM-CAMERA": {
			"There is no such camera for this password",
			"The path of the RTSP URL names no camera of the hub, or one that the stream password is not for. Which of the two is not said.",
			"Use a path that porchlight streams ls shows, as /front_door/main, and a password that is for this camera.",
		},
		"E-RESTREAM-NO-PICTURE": {
			"The camera sent no picture in time",
			"A program asked for a stream that does not run, and the camera sent no key frame within 15 seconds of being woken.",
			"Look at the camera with porchlight doctor --area cameras; the program can ask again at once.",
		},
		"E-RESTREAM-CODEC": {
			"RTSP carries nothing of this stream",
			"None of the stream's tracks has a codec that can go over RTSP: H.264, H.265, MJPEG, AAC, Opus, G.711 or PCM.",
			"Ask for a conversion, as rtsp://…/front_door/main?video=h264, or for another stream of the camera.",
		},
		"E-RESTREAM-QUERY": {
			"The stream cannot be asked for in this form",
			"Behind the question mark of the RTSP URL stands what this hub cannot make. It knows audio=none, opus, aac, pcmu, pcma or l16, and video=none or h264.",
			"Leave the query out for the stream as it is, or correct it, as ?audio=opus.",
		},
		"E-RESTREAM-TALK": {
			"This program may not speak to the door",
			"It asked for the back channel of a camera, and its stream password is for viewing only, or the camera takes no speech.",
			"Make a stream password that may talk: porchlight streams new NAME --talk.",
		},
		"E-STREAM-INVALID": {
			"The stream password cannot be made like this",
			"A stream password needs a name of 1 to 64 characters, and cameras by their ids.",
			"As porchlight streams new \"VLC in the hall\" --camera front_door.",
		},
		"E-STREAM-FULL": {
			"There are too many stream passwords",
			"A user has at most 32, since each login by RTSP is compared with all of them. None is forgotten by itself.",
			"Revoke those that nothing uses: porchlight streams ls shows when each was used last.",
		},
	}
}
