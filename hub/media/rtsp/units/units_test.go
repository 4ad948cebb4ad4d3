package units

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// Parameter sets as an encoder wrote them: main profile, 320x180, no reordering.
func testSets() (sps, pps []byte) {
	return unhex("674d400cd901419f9f011000000300100000030320f142a480"), unhex("68ebc3cb20")
}

func h264Reader(t testing.TB, o Options, sets bool) Reader {
	t.Helper()
	f := &format.H264{PacketizationMode: 1}
	if sets {
		f.SPS, f.PPS = testSets()
	}
	o.ID, o.Clock = 1, 90000
	r, err := NewReader(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// feed gives packets to a reader, numbered from the first.
type feed struct {
	r    Reader
	seq  uint16
	out  []Unit
	time uint32
}

func (f *feed) send(marker bool, payload ...byte) {
	f.seq++
	f.r.Read(&Packet{Type: 96, Marker: marker, Seq: f.seq, Time: f.time, Payload: payload}, func(u Unit) { f.out = append(f.out, u) })
}

func (f *feed) next() { f.time += 3600 }

func slices264(key bool, n int) []byte {
	b := bytes.Repeat([]byte{0x55}, n)
	b[0], b[1] = 0x41, 0x88
	if key {
		b[0] = 0x65
	}
	return b
}

// TestLoss: a picture with a hole is not given out, and the next one says so.
func TestLoss(t *testing.T) {
	f := &feed{r: h264Reader(t, Options{}, true)}
	pic := slices264(true, 300)
	fragments := func(lose int) {
		for i := range 3 {
			flags := byte(0)
			switch i {
			case 0:
				flags = 0x80
			case 2:
				flags = 0x40
			}
			if i == lose {
				f.seq++
				continue
			}
			from := max(1, i*100)
			f.send(i == 2, append([]byte{pic[0]&0xe0 | 28, flags | pic[0]&0x1f}, pic[from:(i+1)*100]...)...)
		}
		f.next()
	}
	fragments(-1)
	for lose := range 3 {
		fragments(lose)
		fragments(-1)
	}
	if len(f.out) != 4 {
		t.Fatalf("%d units, %+v", len(f.out), f.r.Notes())
	}
	for i, u := range f.out {
		if !bytes.Equal(u.Data, av.JoinNALs([][]byte{pic})) || u.Lost != (i > 0) {
			t.Errorf("unit %d: %d bytes, lost %v", i, len(u.Data), u.Lost)
		}
	}
	if n := f.r.Notes(); n.Lost != 3 || n.Damaged != 3 {
		t.Errorf("%+v", n)
	}
}

func TestAggregates(t *testing.T) {
	sps, pps := testSets()
	f := &feed{r: h264Reader(t, Options{}, false)}
	stap := []byte{24}
	for _, nal := range [][]byte{sps, pps, {9, 0xf0}, slices264(true, 20)} {
		stap = append(append(stap, 0, byte(len(nal))), nal...)
	}
	f.send(true, append(stap, 0, 0)...) // with padding
	f.next()
	f.send(true, 24, 0, 200, 1) // a size beyond the packet
	f.next()
	f.send(true, slices264(false, 20)...)
	if len(f.out) != 2 || f.out[0].Track == nil || f.out[0].Track.Width != 320 || !f.out[0].Key || f.out[1].Key || !f.out[1].Lost {
		t.Fatalf("%+v", f.out)
	}
	if !bytes.Equal(f.out[0].Data, av.JoinNALs([][]byte{slices264(true, 20)})) {
		t.Errorf("parameter sets or the delimiter stayed in: %x", f.out[0].Data)
	}
}

// TestWithoutMarker: pictures end where the time changes.
func TestWithoutMarker(t *testing.T) {
	f := &feed{r: h264Reader(t, Options{}, true)}
	for i := range 5 {
		f.send(false, slices264(i == 0, 30)...)
		f.next()
	}
	if len(f.out) != 4 {
		t.Errorf("%d units", len(f.out))
	}
}

// TestRecoveryPoint: a camera that refreshes slice by slice and never sends an IDR picture
// is begun at a recovery point.
func TestRecoveryPoint(t *testing.T) {
	f := &feed{r: h264Reader(t, Options{}, true)}
	for i := range 2 * patienceForIDR {
		if i%25 == 0 {
			f.send(false, 6, 6, 1, 0x84, 0x80)
		}
		f.send(true, slices264(false, 30)...)
		f.next()
	}
	keys := 0
	for _, u := range f.out {
		if u.Key {
			keys++
		}
	}
	if keys != 10 || !f.r.Notes().NoIDR {
		t.Errorf("%d key frames, %+v", keys, f.r.Notes())
	}
}

// TestBoundsOfPicture: neither size nor count of NAL units grows without end.
func TestBoundsOfPicture(t *testing.T) {
	f := &feed{r: h264Reader(t, Options{}, true)}
	f.send(false, append([]byte{0x7c, 0x85, 0x88}, make([]byte, 100)...)...)
	for range 200 {
		f.send(false, append([]byte{0x7c, 0x05}, make([]byte, 60_000)...)...)
	}
	f.send(true, 0x7c, 0x45, 1)
	f.next()
	for range maxNALs + 10 {
		f.send(false, 0x41, 0x40)
	}
	f.send(true, 0x41, 0x40)
	f.next()
	f.send(true, slices264(true, 30)...)
	if len(f.out) != 1 || !f.out[0].Lost {
		t.Errorf("%d units", len(f.out))
	}
	if r := f.r.(*pictures); cap(r.buf) > 2*av.MaxUnit {
		t.Errorf("the buffer grew to %d bytes", cap(r.buf))
	}
}

func TestAAC(t *testing.T) {
	r, err := NewReader(&format.MPEG4Audio{Config: &mpeg4audio.AudioSpecificConfig{Type: 2, SampleRate: 16000, ChannelCount: 1}, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3}, Options{ID: 2, Clock: 8000})
	if err != nil {
		t.Fatal(err)
	}
	f := &feed{r: r, time: 800}
	f.send(true, 0, 32, 0, 3<<3, 0, 2<<3, 'a', 'b', 'c', 'd', 'e')
	f.send(true, 0, 16, 0, 200) // more than there is
	if len(f.out) != 2 || string(f.out[0].Data) != "abc" || string(f.out[1].Data) != "de" {
		t.Fatalf("%+v", f.out)
	}
	// RTP's clock is 8000, the track's 16000; the second unit is 1024 samples on.
	if f.out[0].PTS != 1600 || f.out[1].PTS != 2624 {
		t.Errorf("at %d and %d", f.out[0].PTS, f.out[1].PTS)
	}
}

func TestPlainSound(t *testing.T) {
	r, err := NewReader(&format.LPCM{BitDepth: 16, SampleRate: 48000, ChannelCount: 2}, Options{ID: 2, Clock: 48000})
	if err != nil {
		t.Fatal(err)
	}
	f := &feed{r: r}
	f.send(true, 1, 2, 3, 4, 5, 6, 7, 8, 9) // one byte too many for two channels
	f.seq += 3
	f.send(true, 1, 2, 3, 4)
	f.send(true)
	if len(f.out) != 2 || len(f.out[0].Data) != 8 || !f.out[1].Lost || r.Notes().Lost != 3 {
		t.Errorf("%+v", f.out)
	}
	for _, none := range []format.Format{&format.LPCM{BitDepth: 24}, &format.VP8{}, &format.H264{PacketizationMode: 2}, &format.H265{MaxDONDiff: 1}} {
		if _, err := NewReader(none, Options{}); err == nil {
			t.Errorf("%T is carried", none)
		}
	}
}

func TestPacket(t *testing.T) {
	full := unhex("b1e0000100000002000000030000000400010001aabbccdd6162630002")
	full[0] = 0xb1 // padding, extension, one source
	p, err := ParsePacket(full)
	if err != nil || string(p.Payload) != "abc" || !p.Marker || p.Type != 0x60 || p.Seq != 1 || p.Time != 2 || p.SSRC != 3 {
		t.Errorf("%+v %v", p, err)
	}
	for _, b := range []string{"", "80e0", "40e000010000000200000003", "8fe000010000000200000003", "90e000010000000200000003", "a0e0000100000002000000030d"} {
		if p, err := ParsePacket(unhex(b)); err == nil {
			t.Errorf("%s became %+v", b, p)
		}
	}
	// A sender report behind a receiver report; 2024-01-01 00:00:00.5 UTC.
	sr := unhex("80c90001deadbeef" + "80c80006" + "00000005" + "e93c7f00" + "80000000" + "00015f90" + "00000000" + "00000000")
	got := ParseReports(sr)
	if len(got) != 1 || got[0].SSRC != 5 || got[0].Time != 90000 || !got[0].Wall.Equal(time.Date(2024, 1, 1, 0, 0, 0, 5e8, time.UTC)) {
		t.Errorf("%+v", got)
	}
}

func TestUnwrap(t *testing.T) {
	u := unwrap{from: 90000, to: 90000}
	at := []uint32{0xfffffff0, 0x10, 0x20, 0x0, 0xfffffff0}
	want := []int64{0xfffffff0, 0x100000010, 0x100000020, 0x100000000, 0xfffffff0}
	for i := range at {
		if got := u.ticks(at[i]); got != want[i] {
			t.Errorf("%x became %x", at[i], got)
		}
	}
	w := NewUnwrapper(8000)
	w.Packet(0xffffff00)
	if got := w.Near(0x100, 16000); got != 2*0x100000100 {
		t.Errorf("%x", got)
	}
}

func TestReorder(t *testing.T) {
	var r Reorder
	now := time.Now()
	var got []int
	push := func(seqs ...int) {
		for _, s := range seqs {
			b := make([]byte, 12)
			b[2], b[3] = byte(s>>8), byte(s)
			r.Push(b, now, func(b []byte) { got = append(got, int(b[2])<<8|int(b[3])) })
		}
	}
	expect := func(name string, want ...int) {
		t.Helper()
		if len(got) != len(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		} else {
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("%s: %v, want %v", name, got, want)
					break
				}
			}
		}
		got = nil
	}
	push(65534, 1, 65535, 0, 0, 65535, 2)
	expect("over the end of numbers, with doubles", 65534, 65535, 0, 1, 2)
	push(4, 5)
	expect("a gap")
	now = now.Add(2 * reorderWait)
	push(6)
	expect("a gap that lasts", 4, 5, 6)
	push(200)
	expect("far ahead", 200)
	for i := range reorderSpan + 1 {
		push(10 + i)
	}
	expect("counted anew", 10+reorderSpan)
	push(11 + reorderSpan)
	expect("and on", 11+reorderSpan)
	push(12+reorderSpan+1, 12+reorderSpan+3)
	push(12 + 3*reorderSpan)
	expect("too far ahead to wait", 13+reorderSpan, 15+reorderSpan, 12+3*reorderSpan)
}

