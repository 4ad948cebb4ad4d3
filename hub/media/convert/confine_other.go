//go:build !linux

package convert

import "os/exec"

// Elsewhere ffmpeg ends by itself when its pipe does.
func confine(*exec.Cmd) {}
func limit(int)         {}
func awaitEnd(int)      {}
func killGroup(int)     {}
