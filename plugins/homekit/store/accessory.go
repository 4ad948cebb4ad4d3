package store

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/brutella/hap"

	"github.com/porchlight-hub/porchlight/plugins/homekit/setup"
)

// Accessory is what is kept of one accessory. What it tells is what is on disk; a write
// that fails changes nothing. It is safe for many at once, and is a hap.Store.
type Accessory struct {
	house *House
	id    string
	dir   string

	mu   sync.Mutex
	gone bool // removed; writes are refused
	kept kept
}

// kept is what the files say.
type kept struct {
	identity Identity
	pairings map[string]hap.Pairing
	version  uint32
	shape    string
	tries    int
	port     int
	services numbers
	things   numbers
	values   map[string]json.RawMessage
}

// load reads an accessory that is there.
func (h *House) load(id string) (*Accessory, error) {
	a := &Accessory{house: h, id: id, dir: filepath.Join(h.dir, id)}
	if err := tidy(a.dir); err != nil {
		return nil, err
	}
	if err := a.reload(); err != nil {
		return nil, err
	}
	return a, nil
}

// reload reads every file, and ends a removal of all pairings that the power cut.
func (a *Accessory) reload() error {
	var k kept
	if err := a.readIdentity(&k); err != nil {
		return err
	}
	if err := a.readPairings(&k); err != nil {
		return err
	}
	if err := a.readCounts(&k); err != nil {
		return err
	}
	a.kept = k
	if len(k.pairings) > 0 && !hasAdmin(k.pairings) {
		return a.removeAll()
	}
	return nil
}

// parsed reads one file that may be missing.
func parsed[T any](a *Accessory, name string, into *T, parse func([]byte) (T, error)) (bool, error) {
	b, err := read(a.dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	v, err := parse(b)
	if err != nil {
		return false, &Damaged{filepath.Join(a.dir, name), err}
	}
	*into = v
	return true, nil
}

func (a *Accessory) readIdentity(k *kept) error {
	for _, f := range []struct {
		name string
		read func() (bool, error)
	}{
		{fileDevice, func() (bool, error) { return parsed(a, fileDevice, &k.identity.Device, parseDevice) }},
		{fileKeys, func() (bool, error) { return parsed(a, fileKeys, &k.identity.Keys, parseKeys) }},
	} {
		there, err := f.read()
		if err != nil {
			return err
		}
		if !there {
			return &Damaged{filepath.Join(a.dir, f.name), errors.New("it is missing, while other files of this accessory are there")}
		}
	}
	there, err := parsed(a, fileSetup, &k.identity.Code, func(b []byte) (setup.Code, error) {
		code, id, err := parseSetup(b)
		k.identity.SetupID = id
		return code, err
	})
	if err != nil || there {
		return err
	}
	// A store of hap.Server: its code stood in its owner's program.
	code, err := setup.NewCode()
	if err != nil {
		return err
	}
	b, err := newSetup(code)
	if err != nil {
		return err
	}
	if err := write(a.dir, fileSetup, b, a.house.step); err != nil {
		return err
	}
	k.identity.Code, k.identity.SetupID, err = parseSetup(b)
	return err
}

func (a *Accessory) readPairings(k *kept) error {
	names, err := a.suffixed(filePairing)
	if err != nil {
		return err
	}
	k.pairings = map[string]hap.Pairing{}
	for _, name := range names {
		var p hap.Pairing
		if _, err := parsed(a, name, &p, func(b []byte) (hap.Pairing, error) { return parsePairing(name, b) }); err != nil {
			return err
		}
		k.pairings[p.Name] = p
	}
	return nil
}

func (a *Accessory) readCounts(k *kept) error {
	var version int
	k.services, k.things = newNumbers(1), newNumbers(2) // iid 1 is AccessoryInformation, aid 1 the bridge itself
	for _, read := range []func() (bool, error){
		func() (bool, error) { return parsed(a, fileVersion, &version, parseCount(1<<16-1)) },
		func() (bool, error) {
			return parsed(a, fileShape, &k.shape, func(b []byte) (string, error) { return string(b), nil })
		},
		func() (bool, error) { return parsed(a, fileTries, &k.tries, parseCount(1<<30)) },
		func() (bool, error) { return parsed(a, filePort, &k.port, parseCount(1<<16-1)) },
		func() (bool, error) { return parsed(a, fileServices, &k.services, parseNumbers) },
		func() (bool, error) { return parsed(a, fileThings, &k.things, parseNumbers) },
		func() (bool, error) { return parsed(a, fileValues, &k.values, parseValues) },
	} {
		if _, err := read(); err != nil {
			return err
		}
	}
	k.version = uint32(version)
	if k.values == nil {
		k.values = map[string]json.RawMessage{}
	}
	return nil
}

func parseCount(most int) func([]byte) (int, error) {
	return func(b []byte) (int, error) {
		n, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil || n < 0 || n > most {
			return 0, errors.New("this is no number that can stand here")
		}
		return n, nil
	}
}

func parseValues(b []byte) (map[string]json.RawMessage, error) {
	var v map[string]json.RawMessage
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, errors.New("the values are no JSON object")
	}
	return v, nil
}

// put writes one file, then tells memory. The caller holds mu.
func (a *Accessory) put(name string, data []byte) error {
	if a.gone {
		return fmt.Errorf("homekit store: write %s: the accessory was removed", name)
	}
	return write(a.dir, name, data, a.house.step)
}

