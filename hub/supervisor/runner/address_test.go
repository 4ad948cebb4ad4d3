package runner

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyAnOwnSocketIsAccepted(t *testing.T) {
	dir, err := os.MkdirTemp("", "a")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	below := filepath.Join(dir, "below")
	if err := errors.Join(os.Mkdir(below, 0o700), os.Symlink(path, filepath.Join(dir, "link")), os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := checkAddress("unix", path, dir, os.Getuid()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		network, address string
		uid              int
	}{
		"tcp":           {"tcp", "127.0.0.1:80", os.Getuid()},
		"abstract":      {"unix", "@porchlight", os.Getuid()},
		"relative":      {"unix", "s", os.Getuid()},
		"elsewhere":     {"unix", "/run/dbus/system_bus_socket", os.Getuid()},
		"below":         {"unix", filepath.Join(below, "s"), os.Getuid()},
		"detour":        {"unix", below + "/../s", os.Getuid()},
		"link":          {"unix", filepath.Join(dir, "link"), os.Getuid()},
		"file":          {"unix", filepath.Join(dir, "file"), os.Getuid()},
		"somebody else": {"unix", path, os.Getuid() + 1},
		"empty":         {"unix", "", os.Getuid()},
	} {
		var refused *AddressError
		if err := checkAddress(c.network, c.address, dir, c.uid); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The same again for who listens, since the file may be another by now.
	if c, err := dial(path, os.Getuid()); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	var refused *AddressError
	if _, err := dial(path, os.Getuid()+1); !errors.As(err, &refused) {
		t.Errorf("another user's listener: %v", err)
	}
}
