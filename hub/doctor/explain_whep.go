package doctor

// whepTexts explains why a page has no live picture by WebRTC. Pages that have none show
// the camera over their own connection.
func whepTexts() map[string]Text {
	return map[string]Text{
		"E-WHEP-PORT": {
			"The port of WebRTC is taken",
			"Another program on this machine has the UDP or the TCP port that hub.webrtc.port names, 8555 by default. It may be another hub, or a program that shows cameras as well. The hub looks every five seconds and takes the port when it is free; until then pages show pictures over their own connection, a little later and without talk.",
			"Find who has it: ss -tulpn shows it as root. End that program, or set hub.webrtc.port to another number and open that one in the firewall.",
		},
		"E-WHEP-NO-ADDRESS": {
			"No browser can reach this machine by WebRTC",
			"None of the chosen interfaces has an address. hub.webrtc.interfaces may name one that is not there, or the machine has no network. Addresses that come later count at once.",
			"Look with ip address which interfaces there are. Leave hub.webrtc.interfaces empty to have all but those of containers and guests.",
		},
		"E-WHEP-OFF": {
			"WebRTC is switched off, or the hub is going down",
			"The hub takes no offers now. Pages show pictures over their own connection, a little later and without talk.",
			"Set hub.webrtc.enabled to true, or take the line away.",
		},
		"E-WHEP-OFFER": {
			"The offer could not be answered",
			"What was posted is no SDP offer with something to receive, or no part of one where a session was changed. The hub has kept nothing of it. Browsers send what is asked for; a program of your own may send another content type, or an offer that only sends.",
			"Post what createOffer gave, as application/sdp, with a section for video or audio whose direction is recvonly or sendrecv. Changes of a session are application/trickle-ice-sdpfrag.",
		},
		"E-WHEP-CODEC": {
			"The camera's picture does not suit this browser",
			"The browser takes none of the forms in which the hub has the stream: most often H.265 where the browser has none, or B-frames, which WebRTC cannot carry. The hub would convert the picture, but ffmpeg is missing, busy, or cannot do it; the cause stands beside this code.",
			"Set the camera's stream to H.264 without B-frames (often called H.264 baseline or main, smart codec off), give the camera a sub stream of that kind, or install ffmpeg: sudo apt-get install ffmpeg.",
		},
		"E-WHEP-OFFLINE": {
			"The camera sends nothing",
			"The page asked for a stream that had not begun within eight seconds. The hub goes on trying to reach the camera; its card on the page says why it does not come.",
			"Look at the camera's card, or run: porchlight cameras test CAMERA.",
		},
		"E-WHEP-FULL": {
			"Too many pages watch by WebRTC",
			"The hub keeps 64 sessions of WebRTC at once, so that no page can use up its memory. More pages show pictures over their own connection.",
			"Close pages that nobody looks at. A session ends by itself about fourteen seconds after its browser has gone.",
		},
		"E-WHEP-NO-SESSION": {
			"The session of WebRTC is over",
			"It was closed, its browser was away too long, the settings have changed, or it belongs to another login. A page makes a new one by itself.",
			"Post a new offer.",
		},
		"E-WHEP-CONDITION": {
			"The session has changed meanwhile",
			"A change of a session names the state that it is meant for in If-Match: the session's ETag for candidates, a star for a restart of ICE. This one named none, or one from before a restart.",
			"Send the ETag of the last answer, or If-Match: * with new credentials to restart.",
		},
		"E-WHEP-NO-SPEECH": {
			"The page sends no sound",
			"Talk was asked for over a session of WebRTC that was opened without a microphone's section, or by a login that may not talk.",
			"Open the session with an audio section whose direction is sendrecv, by a login that may talk.",
		},
	}
}
