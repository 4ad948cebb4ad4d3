package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/access"
)

func TestAStreamPasswordIsShownOnce(t *testing.T) {
	h := manyHouse()
	w := post(h, owner(), "/cameras/front_door", url.Values{"name": {"VLC"}, "talk": {"yes"}})
	body := w.Body.String()
	if w.Code != http.StatusCreated || !strings.Contains(body, "rtsp://owner:shown-this-once@example.com:8554/front_door/main") ||
		!slices.Equal(h.did, []string{"stream password VLC true [front_door]"}) {
		t.Errorf("%d, did %q\n%s", w.Code, h.did, body)
	}
	lawful(t, body)
	if again := serveBody(h, "/cameras/front_door"); strings.Contains(again, "shown-this-once") {
		t.Error("it is shown again")
	}
	h = manyHouse()
	if w := post(h, owner(), "/cameras/front_door", url.Values{"name": {"recorder"}, "everywhere": {"yes"}}); w.Code != http.StatusCreated || !slices.Equal(h.did, []string{"stream password recorder false []"}) {
		t.Errorf("for the house: %d, did %q", w.Code, h.did)
	}
}

func TestWhoMakesNoStreamPassword(t *testing.T) {
	h := manyHouse()
	for _, who := range []*access.Identity{nil, {User: "anna", Role: access.RoleMember}} {
		if w := post(h, who, "/cameras/front_door", url.Values{"name": {"VLC"}}); w.Code < 400 || len(h.did) > 0 {
			t.Errorf("%v: %d, did %q", who, w.Code, h.did)
		}
	}
	if w := post(h, owner(), "/cameras/nobody", url.Values{"name": {"VLC"}}); w.Code != http.StatusNotFound {
		t.Errorf("no camera: %d", w.Code)
	}
	w := post(h, owner(), "/cameras/front_door", url.Values{"name": {""}})
	if w.Code < 400 || !strings.Contains(w.Body.String(), "Watch elsewhere") || !strings.Contains(w.Body.String(), "Is missing") && !strings.Contains(w.Body.String(), "is missing") {
		t.Errorf("no name: %d\n%s", w.Code, w.Body.String())
	}
}
