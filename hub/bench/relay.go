package main

import (
	"fmt"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

// relayCell is so many RTSP readers on each of so many cameras, and what is aimed at.
type relayCell struct {
	cameras, readers    int
	film                string
	cpu, memory, tail   float64 // goals
	missCPU, missMemory string
}

// spent is where the processor time of many readers goes, by a profile.
const spent = "A third is the kernel's reads and writes, all that the floor does; scheduler and sysmon of the Go runtime 28 %, taking the camera's packets apart and into the ring 18 %, packing them again and the cursors 12 %, page faults and the collector 9 %."

// restream hands RTSP on by RTSP.
func (b *bench) restream(f *farm, bin string) error {
	b.page.section("Relay of RTSP", "Cameras of 4 Mb/s over TCP with a key frame each second (16 x 8: each 4 s), each in its own step, read by RTSP over TCP by readers that decode nothing and count every picture. "+
		"Processor time is that of the whole process tree a camera and minute; memory is its proportional set size with the readers there; a picture's way is from its write into the camera's socket to the reader that has all of it. "+
		"Ours pulls always, "+rivalName+" while somebody reads. The floor is a bare relay: one pull, each picture kept once, one write of it to each reader. Medians of rounds in which the three take turns.")
	for _, c := range []relayCell{
		{cameras: 1, readers: 1, film: "1s", cpu: 1.05, memory: none, tail: none, missCPU: "With one camera it is the fixed costs that count: scheduler and sysmon of the Go runtime 37 %, the collector 9 %, looking after the plugin process 5 %; pulling is 26 %, handing on 16 %."},
		{cameras: 1, readers: 32, film: "1s", cpu: 0.75, memory: none, tail: none, missCPU: spent},
		{cameras: many, readers: 8, film: "4s", cpu: 0.70, memory: 0.60, tail: 1, missCPU: spent,
			missMemory: "The rings hold the last 4 s of each camera from a key frame on, 32 to 64 MB of pictures here, and up to 48 MiB of garbage waits beside them; the program's text and the plugin's process are 45 MB before the first picture."},
	} {
		if err := b.relayOf(f, bin, c); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) relayOf(f *farm, bin string, c relayCell) error {
	t, err := b.newThree(bin, f.live(c.cameras, c.film))
	if err != nil {
		return err
	}
	defer t.end()
	w, err := b.newWatchers()
	if err != nil {
		return err
	}
	defer w.end()
	sides := []*side{t.ours, t.peer, t.floor}
	cpu, memory, middle, tail := make([][]float64, 3), make([][]float64, 3), make([][]float64, 3), make([][]float64, 3)
	lost := ""
	for range b.rounds(3, 1) {
		for i, s := range sides {
			got, err := b.watched(w, s, part.RTSP, c.cameras, c.readers, b.seconds(4.5, 1.5))
			if err != nil {
				return t.house.failed(err)
			}
			cpu[i] = append(cpu[i], got.perMinute()/float64(c.cameras))
			memory[i] = append(memory[i], got.pss)
			middle[i], tail[i] = append(middle[i], ms(got.seen.P50)), append(tail[i], ms(got.seen.P99))
			if n := got.seen.Gaps + got.seen.Lost; n > 0 {
				lost += fmt.Sprintf("; **%s lost pictures at %d places**", s.name, got.seen.Gaps)
			}
		}
	}
	what := fmt.Sprintf("%d x %d", c.cameras, c.readers)
	add := func(name string, x [][]float64, unit string, goal float64, miss string) {
		b.page.add(row{what: what + ": " + name, peerName: rivalName, peer: median(x[1]), floor: median(x[2]), ours: median(x[0]), unit: unit, goal: goal, miss: miss})
	}
	add("processor a camera and minute"+lost, cpu, "s", c.cpu, c.missCPU)
	add("memory", memory, "MB", c.memory, c.missMemory)
	add("a picture's way, median", middle, "ms", none, "")
	add("a picture's way, p99", tail, "ms", c.tail, "")
	return nil
}
