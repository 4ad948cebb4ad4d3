// Package batch is a UDP socket that sends the packets of one picture to one address with
// one call of the kernel, by UDP_SEGMENT where the kernel has it, else one by one. To who
// writes it is a net.PacketConn like any other. Read conn.go first.
package batch
