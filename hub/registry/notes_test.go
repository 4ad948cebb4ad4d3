package registry

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/store"
)

func TestNotesOutliveTheHub(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	open := func() (*Notes, *store.DB) {
		db, err := store.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		n, err := OpenNotes(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		return n, db
	}
	type learned struct{ NoRange bool }
	n, db := open()
	var got learned
	if n.Get("yard", "main", &got) {
		t.Error("a note before any was put")
	}
	for _, device := range []string{"yard", "gate"} {
		if err := n.Put(t.Context(), device, "main", learned{true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Put(t.Context(), "yard", "main", strings.Repeat("x", maxNote)); err == nil {
		t.Error("a large note was taken")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	n, db = open()
	if !n.Get("yard", "main", &got) || !got.NoRange {
		t.Errorf("after a restart: %+v", got)
	}
	if err := n.Forget(t.Context(), func(device string) bool { return device == "gate" }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	n, db = open()
	defer db.Close()
	if n.Get("yard", "main", &got) || !n.Get("gate", "main", &got) {
		t.Error("the wrong notes were forgotten")
	}
}
