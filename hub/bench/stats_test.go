package main

import (
	"testing"
	"time"
)

func TestTimesAreReadAtTheNearestRank(t *testing.T) {
	var ts times
	for i := 100; i >= 1; i-- {
		ts = append(ts, time.Duration(i))
	}
	if ts.p50() != 50 || ts.p99() != 99 || ts.at(1) != 100 || ts.at(0) != 1 {
		t.Errorf("of 1 to 100: p50 %d, p99 %d, last %d, first %d", ts.p50(), ts.p99(), ts.at(1), ts.at(0))
	}
	if (times)(nil).p50() != 0 || (times{7}).p99() != 7 {
		t.Error("none and one")
	}
}
