package app

import "testing"

func TestPercent(t *testing.T) {
	for rings, want := range map[int64]int{0: 100, headroom: 100, 60 << 20: 80, 96 << 20: 50, 384 << 20: 30} {
		if got := percent(rings); got != want {
			t.Errorf("with %d MiB of rings %d %%, want %d", rings>>20, got, want)
		}
	}
}
