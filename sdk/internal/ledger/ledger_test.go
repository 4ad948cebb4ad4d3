package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func open(t *testing.T, dir string) *Ledger {
	t.Helper()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func add(t *testing.T, l *Ledger, keys ...string) {
	t.Helper()
	for _, k := range keys {
		if err := l.Add(k); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRemembersAcrossARestart(t *testing.T) {
	dir := t.TempDir()
	add(t, open(t, dir), "a", "b")
	l := open(t, dir)
	if !l.Has("a") || !l.Has("b") || l.Has("c") {
		t.Error("the second process does not know what the first noted")
	}
}

// A kill in the middle of a write leaves half a line, which is nobody's key.
func TestHalfALine(t *testing.T) {
	dir := t.TempDir()
	add(t, open(t, dir), "whole")
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(f, "%d hal", time.Now().UnixMilli())
	f.Close()
	l := open(t, dir)
	if !l.Has("whole") || l.Has("hal") {
		t.Error("half a line was taken for a key, or took a whole one with it")
	}
	add(t, l, "next")
	if l := open(t, dir); !l.Has("next") {
		t.Error("what follows half a line is lost")
	}
}

func TestForgetsAfterTenMinutes(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	now := time.Now()
	l.now = func() time.Time { return now }
	add(t, l, "old")
	now = now.Add(Keep + time.Millisecond)
	if l.Has("old") {
		t.Error("an old key is known")
	}
	add(t, l, "new")
	if len(l.keys) != 1 || len(l.order) != 1 {
		t.Errorf("%d keys, %d in order", len(l.keys), len(l.order))
	}
}

func TestFileStaysSmall(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	now := time.Now()
	l.now = func() time.Time { return now }
	for i := range 3 * compactAfter {
		now = now.Add(time.Second)
		add(t, l, fmt.Sprint(i))
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "\n"); n > compactAfter+3*len(l.keys) {
		t.Errorf("%d lines for %d keys", n, len(l.keys))
	}
	if len(l.keys) > int(Keep/time.Second)+1 {
		t.Errorf("%d keys are remembered", len(l.keys))
	}
}

// While the folder cannot be written keys are remembered in memory, the trouble is
// told once, and the file catches up afterwards.
func TestTroubleIsToldOnceAndMended(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir)
	now := time.Now()
	l.now = func() time.Time { return now }
	add(t, l, "before")
	l.Close()                                           // the next write fails …
	if err := os.Rename(dir, dir+".away"); err != nil { // … and so does a new file
		t.Fatal(err)
	}
	if err := l.Add("first"); err == nil {
		t.Error("the trouble was not told")
	}
	now = now.Add(2 * retryAfter)
	if err := l.Add("second"); err != nil {
		t.Errorf("the trouble was told again: %v", err)
	}
	if !l.Has("before") || !l.Has("first") || !l.Has("second") {
		t.Error("a key was forgotten")
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * retryAfter)
	add(t, l, "after")
	l2 := open(t, dir)
	for _, k := range []string{"before", "first", "second", "after"} {
		if !l2.Has(k) {
			t.Errorf("%s is not in the file", k)
		}
	}
}

func TestMemoryOnly(t *testing.T) {
	l := open(t, "")
	add(t, l, "a")
	l.AddVolatile("b")
	if !l.Has("a") || !l.Has("b") {
		t.Error("forgot")
	}
}
