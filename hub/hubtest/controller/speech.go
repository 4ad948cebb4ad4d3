package controller

import (
	"math"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/receive"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/srtp"
	"github.com/porchlight-hub/porchlight/hub/media/sound"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// piece of speech in one packet.
const piece = 20 * time.Millisecond

// Speak sends a tone of half the full scale until Hush or Close; 0 Hz is silence.
func (s *Stream) Speak(hz float64) error {
	s.Hush()
	enc, err := sound.NewEncoder(1, av.AudioRendition{Codec: av.Opus, SampleRate: s.wish.SoundRate, Kbps: 32}, s.wish.SoundRate)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	s.speech = stop
	s.speaking.Go(func() { s.speak(enc, hz, stop) })
	return nil
}

func (s *Stream) speak(enc *sound.Encoder, hz float64, stop chan struct{}) {
	tick := time.NewTicker(piece)
	defer tick.Stop()
	pcm := make([]int16, enc.Frame())
	for n := 0; ; n++ {
		for i := range pcm {
			pcm[i] = int16(16384 * math.Sin(2*math.Pi*hz*float64(n*len(pcm)+i)/float64(enc.Rate())))
		}
		data, err := enc.Encode(pcm)
		if err != nil {
			return
		}
		p := srtp.Packet{Type: receive.Sound, Marker: n == 0, Seq: s.spoken, Timestamp: uint32(s.spoken) * uint32(len(pcm)), SSRC: s.sound.SSRC, Payload: data}
		s.spoken++
		if s.sound.SendRTP(p) != nil {
			return // the socket is closed
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

// Hush ends what Speak began.
func (s *Stream) Hush() {
	if s.speech != nil {
		close(s.speech)
		s.speech = nil
	}
	s.speaking.Wait()
}
