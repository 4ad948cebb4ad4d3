// Package about holds the speaker's manifest apart from the speaker, which is a
// program of its own: so the hub can check the chimes of a config where that
// program was not built. It plays nothing.
package about
