package doctor

// webTexts explains what the web server, the API, the logins and the command line's
// way to them can answer.
func webTexts() map[string]Text {
	return map[string]Text{
		"E-WEB-PORT-TAKEN": {
			"The port is taken",
			"Another program listens on the address of hub.listen already. Where the system tells who, its name and process id stand in the message; often it is a hub that runs still.",
			"Stop that program, or give the hub another port: listen: 127.0.0.1:8481 in the hub section, or PORCHLIGHT_LISTEN.",
		},
		"E-WEB-NOT-LOOPBACK": {
			"The hub may listen on this machine only",
			"Without TLS passwords and pictures would travel in clear. The hub therefore refuses every address but loopback, unless hub.tls is set or you say that you accept this.",
			"Set hub.tls: {mode: local-ca}, and let the page /trust show each phone and computer how to take the hub's certificate. Or listen on 127.0.0.1:8480, or set hub.insecure: true if you trust everybody on your network.",
		},
		"E-WEB-LISTEN": {
			"The hub cannot listen on this address",
			"The address is not one of this machine, or the port needs a privilege that the hub does not have.",
			"Set hub.listen to an address of this machine and a port above 1023, as 127.0.0.1:8480.",
		},
		"E-WEB-HOST": {
			"The hub does not answer to this name",
			"The browser asked for the hub by a name that the hub does not know. A page of another site could make its own name lead to your hub, so only loopback names, the address of hub.listen, the name in hub.public_url and the names in the hub's certificate are answered.",
			"Open the hub by the address that it printed at its start, or set hub.public_url to the name you use.",
		},
		"E-WEB-CROSS-SITE": {
			"A page of another site sent this",
			"The browser said that a page which is not the hub's made this request. The hub does not act on such requests, so that no other page can ring, mute or change anything in your name.",
			"Use the hub's own pages. A program that is no browser sends neither Origin nor Sec-Fetch-Site and is not affected.",
		},
		"E-WEB-RATE": {
			"Too many requests",
			"Somebody who is not signed in asked more than 20 times a second for a while from one address.",
			"Wait a moment, then sign in.",
		},
		"E-WEB-PEER": {
			"The admin socket is not for this process",
			"The command line reaches the hub by a socket in the data folder. It answers to processes of the user who runs the hub, and to none that a plugin started.",
			"Run the command as the user who runs the hub: sudo -u USER porchlight …",
		},
		"E-WEB-NOT-FOUND": {
			"There is no such page",
			"The address leads to no page of this hub, or to a camera, event or plugin that it does not know any more.",
			"Go on from the home page. Old events leave the journal after its time of retention.",
		},
		"E-WEB-CHIME-SILENT": {
			"The chime did not sound",
			"The chime was asked for a test and answered that it did not play, with the reason given in the message.",
			"For the browser chime, keep a page open and turn its sound on. For the speaker, look at its plugin's state and log.",
		},
		"E-CLI-NOT-RUNNING": {
			"No hub runs on this data folder",
			"The command asks a running hub, and none answered at the socket in the data folder.",
			"Start the hub with porchlight run. If it runs with another config, name that with --config so that the right data folder is found.",
		},
		"E-ACCESS-LOGIN": {
			"Nobody is signed in",
			"Everything but the login page needs a session, and this request had none, or one that has ended. A session ends 90 days after its last use, at a password change elsewhere, and when the owner is reset.",
			"Sign in, or run porchlight setup-link on the hub's machine for a link that signs you in.",
		},
		"E-ACCESS-WRONG": {
			"The name or the password is wrong",
			"Which of the two is not said, so that nobody learns names by guessing. While no password was chosen, none is right.",
			"Run porchlight setup-link on the hub's machine and choose a password; if it is lost, porchlight setup-link --reset-owner.",
		},
		"E-ACCESS-WAIT": {
			"Too many tries",
			"After five wrong tries from one address the hub makes the next one wait: 30 seconds first, twice as long each further time, a quarter of an hour at most.",
			"Wait as long as the message says. The command line on the hub's machine is not affected: porchlight setup-link lets you in at once.",
		},
		"E-ACCESS-LINK": {
			"This setup link works no more",
			"A setup link signs in the first who opens it, within 30 minutes. It was opened already, is older, or a reset of the owner ended it.",
			"Run porchlight setup-link on the hub's machine for a new one.",
		},
		"E-ACCESS-WEAK": {
			"The password is too easy to guess",
			"It has fewer than 8 characters, or is one character over and over. There are no rules about kinds of characters.",
			"Choose a sentence of a few words, or let a password manager make one.",
		},
		"E-ACCESS-FORBIDDEN": {
			"Your role does not allow this",
			"The owner may everything, an admin all but what concerns the owner, a member may watch, talk and mute, a guest only what was shared.",
			"Ask the owner of the hub.",
		},
		"E-API-NOT-FOUND": {
			"There is no such thing",
			"The camera, event, plugin, chime, code or route is not known. Ids are those of the config, not the names that are shown; old events leave the journal after its time of retention.",
			"Look at the list: porchlight events ls, porchlight plugins ls, or the config.",
		},
		"E-API-METHOD": {
			"This cannot be done here",
			"The route exists, but not with this method, as when something that wants POST is asked with GET.",
			"The Allow header of the answer lists what is possible.",
		},
		"E-API-INVALID": {
			"The request is not understood",
			"A value is missing, of another kind than expected or out of its bounds. The answer lists each with its place.",
			"Mend the places listed under errors and send it again.",
		},
		"E-API-TOO-LARGE": {
			"The request is too large",
			"A body of more than 64 KiB is refused, and of more than 1 MiB where a config is checked.",
			"Send less. Pictures and sounds are never sent this way.",
		},
		"E-API-ACTION": {
			"A plugin did not do what it was asked",
			"The plugin answered that it could not, and said why; or it answered something that is not JSON.",
			"The message is the plugin's own. Its log may say more: porchlight plugins logs NAME.",
		},
		"E-API-TIMEOUT": {
			"No answer in time",
			"The part of the hub that was asked, often a plugin, did not answer within its time. Whether it did what was asked is not known.",
			"Look at the plugin's state and log: porchlight plugins ls, porchlight plugins logs NAME.",
		},
		"E-API-STOPPING": {
			"The hub is stopping",
			"The request was given up because the hub stops, or because whoever asked went away.",
			"Ask again when the hub runs.",
		},
		"E-API-INTERNAL": {
			"The hub could not do this",
			"Something went wrong that the hub has no word for. Its cause is in the hub's log and not in the answer, since it may hold what is not for everybody.",
			"Look into the hub's log at this time. If the disk is not full and nothing else explains it, it is a bug: please report it with those lines.",
		},
		"E-API-NOT-YET": {
			"This hub has no such part",
			"The route exists, but what it would ask was not built into this hub or is not started.",
			"Run a newer Porchlight, or do without it.",
		},
		"E-API-BUTTON": {
			"A bare button has no source",
			"The camera's entry has neither plugin nor source, so there is nothing to connect to: it is rung by its hook, and that is all it does.",
			"Ring it by the address on its page, or give it a plugin or a source in the config.",
		},
		"E-HOOK-UNKNOWN": {
			"There is no such hook",
			"The address that was posted to ends in a token that belongs to no camera: it was copied in part, it was renewed since, or the camera left the config. Which of these is not said, so that nobody learns anything by trying.",
			"Copy the address anew from the camera's page. A camera that comes back into the config has the address that it had.",
		},
		"E-HOOK-METHOD": {
			"A hook is rung by POST",
			"The address of a hook was opened as a page is. Browsers, chats and mail programs look at addresses by themselves, and none of that shall ring the house.",
			"Send a POST, for example curl -X POST followed by the address; in a relay's settings choose POST as the method.",
		},
		"E-TOKEN-WRONG": {
			"The token is not known",
			"The request bears a token that this hub did not make, or that was revoked. A token is shown once, when it is made; it begins with plt_.",
			"Look at porchlight tokens ls, and make a new one with porchlight tokens new.",
		},
		"E-TOKEN-EXPIRED": {
			"The token has expired",
			"It was made with an end, and that is over. It works no more, for anything.",
			"Make a new one with porchlight tokens new; without --expires it has no end.",
		},
		"E-TOKEN-SCOPE": {
			"The token may not do this",
			"A token does only what its scopes say: view sees, talk speaks, control rings and mutes, config reads the config, admin does all. The answer names the scope that was missing.",
			"Make a token with that scope: porchlight tokens new NAME --scope view,control.",
		},
		"E-TOKEN-CAMERAS": {
			"The token is for some cameras only",
			"It was made with a list of cameras, and reaches those, their events and pictures. What was asked is about the whole house.",
			"Make a token without --camera.",
		},
		"E-TOKEN-PERSON": {
			"This is not for tokens",
			"Pages, passwords and the making of tokens are for a person who is signed in, so that a stolen token cannot leave another behind or lock its owner out.",
			"Use the hub's pages, or the command line on its machine.",
		},
		"E-TOKEN-INVALID": {
			"The token cannot be made so",
			"A token needs a name and at least one of the scopes view, talk, control, config and admin; its end must lie ahead; config and admin are about the whole house and cannot be for some cameras only.",
			"The message names what is wrong. An example: porchlight tokens new \"kitchen tablet\" --scope view,control --expires 90d.",
		},
		"E-TOKEN-FULL": {
			"There are too many tokens",
			"A house has at most 100. None is forgotten by itself, since something may depend on it.",
			"porchlight tokens ls shows when each was used last; porchlight tokens revoke ends those that nothing uses.",
		},
		"E-API-STREAMS-FULL": {
			"Too many live streams are open",
			"Every browser holds one stream of what happens, however many tabs it has; 32 are served at once.",
			"Close a few browser windows or running porchlight events tail.",
		},
	}
}
