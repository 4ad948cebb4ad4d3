package runner

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/porchlight-hub/porchlight/hub/supervisor/launch"
)

// markerKey names the instance directory in the environment of a plugin and, by
// inheritance, of all that it starts.
const markerKey = "PORCHLIGHT_INSTANCE_DIR"

func marker(dir string) string { return markerKey + "=" + dir }

// childPath is where the child finds the launcher's binary: a descriptor, since the
// file may have been replaced or removed.
func childPath(*os.File) string { return "/proc/self/fd/" + strconv.Itoa(launch.HubFD) }

func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// wall asks for a PID namespace: when its first process, the plugin, ends, the
// kernel ends all others in it, whatever session or parent they have
// (pid_namespaces(7)). An ordinary user needs a user namespace for that, in which it
// stays who it is.
func wall(a *syscall.SysProcAttr) bool {
	a.Cloneflags = unix.CLONE_NEWPID
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		a.Cloneflags |= unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	}
	return true
}

// OpenSelf opens the running hub's binary, whatever its file is called now.
func OpenSelf() (*os.File, error) { return os.Open("/proc/self/exe") }

// Adopt makes this process the parent of orphans below it, so that a grandchild of
// a plugin cannot leave the hub's sight by outliving its parent.
func Adopt() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "policy"), os.NewFile(uintptr(fds[1]), "policy"), nil
}

// waitFor blocks until the child has ended and leaves it to be reaped.
func waitFor(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func killGroup(pid int) error {
	if err := unix.Kill(-pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

func ownerOf(info fs.FileInfo) (int, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

func peerOf(c *net.UnixConn) (int, bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *unix.Ucred
	if raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}) != nil || err != nil {
		return 0, false
	}
	return int(cred.Uid), true
}

// task is a line of /proc/<pid>/stat, as far as we need it (proc(5)).
type task struct {
	pid, parent, group, session int
	state                       byte
	ticks                       uint64 // user and system time, with that of ended children, 1/100 s
	start                       uint64 // ticks since boot
}

func readTask(pid int) (task, bool) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return task{}, false
	}
	// The name stands in brackets and may hold anything, brackets too.
	f := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(f) < 20 {
		return task{}, false
	}
	num := func(i int) int { n, _ := strconv.Atoi(f[i]); return n }
	big := func(i int) uint64 { n, _ := strconv.ParseUint(f[i], 10, 64); return n }
	return task{
		pid: pid, state: f[0][0], parent: num(1), group: num(2), session: num(3),
		ticks: big(11) + big(12) + big(13) + big(14), start: big(19),
	}, true
}

func startOf(pid int) uint64 {
	t, _ := readTask(pid)
	return t.start
}

func tasks() []task {
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var all []task
	for _, n := range names {
		if pid, err := strconv.Atoi(n.Name()); err == nil {
			if t, ok := readTask(pid); ok {
				all = append(all, t)
			}
		}
	}
	return all
}

// carries says whether the process was given this environment variable.
func carries(pid int, variable string) bool {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for kv := range bytes.SplitSeq(raw, []byte{0}) {
		if string(kv) == variable {
			return true
		}
	}
	return false
}

// Look remembers the descendants that the process has now. Once it has died they
// are children of the hub, and nothing in the kernel says whose they were.
func (r *Runner) Look() { r.look(tasks(), time.Now()) }

