package part

import "time"

// Ways of watching, as a View names them.
const (
	RTSP    = "rtsp"     // interleaved in its connection
	RTSPUDP = "rtsp-udp" // packets beside it
	MSE     = "mse"      // fragments over a WebSocket
	MP4     = "mp4"      // the same over plain HTTP
	WebRTC  = "webrtc"   // WHEP
)

// View is one viewer without a decoder.
type View struct {
	Way            string            `json:"way"`
	URL            string            `json:"url"`
	User, Password string            `json:",omitempty"`
	Header         map[string]string `json:"header,omitempty"`
	Hello          string            `json:"hello,omitempty"` // mse: what the page says first
	Hasty          bool              `json:"hasty,omitempty"` // webrtc: it looks as often as a browser whether it is connected
}

// Watch is an order to the watching process. Each has one answer, in turn.
type Watch struct {
	Op    string `json:"op"` // open: answers when each has shown a key frame; mark: counts from here on; tell; leave: all of them
	Views []View `json:"views,omitempty"`
}

// Seen is what all open views saw since the last mark.
type Seen struct {
	First    []time.Duration `json:"first,omitempty"` // open: from the dial to the whole key frame, in their order
	Views    int             `json:"views"`
	Pictures int             `json:"pictures"`
	Gaps     int             `json:"gaps"` // places where pictures were missing
	Lost     int             `json:"lost"` // RTP packets that were missing
	Bytes    int64           `json:"bytes"`
	P50      time.Duration   `json:"p50"` // of each picture's way from the camera's socket
	P99      time.Duration   `json:"p99"`
	Max      time.Duration   `json:"max"`
	Err      string          `json:"err,omitempty"`
}
