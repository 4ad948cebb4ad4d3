package mse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// settle makes keys that come to the same the same: AAC is not made into Opus for who
// plays both.
func (m *Muxers) settle(k key) key {
	if k.sound == av.Opus && slices.ContainsFunc(m.core.Stream(k.camera, k.stream).Tracks(), isAAC) {
		k.sound = av.AAC
	}
	return k
}

func isAAC(t av.Track) bool { return t.Codec == av.AAC && carries(t) }

// pack reads the stream in the form of k until ctx ends, and packs it.
func (m *Muxers) pack(ctx context.Context, k key, f *feed) error {
	mx := mux{feed: f}
	for {
		r, err := m.open(ctx, k, &mx)
		if err != nil {
			return err
		}
		err = mx.run(ctx, r)
		r.Close()
		if !errors.Is(err, media.ErrChanged) {
			return err
		}
	}
}

// open reads what k wants, and tells the mux what it is: without sound, and why, where the
// sound cannot be had.
func (m *Muxers) open(ctx context.Context, k key, mx *mux) (units, error) {
	o := media.ReadOptions{Start: av.Start{From: av.FromKeyFrame}}
	mx.how, mx.mute = media.Copy, ""
	if m.renditions == nil {
		o.Want = media.Want{NoAudio: k.sound == "", Audio: k.sound}
		return m.core.Stream(k.camera, k.stream).Open(o), nil
	}
	want := av.Rendition{Audio: av.AudioRendition{None: k.sound == ""}}
	if k.h264 {
		want.Video.Codec = av.H264
	}
	for {
		want.Audio.Codec = m.settle(k).sound
		r, err := m.renditions.Open(ctx, k.camera, k.stream, want, o)
		switch {
		case err == nil:
			return m.withSound(ctx, k, mx, want, o, r), nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, media.ErrNoTracks):
			continue // it has waited; that the source is away the viewers know
		case !want.Audio.None:
			mx.mute, want.Audio.None = people(err), true
		default:
			mx.feed.setStatus(status{cannot: true, reason: people(err)})
			return nil, err
		}
	}
}

// withSound tries once more for the sound of a picture that was had without: what went
// wrong may have been the picture's, and over by now.
func (m *Muxers) withSound(ctx context.Context, k key, mx *mux, want av.Rendition, o media.ReadOptions, r *media.Rendering) *media.Rendering {
	mx.how = r.How()
	if mx.mute == "" {
		return r
	}
	want.Audio = av.AudioRendition{Codec: m.settle(k).sound}
	both, err := m.renditions.Open(ctx, k.camera, k.stream, want, o)
	if err != nil {
		mx.mute = people(err)
		return r
	}
	r.Close()
	mx.how, mx.mute = both.How(), ""
	return both
}

// people is what a page says of err.
func people(err error) string {
	var coded interface {
		error
		Hint() string
	}
	if !errors.As(err, &coded) {
		return err.Error()
	}
	return fmt.Sprintf("%s; %s", strings.TrimPrefix(coded.Error(), "convert: "), coded.Hint())
}