// look takes the descendants from a list that was read at that time; one that is
// older than what the runner saw last tells it nothing.
func (r *Runner) look(all []task, at time.Time) {
	r.mu.Lock()
	pid, born := r.pid, r.born
	r.mu.Unlock()
	if pid == 0 {
		return
	}
	ours := map[int]bool{pid: true}
	// Children come after their parents in start order, not in pid order: until nothing is added.
	for grown := true; grown; {
		grown = false
		for _, t := range all {
			if !ours[t.pid] && (ours[t.parent] || t.session == pid) && t.start >= born {
				ours[t.pid], grown = true, true
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if at.Before(r.looked) {
		return
	}
	r.looked = at
	before := r.kin
	r.kin = map[int]uint64{} // without the dead: a plugin may start many over the years
	for _, t := range all {
		if start, known := before[t.pid]; t.pid != pid && (ours[t.pid] || known && start == t.start) {
			r.kin[t.pid] = t.start
		}
	}
}

// killKin ends what is left of a dead process: members of its session, descendants
// that were seen, and whoever carries its instance directory in the environment. A
// grandchild that took a session of its own, cleared its environment and was born
// and orphaned between two looks stays: only a PID namespace catches that one.
func (r *Runner) killKin() {
	self, pid := os.Getpid(), r.PID()
	for range 5 {
		alive := false
		for _, t := range tasks() {
			if t.start < r.born || t.pid == self || t.pid == pid {
				continue
			}
			r.mu.Lock()
			seen, known := r.kin[t.pid]
			r.mu.Unlock()
			if !(known && seen == t.start) && t.session != pid && t.group != pid && !carries(t.pid, marker(r.c.Dir)) {
				continue
			}
			if t.state != 'Z' {
				_ = unix.Kill(t.pid, unix.SIGKILL)
				alive = true
			}
			if t.parent == self {
				reap(t.pid)
			}
		}
		if !alive {
			return
		}
	}
}

// reap takes an adopted child's end, waiting for it: it has been sent SIGKILL.
func reap(pid int) {
	for {
		_, err := unix.Wait4(pid, nil, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// ReapStrays takes the ends of adopted grandchildren that died while their plugin
// lives: dead children of ours in a foreign session that the caller has seen before
// (a plugin's own end is taken by its runner within milliseconds). It returns those
// to be handed in the next time.
func ReapStrays(before map[int]uint64) map[int]uint64 {
	self, ok := readTask(os.Getpid())
	if !ok {
		return nil
	}
	seen := map[int]uint64{}
	if !childEnded() {
		return seen // mostly so; to read all of /proc costs a thousand times as much
	}
	for _, t := range tasks() {
		if t.parent != self.pid || t.state != 'Z' || t.session == self.session {
			continue
		}
		if start, known := before[t.pid]; known && start == t.start {
			reap(t.pid)
			continue
		}
		seen[t.pid] = t.start
	}
	return seen
}

// childEnded tells whether the end of some child of ours is there to be taken, and leaves it.
func childEnded() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo != 0 // 0: none has ended (waitid(2))
}

// SweepMarked kills every process whose environment names an instance directory
// below dir: what a hub that died left behind.
func SweepMarked(dir string) int {
	killed := 0
	prefix := []byte(markerKey + "=" + dir + "/")
	for _, t := range tasks() {
		raw, err := os.ReadFile("/proc/" + strconv.Itoa(t.pid) + "/environ")
		if err != nil || t.pid == os.Getpid() {
			continue
		}
		for kv := range bytes.SplitSeq(raw, []byte{0}) {
			if bytes.HasPrefix(kv, prefix) && unix.Kill(t.pid, unix.SIGKILL) == nil {
				killed++
				break
			}
		}
	}
	return killed
}

// Usage of a plugin: its process and what that has started.
type Usage struct {
	PSS, RSS int64  // bytes
	Ticks    uint64 // CPU time, 1/100 s
}

// Measure reads /proc; false: the process is gone. Descendants count as far as Look
// has seen them.
func (r *Runner) Measure() (Usage, bool) {
	pid := r.PID()
	t, ok := readTask(pid)
	if !ok {
		return Usage{}, false
	}
	u := Usage{Ticks: t.ticks}
	u.addMemory(pid)
	r.mu.Lock()
	kin := maps.Clone(r.kin)
	r.mu.Unlock()
	for pid, start := range kin {
		if t, ok := readTask(pid); ok && t.start == start {
			u.Ticks += t.ticks
			u.addMemory(pid)
		}
	}
	return u, true
}

func (u *Usage) addMemory(pid int) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if err != nil {
		return // it has ended
	}
	for line := range strings.Lines(string(raw)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		switch name {
		case "Pss":
			u.PSS += kib << 10
		case "Rss":
			u.RSS += kib << 10
		}
	}
}
