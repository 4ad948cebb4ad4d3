package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxProcesses bounds the search for who holds a port.
const maxProcesses = 65536

// portHolder finds the process that listens on the port, by /proc; 0 where the kernel
// does not tell, as for another user's process.
func portHolder(addr string) (pid int, name string) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, ""
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0, ""
	}
	inodes := map[string]bool{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(file)
		if err != nil {
			continue
		}
		for _, inode := range listeners(f, uint16(n)) {
			inodes["socket:["+inode+"]"] = true
		}
		f.Close()
	}
	if len(inodes) == 0 {
		return 0, ""
	}
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return 0, ""
	}
	for _, p := range procs[:min(len(procs), maxProcesses)] {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		fds, err := os.ReadDir(filepath.Join("/proc", p.Name(), "fd"))
		if err != nil {
			continue
		}
		for _, fd := range fds {
			to, err := os.Readlink(filepath.Join("/proc", p.Name(), "fd", fd.Name()))
			if err == nil && inodes[to] {
				comm, _ := os.ReadFile(filepath.Join("/proc", p.Name(), "comm")) // empty if it is gone by now
				return pid, strings.TrimSpace(string(comm))
			}
		}
	}
	return 0, ""
}

// listeners reads /proc/net/tcp (proc_net_tcp.txt of the kernel's documentation): the
// inodes of the sockets that listen on the port.
func listeners(r io.Reader, port uint16) (inodes []string) {
	const stateListen = "0A"
	want := fmt.Sprintf(":%04X", port)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) > 9 && f[3] == stateListen && strings.HasSuffix(f[1], want) {
			inodes = append(inodes, f[9])
		}
	}
	return inodes
}
