package ask

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/bluenviron/gortsplib/v5/pkg/base"

	"github.com/porchlight-hub/porchlight/hub/media/restream/feed"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Address is what a URL asks for. Programs put a track's name behind the query or before
// it, and a slash behind either.
type Address struct {
	Camera, Stream string
	Track          int // -1: none is named
	query          string
}

// AddressOf reads /camera, /camera/stream and either with a track; Camera is empty where
// it is none of these.
func AddressOf(u *base.URL) Address {
	a := Address{Track: -1}
	path, query := u.Path, u.RawQuery
	if i := strings.LastIndex(query, "/"+feed.Control); i >= 0 {
		query, a.Track = query[:i], number(query[i+1+len(feed.Control):])
	} else if i := strings.LastIndex(path, "/"+feed.Control); i >= 0 {
		path, a.Track = path[:i], number(path[i+1+len(feed.Control):])
	}
	a.query = strings.TrimSuffix(query, "/")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch len(parts) {
	case 1:
		a.Camera, a.Stream = parts[0], "main"
	case 2:
		a.Camera, a.Stream = parts[0], parts[1]
	}
	if a.Stream != "main" && a.Stream != "sub" {
		return Address{Track: -1}
	}
	return a
}

func number(s string) int {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return -1
	}
	return int(n)
}

// Source is what the query makes of the stream: audio and video are none, or a codec.
func (a Address) Source() (feed.Source, error) {
	src := feed.Source{Camera: a.Camera, Stream: a.Stream}
	q, err := url.ParseQuery(a.query)
	if err != nil {
		return src, queryError{"the query cannot be read"}
	}
	switch v := q.Get("audio"); v {
	case "", "copy":
	case "none":
		src.Want.Audio.None = true
	case "opus", "aac", "pcmu", "pcma", "l16":
		src.Want.Audio.Codec = av.Codec(v)
	default:
		return src, queryError{"audio is none, opus, aac, pcmu, pcma or l16"}
	}
	switch v := q.Get("video"); v {
	case "", "copy":
	case "none":
		src.Want.Video.None = true
	case "h264":
		src.Want.Video.Codec = av.H264
	default:
		return src, queryError{"video is none or h264"}
	}
	if src.Want.Audio.None && src.Want.Video.None {
		return src, queryError{"neither picture nor sound is left"}
	}
	return src, nil
}

// queryError says what a query cannot ask for.
type queryError struct{ why string }

func (e queryError) Error() string { return "restream: " + e.why }

// Code and Hint are for people.
func (e queryError) Code() string { return "E-RESTREAM-QUERY" }
func (e queryError) Hint() string {
	return "As rtsp://…/front_door/main?audio=opus, or without a query for the stream as it is."
}
