package api

import (
	"context"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/access"
)

// Programs, however many there are, leave places to people.
func TestProgramsLeavePlacesToPeople(t *testing.T) {
	c := newCrowd(32)
	program := access.With(t.Context(), access.Identity{User: access.Owner, Via: access.ViaToken})
	person := access.With(t.Context(), access.Identity{User: access.Owner, Via: access.ViaSession})
	fill := func(ctx context.Context) (n int, leave func()) {
		for {
			_, l, ok := c.join(ctx)
			if !ok {
				return n, leave
			}
			n, leave = n+1, l
		}
	}
	n, leave := fill(program)
	if m, _ := fill(person); n != 24 || m != 8 {
		t.Fatalf("%d programs, %d people", n, m)
	}
	leave()
	leave() // twice is once
	if n, _ := fill(program); n != 1 {
		t.Errorf("%d in the place of one", n)
	}
}
