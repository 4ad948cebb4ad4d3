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

const (
	defaultFPS = 5
	maxFPS     = 15
	// stall: a viewer that takes nothing for so long is closed.
	stall = 10 * time.Second
	// patience: the stream of pictures ends after so many in a row could not be had.
	patience = 10
	boundary = "porchlight-picture"
)

// ServeJPEG answers with the newest picture. Query: width, height in pixels, max_age as a
// Go duration or in seconds.
func (s *Store) ServeJPEG(w http.ResponseWriter, r *http.Request, camera string) {
	req, err := request(r.URL.Query())
	if err != nil {
		fail(w, err)
		return
	}
	img, err := s.Get(r.Context(), camera, req)
	if err != nil {
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
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(img.JPEG); err != nil {
		s.log.Debug("snapshot: write", "camera", camera, "err", err)
	}
}

// ServeMJPEG answers with one picture after another, as multipart/x-mixed-replace. Query:
// fps (5, at most 15), width, height.
func (s *Store) ServeMJPEG(w http.ResponseWriter, r *http.Request, camera string) {
	q := r.URL.Query()
	req, err := request(q)
	fps, ferr := number(q, "fps", defaultFPS, maxFPS)
	if err = errors.Join(err, ferr); err != nil {
		fail(w, err)
		return
	}
	every := time.Second / time.Duration(max(1, fps))
	req.MaxAge = every
	img, err := s.Get(r.Context(), camera, req)
	if err != nil {
		fail(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "multipart/x-mixed-replace; boundary="+boundary)
	h.Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var sent time.Time
	for failed := 0; failed < patience; {
		if err == nil && !img.Received.Equal(sent) {
			sent, failed = img.Received, 0
			if err := writePart(w, rc, img); err != nil {
				s.log.Debug("snapshot: write", "camera", camera, "err", err)
				return
			}
		}
		select {
		case <-tick.C: // of a slow viewer the ticks between are lost, as they should be
		case <-r.Context().Done():
			return
		}
		if img, err = s.Get(r.Context(), camera, req); err != nil {
			failed++
		}
	}
}

func writePart(w http.ResponseWriter, rc *http.ResponseController, img Image) error {
	_ = rc.SetWriteDeadline(time.Now().Add(stall)) // a server that knows none has its own
	if _, err := fmt.Fprintf(w, "--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", boundary, len(img.JPEG)); err != nil {
		return err
	}
	if _, err := w.Write(img.JPEG); err != nil {
		return err
	}
	if _, err := w.Write([]byte("\r\n")); err != nil {
		return err
	}
	return rc.Flush()
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
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Code   string `json:"code,omitempty"`
		Hint   string `json:"hint,omitempty"`
	}{Title: "no picture", Status: http.StatusServiceUnavailable, Detail: err.Error()}
	var none *NoPicture
	var bad *BadRequest
	switch {
	case errors.As(err, &bad):
		p.Title, p.Status = "bad request", http.StatusBadRequest
	case errors.As(err, &none):
		p.Code, p.Hint = none.Code(), none.Hint()
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // a caller that has gone needs no answer
}
