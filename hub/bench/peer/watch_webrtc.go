package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

// webrtc watches by WHEP as a browser does: its own connection, reports and requests
// for what was lost, all by loopback.
func (v *view) webrtc(ctx context.Context, want part.View) error {
	pc, done, err := peerConnection(want.Hasty)
	if err != nil {
		return err
	}
	defer done()
	tracks := make(chan *webrtc.TrackRemote, 1) // the picture; nothing else was asked for
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		select {
		case tracks <- t:
		default:
		}
	})
	failed := make(chan struct{}, 1) // one word
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateFailed {
			select {
			case failed <- struct{}{}:
			default:
			}
		}
	})
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		return err
	}
	if err := v.whep(ctx, pc, want); err != nil {
		return err
	}
	var track *webrtc.TrackRemote
	select {
	case track = <-tracks:
	case <-failed:
		return errors.New("no connection")
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(patience):
		return errors.New("no picture")
	}
	stop := context.AfterFunc(ctx, func() { _ = track.SetReadDeadline(time.Unix(1, 0)) }) // it ends
	defer stop()
	g, b := &gathering{v: v}, make([]byte, 2048)
	for {
		n, _, err := track.Read(b)
		if err != nil {
			return err
		}
		if err := g.packet(b[:n]); err != nil {
			return err
		}
	}
}

// peerConnection has one socket on loopback; done closes both.
func peerConnection(hasty bool) (pc *webrtc.PeerConnection, done func(), err error) {
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, nil, err
	}
	_ = udp.SetReadBuffer(receive) // as much as the machine allows
	var s webrtc.SettingEngine
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: udp})
	s.SetICEUDPMux(mux)
	s.SetIncludeLoopbackCandidate(true)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	if hasty {
		// The least of these is how often pion looks at a connection that is being made: 200 ms
		// by default, against 48 ms in Chromium. It asks as often when it is made, so this is
		// not for who stays.
		s.SetICETimeouts(48*time.Millisecond, patience, 2*time.Second)
	}
	pc, err = webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		mux.Close()
		udp.Close()
		return nil, nil, err
	}
	return pc, func() { pc.Close(); mux.Close(); udp.Close() }, nil
}

func (v *view) whep(ctx context.Context, pc *webrtc.PeerConnection, want part.View) error {
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		return err
	}
	<-gathered
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, want.URL, bytes.NewReader([]byte(pc.LocalDescription().SDP)))
	if err != nil {
		return err
	}
	req.Header = v.header(want)
	req.Header.Set("Content-Type", "application/sdp")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusCreated && res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s: %s", res.Status, answer)
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)}); err != nil {
		return fmt.Errorf("%w; the answer:\n%s", err, answer)
	}
	return nil
}
