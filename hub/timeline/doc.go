// Package timeline answers what happened: the events of the house, and for each
// the trace of all that followed from it, hop by hop. It reads the bus's journal
// and keeps nothing of its own, so a trace is complete for whatever the journal
// holds, also after a crash. Read timeline.go.
package timeline
