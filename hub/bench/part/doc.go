// Package part is the measuring half inside each process of the bench: it obeys the
// bench over a Unix socket (presses, loads, floods) and notes when what came. It
// costs nothing while it is not asked. Read part.go, then work.go.
package part
