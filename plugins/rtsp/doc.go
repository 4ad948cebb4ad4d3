// Package rtsp is the plugin of cameras that any program can show: by RTSP, and by
// JPEGs or MJPEG over HTTP. Of the first it only says where they are and how to log in
// (plugin.go, Source), and the hub pulls them itself, so that their pictures go on when
// this plugin dies. The second it fetches with sdk/httpcam and pushes (cast.go). It rings
// for nobody, never puts a password into a URL or a message, and tries a login that was
// refused again after five minutes at the earliest.
// Read plugin.go first, then settings.go and presets.go.
package rtsp
