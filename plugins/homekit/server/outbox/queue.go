package outbox

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/porchlight-hub/porchlight/plugins/homekit/server/frame"
)

// ID is a characteristic's two numbers.
type ID struct{ AID, IID uint64 }

// Change is a characteristic's new value, as JSON.
type Change struct {
	ID
	Value json.RawMessage
}

// Press is a message that is neither merged nor dropped.
type Press struct {
	Message []byte // whole, as EventMessage makes it; shared between peers, never written to
	// Claim is asked right before the bytes are written; false: they are not. Nil: always.
	Claim func() bool
	// Wrote is called by the writer: after the bytes were handed to the network, or with the
	// reason why they were not. May be nil.
	Wrote func(error)
}

func (p *Press) tell(err error) {
	if p.Wrote != nil {
		p.Wrote(err)
	}
}

// answer is a response on its way, and what holds from the next byte on.
type answer struct {
	message []byte
	then    *frame.Sealer
	mark    uint64
	done    chan error // 1: the writer never waits for who asked
}

// queue is what waits; its owner locks it.
type queue struct {
	presses []Press
	changes map[ID]json.RawMessage
	ids     []ID   // of changes, first come first
	order   uint64 // counts changes: the newest one's number
	answer  *answer
	held    bool // the next answer goes before all that comes now
}

func (q *queue) change(c Change) {
	if _, ok := q.changes[c.ID]; !ok {
		q.ids = append(q.ids, c.ID)
	}
	q.changes[c.ID] = c.Value
	q.order++
}

// next takes out what is to be written now. An answer goes before changes that came after
// it was worked out, else a peer that reads both in turn would end with the older value.
func (q *queue) next() (p *Press, a *answer, events []byte) {
	switch {
	case q.held && q.answer == nil:
		return nil, nil, nil
	case len(q.presses) > 0 && !q.held:
		p := q.presses[0]
		q.presses[0] = Press{}
		q.presses = q.presses[1:]
		return &p, nil, nil
	case q.answer != nil && (len(q.ids) == 0 || q.order > q.answer.mark):
		a, q.answer, q.held = q.answer, nil, false
		return nil, a, nil
	case len(q.ids) > 0:
		all := make([]Change, 0, len(q.ids))
		for _, id := range q.ids {
			all = append(all, Change{id, q.changes[id]})
		}
		clear(q.changes)
		q.ids = q.ids[:0]
		return nil, nil, EventMessage(all...)
	}
	return nil, nil, nil
}

// EventMessage is the notification of changes (HAP 6.8).
func EventMessage(changes ...Change) []byte {
	var body bytes.Buffer
	body.WriteString(`{"characteristics":[`)
	for i, c := range changes {
		if i > 0 {
			body.WriteByte(',')
		}
		body.WriteString(`{"aid":` + strconv.FormatUint(c.AID, 10) + `,"iid":` + strconv.FormatUint(c.IID, 10) + `,"value":`)
		body.Write(c.Value)
		body.WriteByte('}')
	}
	body.WriteString(`]}`)
	m := make([]byte, 0, 96+body.Len())
	m = append(m, "EVENT/1.0 200 OK\r\nContent-Type: application/hap+json\r\nContent-Length: "...)
	m = strconv.AppendInt(m, int64(body.Len()), 10)
	m = append(m, "\r\n\r\n"...)
	return append(m, body.Bytes()...)
}
