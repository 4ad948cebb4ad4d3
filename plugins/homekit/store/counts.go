package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
)

// numbers gives each key a number that is never given to another one again.
type numbers struct {
	Next uint64            `json:"next"`
	Of   map[string]uint64 `json:"of"`
}

func newNumbers(first uint64) numbers { return numbers{Next: first, Of: map[string]uint64{}} }

func parseNumbers(b []byte) (numbers, error) {
	n := numbers{}
	if err := json.Unmarshal(b, &n); err != nil {
		return n, errors.New("the numbers are no JSON")
	}
	seen := map[uint64]bool{}
	for key, v := range n.Of {
		if v == 0 || v >= n.Next || seen[v] {
			return n, fmt.Errorf("the number of %q is given twice or out of order", key)
		}
		seen[v] = true
	}
	if n.Of == nil || n.Next == 0 {
		return n, errors.New("no numbers are in it")
	}
	return n, nil
}

// with gives numbers to the keys that have none yet.
func (n numbers) with(keys []string) (numbers, bool) {
	out := numbers{Next: n.Next, Of: maps.Clone(n.Of)}
	for _, k := range keys {
		if _, ok := out.Of[k]; !ok {
			out.Of[k] = out.Next
			out.Next++
		}
	}
	return out, out.Next != n.Next
}

// count makes sure that keys have numbers, with one write.
func (a *Accessory) count(file string, of *numbers, keys ...string) error {
	next, grown := of.with(keys)
	if !grown {
		return nil
	}
	b, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("homekit store: write %s: %w", file, err)
	}
	if err := a.put(file, b); err != nil {
		return err
	}
	*of = next
	return nil
}

// IID is the number of a service or characteristic, the same for ever. The first key
// that is ever asked for gets 1, which must be AccessoryInformation's.
func (a *Accessory) IID(key string) (uint64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.count(fileServices, &a.kept.services, key)
	return a.kept.services.Of[key], err
}

// ReserveIIDs numbers many keys in their order with one write.
func (a *Accessory) ReserveIIDs(keys []string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.count(fileServices, &a.kept.services, keys...)
}

// AID is the number of a thing behind the bridge, the same for ever; the bridge is 1.
func (a *Accessory) AID(key string) (uint64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.count(fileThings, &a.kept.things, key)
	return a.kept.things.Of[key], err
}

// maxConfig is the last c# before 1 comes again (HAP 6.4, TXT c#: 1 to 65535).
const maxConfig = 65535

// ConfigNumber is c#: it grows by one when shape differs from the one that was last told.
func (a *Accessory) ConfigNumber(shape []byte) (uint32, error) {
	sum := sha256.Sum256(shape)
	hash := hex.EncodeToString(sum[:])
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept.version > 0 && a.kept.shape == hash {
		return a.kept.version, nil
	}
	next := a.kept.version%maxConfig + 1
	// The number first: when the power goes in between it grows once more, and controllers
	// read the database once more; the other way round they never would.
	if err := a.put(fileVersion, []byte(strconv.FormatUint(uint64(next), 10))); err != nil {
		return 0, err
	}
	a.kept.version = next
	if err := a.put(fileShape, []byte(hash)); err != nil {
		return 0, err
	}
	a.kept.shape = hash
	return next, nil
}

// Tries is how many wrong proofs there were since the last pairing.
func (a *Accessory) Tries() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kept.tries
}

// Try counts one more.
func (a *Accessory) Try() (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kept.tries + 1, a.setCount(fileTries, &a.kept.tries, a.kept.tries+1)
}

// ClearTries begins anew.
func (a *Accessory) ClearTries() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.setCount(fileTries, &a.kept.tries, 0)
}

// Port is where the accessory listened last; 0: nowhere yet.
func (a *Accessory) Port() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kept.port
}

// SetPort keeps it.
func (a *Accessory) SetPort(port int) error {
	if port < 0 || port > 65535 {
		return fmt.Errorf("homekit store: write port: %d is no port", port)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.setCount(filePort, &a.kept.port, port)
}

func (a *Accessory) setCount(file string, of *int, n int) error {
	if *of == n {
		return nil
	}
	if err := a.put(file, []byte(strconv.Itoa(n))); err != nil {
		return err
	}
	*of = n
	return nil
}

// Value reads a kept value into v; false: none is kept.
func (a *Accessory) Value(key string, v any) (bool, error) {
	a.mu.Lock()
	b, ok := a.kept.values[key]
	a.mu.Unlock()
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("homekit store: read value %s: %w", key, err)
	}
	return true, nil
}

// SetValue keeps v as JSON; one that is the same is not written again.
func (a *Accessory) SetValue(key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("homekit store: write value %s: %w", key, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if bytes.Equal(a.kept.values[key], b) {
		return nil
	}
	next := maps.Clone(a.kept.values)
	next[key] = b
	all, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("homekit store: write value %s: %w", key, err)
	}
	if len(all) > maxFile {
		return fmt.Errorf("homekit store: write value %s: %d bytes are more than a store keeps", key, len(all))
	}
	if err := a.put(fileValues, all); err != nil {
		return err
	}
	a.kept.values = next
	return nil
}
