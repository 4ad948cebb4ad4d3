package doctor

// tlsTexts explains what can be wrong with the certificate of the hub's pages, and with
// the way in from other machines.
func tlsTexts() map[string]Text {
	return map[string]Text{
		"E-TLS-FILES": {
			"The certificate's files cannot be read",
			"hub.tls.mode is files, and one of the two files is not there, may not be read by the user who runs the hub, or is not a certificate and a key in PEM form. The bell and everything else go on; a good certificate that was read before stays in use. Without one no page can be opened by https.",
			"Correct hub.tls.cert and hub.tls.key, or the files. The hub looks again every 15 seconds; porchlight tls renew looks at once.",
		},
		"E-TLS-PAIR": {
			"The key is not the certificate's",
			"The key in hub.tls.key belongs to another certificate than the first one in hub.tls.cert. A pair that was read before stays in use.",
			"In the certificate's file the hub's own certificate stands first, those that signed it below. If the files were just renewed, wait until both are in place.",
		},
		"E-TLS-EXPIRED": {
			"The certificate is not for today",
			"The certificate of the owner's has ended, or has not begun. Browsers warn of it, and apps refuse it.",
			"Renew it where it came from, and put the new files in the place of the old ones: the hub takes them by itself. If the date in the message is right, look at the clock of the hub's machine.",
		},
		"E-TLS-KEY-MODE": {
			"Other users of the machine may read a private key",
			"Who has the key can pass for the hub. The key of the hub's own authority is refused until its mode is right; for the owner's own files this is a warning.",
			"Run the chmod line of the message, as the file's owner.",
		},
		"E-TLS-AUTHORITY": {
			"The hub's certificate authority cannot be used",
			"With hub.tls.mode: local-ca the hub keeps an authority in the folder tls of its data, and devices of the house were told to trust it. A file of it is missing or broken, or it has ended. The hub never replaces it by itself: every device would have to be told again. The bell goes on.",
			"Bring tls/ca.pem and tls/ca.key back from a backup. Or move both away and run porchlight tls renew: the hub makes a new authority, and each phone and computer opens /trust once more.",
		},
		"E-TLS-WRITE": {
			"The certificate cannot be kept",
			"The hub keeps its certificates in the folder tls of its data and could not write there. A certificate that was made anyway is in use until the hub stops.",
			"Look at the folder's owner and mode, and whether the disk is full: porchlight doctor storage.",
		},
		"E-TLS-CLOCK": {
			"The clock says a time that cannot be",
			"The machine's clock stands before this version of Porchlight was made. A certificate authority from then would be over as soon as the clock is right, so none is made yet.",
			"Let the clock be set by the network: sudo timedatectl set-ntp true. The hub looks again by itself.",
		},
		"E-TLS-NAMES": {
			"The certificate is not for all names of the hub",
			"Browsers that open the hub by the named address warn. With local-ca this is on purpose: the hub's authority may vouch only for names and addresses of a house, and for the name that hub.public_url had when it was made, so that nobody who steals its key can pass for other sites.",
			"Open the hub by another of its addresses, which porchlight tls status lists; or get a certificate for that name and use hub.tls.mode: files; or move tls/ca.pem and tls/ca.key away for a new authority that each device must be told of.",
		},
		"E-TLS-OFF": {
			"The pages are not encrypted",
			"There is no certificate to renew: hub.tls.mode is off, and the pages are at http://.",
			"Set hub.tls: {mode: local-ca} in porchlight.yaml and start the hub again.",
		},
		"E-WEB-PASSWORD": {
			"The hub wants a password before others come in",
			"The hub can be reached from other machines, and its owner has chosen no password. Until then a setup link that is opened on another machine leads to the page where one is chosen, and nowhere else. This machine's own browser is not affected.",
			"Open a setup link (porchlight setup-link prints one) and choose a password.",
		},
		"E-CLI-CERT": {
			"The hub's certificate is not known on this machine",
			"The command line asked a hub elsewhere by https, and its certificate is signed by an authority that this machine does not know. A hub with hub.tls.mode: local-ca has an authority of its own.",
			"On the hub's machine run porchlight tls ca -o porchlight-ca.pem, bring the file here, and name it with --ca or PORCHLIGHT_CA.",
		},
	}
}
