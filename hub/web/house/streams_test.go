package house

import (
	"testing"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/media/restream"
)

// What is stored of a stream password is of no use in another realm than it was made for.
func TestStreamPasswordsAreOfTheRealm(t *testing.T) {
	if access.StreamRealm != restream.Realm {
		t.Errorf("passwords are made for %q and asked for in %q", access.StreamRealm, restream.Realm)
	}
}
