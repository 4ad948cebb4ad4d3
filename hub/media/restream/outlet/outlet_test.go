package outlet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

func connected(t *testing.T) (here, there *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return a.(*net.TCPConn), b.(*net.TCPConn)
}

// A packet that has gone in part is whole before anything else goes.
func TestPartsOfAPacketStayTogether(t *testing.T) {
	here, there := connected(t)
	out := NewTCP(here)
	if !out.Tries() {
		t.Skip("SKIPPED: this system writes no other way than waiting")
	}
	packet := bytes.Repeat([]byte{'p'}, 300_000)
	var sent, left int
	for left == 0 {
		n := out.Try(packet)
		sent += n
		left = len(packet) - n
		if n == 0 {
			t.Fatal("the way was full between two packets, not within one")
		}
	}
	if out.Try(packet) != 0 {
		t.Error("another packet went into the gap")
	}
	if out.Stands() <= 0 {
		t.Error("nobody knows that it waits")
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := out.Write([]byte("answer")); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		if err := out.WriteAll(net.Buffers{packet[len(packet)-left:], []byte("qq")}); err != nil {
			t.Error(err)
		}
	})
	got := make([]byte, sent+left+2+6)
	if _, err := io.ReadFull(there, got); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if want := string(bytes.Repeat([]byte{'p'}, sent+left)) + "qqanswer"; string(got) != want {
		t.Errorf("the end is %q", got[sent+left-4:])
	}
	if out.Stands() != 0 {
		t.Error("it still waits")
	}
	_ = here.Close()
	if out.Try(packet) != 0 {
		t.Error("a closed connection took something")
	}
}

func TestPair(t *testing.T) {
	here, _ := connected(t)
	reader, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	port := reader.LocalAddr().(*net.UDPAddr).Port
	p, err := NewPair(here.LocalAddr(), here.RemoteAddr(), [2]int{port, port})
	if err != nil {
		t.Fatal(err)
	}
	if ours := p.Ports(); ours[0]%2 != 0 || ours[1] != ours[0]+1 {
		t.Errorf("%v", ours)
	}
	heard := make(chan string, 2) // what the test sends
	p.Hear(func(report bool, b []byte) {
		if report {
			heard <- "report " + string(b)
		} else {
			heard <- string(b)
		}
	})
	stranger, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	for _, from := range []*net.UDPConn{stranger, reader} {
		for i, text := range []string{"speech", "there"} {
			if _, err := from.WriteToUDP([]byte(text), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p.Ports()[i]}); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := map[string]bool{<-heard: true, <-heard: true}
	if !got["speech"] || !got["report there"] {
		t.Errorf("%v", got)
	}
	if err := errors.Join(p.Send(false, []byte("picture")), p.Send(true, []byte("clock"))); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	for range 2 {
		if n, err := reader.Read(b); err != nil || string(b[:n]) != "picture" && string(b[:n]) != "clock" {
			t.Errorf("%q %v", b[:n], err)
		}
	}
	_ = reader.Close()
	for end := time.Now().Add(10 * time.Second); !errors.Is(p.Send(false, []byte("picture")), ErrUnheard); {
		if time.Now().After(end) {
			t.Fatal("nobody noticed that the reader has gone")
		}
	}
	p.Close()
	p.Wait()
	if len(heard) != 0 {
		t.Errorf("a stranger was heard: %s", <-heard)
	}
}
