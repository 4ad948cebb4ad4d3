package house

import (
	"path/filepath"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/media/restream"
	"github.com/porchlight-hub/porchlight/hub/store"
)

// What is kept of a stream password is what the re-stream asks for: neither room may know
// the other, so each hashes by itself.
func TestStreamPasswordsOpenTheReStream(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a, err := access.Open(t.Context(), db, access.Options{})
	if err != nil {
		t.Fatal(err)
	}
	person := access.Identity{User: access.Owner, Via: access.ViaSession}
	p, password, err := a.NewStreamPassword(t.Context(), person, access.StreamSpec{Name: "VLC", Talk: true, Cameras: []string{"porch"}})
	if err != nil {
		t.Fatal(err)
	}
	all, err := StreamLogins(a).Credentials(t.Context(), p.User, "192.0.2.7")
	if err != nil || len(all) != 1 {
		t.Fatalf("%d, %v", len(all), err)
	}
	c := all[0]
	if md5, sha256 := restream.HA1(p.User, password); c.MD5 != md5 || c.SHA256 != sha256 {
		t.Error("a password that was made does not open what it is for")
	}
	if v := c.Viewer; c.ID != p.ID || v.User != p.User || v.Name != "VLC" || !v.MayTalk || len(v.Cameras) != 1 || v.Cameras[0] != "porch" {
		t.Errorf("%+v", c.Viewer)
	}
}
