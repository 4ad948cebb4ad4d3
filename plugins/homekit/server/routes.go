package server

import (
	"net/http"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/pairing"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/attribute"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/http1"
)

const (
	mediaJSON = "application/hap+json"
	mediaTLV  = "application/pairing+tlv8"
)

// identifyEvery is how often an accessory shows which one it is.
const identifyEvery = 5 * time.Second

// method is what a path is asked with (HAP table 5-2); "" for a path that there is not.
func method(path string) []string {
	switch path {
	case "/pair-setup", "/pair-verify", "/pairings", "/identify", "/resource":
		return []string{http.MethodPost}
	case "/accessories":
		return []string{http.MethodGet}
	case "/characteristics":
		return []string{http.MethodGet, http.MethodPut}
	case "/prepare":
		return []string{http.MethodPut}
	}
	return nil
}

// known refuses paths and methods that there are not.
func known(r *http.Request) (http1.Reply, bool) {
	switch m := method(r.URL.Path); {
	case m == nil:
		return told(http.StatusNotFound, attribute.Missing), false
	case !slices.Contains(m, r.Method):
		return told(http.StatusMethodNotAllowed, attribute.Invalid), false
	}
	return http1.Reply{}, true
}

// inTheClear answers whoever is not verified; pair-verify is the connection's own.
func (s *Server) inTheClear(conn uint64, r *http.Request, body []byte) http1.Reply {
	if a, ok := known(r); !ok {
		return a
	}
	switch r.URL.Path {
	case "/pair-setup":
		return pairs(s.desk.Setup(pairing.ConnID(conn), body))
	case "/identify":
		return s.identify()
	}
	return told(http1.StatusUnverified, attribute.Denied)
}

// identify is for accessories that nobody has paired (HAP 6.7.6).
func (s *Server) identify() http1.Reply {
	if s.Paired() {
		return told(http.StatusBadRequest, attribute.Denied)
	}
	if s.o.Identify != nil && s.mayIdentify() {
		s.o.Identify()
	}
	return empty(http.StatusNoContent)
}

// mayIdentify is true once in a while: anybody in the network may ask, as often as he likes.
func (s *Server) mayIdentify() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	if since := now.Sub(s.identified); since >= 0 && since < identifyEvery {
		return false
	}
	s.identified = now
	return true
}

// route answers a verified controller.
func (c *connection) route(r *http.Request, body []byte) http1.Reply {
	if a, ok := known(r); !ok {
		return a
	}
	switch r.URL.Path {
	case "/accessories":
		return http1.Reply{Status: http.StatusOK, Media: mediaJSON, Body: c.s.db.JSON(r)}
	case "/characteristics":
		if r.Method == http.MethodGet {
			return c.get(r)
		}
		return c.put(r, body)
	case "/prepare":
		return c.prepare(body)
	case "/resource":
		return c.resource(r, body)
	case "/pairings":
		return c.pairings(body)
	case "/pair-setup":
		return pairs(c.s.desk.Setup(pairing.ConnID(c.id), body))
	case "/identify":
		return c.s.identify()
	}
	return told(http.StatusBadRequest, attribute.Invalid) // /pair-verify: done already
}

// pairings changes who is paired; who was removed leaves once the answer is out.
func (c *connection) pairings(body []byte) http1.Reply {
	answer, removed := c.s.desk.Pairings(c.verified, body)
	c.s.rank()
	a := pairs(answer)
	if len(removed) > 0 {
		a.After = c.s.dropUnpaired
	}
	return a
}

func empty(status int) http1.Reply { return http1.Reply{Status: status} }

// told is a HAP status as the whole body.
func told(status, hap int) http1.Reply {
	return http1.Reply{Status: status, Media: mediaJSON, Body: attribute.Marshal(struct {
		Status int `json:"status"`
	}{hap})}
}

func pairs(body []byte) http1.Reply {
	return http1.Reply{Status: http.StatusOK, Media: mediaTLV, Body: body}
}
