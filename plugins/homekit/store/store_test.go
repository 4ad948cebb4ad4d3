package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/brutella/hap"
	"github.com/brutella/hap/accessory"
	"github.com/google/go-cmp/cmp"

	"github.com/porchlight-hub/porchlight/plugins/homekit/setup"
)

func house(t *testing.T) (*House, string) {
	t.Helper()
	dir := t.TempDir()
	h, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return h, dir
}

func opened(t *testing.T, h *House, id string) *Accessory {
	t.Helper()
	a, err := h.Accessory(id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// again opens the same folder as a new process would.
func again(t *testing.T, dir, id string) *Accessory {
	t.Helper()
	h, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return opened(t, h, id)
}

func controller(name string, admin bool) hap.Pairing {
	p := hap.Pairing{Name: name, PublicKey: bytes.Repeat([]byte{byte(len(name))}, 32)}
	if admin {
		p.Permission = hap.PermissionAdmin
	}
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files are all of a folder with their contents.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		out[strings.TrimPrefix(p, dir)] = string(b)
		return err
	}))
	return out
}

func TestEverythingStays(t *testing.T) {
	h, dir := house(t)
	a := opened(t, h, "front_door")
	id := a.Identity()
	if !deviceForm.MatchString(id.Device) || len(id.Keys.Private) != 64 || !setup.ValidID(id.SetupID) {
		t.Fatalf("identity %+v", id.Device)
	}
	must(t, a.Pair(controller("phone", true)))
	must(t, a.Pair(controller("tablet", false)))
	must(t, a.SetPort(51234))
	must(t, a.SetValue("21B", true))
	n, err := a.ConfigNumber([]byte("shape"))
	must(t, err)
	if n != 1 {
		t.Errorf("c# begins at %d", n)
	}
	for i, key := range []string{"3E", "3E/14", "121"} {
		iid, err := a.IID(key)
		must(t, err)
		if iid != uint64(i+1) {
			t.Errorf("iid of %s is %d", key, iid)
		}
	}
	aid, err := a.AID("mute")
	must(t, err)
	if aid != 2 {
		t.Errorf("the first thing behind the bridge is %d", aid)
	}
	_, err = a.Try()
	must(t, err)

	before := files(t, dir)
	b := again(t, dir, "front_door")
	if d := cmp.Diff(id, b.Identity()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(a.Pairings(), b.Pairings()); d != "" {
		t.Error(d)
	}
	var on bool
	if ok, err := b.Value("21B", &on); !ok || err != nil || !on {
		t.Errorf("value %v %v %v", ok, err, on)
	}
	n, err = b.ConfigNumber([]byte("shape"))
	must(t, err)
	iid, err := b.IID("121")
	must(t, err)
	aid, err = b.AID("mute")
	must(t, err)
	if n != 1 || iid != 3 || aid != 2 || b.Tries() != 1 || b.Port() != 51234 {
		t.Errorf("c# %d iid %d aid %d tries %d port %d", n, iid, aid, b.Tries(), b.Port())
	}
	if d := cmp.Diff(before, files(t, dir)); d != "" {
		t.Errorf("opening changed files: %s", d)
	}
	n, err = b.ConfigNumber([]byte("another"))
	must(t, err)
	if n != 2 {
		t.Errorf("another shape is %d", n)
	}
}

func TestOneAccessoryForEachID(t *testing.T) {
	h, _ := house(t)
	if a := opened(t, h, "a"); a != opened(t, h, "a") {
		t.Error("two of one folder")
	}
	if opened(t, h, "a").Identity().Device == opened(t, h, "b").Identity().Device {
		t.Error("two accessories are one")
	}
	ids, err := h.IDs()
	must(t, err)
	if !slices.Equal(ids, []string{"a", "b"}) {
		t.Errorf("ids %v", ids)
	}
	must(t, h.Remove("a"))
	must(t, h.Remove("never"))
	if ids, _ = h.IDs(); !slices.Equal(ids, []string{"b"}) {
		t.Errorf("ids %v", ids)
	}
}

func TestNamesThatCannotBeFolders(t *testing.T) {
	h, _ := house(t)
	for _, id := range []string{"", ".", "..", "../x", "a/b", ".new-a", strings.Repeat("a", 65), "a\x00", `a\b`} {
		if _, err := h.Accessory(id); err == nil {
			t.Errorf("%q was opened", id)
		}
		if err := h.Remove(id); err == nil {
			t.Errorf("%q was removed", id)
		}
	}
}

func TestOnlyTheOwnerReads(t *testing.T) {
	h, dir := house(t)
	a := opened(t, h, "a")
	must(t, a.Pair(controller("phone", true)))
	must(t, os.Chmod(filepath.Join(dir, "a"), 0o755))
	must(t, os.Chmod(filepath.Join(dir, "a", "keypair"), 0o644))
	again(t, dir, "a")
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v", p, info.Mode())
		}
		return err
	}))
}

