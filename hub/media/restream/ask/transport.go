package ask

import (
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"
)

// Transport is how a reader wants a track.
type Transport struct {
	UDP     bool
	Channel int    // of TCP; -1: any
	Ports   [2]int // of UDP
}

// TransportOf takes the first that the server has (RFC 2326 12.39). The address is
// always that of the connection: nobody lets pictures be sent to somebody else.
func TransportOf(req *base.Request) (Transport, bool) {
	var all headers.Transports
	if all.Unmarshal(req.Header["Transport"]) != nil {
		return Transport{}, false
	}
	for _, t := range all {
		multicast := t.Delivery != nil && *t.Delivery == headers.TransportDeliveryMulticast
		if t.Profile != headers.TransportProfileAVP || multicast || t.Mode != nil && *t.Mode != headers.TransportModePlay {
			continue
		}
		switch {
		case t.Protocol == headers.TransportProtocolTCP && t.InterleavedIDs == nil:
			return Transport{Channel: -1}, true
		case t.Protocol == headers.TransportProtocolTCP && t.InterleavedIDs[0] >= 0 && t.InterleavedIDs[0] < 255:
			return Transport{Channel: t.InterleavedIDs[0]}, true
		case t.Protocol == headers.TransportProtocolUDP && t.ClientPorts != nil && isPort(t.ClientPorts[0]) && isPort(t.ClientPorts[1]):
			return Transport{UDP: true, Ports: *t.ClientPorts}, true
		}
	}
	return Transport{}, false
}

func isPort(n int) bool { return n > 0 && n <= 0xffff }
