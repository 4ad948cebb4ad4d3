package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// process is one of a hub's processes.
type process struct {
	pid  int
	name string        // hub, or the plugin's
	pss  int64         // bytes
	cpu  time.Duration // since its start
}

// tree lists a process and all that descend from it, by pid.
func tree(root int) ([]process, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, f := range stats {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it ended
		}
		// The name is in brackets and may hold anything; the parent is the second word after it.
		rest := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil || len(rest) < 2 {
			continue
		}
		if parent, err := strconv.Atoi(rest[1]); err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	var out []process
	for todo := []int{root}; len(todo) > 0; todo = todo[1:] {
		pid := todo[0]
		todo = append(todo, children[pid]...)
		p := process{pid: pid, name: "hub"}
		if pid != root {
			p.name = pluginName(pid)
		}
		if p.pss, err = pss(pid); err != nil {
			return nil, err
		}
		p.cpu = cpuTime(pid)
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b process) int { return a.pid - b.pid })
	return out, nil
}

func pluginName(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "ended"
	}
	words := strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
	return "plugin " + filepath.Base(words[len(words)-1])
}

// pss is the proportional set size: shared pages count in part.
func pss(pid int) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "Pss:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("process %d: no Pss in smaps_rollup", pid)
}

// cpuTime is what the threads of a process ran, by the scheduler's own clock.
func cpuTime(pid int) time.Duration {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0
	}
	sum := time.Duration(0)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // the thread ended
		}
		var ns int64
		if _, err := fmt.Sscan(string(b), &ns); err == nil {
			sum += time.Duration(ns)
		}
	}
	return sum
}

// treePSS is the memory of a process and all that descend from it, in MB.
func treePSS(root int) (float64, error) {
	all, err := tree(root)
	sum := int64(0)
	for _, p := range all {
		sum += p.pss
	}
	return float64(sum) / 1e6, err
}

// treeCPU is the processor time of a process and all that descend from it.
func treeCPU(root int) (sum time.Duration, err error) {
	all, err := tree(root)
	for _, p := range all {
		sum += p.cpu
	}
	return sum, err
}
