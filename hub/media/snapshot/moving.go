package snapshot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	defaultFPS = 5
	maxFPS     = 15
	// stall: a viewer that takes nothing for so long is closed.
	stall = 10 * time.Second
	// patience: moving pictures end after so long without a new one, and two GOPs more.
	patience = 15 * time.Second
	// stale: an older picture is none to begin with for who wants to see what is now.
	stale = 15 * time.Second
	// longGOP: where key frames are rarer the other ways are asked as well.
	longGOP  = 3 * time.Second
	boundary = "porchlight-picture"
)

// filmKey is one size of one stream.
type filmKey struct {
	stream        string
	width, height int
}

// film is the newest picture made of a stream's unit.
type film struct {
	unit *av.Unit
	img  Image
	err  error
}

// moving makes pictures that follow each other.
type moving struct {
	s    *Store
	name string
	key  filmKey
	// every: no more pictures are asked for.
	every time.Duration
	// got is when the newest picture came.
	got time.Time
}

// next is a picture newer than the last one: of the stream, whose pictures cost the
// camera nothing more, else by the other ways.
func (m *moving) next(ctx context.Context) (Image, error) {
	img, err := m.s.frame(ctx, m.name, m.key)
	if err == nil && (img.Received.After(m.got) || img.Age() < longGOP) {
		return img, nil
	}
	r := Want{Width: m.key.width, Height: m.key.height, MaxAge: m.every}
	other, oerr := m.s.Get(ctx, m.name, r)
	switch {
	case oerr == nil && other.fresh(stale) && other.Received.After(img.Received):
		return other, nil
	case err == nil:
		return img, nil
	case oerr == nil:
		return Image{}, &NoPicture{Camera: m.name, Cause: err}
	}
	return Image{}, oerr
}

// frame is the newest picture of a live stream, each made once for all who look.
func (s *Store) frame(ctx context.Context, name string, key filmKey) (Image, error) {
	st := s.live(name, key.stream)
	if st == nil {
		return Image{}, errNoStream
	}
	u, t, at, ok := st.NewestKey()
	if !ok {
		return Image{}, errNoStream
	}
	if f, ok := s.filmed(name, key); ok && f.unit == u {
		return f.img, f.err
	}
	done := s.films.DoChan(fmt.Sprint(name, "/", key), func() (any, error) {
		ctx, landed := s.fly(ctx)
		defer landed()
		img, err := s.develop(ctx, name, st.Name(), u, t, at, key)
		if err == nil || !passes(err) {
			s.keepFilm(name, key, film{u, img, err})
		}
		return img, err
	})
	select {
	case res := <-done:
		img, _ := res.Val.(Image)
		return img, res.Err
	case <-ctx.Done():
		return Image{}, ctx.Err()
	}
}

func (s *Store) develop(ctx context.Context, name, stream string, u *av.Unit, t av.Track, at time.Time, key filmKey) (Image, error) {
	p, way := media.Picture{JPEG: u.Data, Taken: u.Wall, Received: at}, FromFrame
	if t.Codec != av.MJPEG {
		b, err := s.still(ctx, name, stream, u, t, key.width, key.height)
		if err != nil {
			return Image{}, err
		}
		p.JPEG, way = b, FromKey
	}
	img, err := Check(p)
	if err != nil {
		return Image{}, err
	}
	img.Way = way
	return s.shrink(ctx, img, key.width, key.height)
}

func (s *Store) filmed(name string, key filmKey) (film, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.camera(name).films[key]
	return f, ok
}

func (s *Store) keepFilm(name string, key filmKey, f film) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.camera(name)
	if c.films == nil || len(c.films) >= maxSmaller {
		c.films = make(map[filmKey]film) // whoever still looks brings his back
	}
	c.films[key] = f
}

// ServeMJPEG answers with one picture after another, as multipart/x-mixed-replace: each
// JPEG of a stream that is JPEGs, else each key frame, else what the camera gives when it
// is asked once a second. Query: fps (5, at most 15), width, height, stream (main or sub).
func (s *Store) ServeMJPEG(w http.ResponseWriter, r *http.Request, camera string) {
	q := r.URL.Query()
	want, err := request(q)
	fps, ferr := number(q, "fps", defaultFPS, maxFPS)
	stream := q.Get("stream")
	if stream == "" {
		stream = "main"
	}
	if stream != "main" && stream != "sub" {
		ferr = errors.Join(ferr, &BadRequest{"a camera has the streams main and sub"})
	}
	if err = errors.Join(err, ferr); err != nil {
		fail(w, err)
		return
	}
	if st, ok := s.o.Core.Lookup(camera, stream); ok && s.decodable(st.Tracks()) == nil {
		defer st.Ask("moving pictures")()
		s.begin(r.Context(), camera, st)
	}
	m := &moving{s: s, name: camera, key: filmKey{stream, want.Width, want.Height}, every: time.Second / time.Duration(max(1, fps))}
	img, err := m.next(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	m.serve(w, r, img)
}

// begin waits for a stream that was not live before somebody looked, also of a camera that
// sleeps: a person is there.
func (s *Store) begin(ctx context.Context, camera string, st *media.Stream) {
	if s.live(camera, st.Name()) != nil || s.o.Trouble != nil && s.o.Trouble(camera) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, awaitTime)
	defer cancel()
	_, _, _, _ = st.Key(ctx, awaitTime) // where none comes the ways are gone through, and say why
}

func (m *moving) serve(w http.ResponseWriter, r *http.Request, img Image) {
	h := w.Header()
	h.Set("Content-Type", "multipart/x-mixed-replace; boundary="+boundary)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Porchlight-Way", string(img.Way))
	rc := http.NewResponseController(w)
	tick := time.NewTicker(m.every)
	defer tick.Stop()
	if _, err := fmt.Fprintf(w, "--%s\r\n", boundary); err != nil {
		return
	}
	var err error
	for last := time.Now(); time.Since(last) < m.patience(); {
		if err == nil && !img.Received.Equal(m.got) {
			m.got, last = img.Received, time.Now()
			if err := writePart(w, rc, img); err != nil {
				m.s.log.Debug("snapshot: write", "camera", m.name, "err", err)
				return
			}
		}
		select {
		case <-tick.C: // of a slow viewer the ticks between are lost, as they should be
		case <-r.Context().Done():
			return
		}
		img, err = m.next(r.Context())
	}
}

// patience with a camera whose key frames are rare.
func (m *moving) patience() time.Duration {
	d := patience
	if st := m.s.live(m.name, m.key.stream); st != nil {
		d += 2 * st.Describe().KeyInterval
	}
	return d
}

// writePart sends the boundary behind the picture at once: browsers show it when that
// has come, and the next picture may be seconds away.
func writePart(w http.ResponseWriter, rc *http.ResponseController, img Image) error {
	_ = rc.SetWriteDeadline(time.Now().Add(stall)) // a server that knows none has its own
	if _, err := fmt.Fprintf(w, "Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", len(img.JPEG)); err != nil {
		return err
	}
	if _, err := w.Write(img.JPEG); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "\r\n--%s\r\n", boundary); err != nil {
		return err
	}
	return rc.Flush()
}
