package socket

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// tokenLife is how long a token waits for its connection.
	tokenLife = 10 * time.Second
	// maxPending tokens of a plugin; the oldest goes first.
	maxPending = 64
)

// Grant is what one connection may do.
type Grant struct {
	Direction      av.Direction
	Camera, Stream string

	// When reading:
	Start     av.Start
	Until     media.Until
	Rendition av.Rendition

	// When publishing, with Put: the units of Track go there, and not into the stream. Done
	// ends the connection.
	Put   func(*av.Unit) error
	Track av.Track
	Done  <-chan struct{}

	// Begun is told when a reader has come, Ended when it or a publisher with Put has gone,
	// and why.
	Begun func()
	Ended func(reason string)
}

// ticket is a token that was given out and not used.
type ticket struct {
	token   string
	expires time.Time
	grant   Grant
	picture *media.Picture       // this one JPEG is read, and nothing else
	deliver chan<- media.Picture // size 1: the one JPEG that is published goes here
	used    chan struct{}        // closed when the connection of deliver has ended
}

// Token makes a token for one connection of plugin. A rendition that cannot be made is
// refused at once, if the stream's tracks are known.
func (s *Server) Token(plugin string, g Grant) (string, error) {
	if g.Direction == av.Read {
		if _, err := s.Preview(g); err != nil {
			return "", err
		}
	}
	return s.issue(plugin, &ticket{grant: g})
}

// Preview tells what a reader with g would get now.
func (s *Server) Preview(g Grant) (media.Preview, error) {
	if s.renditions != nil {
		return s.renditions.Describe(g.Camera, g.Stream, g.Rendition)
	}
	stream := s.core.Stream(g.Camera, g.Stream)
	tracks := stream.Tracks()
	want, err := media.Fit(tracks, g.Rendition)
	if err != nil && !errors.Is(err, media.ErrNoTracks) {
		return media.Preview{}, fmt.Errorf("camera %s %s: %w", g.Camera, g.Stream, err)
	}
	return media.Preview{How: media.Copy, Tracks: want.Of(tracks), Prebuffer: stream.Reaches()}, nil
}

// TalkToken makes a token with which plugin reads the speech for a camera: what is said
// from now on, until the talker ends. begun and ended tell of its connection.
func (s *Server) TalkToken(plugin, camera string, begun func(), ended func(reason string)) (string, error) {
	start := av.Start{From: av.FromLive}
	if s.core.Stream(camera, media.Talk).Live() {
		start.From = av.FromKeyFrame // somebody speaks already: not to lose the first word
	}
	return s.Token(plugin, Grant{Direction: av.Read, Camera: camera, Stream: media.Talk, Start: start, Until: media.WriterEnd, Begun: begun, Ended: ended})
}

// PictureToken makes a token with which plugin reads one JPEG.
func (s *Server) PictureToken(plugin, camera string, p media.Picture) (string, error) {
	return s.issue(plugin, &ticket{grant: Grant{Direction: av.Read, Camera: camera}, picture: &p})
}

// SnapshotToken makes a token with which plugin hands over one JPEG of a camera, and wait,
// which returns it. What arrives was not looked at.
func (s *Server) SnapshotToken(plugin, camera string) (token string, wait func(context.Context) (media.Picture, error), err error) {
	got := make(chan media.Picture, 1) // the one picture: its connection never waits
	used := make(chan struct{})
	token, err = s.issue(plugin, &ticket{grant: Grant{Direction: av.Publish, Camera: camera}, deliver: got, used: used})
	if err != nil {
		return "", nil, err
	}
	return token, func(ctx context.Context) (media.Picture, error) {
		select {
		case p := <-got:
			return p, nil
		case <-used:
		case <-ctx.Done():
			return media.Picture{}, fmt.Errorf("camera %s: snapshot of plugin %s: %w", camera, plugin, ctx.Err())
		}
		select {
		case p := <-got:
			return p, nil
		default:
			return media.Picture{}, fmt.Errorf("camera %s: snapshot of plugin %s: the connection ended without a picture", camera, plugin)
		}
	}, nil
}

// issue gives t its token.
func (s *Server) issue(plugin string, t *ticket) (string, error) {
	in, ok := s.instance(plugin)
	if !ok {
		return "", fmt.Errorf("media token: plugin %s: %w", plugin, ErrNotListening)
	}
	t.token = rand.Text()
	now := time.Now()
	t.expires = now.Add(tokenLife)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.tickets = slices.DeleteFunc(in.tickets, func(o *ticket) bool { return now.After(o.expires) })
	if len(in.tickets) >= maxPending {
		in.tickets = slices.Delete(in.tickets, 0, 1)
	}
	in.tickets = append(in.tickets, t)
	return t.token, nil
}

// redeem takes the ticket of token, which is gone then. All are compared, each in
// constant time, so that the time taken tells nothing.
func (in *instance) redeem(token string) (*ticket, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	found := -1
	for i, t := range in.tickets {
		if subtle.ConstantTimeCompare([]byte(t.token), []byte(token)) == 1 {
			found = i
		}
	}
	if found < 0 {
		return nil, false
	}
	t := in.tickets[found]
	in.tickets = slices.Delete(in.tickets, found, found+1)
	return t, time.Now().Before(t.expires)
}
