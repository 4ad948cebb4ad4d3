package tlv

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/brutella/hap/rtp"
	"github.com/brutella/hap/tlv8"
)

func TestParseJoinsFragments(t *testing.T) {
	long := bytes.Repeat([]byte{7}, 600)
	var w Writer
	w.Bytes(3, long).Byte(6, 1).Bytes(3, nil).Separate().Bytes(9, bytes.Repeat([]byte{1}, 255)).Byte(1, 2)
	items, err := Parse(w.Out())
	if err != nil {
		t.Fatal(err)
	}
	want := Items{{3, long}, {6, []byte{1}}, {3, nil}, {0, nil}, {9, bytes.Repeat([]byte{1}, 255)}, {1, []byte{2}}}
	if len(items) != len(want) {
		t.Fatalf("%d items, not %d", len(items), len(want))
	}
	for i := range want {
		if items[i].Tag != want[i].Tag || !bytes.Equal(items[i].Value, want[i].Value) {
			t.Errorf("item %d is %v, not %v", i, items[i], want[i])
		}
	}
}

func TestParseDoesNotWriteIntoItsInput(t *testing.T) {
	var w Writer
	w.Bytes(3, bytes.Repeat([]byte{7}, 300)).Byte(6, 1)
	in := w.Out()
	before := bytes.Clone(in)
	if _, err := Parse(in); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(in, before) {
		t.Error("the bytes that were read have changed")
	}
}

func TestParseRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"tag alone":      {1},
		"value too long": {1, 2, 3},
		"cut fragment":   append([]byte{1, 255}, bytes.Repeat([]byte{0}, 254)...),
		"too many bytes": make([]byte, MaxBytes+2),
		"too many items": bytes.Repeat([]byte{1, 1, 1}, MaxItems+1),
	} {
		_, err := Parse(b)
		var m *Malformed
		if !errors.As(err, &m) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSplit(t *testing.T) {
	var w Writer
	w.SeparatePairings().Byte(1, 1).Byte(3, 1).SeparatePairings().SeparatePairings().Byte(1, 2)
	items, err := Parse(w.Out())
	if err != nil {
		t.Fatal(err)
	}
	parts := items.Split()
	if len(parts) != 2 || len(parts[0]) != 2 || len(parts[1]) != 1 {
		t.Errorf("parts: %v", parts)
	}
}

type size struct {
	W   uint16 `tlv8:"1"`
	H   uint16 `tlv8:"2"`
	FPS uint8  `tlv8:"3"`
}

type offer struct {
	Profiles []byte  `tlv8:"1,each"`
	Levels   []byte  `tlv8:"2,each"`
	Sizes    []size  `tlv8:"3"`
	Wait     float32 `tlv8:"4"`
	Neg      int16   `tlv8:"5"`
	Big      int64   `tlv8:"6"`
	Maybe    uint8   `tlv8:"7,optional"`
	Part     *size   `tlv8:"8"`
	Text     string  `tlv8:"9"`
	On       bool    `tlv8:"10"`
}

func TestThereAndBack(t *testing.T) {
	in := offer{Profiles: []byte{0, 1, 2}, Levels: []byte{2}, Sizes: []size{{1920, 1080, 30}, {320, 240, 15}},
		Wait: 0.5, Neg: -3, Big: -1 << 40, Part: &size{1, 2, 3}, Text: strings.Repeat("ä", 300), On: true}
	b, err := Marshal(&in)
	if err != nil {
		t.Fatal(err)
	}
	if want := []byte{1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 2, 2, 1, 2, 3, 11}; !bytes.HasPrefix(b, want) {
		t.Errorf("begins with % x", b[:len(want)])
	}
	var out offer
	if err := Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(in, out) {
		t.Errorf("%+v came back as %+v", in, out)
	}
}

func TestInlineElements(t *testing.T) {
	type both struct {
		Named []size `tlv8:"9"`
		Among []size `tlv8:"-"`
	}
	in := both{Named: []size{{1, 2, 3}}, Among: []size{{4, 5, 6}, {7, 8, 9}}}
	b, err := Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out both
	if err := Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(in, out) {
		t.Errorf("%+v came back as %+v", in, out)
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	var s size
	var m *Malformed
	for name, b := range map[string][]byte{
		"missing":        {1, 1, 1, 2, 1, 1},
		"empty number":   {1, 0, 2, 1, 1, 3, 1, 1},
		"three bytes":    {1, 3, 1, 1, 1, 2, 1, 1, 3, 1, 1},
		"does not fit":   {1, 4, 0, 0, 1, 0, 2, 1, 1, 3, 1, 1},
		"two for a byte": {1, 1, 1, 2, 1, 1, 3, 2, 0, 1},
		"truncated":      {1, 1},
	} {
		if err := Unmarshal(b, &s); !errors.As(err, &m) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Unmarshal([]byte{4, 3, 1, 1, 1}, &struct {
		F float32 `tlv8:"4"`
	}{}); !errors.As(err, &m) {
		t.Errorf("a short float: %v", err)
	}
	if err := Unmarshal(nil, s); err == nil {
		t.Error("a value that cannot be filled was taken")
	}
	if err := Unmarshal([]byte{9, 1, 1, 1, 1, 1, 2, 1, 1, 3, 1, 1}, &s); err != nil {
		t.Errorf("an unknown item: %v", err)
	}
}

func TestMarshalRefuses(t *testing.T) {
	for _, v := range []any{1, nil, struct {
		C chan int `tlv8:"1"`
	}{make(chan int)}, struct {
		A int8 `tlv8:"x"`
	}{}} {
		if _, err := Marshal(v); err == nil {
			t.Errorf("%T was written", v)
		}
	}
}

// TestSameAsHap: what hap/tlv8 does right is done the same.
func TestSameAsHap(t *testing.T) {
	setup := rtp.SetupEndpoints{
		SessionId:      bytes.Repeat([]byte{1}, 16),
		ControllerAddr: rtp.Addr{IPAddr: "192.168.1.2", VideoRtpPort: 50000, AudioRtpPort: 50001},
		Video:          rtp.CryptoSuite{MasterKey: bytes.Repeat([]byte{2}, 16), MasterSalt: bytes.Repeat([]byte{3}, 14)},
		Audio:          rtp.CryptoSuite{MasterKey: bytes.Repeat([]byte{4}, 16), MasterSalt: bytes.Repeat([]byte{5}, 14)},
	}
	for _, v := range []any{
		setup,
		rtp.NewConfiguration(0),
		rtp.DefaultVideoStreamConfiguration(),
		rtp.DefaultAudioStreamConfiguration(),
		rtp.SetupEndpointsResponse{SessionId: []byte{1}, SsrcVideo: -2, SsrcAudio: 7, AccessoryAddr: setup.ControllerAddr, Video: setup.Video, Audio: setup.Audio},
	} {
		ours, err := Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := tlv8.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ours, theirs) {
			t.Errorf("%T:\nours   % x\ntheirs % x", v, ours, theirs)
		}
	}
	b, err := Marshal(setup)
	if err != nil {
		t.Fatal(err)
	}
	var back rtp.SetupEndpoints
	if err := Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, setup) {
		t.Errorf("%+v, %v", back, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{1, 1, 1, 0, 0, 3, 2, 1, 1})
	f.Add(append([]byte{1, 255}, bytes.Repeat([]byte{1}, 255)...))
	f.Add([]byte{255, 0, 6, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		items, err := Parse(b)
		if !bytes.Equal(before, b) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			return
		}
		var w Writer
		for i, it := range items {
			if i > 0 && items[i-1].Tag == it.Tag && len(items[i-1].Value)%fragment == 0 && len(items[i-1].Value) > 0 {
				return // cannot be written: the fragments would join
			}
			w.Bytes(it.Tag, it.Value)
		}
		again, err := Parse(w.Out())
		if err != nil || !slices.EqualFunc(items, again, func(a, b Item) bool { return a.Tag == b.Tag && bytes.Equal(a.Value, b.Value) }) {
			t.Fatalf("%v came back as %v, %v", items, again, err)
		}
		items.Split()
	})
}

func FuzzUnmarshal(f *testing.F) {
	if b, err := Marshal(offer{Profiles: []byte{1, 2}, Sizes: []size{{1, 2, 3}, {4, 5, 6}}, Text: "x"}); err == nil {
		f.Add(b)
	}
	f.Add([]byte{4, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var one offer
		if Unmarshal(b, &one) == nil {
			again, err := Marshal(one)
			if err != nil {
				t.Fatal(err)
			}
			if err := Unmarshal(again, &offer{}); err != nil {
				t.Fatalf("what was written cannot be read: %v", err)
			}
		}
		var setup rtp.SetupEndpoints
		_ = Unmarshal(b, &setup)
		var two struct {
			Among []size `tlv8:"-"`
		}
		_ = Unmarshal(b, &two)
	})
}
