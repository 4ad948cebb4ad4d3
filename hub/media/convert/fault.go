package convert

// Install is what to type where there is no ffmpeg.
const Install = "sudo apt install ffmpeg"

// Fault says why there is no still.
type Fault struct {
	code, what, hint string
	cause            error
}

func (f *Fault) Error() string {
	if f.cause == nil {
		return "convert: " + f.what
	}
	return "convert: " + f.what + ": " + f.cause.Error()
}

func (f *Fault) Unwrap() error { return f.cause }

// Code and Hint are for people.
func (f *Fault) Code() string { return f.code }

// Hint says how to mend it.
func (f *Fault) Hint() string { return f.hint }

func noFFmpeg(cause error) *Fault {
	return &Fault{"E-CONV-NO-FFMPEG", "there is no ffmpeg to make pictures of video",
		"install it (Debian, Ubuntu, Raspberry Pi OS: " + Install + "); the hub finds it without a restart", cause}
}

func badFFmpeg(cause error) *Fault {
	return &Fault{"E-CONV-FFMPEG", "ffmpeg does not work",
		"run `ffmpeg -version` as the hub's user, and install it anew if that fails too: " + Install, cause}
}

func badPicture(cause error) *Fault {
	return &Fault{"E-CONV-PICTURE", "the key frame could not be decoded",
		"one such picture does no harm; if all are like this, choose H.264 in the camera's settings", cause}
}

func tooSlow(cause error) *Fault {
	return &Fault{"E-CONV-SLOW", "ffmpeg took too long for a picture",
		"the machine may be too busy; a smaller resolution in the camera helps", cause}
}

func busy() *Fault {
	return &Fault{"E-CONV-BUSY", "newer pictures were wanted meanwhile, more than can be made",
		"close a few windows that show this hub's cameras", nil}
}
