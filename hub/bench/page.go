package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// row is one line of a table. Values are compared as they are, so all have one unit.
type row struct {
	what              string
	peerName          string
	peer, floor, ours float64 // NaN: there is none
	unit              string  // ms, µs, s, MB, %
	goal              float64 // of ours/peer; NaN: none
	miss              string  // why, where the goal is missed
}

var none = math.NaN()

// page is docs/benchmarks.md in the making.
type page struct {
	head   string
	dir    string
	quick  bool
	load   float64 // of the machine when the run began
	body   strings.Builder
	missed []string
}

// crowded is the load of the machine from which on a run says that it was not alone.
const crowded = 1.0

func newPage(root, dir string, quick bool) *page {
	p := &page{dir: dir, quick: quick, load: loadAverage()}
	rev, err := exec.Command("git", "-C", root, "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		rev = []byte("unknown")
	}
	p.head = fmt.Sprintf("%s, commit %s. %s.", time.Now().Format("2006-01-02"), strings.TrimSpace(string(rev)), machine(dir))
	return p
}

// section begins a table.
func (p *page) section(title, text string) {
	fmt.Fprintf(&p.body, "\n## %s\n\n%s\n\n| what | peer | peer's | floor | ours | ours / peer | goal |\n|---|---|---|---|---|---|---|\n", title, text)
}

func (p *page) add(r row) {
	ratio, goal := "", ""
	if x := r.ours / r.peer; !math.IsNaN(x) {
		ratio = number(x)
		if !math.IsNaN(r.goal) {
			goal = number(r.goal) + ", met"
			if x > r.goal {
				goal = number(r.goal) + ", **missed**"
				if p.load > crowded && r.unit != "MB" {
					r.miss += " The machine was shared in this run."
				}
				p.missed = append(p.missed, fmt.Sprintf("%s: %s, goal %s. %s", r.what, ratio, number(r.goal), r.miss))
			}
		}
	}
	fmt.Fprintf(&p.body, "| %s | %s | %s | %s | %s | %s | %s |\n", r.what, r.peerName, value(r.peer, r.unit), value(r.floor, r.unit), value(r.ours, r.unit), ratio, goal)
}

// say adds a paragraph after a table.
func (p *page) say(format string, args ...any) { fmt.Fprintf(&p.body, "\n"+format+"\n", args...) }

func (p *page) String() string {
	var s strings.Builder
	s.WriteString("# Benchmarks\n\nWritten by `make bench` (hub/bench); do not edit. " + p.head + "\n\n")
	fmt.Fprintf(&s, "Load average %.1f when the run began, %.1f when it ended.", p.load, loadAverage())
	if p.load > crowded {
		s.WriteString(" **The machine was shared with other work**: the ratios suffer less than the absolute figures, the tails suffer most.")
	}
	if p.quick {
		s.WriteString(" **A quick run: films of 1 Mb/s at 640x360 and too few samples for a claim.**")
	}
	s.WriteString("\n\nOnly a ratio of one run counts; milliseconds of two machines are never compared. Runs of ours and of the peer alternate. " +
		"*floor* is what does almost nothing: a bound of the machine, no product. A difference under 10 % is none. " +
		"To repeat it: `make bench` (a quarter of an hour, an idle machine), `make bench QUICK=1` (four minutes, printed only), " +
		"`cd hub/bench && go run . -only chime` (one part of: " + parts + ").\n")
	s.WriteString(p.body.String())
	if len(p.missed) > 0 {
		s.WriteString("\n## Goals missed in this run\n\n")
		for _, m := range p.missed {
			s.WriteString("- " + m + "\n")
		}
	}
	return s.String()
}

func value(x float64, unit string) string {
	if math.IsNaN(x) {
		return ""
	}
	return number(x) + " " + unit
}

// number has three figures that count.
func number(x float64) string {
	switch a := math.Abs(x); {
	case a >= 100:
		return fmt.Sprintf("%.0f", x)
	case a >= 10:
		return fmt.Sprintf("%.1f", x)
	case a >= 0.1 || a == 0:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.4f", x)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// machine is one line about where this ran; dir is where the data lay.
func machine(dir string) string {
	cpu := "unknown processor"
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if name, model, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(model)
				break
			}
		}
	}
	kernel := ""
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Release[:])
	}
	memory := uint64(0)
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		memory = info.Totalram * uint64(info.Unit) >> 30
	}
	return fmt.Sprintf("%d cores of %s, %d GB, Linux %s, %s, data on %s", runtime.NumCPU(), cpu, memory, kernel, runtime.Version(), filesystem(dir))
}

func filesystem(dir string) string {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return "an unknown file system"
	}
	switch s.Type {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs"
	case unix.TMPFS_MAGIC:
		return "tmpfs (a sync costs nothing there: set TMPDIR to a disk)"
	}
	return fmt.Sprintf("file system %#x", s.Type)
}

func loadAverage() float64 {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	var x float64
	if _, err := fmt.Sscan(string(b), &x); err != nil {
		return 0
	}
	return x
}
