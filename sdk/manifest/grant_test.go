package manifest

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func narrowing(t *testing.T, text string) Narrowing {
	t.Helper()
	n, err := ParseNarrowing([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func asked() Permissions {
	return Permissions{
		Network:   []Network{{To: "camera", Ports: []int{80, 554}}, {To: "10.0.0.0/8", Proto: Protos{"tcp", "udp"}}, {Listen: "lan"}},
		Discovery: []string{"mdns", "ssdp"}, Publish: []string{"camera.*.ring", "device.**"}, Subscribe: []string{"camera.**"},
		Commands: []string{"camera.snapshot"}, Media: Media{Publish: true, Read: true}, Talk: true, Secrets: "own", Storage: 50 << 20,
	}
}

// What is not named stays, what is named narrows, and nothing is ever added.
func TestNarrow(t *testing.T) {
	if got := Narrow(asked(), narrowing(t, "")); !reflect.DeepEqual(got, asked()) {
		t.Errorf("nothing narrows: %+v", got)
	}
	got := Narrow(asked(), narrowing(t, `{"publish":["camera.front.*","chime.**"],"discovery":["mdns","ws-discovery"],"media":{"read":true},"talk":false,"secrets":"none","storage":"1GiB","commands":[]}`))
	want := asked()
	want.Publish, want.Discovery, want.Media, want.Talk, want.Secrets, want.Commands = []string{"camera.front.ring"}, []string{"mdns"}, Media{Read: true}, false, "", []string{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("have %+v\nwant %+v", got, want)
	}
}

func TestNarrowNetwork(t *testing.T) {
	for text, want := range map[string][]string{
		`["10.1.0.0/16"]`:                      {"tcp camera:80,554 within 10.1.0.0/16", "tcp,udp 10.1.0.0/16"},
		`["camera"]`:                           {"tcp camera:80,554", "tcp,udp 10.0.0.0/8 within camera"},
		`[{"to":"camera","ports":[554,8000]}]`: {"tcp camera:554", "tcp,udp 10.0.0.0/8:554,8000 within camera"},
		`[{"to":"10.0.0.0/8","proto":"udp"}]`:  {"udp 10.0.0.0/8"},
		`["192.168.0.0/16"]`:                   {"tcp camera:80,554 within 192.168.0.0/16"},
		`[{"listen":"lan"}]`:                   {"listen lan tcp"},
		`[{"to":"internet"}]`:                  {"tcp camera:80,554", "tcp,udp 10.0.0.0/8"},
		`[]`:                                   nil,
		`[{"to":"0.0.0.0/0","ports":[22]}]`:    {"tcp,udp 10.0.0.0/8:22"},
	} {
		p := Narrow(asked(), narrowing(t, `{"network":`+text+`}`))
		var got []string
		for _, n := range p.Network {
			got = append(got, n.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestUnsigned(t *testing.T) {
	got := Unsigned(asked(), []string{"front"}, Narrowing{})
	if !reflect.DeepEqual(got.Publish, []string{"camera.front.ring", "device.front.status"}) || !got.Media.Publish {
		t.Errorf("by default: %+v", got)
	}
	if len(got.Network)+len(got.Subscribe)+len(got.Commands)+len(got.Discovery)+int(got.Storage) != 0 || got.Secrets != "" || got.Talk || got.Media.Read {
		t.Errorf("more than its own devices: %+v", got)
	}
	got = Unsigned(asked(), []string{"front"}, narrowing(t, `{"subscribe":["camera.*.ring"],"publish":[],"secrets":"own"}`))
	if len(got.Publish) != 0 || !reflect.DeepEqual(got.Subscribe, []string{"camera.*.ring"}) || got.Secrets != "own" {
		t.Errorf("as the entry says: %+v", got)
	}
}

func TestParseNarrowingTellsAll(t *testing.T) {
	_, err := ParseNarrowing([]byte(`{"pubish":[],"storage":"lots","publish":["camera..x"],"network":[{"too":"x"}]}`))
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"pubish", "storage", "publish[0]", "network"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
	if _, err := ParseNarrowing([]byte(`[]`)); err == nil {
		t.Error("a list was taken")
	}
}

func TestGrant(t *testing.T) {
	g := asked().Grant([]string{"door"})
	if g.GetStorageBytes() != 50<<20 || !g.GetMediaRead() || g.GetSecrets()[0] != "door" || g.GetNetwork()[0] != "tcp camera:80,554" {
		t.Errorf("%v", g)
	}
	p := asked()
	p.Secrets = ""
	if len(p.Grant([]string{"door"}).GetSecrets()) != 0 {
		t.Error("secrets were given unasked")
	}
}