func TestDamagedFilesAreNamed(t *testing.T) {
	for _, name := range []string{fileDevice, fileKeys, fileSetup, fileVersion, fileTries, filePort, fileServices, fileThings, fileValues, pairingFile("phone")} {
		for what, content := range map[string]string{"empty": "", "garbage": "{\x00\xff", "half": `{"Public":"`, "wrong": `{"code":"123-45-678","id":"xx","next":0}`} {
			t.Run(name+" "+what, func(t *testing.T) {
				h, dir := house(t)
				a := opened(t, h, "a")
				must(t, a.Pair(controller("phone", true)))
				path := filepath.Join(dir, "a", name)
				must(t, os.WriteFile(path, []byte(content), 0o600))
				before := files(t, dir)
				h, err := Open(dir)
				must(t, err)
				_, err = h.Accessory("a")
				var d *Damaged
				if name == fileValues && what == "wrong" { // a JSON object is what it should be
					must(t, err)
					return
				}
				if !errors.As(err, &d) || d.File != path || d.Code() != "E-HOMEKIT-STORE" {
					t.Fatalf("%v", err)
				}
				if diff := cmp.Diff(before, files(t, dir)); diff != "" {
					t.Errorf("files were changed: %s", diff)
				}
				opened(t, h, "b") // only that accessory stops
			})
		}
	}
}

func TestAMissingFileMakesNoNewIdentity(t *testing.T) {
	for _, name := range []string{fileDevice, fileKeys} {
		h, dir := house(t)
		opened(t, h, "a")
		must(t, os.Remove(filepath.Join(dir, "a", name)))
		h, err := Open(dir)
		must(t, err)
		var d *Damaged
		if _, err = h.Accessory("a"); !errors.As(err, &d) || !strings.HasSuffix(d.File, name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysOfTwoAccessories(t *testing.T) {
	h, dir := house(t)
	a, b := opened(t, h, "a"), opened(t, h, "b")
	mixed, err := json.Marshal(hap.KeyPair{Public: a.Identity().Keys.Public, Private: b.Identity().Keys.Private})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "a", fileKeys), mixed, 0o600))
	h, err = Open(dir)
	must(t, err)
	var d *Damaged
	if _, err = h.Accessory("a"); !errors.As(err, &d) {
		t.Errorf("%v", err)
	}
	if strings.Contains(fmt.Sprint(err), string(mixed[10:30])) {
		t.Error("the error shows keys")
	}
}

func TestPairings(t *testing.T) {
	h, dir := house(t)
	a := opened(t, h, "a")
	if err := a.Pair(controller("guest", false)); err == nil {
		t.Error("the first one is no administrator and was taken")
	}
	for _, p := range []hap.Pairing{controller("", true), controller(strings.Repeat("x", 65), true), controller("\xff", true), {Name: "x", PublicKey: []byte{1}}} {
		if a.Pair(p) == nil {
			t.Errorf("%q was taken", p.Name)
		}
	}
	must(t, a.Pair(controller("p", true)))
	for i := range MaxPairings - 1 {
		must(t, a.Pair(controller(strings.Repeat("/", 64-i), false)))
	}
	if err := a.Pair(controller("late", false)); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	must(t, a.Pair(controller("p", true))) // a change needs no room
	if n := len(again(t, dir, "a").Pairings()); n != MaxPairings {
		t.Errorf("%d pairings came back", n)
	}
	last, err := a.Unpair("nobody")
	must(t, err)
	if last {
		t.Error("nobody was the last")
	}
	last, err = a.Unpair("p")
	must(t, err)
	if !last || len(a.Pairings()) != 0 || len(again(t, dir, "a").Pairings()) != 0 {
		t.Errorf("last %v, %d left", last, len(a.Pairings()))
	}
}

func TestReset(t *testing.T) {
	h, dir := house(t)
	a := opened(t, h, "a")
	must(t, a.Pair(controller("p", true)))
	must(t, a.SetPort(1))
	was := a.Identity()
	must(t, a.Reset())
	is := a.Identity()
	if is.Device == was.Device || is.Code == was.Code || bytes.Equal(is.Keys.Public, was.Keys.Public) || len(a.Pairings()) != 0 || a.Port() != 0 {
		t.Error("something stayed")
	}
	if d := cmp.Diff(is, again(t, dir, "a").Identity()); d != "" {
		t.Error(d)
	}
	for name := range files(t, dir) {
		if !strings.HasPrefix(name, "/a/") {
			t.Errorf("%s was left", name)
		}
	}
}

