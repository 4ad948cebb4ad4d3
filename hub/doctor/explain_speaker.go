package doctor

// speakerTexts explains what can be wrong with a chime on the loudspeaker.
func speakerTexts() map[string]Text {
	return map[string]Text{
		"E-SPK-FILE": {
			"A chime's sound file cannot be used",
			"The file named as sound is missing, may not be read by the hub's user, is larger than 10 MiB or longer than 30 s, or is no WAV, Ogg Vorbis or MP3. Until it is mended ding_dong sounds in its place.",
			"Write the whole path, beginning with /, check that the file opens in a player, and cut or convert it where it is too long. Saving the configuration again reads the file again.",
		},
		"E-SPK-SOUND": {
			"A chime names a sound that does not exist",
			"The name is none of the built-in sounds and does not look like the path of a file either.",
			"Use one of ding_dong, westminster, chirp, gong, knock, doorbell_classic and marimba, or the whole path of a WAV, OGG or MP3 file.",
		},
	}
}
