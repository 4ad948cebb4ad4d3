//go:build !linux

package rtpout

// segment is of Linux.
func (l *line) segment() bool {
	l.plain = true
	return false
}
