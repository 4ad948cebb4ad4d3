package av

// outbox is a publisher's queue and the policy of what goes when it is full.
type outbox struct {
	items []item
	bytes int
	marks uint64
	// waitKey: the GOP that the video is in was cut, so nothing goes until its next key frame.
	waitKey bool
	// lost tracks get a discontinuity mark on their next unit.
	lost     [256]bool
	hasVideo bool
}

// item is a unit or a description.
type item struct {
	unit  *Unit
	kind  Kind
	track *Track
}

func (q *outbox) track(t Track) {
	q.hasVideo = q.hasVideo || t.Kind == Video
	q.items = append(q.items, item{track: &t})
}

// unit adds u, which the queue owns and may still mark; false: it belongs to a GOP that was cut.
func (q *outbox) unit(u *Unit, k Kind) bool {
	if q.waitKey && u.Track != ImageTrack {
		if k != Video || !u.Key {
			q.lost[u.Track] = true
			return false
		}
		q.waitKey = false
	}
	if q.lost[u.Track] {
		q.lost[u.Track] = false
		u.Discontinuity = true
		q.marks++
	}
	q.items = append(q.items, item{unit: u, kind: k})
	q.bytes += len(u.Data)
	return true
}

// nextSize is the payload of the oldest item; -1: there is none.
func (q *outbox) nextSize() int {
	switch {
	case len(q.items) == 0:
		return -1
	case q.items[0].track != nil:
		return maxConfig
	}
	return len(q.items[0].unit.Data)
}

func (q *outbox) pop() item {
	it := q.items[0]
	q.items[0] = item{}
	if len(q.items) == 1 {
		q.items = q.items[:0] // the array is used again
	} else {
		q.items = q.items[1:]
	}
	if it.unit != nil {
		q.bytes -= len(it.unit.Data)
	}
	return it
}

// drop makes room: it takes the oldest unit that is no key frame, all that follows up to
// the next key frame, and the sound in between. When only key frames are left the oldest
// goes. Descriptions always stay.
func (q *outbox) drop() (units int, gop bool) {
	from := -1
	for i, it := range q.items {
		if it.unit != nil && (it.kind != Video || !it.unit.Key) {
			from = i
			break
		}
	}
	if from < 0 {
		return q.dropOldestKey(), true
	}
	if !q.hasVideo {
		// Sound alone has no GOPs: a quarter of the queue goes.
		return q.cut(from, from+max(1, (len(q.items)-from)/4)), false
	}
	to := from
	for to < len(q.items) {
		if it := q.items[to]; it.unit != nil && it.kind == Video && it.unit.Key {
			break
		}
		to++
	}
	if to == len(q.items) {
		q.waitKey = true
	}
	return q.cut(from, to), true
}

func (q *outbox) dropOldestKey() int {
	for i, it := range q.items {
		if it.unit != nil {
			return q.cut(i, i+1)
		}
	}
	q.items = nil // only descriptions: more than anybody needs
	return 0
}

// cut removes the units of items[from:to] and marks what follows them.
func (q *outbox) cut(from, to int) (units int) {
	kept := q.items[:from:from]
	for _, it := range q.items[from:to] {
		if it.track != nil {
			kept = append(kept, it)
			continue
		}
		units++
		q.bytes -= len(it.unit.Data)
		q.lost[it.unit.Track] = true
	}
	for _, it := range q.items[to:] {
		if it.unit != nil && q.lost[it.unit.Track] {
			q.lost[it.unit.Track] = false
			it.unit.Discontinuity = true
			q.marks++
		}
		kept = append(kept, it)
	}
	q.items = kept
	return units
}
