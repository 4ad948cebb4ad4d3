package doctor

// cameraTexts explains why a camera's pictures do not come.
func cameraTexts() map[string]Text {
	return map[string]Text{
		"E-RTSP-ADDRESS": {
			"The camera's address is not usable",
			"The url of the source is no rtsp:// or rtsps:// address, or it holds the user and the password. Nothing is asked of the camera until it is mended.",
			"Write it as rtsp://192.0.2.10/stream1, and the login beside it as username and password. There any character may stand as it is; in a url @, : and # would have to be escaped.",
		},
		"E-RTSP-UNREACHABLE": {
			"The camera cannot be reached",
			"Nobody answers at the camera's address: it has no power or no network, its address has changed, or the name is not known. The hub tries again by itself, at first twice a second and at last once a minute.",
			"Look whether the camera has power and is in the network, and whether its address is still the same: routers give out new ones after a restart. A fixed address for the camera, set in the router, keeps it from moving.",
		},
		"E-RTSP-REFUSED": {
			"The camera's port is closed",
			"The device is there but takes no connection at this port. RTSP is often switched off from the factory. The hub tries again by itself.",
			"Switch RTSP (sometimes called ONVIF or third-party access) on in the camera's own app or page, and check the port: 554 is usual, 322 or 7441 for rtsps.",
		},
		"E-RTSP-LOGIN": {
			"The camera refuses the login",
			"User or password are wrong, or this user may not see the stream. Cameras lock a user out after a few wrong tries, so the hub asks again only after five minutes, or at once when the login in the file was changed or somebody presses retry.",
			"Check username and password. Many cameras have a user of their own for RTSP or ONVIF, apart from the one of the maker's app, and it has to be made there first. If the camera redirects to another host without TLS, the password is never sent there: write that address into the file instead.",
		},
		"E-RTSP-NOT-FOUND": {
			"The camera does not know this stream",
			"The camera answers, but there is nothing at the path of the url.",
			"Check the path: makers list it in their support pages, and the presets of the rtsp plugin have the usual ones. A sub stream often has to be switched on in the camera first.",
		},
		"E-RTSP-BUSY": {
			"The camera has too many watchers",
			"The camera refuses one more connection. Most can serve two to four at a time. The hub needs one for each stream, however many people watch.",
			"Close apps and recorders that watch this camera directly, or raise its limit. The hub tries again by itself.",
		},
		"E-RTSP-TIMEOUT": {
			"The camera fell silent",
			"The connection is open, but nothing came for some seconds: the camera hangs, or the network lost it without a word, as Wi-Fi does. The hub connects again by itself.",
			"Nothing, if it comes back. If it happens often, look at the strength of the Wi-Fi, lower the bit rate, or update the camera's firmware.",
		},
		"E-RTSP-ENDED": {
			"The camera closed the connection",
			"Cameras do that when they restart, when their settings are changed, and some once a day. The hub connects again by itself.",
			"Nothing, if it comes back. If it happens each minute, another program may take the camera's only place, or its firmware wants an update.",
		},
		"E-RTSP-SDP": {
			"The camera's description cannot be read",
			"What the camera says of its streams breaks the rules so badly that the known repairs do not help, or is larger than any description may be.",
			"Update the camera's firmware. If it stays so, send the maintainers what cameras test prints: it holds no password.",
		},
		"E-RTSP-NO-MEDIA": {
			"No pictures that can be carried",
			"The camera offers no H.264, H.265 or MJPEG, or it encrypts them by SRTP, or it promised pictures and sent none that a decoder can begin with.",
			"Set the stream to H.264 in the camera's app or page, and switch off vendor codecs such as H.264+ or smart codec. For UniFi leave ?enableSrtp out of the url.",
		},
		"E-RTSP-CERTIFICATE": {
			"The camera's certificate is not the right one",
			"The certificate that the camera shows is signed by nobody the hub knows, or is another one than the file pins. The password was not sent. After a factory reset or an update cameras make a new one; so would somebody who listens in between.",
			"If this is your camera, write the fingerprint that the message shows into the source: fingerprint: sha256:... It is compared on each connection.",
		},
		"E-RTSP-PROTOCOL": {
			"The camera's answer makes no sense",
			"The camera answered something that is not RTSP, or refused a step for a reason of its own; the message shows which.",
			"Check that the port is the RTSP port. Some cameras take only transport: udp. If a firmware update does not help, send the maintainers what cameras test prints.",
		},
		"E-RTSP-SINK": {
			"Another source took the stream's place",
			"The pull ended because somebody else began to write the same stream, as when the file was changed. This is no fault of the camera.",
			"Nothing to do.",
		},
		"E-PULL-NO-KEY": {
			"The camera sends no key frames",
			"Pictures come, but for long none that a decoder can begin with: more than three times the camera's own interval. The hub has cut the connection and begins a new one, which most cameras answer with a key frame.",
			"Set the interval of key frames (I-frame interval, GOP) to 2 seconds in the camera's app or page, and switch smart codecs (H.264+, H.265+, Smart codec) off: they leave key frames out as they please.",
		},
		"E-PULL-QUIET": {
			"Nothing comes over the camera's connection",
			"The camera answers, and the connection is open, but no picture and no sound has come for some seconds. The hub has cut the connection and begins a new one.",
			"Nothing, if it comes back. If it happens often, look at the strength of the camera's Wi-Fi and at its load, and update its firmware.",
		},
		"E-PULL-STUCK": {
			"The camera does not say what it sends",
			"The camera took the connection and did not finish the talk about its streams within half a minute. The hub tries again by itself.",
			"Restart the camera. If it happens again, too many programs may watch it directly: let them watch the hub instead.",
		},
		"E-PULL-PANIC": {
			"The hub stumbled over this camera",
			"What the camera sent met a fault in the hub. It has cost this camera its connection and nobody else anything; the hub tries again by itself.",
			"Save the hub's log, which holds the place, and send it to the maintainers with the make and firmware of the camera.",
		},
		"E-PULL-ENDED": {
			"The camera ended the stream",
			"The camera closed the stream in good order, as it does before a restart. The hub connects again by itself.",
			"Nothing, if it comes back. If it happens each minute, look whether the camera is set to end sessions, or whether another program takes its only place.",
		},
	}
}
