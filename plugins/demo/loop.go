package demo

import (
	"cmp"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// loopFile is made by loop/make.sh. After the magic and a length (u32, little
// endian as all numbers here) comes a JSON list of av.Track, then units: u8 track,
// u8 flags (1: key), u32 PTS in the track's ticks, u32 length, data as in av.Unit.
//
//go:embed loop.bin
var loopFile []byte

const (
	loopMagic = "PLLOOP1\n"
	// loopLength is how long the film is; every track is cut to exactly this.
	loopLength = 12 * time.Second
	unitHeader = 10
)

// frame is a unit of the film with its place in it.
type frame struct {
	at    time.Duration
	track uint8
	key   bool
	pts   int64
	data  []byte // inside loopFile: shared by all cameras, never changed
}

// film is the decoded loop. It is the same for every camera.
type film struct {
	tracks   []av.Track
	rate     map[uint8]int64 // ticks a second by track
	frames   []frame         // by time; at the same moment the picture comes before the sound
	pictures [][]byte        // JPEGs, one a second
}

// filmOnce reads the film when the first camera needs it: a process that only
// describes itself does not pay for it.
type filmOnce struct {
	once sync.Once
	film *film
	err  error
}

func (o *filmOnce) get() (*film, error) {
	o.once.Do(func() { o.film, o.err = readFilm(loopFile) })
	return o.film, o.err
}

func readFilm(b []byte) (*film, error) {
	if len(b) < len(loopMagic)+4 || string(b[:len(loopMagic)]) != loopMagic {
		return nil, errors.New("film: no magic at its beginning")
	}
	b = b[len(loopMagic):]
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if uint64(n) > uint64(len(b)) {
		return nil, errors.New("film: the list of tracks is cut off")
	}
	f := &film{rate: map[uint8]int64{}}
	if err := json.Unmarshal(b[:n], &f.tracks); err != nil {
		return nil, fmt.Errorf("film: tracks: %w", err)
	}
	for _, t := range f.tracks {
		if t.ClockRate == 0 {
			return nil, fmt.Errorf("film: track %d: no clock rate", t.ID)
		}
		f.rate[t.ID] = int64(t.ClockRate)
	}
	for b = b[n:]; len(b) > 0; {
		if len(b) < unitHeader {
			return nil, errors.New("film: a unit is cut off")
		}
		size := binary.LittleEndian.Uint32(b[6:])
		u := frame{track: b[0], key: b[1]&1 != 0, pts: int64(binary.LittleEndian.Uint32(b[2:]))}
		if uint64(size) > uint64(len(b)-unitHeader) {
			return nil, errors.New("film: a unit is cut off")
		}
		u.data, b = b[unitHeader:unitHeader+size:unitHeader+size], b[unitHeader+size:]
		rate, ok := f.rate[u.track]
		if !ok {
			return nil, fmt.Errorf("film: a unit of track %d, which is not listed", u.track)
		}
		if u.track == av.ImageTrack {
			f.pictures = append(f.pictures, u.data)
			continue
		}
		u.at = time.Duration(u.pts) * time.Second / time.Duration(rate)
		f.frames = append(f.frames, u)
	}
	if len(f.frames) == 0 || len(f.pictures) == 0 {
		return nil, errors.New("film: is empty")
	}
	slices.SortStableFunc(f.frames, func(a, b frame) int { return cmp.Compare(a.at, b.at) })
	return f, nil
}

// cursor walks through the film, round after round. Positions grow without end,
// and so do the PTS.
type cursor struct {
	film  *film
	round int64
	next  int
}

// seek goes to the last key frame at or before a position, so that there is a picture
// at once: what lies between is sent in one go and is past already.
func (c *cursor) seek(pos time.Duration) {
	c.round = int64(pos / loopLength)
	at := pos % loopLength
	c.next = 0 // the film begins with a key frame
	for i, f := range c.film.frames {
		if f.at > at {
			break
		}
		if f.key && c.film.isVideo(f.track) {
			c.next = i
		}
	}
}

func (f *film) isVideo(id uint8) bool {
	for _, t := range f.tracks {
		if t.ID == id {
			return t.Kind == av.Video
		}
	}
	return false
}

// peek tells the position of the next unit.
func (c *cursor) peek() time.Duration {
	if c.next >= len(c.film.frames) {
		c.round, c.next = c.round+1, 0
	}
	return time.Duration(c.round)*loopLength + c.film.frames[c.next].at
}

// take gives the next unit; start is the wall clock at position 0.
func (c *cursor) take(start time.Time) *av.Unit {
	pos := c.peek()
	f := c.film.frames[c.next]
	c.next++
	pts := f.pts + c.round*int64(loopLength/time.Second)*c.film.rate[f.track]
	return &av.Unit{Track: f.track, Key: f.key, PTS: pts, DTS: pts, Wall: start.Add(pos), Generation: 1, Data: f.data}
}
