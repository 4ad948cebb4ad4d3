package httpcam

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// closest is how near two pictures may follow each other; of nearer ones (a
	// stalled network that lets go) the newest counts.
	closest = 8 * time.Millisecond
	// strange parts in a row make it no stream of pictures.
	strange = 32
	// alarms instead of a content type: no pictures were asked for.
	alarms = "alarms"
)

// Picture is one JPEG. A picture that came without Huffman tables has got the usual ones.
type Picture struct {
	JPEG          []byte
	Width, Height int
	At            time.Time // when it had come
}

// Take is given each picture, and ends the stream by an error, which is then returned.
type Take func(p Picture) error

// pictures adapts the short form.
func pictures(take func(jpeg []byte, at time.Time) error) Take {
	return func(p Picture) error { return take(p.JPEG, p.At) }
}

// MJPEG takes pictures from one endless answer until ctx ends, take returns an error or
// the stream breaks, with a *Fault. The bytes are take's to keep.
func MJPEG(ctx context.Context, o Options, take func(jpeg []byte, at time.Time) error) error {
	s, err := newSource(o)
	if err != nil {
		return err
	}
	defer s.client.CloseIdleConnections()
	_, err = s.stream(ctx, pictures(take))
	return err
}

// JPEG fetches a picture each o.Every, until ctx ends, take returns an error or
// a fetch goes wrong, with a *Fault.
func JPEG(ctx context.Context, o Options, take func(jpeg []byte, at time.Time) error) error {
	s, err := newSource(o)
	if err != nil {
		return err
	}
	defer s.client.CloseIdleConnections()
	return s.poll(ctx, pictures(take), time.Time{})
}

// Watch does what MJPEG or JPEG does, as the device answers: where the answer is over
// after one picture it fetches again and again.
func Watch(ctx context.Context, o Options, take Take) error {
	s, err := newSource(o)
	if err != nil {
		return err
	}
	defer s.client.CloseIdleConnections()
	began := time.Now()
	single, err := s.stream(ctx, take)
	if err != nil || !single {
		return err
	}
	return s.poll(ctx, take, began)
}

// Alarms takes the parts of an endless answer in which a device tells its events, whatever
// they are, until ctx ends, take returns an error or the answer breaks, with a *Fault.
// Set o.Silence to some three times the device's heartbeat: a device that says nothing
// for so long is gone. The first parts often tell how things are, which is no event.
func Alarms(ctx context.Context, o Options, take func(Part) error) error {
	s, err := newSource(o)
	if err != nil {
		return err
	}
	defer s.client.CloseIdleConnections()
	return s.open(ctx, "part", func(ctx context.Context, resp *http.Response, alive func()) error {
		parts := NewParts(resp.Body, resp.Header.Get("Content-Type"), s.o.MaxPicture)
		for {
			part, err := parts.Next()
			if err != nil {
				return s.ended(ctx, err, 1, alarms)
			}
			alive()
			if err := take(part); err != nil {
				return err
			}
		}
	})
}

// Get fetches one picture: a JPEG, or the first of an endless answer.
func Get(ctx context.Context, o Options) (Picture, error) {
	s, err := newSource(o)
	if err != nil {
		return Picture{}, err
	}
	defer s.client.CloseIdleConnections()
	return s.one(ctx)
}

// source is one device that is watched.
type source struct {
	o      Options
	url    *url.URL
	client *http.Client
}

func newSource(o Options) (*source, error) {
	o = o.settled()
	u, err := o.target()
	if err != nil {
		return nil, err
	}
	c, err := Client(o)
	return &source{o: o, url: u, client: c}, err
}

func (s *source) fault(k Kind, reason, fix string) *Fault {
	return &Fault{Kind: k, Address: s.url.Host, Reason: reason, Fix: fix}
}

// open asks for the endless answer and gives it to read, which says by alive that
// something came; where nothing does for too long, ctx ends with a Fault as its cause.
func (s *source) open(ctx context.Context, what string, read func(ctx context.Context, resp *http.Response, alive func()) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := s.fault(Silent, "no "+what+" came for "+s.o.Silence.String(), "look whether the device is overloaded or its network is weak; it is tried again")
	guard := time.AfterFunc(s.o.Silence+s.o.Answer, func() { cancel(silent) })
	defer guard.Stop()
	resp, err := get(ctx, s.client, s.url, s.o.Login)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	alive := func() { guard.Reset(s.o.Silence) }
	alive()
	return read(ctx, resp, alive)
}

