package pages

import (
	"fmt"
	"net/http"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

type oopsBody struct{ *api.Problem }

// oops answers with the page of an error.
func (p *pages) oops(w http.ResponseWriter, r *http.Request, err error) {
	pr := api.Describe(err)
	if pr.Status >= http.StatusInternalServerError && pr.Unwrap() != nil {
		p.log.Warn("page failed", "path", r.URL.Path, "code", pr.Code(), "err", pr.Unwrap())
	}
	p.show(w, r, pr.Status, "oops", frame{Title: pr.Title, Body: oopsBody{pr}})
}

// missing is the page for a path that leads nowhere.
func (p *pages) missing(w http.ResponseWriter, r *http.Request) {
	p.oops(w, r, api.NewProblem(http.StatusNotFound, "E-WEB-NOT-FOUND", fmt.Sprintf("there is no page at %.80s", r.URL.Path), "The address may be mistyped, or what it led to is gone."))
}
