package fault

import (
	"fmt"
	"strings"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Install is what to type where there is no ffmpeg.
const Install = "sudo apt install ffmpeg"

// Fault says why there is no still, or no rendition.
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

// NoFFmpeg is that there is none.
func NoFFmpeg(cause error) *Fault {
	return &Fault{"E-CONV-NO-FFMPEG", "there is no ffmpeg to convert with",
		"install it (Debian, Ubuntu, Raspberry Pi OS: " + Install + "); the hub finds it without a restart", cause}
}

// BadFFmpeg is that it does not run.
func BadFFmpeg(cause error) *Fault {
	return &Fault{"E-CONV-FFMPEG", "ffmpeg does not work",
		"run `ffmpeg -version` as the hub's user, and install it anew if that fails too: " + Install, cause}
}

// BadPicture is of one key frame.
func BadPicture(cause error) *Fault {
	return &Fault{"E-CONV-PICTURE", "the key frame could not be decoded",
		"one such picture does no harm; if all are like this, choose H.264 in the camera's settings", cause}
}

// TooSlow is of one key frame too.
func TooSlow(cause error) *Fault {
	return &Fault{"E-CONV-SLOW", "ffmpeg took too long for a picture",
		"the machine may be too busy; a smaller resolution in the camera helps", cause}
}

// ManyStills is that a still gave way to newer ones.
func ManyStills() *Fault {
	return &Fault{"E-CONV-BUSY", "newer pictures were wanted meanwhile, more than can be made",
		"close a few windows that show this hub's cameras", nil}
}

// Is makes errors.Is(err, av.ErrNotYet) true for what the hub cannot do as it is.
func (f *Fault) Is(target error) bool { return target == av.ErrNotYet && f.NeedsMending() }

// NeedsMending: it will not work at the next attempt either.
func (f *Fault) NeedsMending() bool {
	return f.code == "E-CONV-NO-FFMPEG" || f.code == "E-CONV-NO-ENCODER" || f.code == "E-CONV-CODEC"
}

// NoCodec is that there is no way to what was asked.
func NoCodec(cause error) *Fault {
	return &Fault{"E-CONV-CODEC", "nothing here makes what was asked of what the camera sends",
		"choose H.264 with AAC, Opus or G.711 in the camera's settings, or ask for the stream as it is", cause}
}

// NoEncoder is that this ffmpeg cannot.
func NoEncoder(cause error) *Fault {
	return &Fault{"E-CONV-NO-ENCODER", "this ffmpeg was built without the codec that is needed",
		"install your distribution's own ffmpeg, which has it: " + Install, cause}
}

// ManyFilms is that n pictures are converted.
func ManyFilms(n int) *Fault {
	what := fmt.Sprintf("the pictures of %d cameras are converted already, as many as this machine may at a time", n)
	if n == 1 {
		what = "another camera's picture is converted already, and this machine may convert one at a time"
	}
	return &Fault{"E-CONV-BUSY", what,
		"close another view of a camera whose picture is converted, or let the camera send H.264", nil}
}

// ManyVoices is that the sound of n streams is converted.
func ManyVoices(n int) *Fault {
	return &Fault{"E-CONV-BUSY", fmt.Sprintf("the sound of streams is converted %d times already, and no more is at a time", n),
		"let players and plugins take the sound as the camera sends it, or the same form of it", nil}
}

// Missing reports whether ffmpeg said that it has not got a codec.
func Missing(said string) bool {
	return strings.Contains(said, "Unknown encoder") || strings.Contains(said, "Unknown decoder") || strings.Contains(said, "ncoder not found")
}
