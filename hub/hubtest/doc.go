// Package hubtest gives tests a whole real hub in a folder of its own: as a child
// process of the real binary (Start), or in this process with real plugin children
// (InProcess), so that the race detector watches it. Read hubtest.go.
package hubtest
