package doctor

// pageTexts explains what only the pages and the API say of a camera.
func pageTexts() map[string]Text {
	return map[string]Text{
		"E-TALK-OFF": {
			"Talk is switched off for this camera",
			"The camera's entry in the config says talk: false, so nobody is let to speak there. Pictures and sound from the camera are not touched by it.",
			"Set talk: true on the camera, or take the line away: the hub then offers talk wherever the camera can be spoken to.",
		},
	}
}
