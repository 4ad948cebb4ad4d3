package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < need(args) {
		return fmt.Errorf("jetstream DIR SYNC | relay KIND SOCKET | fan BYTES | cameras NAME=FILM… | pull URL… | bare URL… | blast VIEWER… | watch | part CONTROL NAME BUS…")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if args[0] == "watch" { // its orders come by its standard input
		return watch(ctx, os.Stdin)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the bench, however it ends
		cancel()
	}()
	switch args[0] {
	case "jetstream":
		return jetstreamServer(ctx, args[1], args[2])
	case "relay":
		return relay(ctx, args[1], args[2])
	case "fan":
		return fan(ctx, args[1])
	case "cameras":
		return cameras(ctx, args[1:])
	case "pull":
		return pull(ctx, args[1:])
	case "bare":
		return bare(ctx, args[1:])
	case "blast":
		return blast(ctx, args[1:])
	case "part":
		return serve(ctx, args[1], args[2], args[3:])
	}
	return fmt.Errorf("no command %s", args[0])
}

// need is how many words the command has at least, itself included.
func need(args []string) int {
	switch {
	case len(args) == 0:
	case args[0] == "watch":
		return 1
	case slices.Contains([]string{"fan", "cameras", "pull", "bare", "blast"}, args[0]):
		return 2
	}
	return 3
}

// serve is one process on several buses, each named as name=kind=address.
func serve(ctx context.Context, control, name string, buses []string) error {
	p := part.New(rand.Text)
	p.Name, p.Buses = name, map[string]part.Bus{}
	var note func(string)
	if strings.HasPrefix(name, "taker") {
		note = p.Note
	}
	for _, spec := range buses {
		f := strings.SplitN(spec, "=", 3)
		var b part.Bus
		var err error
		if f[1] == "jetstream" {
			b, err = dialJetStream(ctx, f[2], name, note)
		} else {
			b, err = dialRelay(ctx, f[1], f[2], note)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f[0], err)
		}
		p.Buses[f[0]] = b
	}
	return p.Serve(ctx, control)
}
