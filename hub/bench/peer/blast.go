package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// datagram is what one packet to a WebRTC viewer carries.
const datagram = 1200

// blast is the floor of WebRTC: 25 times a second so many bytes to each viewer, each
// packet of it sealed for that viewer alone (AES-128-GCM, as SRTP does), and one call of
// the kernel a viewer, which cuts them (UDP_SEGMENT).
func blast(ctx context.Context, args []string) error {
	size, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("blast: %w", err)
	}
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return fmt.Errorf("blast: %w", err)
	}
	defer c.Close()
	type viewer struct {
		to   *net.UDPAddr
		seal cipher.AEAD
	}
	var viewers []viewer
	for i, a := range args[1:] {
		to, err := net.ResolveUDPAddr("udp4", a)
		if err != nil {
			return fmt.Errorf("blast: %w", err)
		}
		block, err := aes.NewCipher(binary.BigEndian.AppendUint64(make([]byte, 8), uint64(i)))
		if err != nil {
			return fmt.Errorf("blast: %w", err)
		}
		seal, err := cipher.NewGCM(block)
		if err != nil {
			return fmt.Errorf("blast: %w", err)
		}
		viewers = append(viewers, viewer{to, seal})
	}
	fmt.Println("blasting")
	plain, nonce, scratch := make([]byte, size), make([]byte, 12), make([]byte, 0, 2*size+datagram)
	tick := time.NewTicker(fanEvery)
	defer tick.Stop()
	for count := uint64(0); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, v := range viewers {
			scratch = scratch[:0]
			for rest := plain; len(rest) > 0; {
				n := min(datagram-28, len(rest)) // header and tag
				scratch = append(scratch, make([]byte, 12)...)
				count++
				binary.BigEndian.PutUint64(nonce[4:], count)
				scratch = v.seal.Seal(scratch, nonce, rest[:n], nil)
				rest = rest[n:]
			}
			// At most 64 pieces of 64 KB together.
			for rest := scratch; len(rest) > 0; {
				n := min(len(rest), 54*datagram)
				if _, _, err := c.WriteMsgUDP(rest[:n], segments(), v.to); err != nil {
					return fmt.Errorf("blast: %w", err)
				}
				rest = rest[n:]
			}
		}
	}
}

// segments is the control message that has the kernel cut a write into datagrams.
func segments() []byte {
	b := make([]byte, unix.CmsgSpace(2))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(b[unix.CmsgLen(0):], datagram)
	return b
}
