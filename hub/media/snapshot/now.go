package snapshot

import (
	"context"
	"errors"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// nowWait is how long the next picture of a live stream is waited for: two of a slow one.
	nowWait = 400 * time.Millisecond
	// headStart is what the press has itself: it is to be heard before its picture is worked at.
	headStart = 20 * time.Millisecond
	// maxRun of pictures behind a key frame; where it is longer the key frame will do.
	maxRun = 600
)

var errNotNow = errors.New("no stream shows what is now")

// ofNow makes a picture of the newest one of a live stream, one that came after it was
// asked. Where that cannot be, the key frame is still to be had.
func (s *Store) ofNow(ctx context.Context, name string) error {
	st := s.live(name, "main")
	if st == nil || s.o.Stills == nil {
		return errNotNow
	}
	units, t, at, err := sinceKey(ctx, st, time.Now().Add(headStart))
	if err != nil {
		return err
	}
	if t.Codec == av.MJPEG {
		return errNotNow // each of its pictures is a key frame
	}
	began, err := s.tryStill(name, st.Name())
	if err != nil {
		return err
	}
	last := units[len(units)-1]
	b, err := s.o.Stills.Newest(ctx, units, t, 0, 0)
	if began != nil || err == nil { // of a run that is bad the key frame may be good
		s.tried(name, st.Name(), began, err)
	}
	if err == nil {
		_, err = s.put(name, media.Picture{JPEG: b, Taken: last.Wall, Received: at}, FromNewest)
	}
	if err != nil {
		s.log.Debug("snapshot: no picture of now", "camera", name, "units", len(units), "err", err)
	}
	return err
}

// sinceKey is a stream's newest key frame and all pictures behind it, of which the last
// came after since, if one comes soon.
func sinceKey(ctx context.Context, st *media.Stream, since time.Time) (units []*av.Unit, t av.Track, at time.Time, err error) {
	r := st.Open(media.ReadOptions{Start: av.Start{From: av.FromKeyFrame}, Want: media.Want{NoAudio: true}, Quiet: true, Times: true})
	defer r.Close()
	ctx, cancel := context.WithTimeout(ctx, nowWait)
	defer cancel()
	for len(units) <= maxRun {
		batch, err := r.Next(ctx)
		if err != nil && len(units) > 0 {
			return units, t, at, nil // it does not come
		}
		if err != nil {
			return nil, t, at, err
		}
		t = shown(r.Tracks())
		for i, u := range batch {
			if u.Track != t.ID {
				continue
			}
			if u.Key {
				units = units[:0]
			}
			units, at = append(units, u), r.Received(i)
		}
		if len(units) > 0 && at.After(since) {
			return units, t, at, nil
		}
	}
	return nil, t, at, errNotNow
}

// shown is the picture's track.
func shown(tracks []av.Track) av.Track {
	for _, t := range tracks {
		if t.Kind == av.Video {
			return t
		}
	}
	return av.Track{}
}
