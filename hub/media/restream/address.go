package restream

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/bluenviron/gortsplib/v5/pkg/base"

	"github.com/porchlight-hub/porchlight/hub/media/restream/feed"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// address is what a URL asks for. Programs put a track's name behind the query or before
// it, and a slash behind either.
type address struct {
	camera, stream string
	query          string
	track          int // -1: none is named
}

// addressOf reads /camera, /camera/stream and either with a track; camera is empty where
// it is none of these.
func addressOf(u *base.URL) address {
	a := address{track: -1}
	path, query := u.Path, u.RawQuery
	if i := strings.LastIndex(query, "/"+feed.Control); i >= 0 {
		query, a.track = query[:i], number(query[i+1+len(feed.Control):])
	} else if i := strings.LastIndex(path, "/"+feed.Control); i >= 0 {
		path, a.track = path[:i], number(path[i+1+len(feed.Control):])
	}
	a.query = strings.TrimSuffix(query, "/")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch len(parts) {
	case 1:
		a.camera, a.stream = parts[0], "main"
	case 2:
		a.camera, a.stream = parts[0], parts[1]
	}
	if a.stream != "main" && a.stream != "sub" {
		return address{track: -1}
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

// source is what the query makes of the stream: audio and video are none, or a codec.
func (a address) source() (feed.Source, error) {
	src := feed.Source{Camera: a.camera, Stream: a.stream}
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
