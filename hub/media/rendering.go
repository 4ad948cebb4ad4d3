package media

import (
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Copy is the word for a rendition that is the stream as it is; what was made says
// "converted: " and the reason.
const Copy = "copy"

// Rendering is a reader of a stream in the form that was asked for. Closing it lets go
// of whatever makes that form.
type Rendering struct {
	*Reader
	how     string
	release func()
}

// NewRendering is r, which came about by how; release is called once, after it was closed.
func NewRendering(r *Reader, how string, release func()) *Rendering {
	if release == nil {
		release = func() {}
	}
	return &Rendering{Reader: r, how: how, release: sync.OnceFunc(release)}
}

// How is Copy, or "converted: " and why.
func (r *Rendering) How() string { return r.how }

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
