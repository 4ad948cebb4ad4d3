// Package hubtest gives tests a whole real hub in a folder of its own, as a child
// process of the real binary (Start), and what stands around a house: a foreign RTSP
// camera (StartCamera, GStreamer's server), a film of ffmpeg's (StartFilm), and a wire
// that counts logins (NewTap). All of it is on loopback and ends with its test. Read
// hubtest.go, then camera.go.
package hubtest