// TestOrder: without what a picture needs to tell its place, decoding runs two pictures
// ahead, and goes only forward.
func TestOrder(t *testing.T) {
	o := order{new: func() extractor { return refusing{} }}
	shown := []int64{0, 10800, 3600, 7200, 21600, 14400, 18000}
	last := int64(-1)
	for i, pts := range shown {
		p, d := o.place([3][]byte{}, nil, pts, i == 0)
		if d > p || i > 0 && d <= last {
			t.Errorf("picture %d: shown %d, decoded %d after %d", i, p, d, last)
		}
		last = d
	}
	if o.guessed != uint64(len(shown)) {
		t.Errorf("%d guessed", o.guessed)
	}
	// A jump of hours back is not hidden.
	if p, d := o.place([3][]byte{}, nil, -1e9, true); p != -1e9 || d != -1e9 {
		t.Errorf("after a jump %d %d", p, d)
	}
}

type refusing struct{}

func (refusing) Extract([][]byte, int64) (int64, error) { return 0, ErrNotRTP }

func TestH265(t *testing.T) {
	var sets [][]byte
	for _, s := range []string{"QAEMAf//AWAAAAMAsAAAAwAAAwB4FwJA", "QgEBAWAAAAMAsAAAAwAAAwB4oAKggC8c1YgXuRZFL/y5/E/qbgQEBAE=", "RAHAcvBTJA=="} {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, b)
	}
	r, err := NewReader(&format.H265{SPS: sets[1], PPS: sets[2]}, Options{ID: 1, Clock: 90000})
	if err != nil {
		t.Fatal(err)
	}
	if _, known := r.Track(); known {
		t.Error("described without a VPS")
	}
	f := &feed{r: r}
	ap := []byte{48 << 1, 1}
	for _, s := range sets {
		ap = append(append(ap, 0, byte(len(s))), s...)
	}
	f.send(false, ap...)
	slice := append([]byte{19 << 1, 1, 0x80}, bytes.Repeat([]byte{0x55}, 100)...)
	f.send(false, append([]byte{49 << 1, 1, 0x80 | 19}, slice[2:50]...)...)
	f.send(true, append([]byte{49 << 1, 1, 0x40 | 19}, slice[50:]...)...)
	f.next()
	f.send(true, 50<<1, 1, 0) // PACI
	f.send(true, 1)
	if len(f.out) != 1 || !f.out[0].Key || !bytes.Equal(f.out[0].Data, av.JoinNALs([][]byte{slice})) {
		t.Fatalf("%+v", f.out)
	}
	if tr, known := r.Track(); !known || tr.Codec != av.H265 || tr.Width == 0 {
		t.Errorf("%+v", tr)
	}
}

