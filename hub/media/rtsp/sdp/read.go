package sdp

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"
	strict "github.com/bluenviron/gortsplib/v5/pkg/sdp"
)

// Limits of a description.
const (
	maxBody       = 128 << 10 // bytes; real ones have less than 4 KiB
	maxSections   = 16
	maxLines      = 64 // of one section
	maxParameters = 32 // of one payload type
)

// Why a description cannot be read.
var (
	ErrTooLarge = errors.New("larger than any description")
	ErrEmpty    = errors.New("no streams in it")
)

// Media is one stream of a description.
type Media struct {
	Kind    string // video or audio
	Control string // as it stands there
	Talk    bool   // it goes to the camera
	Secure  bool   // SRTP
	Formats []Format
}

// Format is one way in which a stream may be sent.
type Format struct {
	Name  string // of the codec, for people
	Clock int    // RTP ticks a second
	Type  uint8  // as in the packets, if it was not renumbered
	format.Format
}

// Description of a camera's streams.
type Description struct {
	Control string // of the whole
	Medias  []Media
	Repairs []string // that had to be made
	Left    []string // streams that are not carried, and why
}

// Read reads a description. without names repairs that are switched off; nil: none.
func Read(body []byte, without func(repair string) bool) (*Description, error) {
	if len(body) > maxBody {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(body))
	}
	if without == nil {
		without = func(string) bool { return false }
	}
	t := split(body)
	if len(t.sections) == 0 {
		return nil, ErrEmpty
	}
	clocks := rawClocks(t)
	d := new(Description)
	before := slices.Clone(t.sections)
	for _, r := range repairs() {
		if !without(r.name) && r.mend(t) {
			d.Repairs = append(d.Repairs, r.name)
		}
	}
	for _, s := range before {
		if !slices.Contains(t.sections, s) {
			d.Left = append(d.Left, clean(s.kind)+": data")
		}
	}
	for _, l := range t.session {
		if name, v := l.attribute(); name == "control" && d.Control == "" {
			d.Control = v
		}
	}
	medias, err := parse(t.join(t.sections...))
	if err != nil && !without("one_by_one") {
		return d, d.oneByOne(t, clocks)
	}
	if err != nil {
		return nil, err
	}
	for i, m := range medias {
		d.add(t.sections[i], m, clocks[t.sections[i]])
	}
	return d, nil
}

// oneByOne reads each stream as if it were alone, so that one that cannot be read costs
// itself only.
func (d *Description) oneByOne(t *text, clocks map[*section][]int) error {
	var why error
	for _, s := range t.sections {
		m, err := parse(t.join(s))
		if err != nil {
			d.Left = append(d.Left, clean(s.kind)+": "+clean(err.Error()))
			why = err
			continue
		}
		d.add(s, m[0], clocks[s])
	}
	d.Repairs = append(d.Repairs, "one_by_one")
	if len(d.Medias) == 0 && why != nil {
		return why
	}
	return nil
}

// rawClocks notes what the camera says its clocks are, before repairs write what the
// parser wants to read: for each section one for each payload type.
func rawClocks(t *text) map[*section][]int {
	out := make(map[*section][]int)
	for _, s := range t.sections {
		for _, typ := range s.typesOrMaps() {
			if _, err := strconv.Atoi(typ); err == nil { // the others are left out later
				_, clock, _ := s.codec(typ)
				out[s] = append(out[s], clock)
			}
		}
	}
	return out
}

// parse has the strict parser read a description. It is fuzzed where it comes from; should
// it break all the same, this camera's description is what breaks.
func parse(b []byte) (medias []*description.Media, err error) {
	defer func() {
		if r := recover(); r != nil {
			medias, err = nil, fmt.Errorf("the parser broke: %v", r)
		}
	}()
	var s strict.SessionDescription
	if err := s.Unmarshal(b); err != nil {
		return nil, err
	}
	var d description.Session
	if err := d.Unmarshal(&s); err != nil {
		return nil, err
	}
	return d.Medias, nil
}

func (d *Description) add(s *section, m *description.Media, clocks []int) {
	out := Media{
		Kind: string(m.Type), Control: m.Control, Talk: m.IsBackChannel,
		Secure: m.Profile == headers.TransportProfileSAVP,
	}
	for i, f := range m.Formats {
		one := Format{Name: f.Codec(), Clock: f.ClockRate(), Type: f.PayloadType(), Format: f}
		if g, ok := f.(*format.Generic); ok {
			name, _, _ := strings.Cut(g.RTPMa, "/")
			one.Name = clean(name)
		}
		if _, opus := f.(*format.Opus); i < len(clocks) && clocks[i] > 0 && !opus {
			one.Clock = clocks[i]
		}
		out.Formats = append(out.Formats, one)
	}
	d.Medias = append(d.Medias, out)
}

// clean keeps what can be shown, at most 100 bytes of it.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if len(s) > 100 {
		s = strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}
