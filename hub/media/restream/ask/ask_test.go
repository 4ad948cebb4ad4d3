package ask

import (
	"testing"

	"github.com/bluenviron/gortsplib/v5/pkg/base"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

func TestAddress(t *testing.T) {
	for url, want := range map[string]Address{
		"rtsp://h/front":                                   {Camera: "front", Stream: "main", Track: -1},
		"rtsp://h/front/":                                  {Camera: "front", Stream: "main", Track: -1},
		"rtsp://h/front/sub":                               {Camera: "front", Stream: "sub", Track: -1},
		"rtsp://h:8554/front/main/trackID=1":               {Camera: "front", Stream: "main", Track: 1},
		"rtsp://h/front/trackID=0":                         {Camera: "front", Stream: "main", Track: 0},
		"rtsp://h/front/main?audio=none/trackID=2":         {Camera: "front", Stream: "main", Track: 2, query: "audio=none"},
		"rtsp://h/front/main/trackID=2?audio=none":         {Camera: "front", Stream: "main", Track: 2, query: "audio=none"},
		"rtsp://h/front/main?audio=none/":                  {Camera: "front", Stream: "main", Track: -1, query: "audio=none"},
		"rtsp://h/front/main/trackID=99999999999999999999": {Camera: "front", Stream: "main", Track: -1},
		"rtsp://h/":               {Stream: "main", Track: -1},
		"rtsp://h":                {Stream: "main", Track: -1},
		"rtsp://h/front/other":    {Track: -1},
		"rtsp://h/a/main/b":       {Track: -1},
		"rtsp://h/%2e%2e/etc/sub": {Track: -1},
	} {
		u, err := base.ParseURL(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := AddressOf(u); got != want {
			t.Errorf("%s: %+v, want %+v", url, got, want)
		}
	}
}

func TestTransport(t *testing.T) {
	for header, want := range map[string]Transport{
		"RTP/AVP/TCP;unicast;interleaved=0-1":                            {Channel: 0},
		"RTP/AVP/TCP":                                                    {Channel: -1},
		"RTP/AVP;unicast;client_port=5000-5001":                          {UDP: true, Ports: [2]int{5000, 5001}},
		"RTP/AVP/UDP;unicast;client_port=5000":                           {UDP: true, Ports: [2]int{5000, 5001}},
		"RTP/AVP;multicast,RTP/AVP;unicast;client_port=8-9":              {UDP: true, Ports: [2]int{8, 9}},
		"RTP/AVP;unicast;destination=192.0.2.1;client_port=5000-5001":    {UDP: true, Ports: [2]int{5000, 5001}},
		"RTP/SAVP;unicast;client_port=5-6,RTP/AVP/TCP;interleaved=10-11": {Channel: 10},
	} {
		got, ok := TransportOf(&base.Request{Header: base.Header{"Transport": {header}}})
		if !ok || got != want {
			t.Errorf("%s: %+v %v, want %+v", header, got, ok, want)
		}
	}
	for _, header := range []string{
		"", "RTP/AVP", "RTP/AVP;multicast", "RTP/SAVP;client_port=5-6", "RTP/AVP;unicast;client_port=0-1", "RTP/AVP;unicast;client_port=70000-70001",
		"RTP/AVP/TCP;interleaved=255-256", "RTP/AVP/TCP;interleaved=0-1;mode=record", "x",
	} {
		if got, ok := TransportOf(&base.Request{Header: base.Header{"Transport": {header}}}); ok {
			t.Errorf("%q: %+v", header, got)
		}
	}
}

// Whatever a request says, it is understood as one of ours or not at all.
func FuzzAsk(f *testing.F) {
	f.Add("rtsp://h/front/main?audio=opus/trackID=1", "RTP/AVP/TCP;interleaved=0-1")
	f.Add("rtsp://h/front/main/trackID=1?video=none", "RTP/AVP;unicast;client_port=1-2")
	f.Fuzz(func(t *testing.T, url, header string) {
		if tr, ok := TransportOf(&base.Request{Header: base.Header{"Transport": {header}}}); ok {
			if tr.UDP && (tr.Ports[0] <= 0 || tr.Ports[1] > 0xffff) || !tr.UDP && (tr.Channel < -1 || tr.Channel > 254) {
				t.Errorf("%q: %+v", header, tr)
			}
		}
		u, err := base.ParseURL(url)
		if err != nil {
			return
		}
		a := AddressOf(u)
		if a.Camera != "" && a.Stream != "main" && a.Stream != "sub" || a.Track < -1 {
			t.Errorf("%q: %+v", url, a)
		}
		if src, err := a.Source(); err == nil && src.Want.Video.Codec != "" && src.Want.Video.Codec != av.H264 {
			t.Errorf("%q: %+v", url, src)
		}
	})
}
