package media

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Copy is the word for a rendition that is the stream as it is; what was made says
// "converted: " and the reason.
const Copy = "copy"

// ErrChanged: the stream has changed so that it is not any more what was asked. Who opens
// it again gets what was asked, if it can be made.
var ErrChanged = errors.New("the stream has changed: open it again")

// Rendering is a reader of a stream in the form that was asked for. Closing it lets go
// of whatever makes that form.
type Rendering struct {
	*Reader
	want    av.Rendition
	how     string
	release func()
	epoch   uint32
}

// NewRendering is r, which gives want and came about by how; release is called once, after
// it was closed.
func NewRendering(r *Reader, want av.Rendition, how string, release func()) *Rendering {
	if release == nil {
		release = func() {}
	}
	return &Rendering{Reader: r, want: want, how: how, release: sync.OnceFunc(release)}
}

// How is Copy, or "converted: " and why.
func (r *Rendering) How() string { return r.how }

// Next is that of Reader, and ErrChanged before units that are not what was asked.
func (r *Rendering) Next(ctx context.Context) ([]*av.Unit, error) {
	batch, err := r.Reader.Next(ctx)
	if err != nil || batch[0].Generation == r.epoch {
		return batch, err
	}
	r.epoch = batch[0].Generation
	if _, d, err := Compare(r.allTracks(), r.want); err == nil && d.Any() {
		return nil, fmt.Errorf("%w: %s", ErrChanged, d)
	}
	return batch, nil
}

// Close ends the reader.
func (r *Rendering) Close() {
	r.Reader.Close()
	r.release()
}

// Preview tells what a reader would get, before anything is opened or woken.
type Preview struct {
	How string
	// Tracks as they would come; those of a conversion have no parameter sets yet. Empty:
	// the stream has not run yet.
	Tracks []av.Track
	// Prebuffer is how far back a reader can begin now.
	Prebuffer time.Duration
}
