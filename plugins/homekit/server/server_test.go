package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/plugins/homekit/server/http1"
	"github.com/porchlight-hub/porchlight/plugins/homekit/setup"
	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
)

func TestWhatADoorbellSays(t *testing.T) {
	d := newDoor(t, nil)
	l := d.invite(t, "phone", true).call(t, d)
	m := l.must(t, 200, "GET", "/accessories", "")
	var all struct {
		Accessories []struct {
			AID      uint64
			Services []struct {
				IID             uint64
				Type            string
				Primary         bool
				Characteristics []struct {
					IID   uint64
					Type  string
					Value json.RawMessage
				}
			}
		}
	}
	if err := json.Unmarshal(m.body, &all); err != nil {
		t.Fatal(err)
	}
	a := all.Accessories[0]
	if a.AID != 1 || a.Services[0].IID != 1 || a.Services[0].Type != "3E" || !a.Services[1].Primary {
		t.Fatalf("%s", m.body)
	}
	if v := a.Services[1].Characteristics[0]; v.Type != "73" || string(v.Value) != "null" {
		t.Fatalf("the bell reads %s", v.Value)
	}
	l.subscribe(t, d.bell.C)
	if n := d.Press(Press{C: d.bell.C, Value: 0}); n != 1 {
		t.Fatalf("handed to %d", n)
	}
	ev, err := l.read()
	if err != nil || !ev.event || ev.head.Get("Content-Type") != mediaJSON {
		t.Fatal(ev, err)
	}
	same(t, ev, fmt.Sprintf(`{"characteristics":[{"aid":1,"iid":%d,"value":0}]}`, d.bell.Id))
}

func TestBeforePairVerify(t *testing.T) {
	identified := 0
	d := newDoor(t, func(_ *door, o *Options) { o.Identify = func() { identified++ } })
	l := d.call(t)
	for _, ask := range [][2]string{
		{"GET", "/accessories"}, {"GET", "/characteristics?id=1.3"}, {"PUT", "/characteristics"},
		{"PUT", "/prepare"}, {"POST", "/resource"}, {"POST", "/pairings"},
	} {
		same(t, l.must(t, http1.StatusUnverified, ask[0], ask[1], "{}"), `{"status":-70401}`)
	}
	l.must(t, 404, "GET", "/", "")
	l.must(t, 404, "OPTIONS", "*", "")
	l.must(t, 405, "DELETE", "/accessories", "")
	l.must(t, 204, "POST", "/identify", "")
	for _, body := range []string{"", "\x06", "\x06\x01\x01\x06", strings.Repeat("\xff", http1.MaxBody)} {
		for _, path := range []string{"/pair-setup", "/pair-verify"} {
			m := l.must(t, 200, "POST", path, body)
			items, err := tlv.Parse(m.body)
			if e, _ := items.Byte(7); err != nil || e == 0 || m.head.Get("Content-Type") != mediaTLV {
				t.Errorf("%s: %x", path, m.body)
			}
		}
	}
	d.invite(t, "phone", true)
	same(t, l.must(t, 400, "POST", "/identify", ""), `{"status":-70401}`)
	if identified != 1 {
		t.Errorf("identified %d times", identified)
	}
}

