// Command lamp is an accessory on the server of brutella/hap, as somebody else to try the
// controller on. It runs by itself because that server's data races would be taken for
// the test's. Each line of its input switches it off; it ends with its input.
package main

import (
	"bufio"
	"context"
	"log"
	"os"

	"github.com/brutella/hap"
	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
)

func main() {
	lamp := accessory.NewLightbulb(accessory.Info{Name: "Lamp"})
	for i := range 60 { // enough for an answer of many frames
		n := characteristic.NewName()
		n.SetValue(string(rune('a'+i%26)) + " is one of many names that this lamp goes by")
		lamp.Lightbulb.AddC(n.C)
	}
	s, err := hap.NewServer(hap.NewMemStore(), lamp.A)
	if err != nil {
		log.Fatal(err)
	}
	s.Pin, s.Addr, s.Ifaces = os.Args[1], os.Args[2], []string{"lo"}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			lamp.Lightbulb.On.SetValue(false)
		}
	}()
	if err := s.ListenAndServe(ctx); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}
