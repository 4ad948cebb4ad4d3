// Command bench measures the real house, with real plugin processes, beside what it
// is compared with, all in one run, and writes docs/benchmarks.md. It judges no test:
// it tells what it found, also where a goal is missed. Loads stay on loopback and
// Unix sockets and end by themselves; processes are ended by their pid.
//
// It is a module of its own, so that its peers are nobody else's dependencies. Start
// it by `make bench` (`make bench QUICK=1`: four minutes, only printed). Read main.go,
// then a row: hop.go, chime.go, flood.go, start.go, live.go, relay.go, added.go,
// first.go, still.go, home.go, cameras.go, build.go; who is compared with whom stands in sides.go.
// What runs inside the measured processes is in part, plugin and peer.
package main
