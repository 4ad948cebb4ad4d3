// Package bus hands events from those who publish to those who take, and keeps a
// journal beside it.
//
// It promises:
//   - Fan-out first: an event reaches the live takers before it is on the disk, and
//     nobody waits for the disk to hear a ring. A publisher is told Durable when the
//     event is in the journal (a ring: synced), or AcceptedNotDurable at once while
//     the journal cannot be written; such events are kept in memory, the newest
//     10,000 of a lane, and written when there is room.
//   - At least once: an event is handed to a taker with a name until it is
//     acknowledged; after a Nack, or without an answer within AckWait (a handler that
//     is still running is normal), again after 1, 5 and 30 s, then it is logged and
//     counted as given up. A cursor moves only to the highest event below which all
//     are acknowledged and in the journal, and lives in the journal under the
//     taker's name.
//   - Nothing that may have sounded sounds again: a delivery is marked as a replay
//     when it was handed out before, comes from the journal, or has an id made
//     before this run of the hub (an earlier one may have died between handing out
//     and writing).
//   - Order per camera and class, for what is handed over the first time.
//   - An id is delivered once, and presses of one camera within its debounce once.
//   - A taker that falls behind (1,000 rings, 256 others) is cut off and reads on
//     from the journal, with neither gap nor double. It hurts nobody else, and its
//     rings do not wait behind its other events: each lane has its own queue.
//   - State: only the latest value of a subject counts. Debug: dropped when slow,
//     numbered 0, never journalled and not to be acknowledged.
//
// It never checks permissions (hub/host does), and it changes no event after it was
// numbered. Joining several hubs is one more taker and one more publisher: a taker
// with a cursor of its own sends what the journal holds to the other bus, and what
// comes from there is published here; nothing in this package would change.
//
// Read bus.go first, then loop.go (one event's way), lane.go and writer.go.
package bus
