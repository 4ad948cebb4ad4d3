package attribute

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"
)

// book numbers in the order that it is asked.
type book map[string]uint64

func (b book) IID(key string) (uint64, error) {
	if b[key] == 0 {
		b[key] = uint64(len(b) + 1)
	}
	return b[key], nil
}
func (b book) AID(key string) (uint64, error) { return b.IID("aid " + key) }
func (b book) ReserveIIDs(keys []string) error {
	for _, k := range keys {
		b.IID(k)
	}
	return nil
}

// one is a database of one characteristic of each format.
func one(t testing.TB) (*Database, map[string]*characteristic.C) {
	t.Helper()
	a := accessory.New(accessory.Info{Name: "x"}, accessory.TypeOther)
	s := service.New("FF")
	cs := map[string]*characteristic.C{}
	for _, f := range formats() {
		c := characteristic.New()
		c.Type, c.Format = "F-"+f, f
		c.Permissions = []string{"pr", "pw", "ev"}
		cs[f] = c
		s.AddC(c)
	}
	a.AddS(s)
	d, err := New([]*accessory.A{a}, book{})
	if err != nil {
		t.Fatal(err)
	}
	return d, cs
}

func formats() []string {
	return []string{"bool", "uint8", "uint16", "uint32", "int32", "uint64", "float", "string", "tlv8", "data"}
}

func request(t testing.TB) *http.Request {
	return httptest.NewRequestWithContext(t.Context(), "PUT", "/characteristics", nil)
}

func TestWhatFitsAFormat(t *testing.T) {
	d, cs := one(t)
	long := "\"0123456789012345678901234567890123456789012345678901234567890123" // 64
	for _, c := range []struct {
		format, raw string
		want        any // nil: refused
	}{
		{"bool", "true", true}, {"bool", "0", false}, {"bool", " 1\n", true}, {"bool", "2", nil}, {"bool", `"true"`, nil}, {"bool", "null", nil},
		{"uint8", "255", 255}, {"uint8", "256", nil}, {"uint8", "-1", nil}, {"uint8", "1.0", 1}, {"uint8", "1.5", nil}, {"uint8", "true", 1},
		{"uint8", "NaN", nil}, {"uint8", "Inf", nil}, {"uint8", "1e400", nil}, {"uint8", "0x10", nil}, {"uint8", "1_0", nil},
		{"uint16", "65535", 65535}, {"uint16", "65536", nil},
		{"uint32", "4294967295", 4294967295}, {"uint32", "4294967296", nil},
		{"int32", "-2147483648", -2147483648}, {"int32", "2147483647", 2147483647}, {"int32", "2147483648", nil},
		{"uint64", "18446744073709551615", uint64(math.MaxUint64)}, {"uint64", "18446744073709551616", nil}, {"uint64", "-1", nil},
		{"float", "1.5", 1.5}, {"float", "-2", -2.0}, {"float", "NaN", nil}, {"float", "1e999", nil}, {"float", "[]", nil},
		{"string", `"héllo"`, "héllo"}, {"string", `""`, ""}, {"string", "1", nil}, {"string", "null", nil},
		{"string", long + `"`, long[1:]}, {"string", long + `x"`, nil},
		{"tlv8", `"AQEB"`, "AQEB"}, {"tlv8", `"not base64!"`, nil}, {"tlv8", "null", nil}, {"tlv8", `""`, ""},
		{"data", `"AQEB"`, "AQEB"}, {"data", "{}", nil},
	} {
		at := d.Of(cs[c.format])
		response, status := at.Write(json.RawMessage(c.raw), request(t))
		want := OK
		if c.want == nil {
			want = Invalid
		}
		if status != want || response != nil {
			t.Errorf("%s %s: status %d, response %s", c.format, c.raw, status, response)
		}
		if got := at.C.Value(); c.want != nil && c.format != "uint64" && got != c.want {
			t.Errorf("%s %s: holds %v", c.format, c.raw, got)
		}
	}
}

