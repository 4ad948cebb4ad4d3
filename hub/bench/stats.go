package main

import (
	"math"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

func now() int64 { return part.Now() }

// since is the time from a moment of now.
func since(at int64) time.Duration { return time.Duration(now() - at) }

// times are samples of one thing.
type times []time.Duration

// at gives the value below which the share q of the samples lies (the nearest rank).
func (t times) at(q float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(t))
	return s[min(len(s)-1, max(0, int(math.Ceil(q*float64(len(s))))-1))]
}

func (t times) p50() time.Duration { return t.at(0.5) }
func (t times) p99() time.Duration { return t.at(0.99) }

func (t times) mean() time.Duration {
	if len(t) == 0 {
		return 0
	}
	sum := time.Duration(0)
	for _, d := range t {
		sum += d
	}
	return sum / time.Duration(len(t))
}

func median(x []float64) float64 {
	if len(x) == 0 {
		return none
	}
	return slices.Sorted(slices.Values(x))[len(x)/2]
}
