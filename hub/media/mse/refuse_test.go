package mse

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// TestAFilmThatCannotBeSaysWhy: with a code and what to do, as all of the API does.
func TestAFilmThatCannotBeSaysWhy(t *testing.T) {
	core := media.New(media.Limits{})
	core.Stream("door", "main").Tell("its cable is out")
	w, err := core.Stream("bell", "main").Begin([]av.Track{av.MJPEGTrack(1, 640, 480, 5)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Put(&av.Unit{Track: 1, Key: true, Data: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	m := New(core, nil, nil)
	refused := func(camera string, status int, code, says string) {
		t.Helper()
		w := httptest.NewRecorder()
		m.ServeMP4(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), camera, "main")
		var p struct {
			Status             int
			Code, Detail, Hint string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%q: %v", w.Body, err)
		}
		if w.Code != status || p.Status != status || p.Code != code || p.Hint == "" || !strings.Contains(p.Detail, says) {
			t.Errorf("%d %+v", w.Code, p)
		}
	}
	refused("door", 503, "E-MEDIA-OFFLINE", "its cable is out")
	refused("bell", 415, "E-CONV-CODEC", "picture")
	m.Close()
	refused("door", 503, "E-API-STOPPING", "going down")
}
