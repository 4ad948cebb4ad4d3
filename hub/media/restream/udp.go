package restream

import (
	"errors"
	"net"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/restream/outlet"
	"github.com/porchlight-hub/porchlight/hub/media/restream/wire"
)

const (
	// burst is how much goes out at once by UDP, and burstPause the rest after it: a GOP at
	// once would overflow the buffer of 208 KB that a receiver has by default.
	burst      = 32 << 10
	burstPause = 3 * time.Millisecond
)

// sendUDP sends each packet by itself, a large picture in bursts.
func (s *session) sendUDP(parts net.Buffers) error {
	sent := 0
	for _, b := range parts {
		err := wire.Packets(b, func(channel byte, packet []byte) error {
			if sent += len(packet); sent > burst {
				sent = 0
				time.Sleep(burstPause)
			}
			return s.sendPacket(channel, packet)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *session) sendPacket(channel byte, packet []byte) error {
	for _, t := range s.tracks {
		if t.index != int(channel/2) {
			continue
		}
		err := t.ends.Send(channel&1 == 1, packet)
		if errors.Is(err, outlet.ErrUnheard) {
			return s.unheard(channel)
		}
		return err
	}
	return nil
}

// unheard: nobody is at the reader's port. Some never open the one for reports, and the
// one for pictures may open a little later.
func (s *session) unheard(channel byte) error {
	if channel&1 == 0 && s.c.s.o.Now().Sub(s.since) > writeStall {
		return errors.New("nobody is at the reader's port any more")
	}
	return nil
}