func TestWritesAndTheirStatuses(t *testing.T) {
	var wrote []any
	d := newDoor(t, func(d *door, _ *Options) {
		d.volume.SetValueRequestFunc = func(v any, r *http.Request) (any, int) {
			wrote = append(wrote, v)
			if v == 13 {
				return nil, -70403
			}
			return nil, 0
		}
		d.mute.Permissions = append(d.mute.Permissions, characteristic.PermissionTimedWrite)
		d.motion.Permissions = append(d.motion.Permissions, characteristic.PermissionWrite, characteristic.PermissionWriteResponse)
		d.motion.SetValueRequestFunc = func(any, *http.Request) (any, int) { return 42, 0 }
	})
	l := d.invite(t, "phone", true).call(t, d)
	other := d.invite(t, "other", true).call(t, d)
	put := func(status int, format string, args ...any) message {
		return l.must(t, status, "PUT", "/characteristics", fmt.Sprintf(format, args...))
	}
	write := `{"characteristics":[{"aid":1,"iid":%d,"value":%s}]}`
	failed := `{"characteristics":[{"aid":1,"iid":%d,"status":%d}]}`
	for _, c := range []struct {
		iid    uint64
		value  string
		status int
	}{
		{d.volume.Id, "13", -70403}, {d.volume.Id, "101", -70410}, {d.volume.Id, "-1", -70410},
		{d.volume.Id, "1.5", -70410}, {d.volume.Id, `"5"`, -70410}, {d.volume.Id, "null", -70410},
		{d.volume.Id, "[1]", -70410}, {d.volume.Id, "1e9", -70410}, {d.volume.Id, "{}", -70410},
		{d.bell.Id, "0", -70404}, {9999, "0", -70409}, {d.mute.Id, "true", -70410},
	} {
		same(t, put(207, write, c.iid, c.value), fmt.Sprintf(failed, c.iid, c.status))
	}
	put(204, write, d.volume.Id, "20")
	put(204, write, d.volume.Id, "20") // held already, and yet it is asked for
	put(204, write, d.volume.Id, "true")
	if !slices.Equal(wrote, []any{13, 20, 20, 1}) {
		t.Errorf("the callback got %v", wrote)
	}
	same(t, put(207, `{"characteristics":[{"aid":1,"iid":%d,"value":1,"r":true}]}`, d.motion.Id),
		fmt.Sprintf(`{"characteristics":[{"aid":1,"iid":%d,"value":42,"status":0}]}`, d.motion.Id))
	same(t, put(207, `{"characteristics":[{"aid":1,"iid":%d,"value":30},{"aid":1,"iid":2,"value":"x"}]}`, d.volume.Id),
		fmt.Sprintf(`{"characteristics":[{"aid":1,"iid":%d,"status":0},{"aid":1,"iid":2,"status":-70410}]}`, d.volume.Id))
	same(t, put(207, `{"characteristics":[{"aid":1,"iid":3,"ev":1}]}`), `{"characteristics":[{"aid":1,"iid":3,"status":-70406}]}`)
	for _, bad := range []string{"", "{", "[]", `{"characteristics":[]}`, `{"characteristics":[{"aid":-1}]}`, `{"characteristics":[{"ev":7}]}`,
		`{"characteristics":[` + strings.Repeat(`{"aid":1,"iid":3},`, maxItems) + `{"aid":1,"iid":3}]}`} {
		same(t, put(400, "%s", bad), `{"status":-70410}`)
	}

	// Timed writes: each connection has its own, for one execution, until its time is over.
	timed := `{"characteristics":[{"aid":1,"iid":%d,"value":true}],"pid":%d}`
	prepare := func(l *line, pid, ttl int) {
		same(t, l.must(t, 200, "PUT", "/prepare", fmt.Sprintf(`{"ttl":%d,"pid":%d}`, ttl, pid)), `{"status":0}`)
	}
	refused := fmt.Sprintf(failed, d.mute.Id, -70410)
	prepare(other, 11, 60_000)
	same(t, put(207, timed, d.mute.Id, 11), refused)
	prepare(l, 12, 60_000)
	same(t, put(207, timed, d.mute.Id, 11), refused) // and with it the prepared one is over
	same(t, put(207, timed, d.mute.Id, 12), refused)
	prepare(l, 12, 60_000)
	put(204, timed, d.mute.Id, 12)
	same(t, put(207, timed, d.mute.Id, 12), refused)
	if !d.mute.Value() {
		t.Error("not muted")
	}
	for _, bad := range []string{"", "{}", `{"pid":1}`, `{"ttl":5}`, `{"ttl":-5,"pid":1}`} {
		l.must(t, 400, "PUT", "/prepare", bad)
	}
}

func TestReads(t *testing.T) {
	d := newDoor(t, func(d *door, _ *Options) {
		d.volume.SetValue(30)
		d.mute.ValueRequestFunc = func(*http.Request) (any, int) { return nil, -70402 }
	})
	l := d.invite(t, "phone", true).call(t, d)
	get := func(status int, query, want string) {
		t.Helper()
		same(t, l.must(t, status, "GET", "/characteristics?"+query, ""), want)
	}
	v, mute, identify := d.volume.Id, d.mute.Id, uint64(2)
	get(200, fmt.Sprintf("id=1.%d,1.%d", v, d.bell.Id),
		fmt.Sprintf(`{"characteristics":[{"aid":1,"iid":%d,"value":30},{"aid":1,"iid":%d,"value":null}]}`, v, d.bell.Id))
	get(200, fmt.Sprintf("id=1.%d&meta=1&perms=1&type=1&ev=1", v), fmt.Sprintf(
		`{"characteristics":[{"aid":1,"iid":%d,"value":30,"type":"119","perms":["pr","pw","ev"],"ev":false,"format":"uint8","unit":"percentage","minValue":0,"maxValue":100,"minStep":1}]}`, v))
	get(207, fmt.Sprintf("id=1.%d,1.%d,1.%d,7.7", v, mute, identify), fmt.Sprintf(
		`{"characteristics":[{"aid":1,"iid":%d,"value":30,"status":0},{"aid":1,"iid":%d,"status":-70402},{"aid":1,"iid":%d,"status":-70405},{"aid":7,"iid":7,"status":-70409}]}`, v, mute, identify))
	for _, bad := range []string{"", "id=", "id=1", "id=1.", "id=a.b", "id=1.1,", "id=-1.1", "id=" + strings.Repeat("1.1,", maxItems) + "1.1"} {
		get(400, bad, `{"status":-70410}`)
	}
	if m := l.must(t, 200, "GET", "/accessories", ""); !bytes.Contains(m.body, []byte(`"format":"bool"`)) {
		t.Error("what cannot be read is missing from the database")
	}
}

