package part

import (
	"slices"
	"testing"
)

func TestStampsAreFoundWhereTheyWerePut(t *testing.T) {
	want := []Stamp{{At: 1, Count: 2}, {At: 1<<62 + 12345, Count: 1<<32 - 1}}
	b := []byte("before" + stampID + "0123456789") // one that was cut off is none
	for _, s := range want {
		b = append(s.Append(b), "between"...)
	}
	var got []Stamp
	Stamps(append(b, stampID...), func(s Stamp) { got = append(got, s) })
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	for _, c := range (Stamp{}).Append(nil) {
		if c == 0 {
			t.Error("a stamp may look like a start code")
		}
	}
}
