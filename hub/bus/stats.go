package bus

// counts of a run, guarded by Bus.mu.
type counts struct {
	published, durable, duplicates, letGo, refused uint64
}

// Stats of the bus since it was opened.
type Stats struct {
	Published  uint64 // taken and handed out
	Durable    uint64 // written to the journal
	Duplicates uint64
	// LetGo were never written: there were too many while the disk was full.
	LetGo   uint64
	Refused uint64 // states of too many subjects
	// NotDurable are delivered and not in the journal yet.
	NotDurable int
	DiskFull   bool
	Journal    JournalState
	LastSeq    uint64
	Takers     []TakerStats
}

// TakerStats of one subscription.
type TakerStats struct {
	Name             string
	Filters          []string
	Critical, Normal LaneStats
}

// LaneStats of one lane.
type LaneStats struct {
	Queued    int // not handed out yet; of a lane that reads on, what was read
	Open      int // handed out, not acknowledged
	Live      bool
	Delivered uint64
	CutOffs   uint64
	GaveUp    uint64
	Skipped   uint64 // debug, or of a tap
	Acked     uint64
	Cursor    uint64 // in the journal
}

// Stats of the bus now.
func (b *Bus) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Stats{
		Published: b.count.published, Durable: b.count.durable, Duplicates: b.count.duplicates,
		LetGo: b.count.letGo, Refused: b.count.refused,
		DiskFull: b.trouble.Full, Journal: b.trouble, LastSeq: b.seq,
	}
	for i := range b.tails {
		s.NotDurable += len(b.tails[i].pending())
	}
	for sub := range b.subs {
		s.Takers = append(s.Takers, sub.Stats())
	}
	return s
}

// Stats of this subscription.
func (s *Subscription) Stats() TakerStats {
	return TakerStats{Name: s.opts.Name, Filters: s.opts.Filters, Critical: s.lanes[critical].stats(), Normal: s.lanes[normal].stats()}
}

func (l *Lane) stats() LaneStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return LaneStats{
		Queued: l.queue.len() + len(l.staged), Open: l.open, Live: l.live, Delivered: l.delivered, CutOffs: l.cutOffs,
		GaveUp: l.gaveUp, Skipped: l.skipped, Acked: l.acked, Cursor: l.saved,
	}
}
