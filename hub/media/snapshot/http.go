package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ServeJPEG answers with the newest picture. Query: width, height in pixels, max_age as a
// Go duration or in seconds; with placeholder=1 a drawing comes where there is none.
// The answer's Age is the picture's, and X-Porchlight-Way says how it came.
func (s *Store) ServeJPEG(w http.ResponseWriter, r *http.Request, camera string) {
	want, err := request(r.URL.Query())
	if err != nil {
		fail(w, err)
		return
	}
	img, err := s.Get(r.Context(), camera, want)
	var none *NoPicture
	switch {
	case errors.As(err, &none) && r.URL.Query().Get("placeholder") == "1":
		placeholder(w, r, none.Code(), want)
		return
	case err != nil:
		fail(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Content-Length", strconv.Itoa(len(img.JPEG)))
	h.Set("Cache-Control", "no-store")
	h.Set("Age", strconv.Itoa(int(img.Age().Seconds())))
	h.Set("Last-Modified", img.Taken.UTC().Format(http.TimeFormat))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Porchlight-Way", string(img.Way))
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(img.JPEG); err != nil {
		s.log.Debug("snapshot: write", "camera", camera, "err", err)
	}
}

func request(q url.Values) (Want, error) {
	var r Want
	var err, herr, aerr error
	r.Width, err = number(q, "width", 0, MaxSide)
	r.Height, herr = number(q, "height", 0, MaxSide)
	if s := q.Get("max_age"); s != "" {
		if r.MaxAge, aerr = time.ParseDuration(s); aerr != nil {
			var sec int
			sec, aerr = number(q, "max_age", 0, 86400)
			r.MaxAge = time.Duration(sec) * time.Second
		}
	}
	return r, errors.Join(err, herr, aerr)
}

func number(q url.Values, name string, otherwise, most int) (int, error) {
	s := q.Get(name)
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > most {
		return 0, &BadRequest{fmt.Sprintf("%s must be a number from 0 to %d", name, most)}
	}
	return n, nil
}

// fail answers as RFC 9457 says.
func fail(w http.ResponseWriter, err error) {
	p := struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Code   string `json:"code,omitempty"`
		Hint   string `json:"hint,omitempty"`
	}{Type: "about:blank", Title: "no picture", Status: http.StatusServiceUnavailable, Detail: err.Error()}
	var none *NoPicture
	var bad *BadRequest
	switch {
	case errors.As(err, &bad):
		p.Title, p.Status = "bad request", http.StatusBadRequest
	case errors.As(err, &none):
		p.Code, p.Hint = none.Code(), none.Hint()
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // a caller that has gone needs no answer
}