// Identity is who this accessory is.
func (a *Accessory) Identity() Identity {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.kept.identity
	i.Keys = hap.KeyPair{Public: slices.Clone(i.Keys.Public), Private: slices.Clone(i.Keys.Private)}
	return i
}

// SetCode sets the code that the owner chose; the setup id stays. Wrong proofs were of
// the code before, so they are counted anew.
func (a *Accessory) SetCode(c setup.Code) error {
	c, err := setup.ParseCode(string(c))
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept.identity.Code == c {
		return nil
	}
	b, err := json.Marshal(setupFile{Code: string(c), ID: a.kept.identity.SetupID})
	if err != nil {
		return fmt.Errorf("homekit store: write the setup code: %w", err)
	}
	if err := a.put(fileSetup, b); err != nil {
		return err
	}
	a.kept.identity.Code = c
	return a.setCount(fileTries, &a.kept.tries, 0)
}

// Reset makes a new identity with a new code; pairings, numbers and values are gone.
func (a *Accessory) Reset() error {
	a.house.mu.Lock()
	defer a.house.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return errors.New("homekit store: reset: the accessory was removed")
	}
	h := a.house
	if err := h.settle(a.id); err != nil {
		return err
	}
	if err := h.make(a.id); err != nil {
		return err
	}
	if err := h.rename(a.id, stale+a.id); err != nil {
		return err
	}
	if err := h.rename(fresh+a.id, a.id); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(h.dir, stale+a.id)); err != nil {
		return fmt.Errorf("homekit store: reset: %w", err)
	}
	return a.reload()
}

// Pairings are all controllers that are paired, in the order of their names.
func (a *Accessory) Pairings() []hap.Pairing {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []hap.Pairing
	for _, name := range slices.Sorted(maps.Keys(a.kept.pairings)) {
		p := a.kept.pairings[name]
		p.PublicKey = slices.Clone(p.PublicKey)
		out = append(out, p)
	}
	return out
}

// Pairing is one of them.
func (a *Accessory) Pairing(name string) (hap.Pairing, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.kept.pairings[name]
	p.PublicKey = slices.Clone(p.PublicKey)
	return p, ok
}

// Pair keeps a controller, or changes one that is kept. ErrFull: there is no room.
func (a *Accessory) Pair(p hap.Pairing) error {
	if err := checkPairing(p); err != nil {
		return fmt.Errorf("homekit store: pair: %w", err)
	}
	p.PublicKey = slices.Clone(p.PublicKey)
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("homekit store: pair: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	next := maps.Clone(a.kept.pairings)
	next[p.Name] = p
	if len(next) > MaxPairings {
		return ErrFull
	}
	if !hasAdmin(next) {
		return errors.New("homekit store: pair: nobody would be left who may invite and remove")
	}
	if err := a.put(pairingFile(p.Name), b); err != nil {
		return err
	}
	a.kept.pairings = next
	return nil
}

// Unpair forgets a controller; one that is not kept is no error. With the last one who
// may administer all others go too (HAP 5.11), and last is true.
func (a *Accessory) Unpair(name string) (last bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return false, errors.New("homekit store: unpair: the accessory was removed")
	}
	if _, ok := a.kept.pairings[name]; !ok {
		return false, nil
	}
	if err := remove(a.dir, pairingFile(name), a.house.step); err != nil {
		return false, err
	}
	next := maps.Clone(a.kept.pairings)
	delete(next, name)
	a.kept.pairings = next
	if hasAdmin(next) {
		return false, nil
	}
	return true, a.removeAll()
}

// removeAll ends what Unpair of the last administrator began; reload does it again when
// the power went in between.
func (a *Accessory) removeAll() error {
	for _, name := range slices.Sorted(maps.Keys(a.kept.pairings)) {
		if err := remove(a.dir, pairingFile(name), a.house.step); err != nil {
			return err
		}
		next := maps.Clone(a.kept.pairings)
		delete(next, name)
		a.kept.pairings = next
	}
	return nil
}

func hasAdmin(pairings map[string]hap.Pairing) bool {
	for _, p := range pairings {
		if p.Permission&hap.PermissionAdmin != 0 {
			return true
		}
	}
	return false
}

// maxName is the longest identifier of a controller that is kept: its file's name is
// twice as long. Apple's are UUIDs of 36 bytes.
const maxName = 64

func checkPairing(p hap.Pairing) error {
	if len(p.Name) == 0 || len(p.Name) > maxName {
		return fmt.Errorf("the identifier has %d bytes, not 1 to %d", len(p.Name), maxName)
	}
	if !utf8.ValidString(p.Name) { // JSON would keep another name than this one
		return errors.New("the identifier is no UTF-8")
	}
	if len(p.PublicKey) != 32 {
		return errors.New("the public key has a wrong length")
	}
	return nil
}

func pairingFile(name string) string { return hex.EncodeToString([]byte(name)) + filePairing }

func parsePairing(file string, b []byte) (hap.Pairing, error) {
	var p hap.Pairing
	if err := json.Unmarshal(b, &p); err != nil {
		return p, errors.New("the pairing is no JSON")
	}
	if err := checkPairing(p); err != nil {
		return p, err
	}
	if pairingFile(p.Name) != file {
		return p, errors.New("the pairing is of another controller than the name of its file says")
	}
	return p, nil
}
