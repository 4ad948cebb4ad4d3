package launch

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// Fault says why a file cannot be a plugin.
type Fault int

// The faults that can be seen before anything runs.
const (
	NotFound Fault = iota + 1
	NotExecutable
	WrongArch
	MissingLoader
	WrongHash
)

// TargetError is a file that will not be started.
type TargetError struct {
	Fault      Fault
	Path       string
	Have, Want string // what was found, and what it should be
}

func (e *TargetError) Error() string {
	switch e.Fault {
	case NotFound:
		return fmt.Sprintf("%s: %s", e.Path, e.Have)
	case NotExecutable:
		return fmt.Sprintf("%s: not executable: %s", e.Path, e.Have)
	case WrongArch:
		return fmt.Sprintf("%s: made for %s, this machine is %s", e.Path, e.Have, e.Want)
	case MissingLoader:
		return fmt.Sprintf("%s: needs %s, which is not on this machine", e.Path, e.Want)
	default:
		return fmt.Sprintf("%s: sha256 %s, expected %s", e.Path, e.Have, e.Want)
	}
}

// Target is a file that may be started, held open: what was looked at is what runs.
type Target struct {
	File   *os.File
	Script bool
	SHA256 string // of the descriptor's content; empty where none was asked for
}

// Open looks at the file at path. want is its sha256 in hex; empty: any.
func Open(path, want string) (*Target, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil, &TargetError{Fault: NotExecutable, Path: path, Have: "not readable by this user"}
	}
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, &TargetError{Fault: NotFound, Path: path, Have: err.Error()}
	}
	t, err := look(f, path, want)
	if err != nil {
		f.Close()
		return nil, err
	}
	return t, nil
}

func look(f *os.File, path, want string) (*Target, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, &TargetError{Fault: NotFound, Path: path, Have: err.Error()}
	}
	if !info.Mode().IsRegular() {
		return nil, &TargetError{Fault: NotExecutable, Path: path, Have: "not a regular file"}
	}
	if info.Mode().Perm()&0o111 == 0 {
		return nil, &TargetError{Fault: NotExecutable, Path: path, Have: "mode " + info.Mode().Perm().String()}
	}
	t := &Target{File: f}
	if want != "" {
		sum := sha256.New()
		if _, err := io.Copy(sum, io.NewSectionReader(f, 0, info.Size())); err != nil {
			return nil, &TargetError{Fault: NotExecutable, Path: path, Have: err.Error()}
		}
		t.SHA256 = hex.EncodeToString(sum.Sum(nil))
		if !strings.EqualFold(t.SHA256, want) {
			return nil, &TargetError{Fault: WrongHash, Path: path, Have: t.SHA256, Want: want}
		}
	}
	head := make([]byte, 256)
	n, _ := f.ReadAt(head, 0)
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		t.Script = true
		return t, interpreter(head, path)
	case runtime.GOOS != "linux":
		return t, nil
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		return t, machine(f, path)
	default:
		return nil, &TargetError{Fault: WrongArch, Path: path, Have: kind(head), Want: runtime.GOOS + "/" + runtime.GOARCH}
	}
}

// interpreter checks the first word after "#!".
func interpreter(head []byte, path string) error {
	line, _, _ := bytes.Cut(head[2:], []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return &TargetError{Fault: NotExecutable, Path: path, Have: "no interpreter after #!"}
	}
	if _, err := os.Stat(words[0]); err != nil {
		return &TargetError{Fault: MissingLoader, Path: path, Want: words[0]}
	}
	return nil
}

// machine compares the ELF header with this machine, and looks for the loader of a
// dynamic binary: execve answers "no such file" for both the file and its loader,
// and nobody guesses the second.
func machine(f *os.File, path string) error {
	e, err := elf.NewFile(f)
	if err != nil {
		return &TargetError{Fault: WrongArch, Path: path, Have: "a damaged ELF file (" + err.Error() + ")", Want: "linux/" + runtime.GOARCH}
	}
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "arm": elf.EM_ARM, "386": elf.EM_386, "riscv64": elf.EM_RISCV}
	want, known := machines[runtime.GOARCH]
	// 386 on amd64 and arm on arm64 are the kernel's to refuse: many can run them.
	cousin := runtime.GOARCH == "amd64" && e.Machine == elf.EM_386 || runtime.GOARCH == "arm64" && e.Machine == elf.EM_ARM
	if known && e.Machine != want && !cousin {
		have := e.Machine.String()
		for arch, m := range machines {
			if m == e.Machine {
				have = "linux/" + arch
			}
		}
		return &TargetError{Fault: WrongArch, Path: path, Have: have, Want: "linux/" + runtime.GOARCH}
	}
	for _, p := range e.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		raw := make([]byte, p.Filesz)
		if _, err := p.ReadAt(raw, 0); err != nil {
			continue
		}
		loader := string(bytes.TrimRight(raw, "\x00"))
		if _, err := os.Stat(loader); err != nil {
			return &TargetError{Fault: MissingLoader, Path: path, Want: loader}
		}
	}
	return nil
}

// kind names what a file is that is neither ELF nor a script.
func kind(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("MZ")):
		return "windows"
	case bytes.HasPrefix(head, []byte{0xcf, 0xfa, 0xed, 0xfe}), bytes.HasPrefix(head, []byte{0xca, 0xfe, 0xba, 0xbe}):
		return "macOS"
	case len(head) == 0:
		return "nothing (the file is empty)"
	default:
		return "no known system (neither ELF nor a script with #!)"
	}
}
