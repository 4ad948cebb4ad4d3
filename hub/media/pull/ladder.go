package pull

import (
	"math/rand/v2"
	"time"
)

const (
	// good: frames that came for so long begin the ladder anew.
	good = time.Minute
	// loginRest is what most cameras need to forget a wrong password; many lock the
	// account after three to five of them.
	loginRest = 5 * time.Minute
	// loginTime is what a camera needs to say that a password is wrong.
	loginTime = time.Second
	// peerPatience is how long a camera lets another one at the same address find out
	// whether their password is right: one that does not answer shall not hold it up.
	peerPatience = 5 * time.Second
	// addressRest: an address that is none stays so until it is changed.
	addressRest = 5 * time.Minute
	// jitter keeps cameras that failed together from coming back together.
	jitter = 0.2
	// spread is the most that a first dial waits, where it is no doorbell's.
	spread = 200 * time.Millisecond
)

// rung is the wait after so many failures in a row, the first of them 0, without jitter.
func rung(failures int) time.Duration {
	ladder := [...]time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second,
		8 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}
	return ladder[min(max(failures, 0), len(ladder)-1)]
}

// wait is a rung 20 % longer or shorter.
func wait(failures int) time.Duration {
	return time.Duration(float64(rung(failures)) * (1 - jitter + 2*jitter*rand.Float64()))
}

// Watchdog.
const (
	// keyLeast is the least that a key frame is awaited, and quiet the most that no unit
	// at all may come.
	keyLeast = 10 * time.Second
	quiet    = 10 * time.Second
	// keyUnknown is how long one is awaited while the camera's interval is not known, at
	// first; it doubles with each connection that had none, up to keyMost. Cameras that
	// save bits send one in a minute or less often.
	keyUnknown = 2 * time.Minute
	keyMost    = 16 * time.Minute
	// dialLimit: a connection that has described no tracks until then has failed.
	dialLimit = 30 * time.Second
)