func TestLimits(t *testing.T) {
	d, cs := one(t)
	cs["uint8"].ValidVals = []int{0, 2}
	cs["int32"].MinVal, cs["int32"].MaxVal = -5, 5
	cs["uint16"].ValidRange = []int{10, 20}
	cs["float"].MinVal, cs["float"].MaxVal = 0.5, 1.5
	cs["string"].MaxLen = 3
	for _, c := range []struct {
		format, raw string
		want        int
	}{
		{"uint8", "2", OK}, {"uint8", "1", Invalid},
		{"int32", "-5", OK}, {"int32", "-6", Invalid}, {"int32", "6", Invalid},
		{"uint16", "20", OK}, {"uint16", "21", Invalid},
		{"float", "0.5", OK}, {"float", "1.6", Invalid},
		{"string", `"äöü"`, OK}, {"string", `"abcd"`, Invalid},
	} {
		if _, status := d.Of(cs[c.format]).Write(json.RawMessage(c.raw), request(t)); status != c.want {
			t.Errorf("%s %s: %d", c.format, c.raw, status)
		}
	}
}

func TestWhatIsReadBeforeAnythingWasWritten(t *testing.T) {
	d, cs := one(t)
	for f, want := range map[string]string{"bool": "false", "uint8": "0", "float": "0", "string": `""`, "tlv8": `""`} {
		if v, status := d.Of(cs[f]).Read(request(t)); string(v) != want || status != OK {
			t.Errorf("%s: %s %d", f, v, status)
		}
	}
	c := cs["float"]
	c.ValueRequestFunc = func(*http.Request) (any, int) { return math.NaN(), 0 }
	if v, _ := d.Of(c).Read(request(t)); string(v) != "0" {
		t.Errorf("%s", v)
	}
	c.Permissions = []string{"pw"}
	if _, status := d.Of(c).Read(request(t)); status != WriteOnly {
		t.Error(status)
	}
}

// TestIdentify calls back, and holds nothing.
func TestIdentify(t *testing.T) {
	a := accessory.New(accessory.Info{Name: "x"}, accessory.TypeOther)
	called := 0
	a.IdentifyFunc = func(r *http.Request) { called++ }
	d, err := New([]*accessory.A{a}, book{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, status := d.Of(a.Info.Identify.C).Write(json.RawMessage("true"), request(t)); status != OK {
			t.Error(status)
		}
	}
	if called != 2 {
		t.Errorf("called %d times", called)
	}
}

func TestWhatCannotBeNumbered(t *testing.T) {
	twice := accessory.New(accessory.Info{Name: "x"}, accessory.TypeOther)
	s := service.New("FF")
	s.AddC(characteristic.NewMute().C)
	s.AddC(characteristic.NewMute().C)
	twice.AddS(s)
	for name, as := range map[string][]*accessory.A{
		"none":                      nil,
		"no information service":    {{Info: service.NewAccessoryInformation(), Ss: []*service.S{service.New("FF")}}},
		"a characteristic is twice": {twice},
	} {
		if _, err := New(as, book{}); err == nil {
			t.Errorf("%s: numbered", name)
		}
	}
}

// TestTheShapeHasNoValues, and grows with what a controller can see.
func TestTheShapeHasNoValues(t *testing.T) {
	d, cs := one(t)
	before := string(d.Shape())
	if _, status := d.Of(cs["uint8"]).Write(json.RawMessage("7"), request(t)); status != OK {
		t.Fatal(status)
	}
	if string(d.Shape()) != before {
		t.Error("the shape holds a value")
	}
	cs["uint8"].MaxVal = 9
	if string(d.Shape()) == before {
		t.Error("a limit is not part of the shape")
	}
}

func FuzzWrite(f *testing.F) {
	for _, raw := range []string{"true", "255", "-1", "1e3", `"AQEB"`, "null", `{"a":[1]}`, "\x00", `"\ud800"`, ""} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		d, cs := one(t)
		for _, c := range cs {
			at := d.Of(c)
			_, status := at.Write(json.RawMessage(raw), request(t))
			if status != OK && status != Invalid {
				t.Fatalf("%s: status %d", c.Format, status)
			}
			if v, status := at.Read(request(t)); status != OK || !json.Valid(v) {
				t.Fatalf("%s: %q %d", c.Format, v, status)
			}
		}
	})
}