// FuzzReaders gives packets made of the input to each reader: none may panic, and what they
// give out keeps to its form.
func FuzzReaders(f *testing.F) {
	sps, pps := testSets()
	f.Add(append(append([]byte{1, 26}, sps...), append([]byte{129, 6}, pps...)...))
	f.Add([]byte{0, 4, 0x7c, 0x85, 0x88, 1, 128, 3, 0x7c, 0x45, 2})
	f.Add([]byte{128, 12, 0, 0, 0, 0, 1, 50, 40, 23, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, fm := range []format.Format{
			&format.H264{PacketizationMode: 1}, &format.H264{SPS: sps, PPS: pps}, &format.H265{}, &format.MJPEG{},
			&format.MPEG4Audio{Config: &mpeg4audio.AudioSpecificConfig{Type: 2, SampleRate: 16000, ChannelCount: 1}, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3},
			&format.MPEG4AudioLATM{CPresent: true}, &format.Opus{ChannelCount: 2}, &format.G711{SampleRate: 8000, ChannelCount: 2},
		} {
			r, err := NewReader(fm, Options{ID: 1, Clock: 90000})
			if err != nil {
				t.Fatal(err)
			}
			play(t, r, fm, in)
		}
	})
}

// play makes packets of in: a byte of flags, a byte of length, and as many bytes.
func play(t *testing.T, r Reader, fm format.Format, in []byte) {
	var seq uint16
	var at uint32
	for len(in) >= 2 {
		flags, n := in[0], min(int(in[1]), len(in)-2)
		p := &Packet{Marker: flags&0x80 != 0, Seq: seq, Time: at, Payload: in[2 : 2+n]}
		in = in[2+n:]
		seq++
		if flags&1 != 0 {
			at += 3600
		}
		if flags&2 != 0 {
			seq += uint16(flags >> 3)
		}
		if flags&4 != 0 {
			at += 1 << 31
		}
		r.Read(p, func(u Unit) {
			if len(u.Data) == 0 || len(u.Data) > av.MaxUnit || u.DTS > u.PTS {
				t.Fatalf("%T: %d bytes, shown %d, decoded %d", fm, len(u.Data), u.PTS, u.DTS)
			}
			if tr, known := r.Track(); !known || tr.ClockRate == 0 {
				t.Fatalf("%T: a unit before its track", fm)
			}
		})
	}
}