// stream reads one answer to its end. single: it was one picture and no multipart.
func (s *source) stream(ctx context.Context, take Take) (single bool, err error) {
	err = s.open(ctx, "picture", func(ctx context.Context, resp *http.Response, alive func()) error {
		single, err = s.pictures(ctx, resp, alive, take)
		return err
	})
	return single, err
}

func (s *source) pictures(ctx context.Context, resp *http.Response, alive func(), take Take) (single bool, err error) {
	kind := resp.Header.Get("Content-Type")
	parts := NewParts(resp.Body, kind, s.o.MaxPicture)
	var last time.Time
	taken, odd := 0, 0
	for {
		part, err := parts.Next()
		if err != nil {
			if errors.Is(err, io.EOF) && taken == 1 && !strings.HasPrefix(strings.ToLower(kind), "multipart/") {
				return true, nil
			}
			return false, s.ended(ctx, err, taken, kind)
		}
		jpeg, w, h, err := picture(part.Body)
		if err != nil {
			if odd++; odd == strange {
				return false, s.noPictures(kind)
			}
			continue
		}
		alive()
		now := time.Now()
		odd, taken = 0, taken+1
		if now.Sub(last) < closest {
			continue
		}
		last = now
		if err := take(Picture{JPEG: jpeg, Width: w, Height: h, At: now}); err != nil {
			return false, err
		}
	}
}

// ended says why no more pictures come.
func (s *source) ended(ctx context.Context, err error, taken int, kind string) error {
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return cause
	case errors.Is(err, ErrPartTooBig):
		return s.fault(Oversized, err.Error(), "set a smaller picture in the device")
	case errors.Is(err, ErrNotParts), errors.Is(err, io.EOF) && taken == 0:
		if kind == alarms {
			return s.fault(NoPictures, "it answers, but not in parts", "look whether the path is right")
		}
		return s.noPictures(kind)
	}
	return s.fault(Ended, "it closed the stream", "it is tried again; if it happens often, look whether others use the device too")
}

func (s *source) noPictures(kind string) error {
	reason := "it answers, but not with JPEGs"
	if short, _, _ := strings.Cut(kind, ";"); short != "" && len(short) < 60 {
		reason += " (" + strings.Map(printable, short) + ")"
	}
	return s.fault(NoPictures, reason, "the path must be that of a JPEG or an MJPEG stream, not of a page; a preset knows those of many brands")
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}

// poll fetches until something goes wrong; last is when it was done before.
func (s *source) poll(ctx context.Context, take Take, last time.Time) error {
	timer := time.NewTimer(time.Until(last.Add(s.o.Every)))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		}
		timer.Reset(s.o.Every)
		p, err := s.one(ctx)
		if err != nil {
			return err
		}
		if err := take(p); err != nil {
			return err
		}
	}
}

// one fetches one picture.
func (s *source) one(ctx context.Context) (Picture, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.o.Answer,
		s.fault(Silent, "no whole picture came in "+s.o.Answer.String(), "look whether the device is overloaded or its network is weak"))
	defer cancel()
	resp, err := get(ctx, s.client, s.url, s.o.Login)
	if err != nil {
		return Picture{}, err
	}
	defer resp.Body.Close()
	kind := resp.Header.Get("Content-Type")
	parts := NewParts(resp.Body, kind, s.o.MaxPicture)
	for range strange {
		part, err := parts.Next()
		if err != nil {
			return Picture{}, s.ended(ctx, err, 0, kind)
		}
		if jpeg, w, h, err := picture(part.Body); err == nil {
			s.finish(resp, parts)
			return Picture{JPEG: jpeg, Width: w, Height: h, At: time.Now()}, nil
		}
	}
	return Picture{}, s.noPictures(kind)
}

// finish reads what little is left of a single picture, so that the connection can be used again.
func (s *source) finish(resp *http.Response, p *Parts) {
	if resp.ContentLength > 0 && len(bytes.TrimSpace(p.rest())) == 0 {
		_, _ = io.CopyN(io.Discard, resp.Body, 1) // nothing, and the end
	}
}
