package runner

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// AddressError is an address in a handshake line that the hub will not connect to.
type AddressError struct{ Network, Address, Why string }

func (e *AddressError) Error() string {
	return fmt.Sprintf("address %s %.120q: %s", e.Network, e.Address, e.Why)
}

// checkAddress accepts a Unix socket that lies directly in dir, is itself a socket
// and no link, and belongs to uid.
func checkAddress(network, address, dir string, uid int) error {
	refuse := func(why string) error { return &AddressError{network, address, why} }
	if network != "unix" {
		return refuse("only a unix socket is accepted")
	}
	if filepath.Clean(address) != address || filepath.Dir(address) != dir {
		return refuse("it is not directly in the plugin's own directory")
	}
	info, err := os.Lstat(address)
	switch {
	case err != nil:
		return refuse("it cannot be looked at: " + err.Error())
	case info.Mode().Type() != fs.ModeSocket:
		return refuse("it is not a socket")
	}
	if owner, known := ownerOf(info); known && owner != uid {
		return refuse(fmt.Sprintf("it belongs to uid %d, the plugin runs as %d", owner, uid))
	}
	return nil
}

// dial connects to an address that was checked, and checks who listens there.
func dial(address string, uid int) (net.Conn, error) {
	conn, err := net.Dial("unix", address)
	if err != nil {
		return nil, err
	}
	if peer, known := peerOf(conn.(*net.UnixConn)); known && peer != uid {
		conn.Close()
		return nil, &AddressError{"unix", address, fmt.Sprintf("uid %d listens there, the plugin runs as %d", peer, uid)}
	}
	return conn, nil
}
