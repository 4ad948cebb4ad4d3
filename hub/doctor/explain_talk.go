package doctor

// talkTexts explains why nobody is heard at the door.
func talkTexts() map[string]Text {
	return map[string]Text{
		"E-TALK-BUSY": {
			"Somebody else is talking to this door",
			"A door's loudspeaker has room for one voice, so the hub lets one person talk at a time. The message says who it is and since when.",
			"Wait until they have finished, or ask them to. A talk that says nothing for 10 seconds ends by itself, and none lasts longer than 5 minutes.",
		},
		"E-TALK-SILENT": {
			"The talk ended because nothing was said",
			"No sound came from the talker for 10 seconds: the button was left pressed, the microphone stopped, or the network between the page and the hub broke.",
			"Press talk again. If it happens while you speak, look whether the browser still shows the microphone in use, and whether the page is connected.",
		},
		"E-TALK-LONG": {
			"The talk ended because it lasted too long",
			"A talk lasts 5 minutes at most, so that a button that was forgotten does not carry the sound of a house to its door for ever.",
			"Press talk again.",
		},
		"E-TALK-DOOR": {
			"The door ended the talk, or does not answer",
			"The hub had the way to the camera's loudspeaker, and then the camera or its plugin closed it, or it never answered. Usually the camera lost its network, was restarted, or somebody talks to it by its own app.",
			"Look whether the camera is online, close its own app on other phones, and try again. porchlight cameras test ID shows what the camera says of its loudspeaker.",
		},
		"E-RTSP-NO-TALK": {
			"The camera takes no speech by RTSP",
			"The hub talks to RTSP cameras by the back channel of ONVIF: a section of the stream's description that goes to the camera. This one offers none, or not for this user or path any more. Pictures and sound from the camera are not touched by it.",
			"Switch two-way audio on in the camera's app or page, and give the camera's user the right to use it. Many cameras have the back channel on one of their paths only. If it has no loudspeaker, write talk: off into its source.",
		},
		"E-TALK-NONE": {
			"The camera has no speaker that the hub can reach",
			"Its plugin offers no way to speak, and by RTSP the camera offers no back channel (ONVIF Streaming). Many cameras simply have no loudspeaker; of some the vendor's own app alone can use it.",
			"Nothing needs to be done. If the camera does speak, look in its settings whether ONVIF and two-way audio are switched on, and give its user the right to it.",
		},
		"E-TALK-UNKNOWN": {
			"It is not known yet whether this camera can be spoken to",
			"The hub learns it from the camera's plugin and, by RTSP, from the camera's own description, which comes with its first picture.",
			"Wait until the picture has come once. If it does not come, its page says why.",
		},
		"E-TALK-CODEC": {
			"The camera takes speech in a form that is not made here",
			"What a camera plays has a codec. The hub makes G.711 (PCMU and PCMA), L16 and Opus of what is said; this camera names none of them.",
			"Set the codec of the camera's two-way audio to G.711 in its app or page, if it lets you.",
		},
	}
}
