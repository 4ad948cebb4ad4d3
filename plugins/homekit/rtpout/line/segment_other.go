//go:build !linux

package line

// segment is of Linux.
func (l *Line) segment() bool {
	l.plain = true
	return false
}