func TestSetCode(t *testing.T) {
	h, dir := house(t)
	a := opened(t, h, "a")
	must(t, a.SetCode("518-08-582"))
	if got := again(t, dir, "a").Identity(); string(got.Code) != "518-08-582" || got.SetupID != a.Identity().SetupID {
		t.Errorf("%s", string(got.Code))
	}
	if err := a.SetCode("123-45-678"); err == nil {
		t.Error("a forbidden code was kept")
	}
}

func TestRemovedIsNotWritten(t *testing.T) {
	h, dir := house(t)
	a := opened(t, h, "a")
	must(t, h.Remove("a"))
	if a.SetPort(5) == nil || a.Reset() == nil || a.Pair(controller("p", true)) == nil {
		t.Error("a removed accessory was written")
	}
	if len(files(t, dir)) != 0 {
		t.Error("something was left")
	}
	b := opened(t, h, "a")
	if b.Identity().Device == a.Identity().Device {
		t.Error("the identity came back")
	}
}

func TestConfigNumberWraps(t *testing.T) {
	h, dir := house(t)
	opened(t, h, "a")
	must(t, os.WriteFile(filepath.Join(dir, "a", fileVersion), []byte("65535"), 0o600))
	n, err := again(t, dir, "a").ConfigNumber([]byte("x"))
	must(t, err)
	if n != 1 {
		t.Errorf("after 65535 comes %d", n)
	}
}

// TestHapServersStore: what hap.Server wrote is read, and what is read it reads again.
func TestHapServersStore(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "old"), 0o750))
	st := hap.NewFsStore(filepath.Join(dir, "old"))
	sw := accessory.NewSwitch(accessory.Info{Name: "Old"})
	server, err := hap.NewServer(st, sw.A)
	must(t, err)
	server.Pin, server.Addr, server.Ifaces = "51808582", "127.0.0.1:0", []string{"none"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = server.ListenAndServe(ctx) // writes the keys, then ends
	phone, err := json.Marshal(controller("AB:CD-phone", true))
	must(t, err)
	must(t, st.Set(pairingFile("AB:CD-phone"), phone))
	device, err := st.Get("uuid")
	must(t, err)

	a := again(t, dir, "old")
	if a.Identity().Device != string(device) || len(a.Pairings()) != 1 {
		t.Errorf("device %s, %d pairings", a.Identity().Device, len(a.Pairings()))
	}
	code := a.Identity().Code
	if again(t, dir, "old").Identity().Code != code {
		t.Error("the code that was made is not kept")
	}
	version, err := a.Get("version")
	must(t, err)
	n, err := a.ConfigNumber([]byte("x"))
	must(t, err)
	if was := string(version); fmt.Sprint(n-1) != was {
		t.Errorf("c# went from %s to %d", was, n)
	}
	if _, err := hap.NewServer(a, accessory.NewSwitch(accessory.Info{Name: "Old"}).A); err != nil {
		t.Errorf("hap.Server does not take our store: %v", err)
	}
	if string(device) != a.Identity().Device {
		t.Error("hap.Server made another device of it")
	}
}

func TestHapStore(t *testing.T) {
	h, _ := house(t)
	a := opened(t, h, "a")
	if _, err := a.Get("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	b, err := json.Marshal(controller("x", true))
	must(t, err)
	must(t, a.Set(pairingFile("x"), b))
	if _, ok := a.Pairing("x"); !ok {
		t.Error("a pairing that was set is not known")
	}
	keys, err := a.KeysWithSuffix(".pairing")
	must(t, err)
	if len(keys) != 1 {
		t.Errorf("keys %v", keys)
	}
	must(t, a.Delete(pairingFile("x")))
	if _, ok := a.Pairing("x"); ok {
		t.Error("a pairing that was deleted is known")
	}
	for _, key := range []string{"", "../x", "a/b", ".tmp-1", ":"} {
		if a.Set(key, nil) == nil {
			t.Errorf("%q was written", key)
		}
	}
	var d *Damaged
	if err := a.Set("uuid", []byte("nonsense")); !errors.As(err, &d) {
		t.Errorf("%v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	h, dir := house(t)
	a := opened(t, h, "a")
	must(t, a.Pair(controller("p", true)))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 5 {
				if err := errors.Join(a.SetValue(fmt.Sprint(i), j), a.SetPort(i*10+j+1)); err != nil {
					t.Error(err)
				}
				if _, err := a.IID(fmt.Sprint(j)); err != nil {
					t.Error(err)
				}
				a.Pairings()
				a.Identity()
			}
		})
	}
	all.Wait()
	if b := again(t, dir, "a"); len(b.kept.values) != 8 || len(b.kept.services.Of) != 5 {
		t.Errorf("%d values, %d numbers", len(b.kept.values), len(b.kept.services.Of))
	}
}