func TestAChangeIsToldToAllButItsWriter(t *testing.T) {
	d := newDoor(t, nil)
	p := d.invite(t, "phone", true)
	writer, other, deaf := p.call(t, d), p.call(t, d), p.call(t, d)
	for _, l := range []*line{writer, other} {
		l.subscribe(t, d.volume.C)
	}
	quiet := func(l *line) {
		t.Helper()
		if _, err := l.do("GET", "/characteristics?id=1.3", "", func(m message) { t.Errorf("heard %s", m.body) }); err != nil {
			t.Error(err)
		}
	}
	writer.must(t, 204, "PUT", "/characteristics", fmt.Sprintf(`{"characteristics":[{"aid":1,"iid":%d,"value":31}]}`, d.volume.Id))
	m, err := other.read()
	if err != nil || !m.event {
		t.Fatal(m, err)
	}
	same(t, m, fmt.Sprintf(`{"characteristics":[{"aid":1,"iid":%d,"value":31}]}`, d.volume.Id))
	quiet(writer)
	quiet(deaf)
	d.volume.SetValue(31) // the same
	quiet(other)
	d.volume.SetValue(32)
	for _, l := range []*line{writer, other} {
		if m, err := l.read(); err != nil || !m.event {
			t.Fatal(m, err)
		}
	}
	other.must(t, 204, "PUT", "/characteristics", fmt.Sprintf(`{"characteristics":[{"aid":1,"iid":%d,"ev":false}]}`, d.volume.Id))
	d.volume.SetValue(33)
	quiet(other)
}

func TestPictures(t *testing.T) {
	var got Resource
	var peer *Peer
	d := newDoor(t, func(_ *door, o *Options) {
		o.Resource = func(_ context.Context, p *Peer, r Resource) ([]byte, int) {
			got, peer = r, p
			if r.Width > 4000 {
				return nil, -70412
			}
			return []byte("JPEG"), 0
		}
	})
	l := d.invite(t, "phone", true).call(t, d)
	m := l.must(t, 200, "POST", "/resource", `{"aid":1,"resource-type":"image","image-width":640,"image-height":480.0,"reason":1}`)
	if string(m.body) != "JPEG" || m.head.Get("Content-Length") != "4" || got != (Resource{1, "image", 640, 480, 1}) || peer == nil {
		t.Errorf("%+v %+v", m, got)
	}
	same(t, l.must(t, 207, "POST", "/resource", `{"resource-type":"image","image-width":1e30,"image-height":-5}`), `{"status":-70412}`)
	if got != (Resource{1, "image", 1<<31 - 1, 0, -1}) {
		t.Errorf("%+v", got)
	}
	same(t, l.must(t, 404, "POST", "/resource", `{"aid":2,"resource-type":"image","image-width":1,"image-height":1}`), `{"status":-70409}`)
	for _, bad := range []string{"", "{}", `{"resource-type":"image"}`, `{"resource-type":"image","image-width":"x","image-height":1}`} {
		l.must(t, 400, "POST", "/resource", bad)
	}
}

