package httpcam

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"testing"
)

// withoutTables takes the Huffman tables out, as MJPEG of webcams has it.
func withoutTables(t testing.TB, b []byte) []byte {
	t.Helper()
	out := bytes.Clone(b[:2])
	for at := 2; at+4 <= len(b); {
		n := 2 + int(binary.BigEndian.Uint16(b[at+2:]))
		if b[at+1] == markSOS {
			return append(out, b[at:]...)
		}
		if b[at+1] != markDHT {
			out = append(out, b[at:at+n]...)
		}
		at += n
	}
	t.Fatal("no scan in the picture")
	return nil
}

func TestAPictureWithoutTablesGetsTheUsualOnes(t *testing.T) {
	whole := drawn(t, 64, 48, 7)
	bare := withoutTables(t, whole)
	if _, err := jpeg.Decode(bytes.NewReader(bare)); err == nil {
		t.Fatal("it can be decoded without its tables: the test tests nothing")
	}
	got, w, h, err := picture(bare)
	if err != nil || w != 64 || h != 48 {
		t.Fatalf("%dx%d, %v", w, h, err)
	}
	a, errA := jpeg.Decode(bytes.NewReader(whole))
	b, errB := jpeg.Decode(bytes.NewReader(got))
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if !bytes.Equal(a.(*image.YCbCr).Y, b.(*image.YCbCr).Y) || !bytes.Equal(a.(*image.YCbCr).Cb, b.(*image.YCbCr).Cb) {
		t.Error("the picture is another one now")
	}
	if same, _, _, _ := picture(whole); !bytes.Equal(same, whole) {
		t.Error("a whole picture was changed")
	}
}

func TestWhatIsNoPicture(t *testing.T) {
	whole := drawn(t, 16, 16, 1)
	for name, b := range map[string][]byte{
		"nothing": nil, "a page": []byte("<html>"), "half": whole[:len(whole)/2], "without its end": whole[:len(whole)-2],
		"only the marks": {0xFF, 0xD8, 0xFF, 0xD9}, "a bad segment": {0xFF, 0xD8, 0xFF, 0xE0, 0, 1, 0xFF, 0xD9},
	} {
		if _, _, _, err := picture(b); err == nil {
			t.Errorf("%s is taken for a picture", name)
		}
	}
}

func FuzzPicture(f *testing.F) {
	whole := drawn(f, 24, 16, 5)
	f.Add(whole)
	f.Add(withoutTables(f, whole))
	f.Add(whole[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		var one, two scan
		n, err := one.walk(b)
		for i := range b { // the same, byte by byte
			m, e := two.walk(b[:i+1])
			if e != nil {
				if err == nil {
					t.Fatalf("at byte %d: %v, but at once %d, nil", i, e, n)
				}
				return
			}
			if m > 0 {
				if m != n {
					t.Fatalf("ends at %d, but at once at %d", m, n)
				}
				break
			}
		}
		if out, w, h, err := picture(b); err == nil && (w == 0 || h == 0 || len(out) < 4 || len(out) > len(b)+1024) {
			t.Fatalf("%d bytes, %dx%d of %d", len(out), w, h, len(b))
		}
	})
}
