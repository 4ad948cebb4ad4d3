//go:build !linux

package socket

import "net"

// checkPeer relies on the directory's mode where the kernel has no SO_PEERCRED.
func checkPeer(*net.UnixConn) error { return nil }