func TestRemovedControllersLeaveAfterTheAnswer(t *testing.T) {
	d := newDoor(t, nil)
	admin, user := d.invite(t, "admin", true), d.invite(t, "user", false)
	a, u, u2 := admin.call(t, d), user.call(t, d), user.call(t, d)
	pairings := func(l *line, w *tlv.Writer) tlv.Items {
		t.Helper()
		items, err := tlv.Parse(l.must(t, 200, "POST", "/pairings", string(w.Out())).body)
		if err != nil {
			t.Fatal(err)
		}
		return items
	}
	remove := func(l *line, name string) tlv.Items {
		t.Helper()
		var w tlv.Writer
		return pairings(l, w.Byte(6, 1).Byte(0, 4).String(1, name))
	}
	if e, _ := remove(u, "admin").Byte(7); e != 2 {
		t.Errorf("a user removes: error %d", e)
	}
	if _, refused := remove(a, "user").Byte(7); refused {
		t.Error("refused")
	}
	for _, l := range []*line{u, u2} {
		if _, err := l.read(); err == nil {
			t.Error("the removed one goes on")
		}
	}
	if err := user.verify(d.call(t), d); err == nil {
		t.Error("the removed one verifies")
	}
	d.invite(t, "user", false).call(t, d)
	if _, refused := remove(a, "admin").Byte(7); refused { // itself, the last: its answer comes
		t.Error("refused")
	}
	if _, err := a.read(); err == nil {
		t.Error("goes on")
	}
	if d.Paired() || len(d.Status().Controllers) != 0 {
		t.Errorf("%+v", d.Status())
	}
}

func TestUnpair(t *testing.T) {
	d := newDoor(t, nil)
	a, b := d.invite(t, "a", true).call(t, d), d.invite(t, "b", true).call(t, d)
	if err := d.Unpair("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.read(); err == nil {
		t.Error("a goes on")
	}
	b.must(t, 200, "GET", "/accessories", "")
	if err := d.Unpair(""); err != nil || d.Paired() {
		t.Error(err, d.Paired())
	}
	if _, err := b.read(); err == nil {
		t.Error("b goes on")
	}
}

// board is an Announcer that remembers.
type board struct {
	mu   sync.Mutex
	said []Announcement
	open int
	fail int
}

func (b *board) Announce(_ context.Context, a Announcement) (Announced, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail > 0 {
		b.fail--
		return nil, fmt.Errorf("not now")
	}
	b.said, b.open = append(b.said, a), b.open+1
	return &note{b, a}, nil
}

func (b *board) last() (Announcement, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.said) == 0 {
		return Announcement{}, b.open
	}
	return b.said[len(b.said)-1], b.open
}

type note struct {
	b *board
	a Announcement
}

func (n *note) Name() string { return n.a.Name + " (2)" }
func (n *note) Update(txt map[string]string) error {
	n.b.mu.Lock()
	defer n.b.mu.Unlock()
	n.a.TXT = txt
	n.b.said = append(n.b.said, n.a)
	return nil
}
func (n *note) Close() {
	n.b.mu.Lock()
	defer n.b.mu.Unlock()
	n.b.open--
}

func TestTheRecordSaysWhatIs(t *testing.T) {
	b := &board{fail: 1}
	d := newDoor(t, func(_ *door, o *Options) { o.Announcer = b })
	d.Reannounce() // the first failed; this need not wait for its time
	await(t, "the record", func() bool { return d.Status().Announced == "Front Door (2)" })
	id := d.book.Identity()
	a, _ := b.last()
	for k, v := range map[string]string{
		"c#": "1", "ff": "0", "id": id.Device, "md": "Test", "pv": "1.1", "s#": "1", "sf": "1", "ci": "18",
		"sh": setup.Hash(id.SetupID, id.Device),
	} {
		if a.TXT[k] != v {
			t.Errorf("%s=%s, not %s", k, a.TXT[k], v)
		}
	}
	if a.Port != d.Port() || a.Name != "Front Door" {
		t.Errorf("%+v", a)
	}
	sf := func(want string) {
		t.Helper()
		await(t, "sf="+want, func() bool { a, _ := b.last(); return a.TXT["sf"] == want })
	}
	d.invite(t, "phone", true)
	d.Reannounce()
	sf("0")
	if err := d.Unpair(""); err != nil {
		t.Fatal(err)
	}
	sf("1")
	d.stop()
	if _, open := b.last(); open != 0 || d.Status().Announced != "" {
		t.Error("the record still stands")
	}
}

func TestNeighbors(t *testing.T) {
	for a, want := range map[string]string{
		"192.168.1.7": "192.168.1.7/32", "fe80::1%eth0": "fe80::/64", "2001:db8::7": "2001:db8::/64",
	} {
		if got := neighbors(netip.MustParseAddr(a)); got.String() != want {
			t.Errorf("%s: %s", a, got)
		}
	}
}
