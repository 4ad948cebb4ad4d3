package store

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/brutella/hap"
)

var _ hap.Store = (*Accessory)(nil)

// Get is the content of one file, for hap.Store.
func (a *Accessory) Get(key string) ([]byte, error) {
	name, err := fileName(key)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return read(a.dir, name)
}

// Set writes one file and reads the accessory anew; a content that cannot stand is a
// *Damaged, and what was before stays in force until it is mended.
func (a *Accessory) Set(key string, value []byte) error {
	name, err := fileName(key)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.put(name, value); err != nil {
		return err
	}
	return a.reload()
}

// Delete removes one file and reads the accessory anew.
func (a *Accessory) Delete(key string) error {
	name, err := fileName(key)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return errors.New("homekit store: remove: the accessory was removed")
	}
	if err := remove(a.dir, name, a.house.step); err != nil {
		return err
	}
	return a.reload()
}

// KeysWithSuffix lists files, for hap.Store.
func (a *Accessory) KeysWithSuffix(suffix string) ([]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.suffixed(suffix)
}

func (a *Accessory) suffixed(suffix string) ([]string, error) {
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return nil, fmt.Errorf("homekit store: list: %w", err)
	}
	var out []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) && !e.IsDir() && !strings.HasPrefix(e.Name(), temp) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// fileName is the file of a key: hap.Server leaves colons out.
func fileName(key string) (string, error) {
	name := strings.ReplaceAll(key, ":", "")
	if name == "" || strings.ContainsAny(name, "/\\\x00") || strings.HasPrefix(name, ".") {
		return "", fmt.Errorf("homekit store: %q cannot name a file", key)
	}
	return name, nil
}
