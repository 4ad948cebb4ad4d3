package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/speaker/decode"
	"github.com/porchlight-hub/porchlight/plugins/speaker/sound"
)

// maxClips bounds the decoded sounds that are kept; a house has a handful. A file
// of 30 s takes 11 MiB.
const maxClips = 8

// clips keeps sounds decoded, so that a ring does not wait for a synthesis or a disk.
type clips struct {
	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	clip     decode.Clip
	modified time.Time // of the file
	size     int64
	used     time.Time
}

// get gives a sound by its name or path.
func (c *clips) get(name string) (decode.Clip, error) {
	var modified time.Time
	var size int64
	if decode.IsFile(name) {
		if st, err := os.Stat(name); err == nil {
			modified, size = st.ModTime(), st.Size()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.kept[name]; ok && k.modified.Equal(modified) && k.size == size {
		k.used = time.Now()
		c.kept[name] = k
		return k.clip, nil
	}
	clip, err := load(name)
	if err != nil {
		return nil, err
	}
	if c.kept == nil {
		c.kept = map[string]kept{}
	}
	c.kept[name] = kept{clip: clip, modified: modified, size: size, used: time.Now()}
	if len(c.kept) > maxClips {
		c.forgetOldest()
	}
	return clip, nil
}

func (c *clips) forgetOldest() {
	oldest := ""
	for name, k := range c.kept {
		if oldest == "" || k.used.Before(c.kept[oldest].used) {
			oldest = name
		}
	}
	delete(c.kept, oldest)
}

func load(name string) (decode.Clip, error) {
	if decode.IsFile(name) {
		return decode.File(name)
	}
	s, ok := sound.ByName(name)
	if !ok {
		return nil, &unknownSound{name}
	}
	mono := s.Render(decode.Rate)
	clip := make(decode.Clip, 0, len(mono)*decode.Channels)
	for _, v := range mono {
		clip = append(clip, v, v)
	}
	return clip, nil
}

// unknownSound is a name that is neither ours nor a file's.
type unknownSound struct{ name string }

func (e *unknownSound) Error() string { return fmt.Sprintf("sound %q: is not known", e.name) }

// Code for `porchlight explain`.
func (*unknownSound) Code() string { return "E-SPK-SOUND" }

// Hint lists what there is.
func (*unknownSound) Hint() string {
	return "there are " + strings.Join(sound.Names(), ", ") + "; or the whole path of a WAV, OGG or MP3 file"
}
