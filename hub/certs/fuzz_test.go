package certs

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzFiles: whatever an owner names as certificate and key, the hub tells what is
// wrong and goes on, and says nothing of a key.
func FuzzFiles(f *testing.F) {
	dir := f.TempDir()
	if _, err := Open(dir, Options{Mode: ModeLocalCA, Now: now}); err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{caFile, caKeyFile, leafFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, b)
		f.Add(b, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	}
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----"), []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----"))
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		dir := t.TempDir()
		for name, b := range map[string][]byte{"cert": cert, "key": key, caFile: cert, caKeyFile: key, leafFile: cert} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if c, err := readPair(dir+"/cert", dir+"/key"); err != nil && codeOf(err) == "" || err == nil && c.Leaf == nil {
			t.Errorf("files: %+v %v", c, err)
		}
		a, err := readAuthority(dir)
		if err != nil && codeOf(err) == "" || err == nil && !a.cert.IsCA {
			t.Errorf("authority: %+v %v", a, err)
		}
		if err == nil {
			_, _ = readLeaf(dir+"/"+leafFile, a)
		}
	})
}
