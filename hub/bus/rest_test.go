package bus

import (
	"path/filepath"
	"testing"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

// What nobody waits for rests a moment before it is written; rings that come all the
// time do not put it off for ever, and one who waits has it written at once with his own.
func TestWhatNobodyWaitsForIsWrittenToo(t *testing.T) {
	b, _ := open(t, Options{Journal: filepath.Join(t.TempDir(), "journal.db")})
	hand := func() {
		t.Helper()
		if err := b.Publish(t.Context(), motion("front_door"), nil); err != nil {
			t.Fatal(err)
		}
	}
	hand()
	for rings := uint64(0); b.Stats().Durable == rings; rings++ {
		publish(t, b, ring("front_door"), event.Durable)
	}
	hand()
	publish(t, b, motion("front_door"), event.Durable)
	if s := b.Stats(); s.NotDurable != 0 {
		t.Errorf("%d are not written", s.NotDurable)
	}
}
