// Command speaker (porchlight-speaker) is the chime that sounds through the
// computer's own loudspeaker. It is a program of its own because sound output
// needs cgo, which the hub does without. It promises that two rings never overlap,
// that whatever does not sound is answered with the reason, and that a missing
// card is a warning which mends itself. It never rings for a replay.
//
// One process is the plugin; a second, the sink, holds the sound device and is
// started anew when the card or the sound server goes away and comes back, which
// no sound library survives by itself. Read plugin.go first, then queue.go (who
// waits for whom) and device.go (the sink's life).
package main
