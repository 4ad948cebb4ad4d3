package client

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxSocketPath in bytes: the kernel's address holds 108 (sockaddr_un in unix(7)), 104
// on macOS, and a final zero is one of them.
const maxSocketPath = 100

// AdminSocket is where a hub on dataDir listens for the command line, and where that
// is written down if it is not the usual place ("" if it is).
func AdminSocket(dataDir string) (socket, pointer string, err error) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return "", "", fmt.Errorf("admin socket: %w", err)
	}
	socket = filepath.Join(dir, "run", "admin.sock")
	if len(socket) <= maxSocketPath {
		return socket, "", nil
	}
	pointer = filepath.Join(dir, "run", "admin.path")
	base := os.Getenv("XDG_RUNTIME_DIR")
	if base == "" {
		base = filepath.Join(os.TempDir(), fmt.Sprintf("porchlight-%d", os.Geteuid()))
	}
	sum := sha256.Sum256([]byte(dir))
	socket = filepath.Join(base, "porchlight", hex.EncodeToString(sum[:4])+".sock")
	if len(socket) > maxSocketPath {
		return "", "", fmt.Errorf("admin socket: %s has %d bytes, at most %d: set XDG_RUNTIME_DIR to a shorter folder", socket, len(socket), maxSocketPath)
	}
	return socket, pointer, nil
}

// find is where to dial: what the hub wrote down goes before the usual place, since the
// two may see another XDG_RUNTIME_DIR.
func find(dataDir string) (string, error) {
	socket, pointer, err := AdminSocket(dataDir)
	if err == nil && pointer == "" {
		return socket, err
	}
	if b, readErr := os.ReadFile(pointer); readErr == nil {
		return strings.TrimSpace(string(b)), nil
	}
	return socket, err
}
