package access

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// delayFirst follows the last free try; each further one doubles it up to delayMost.
	delayFirst = 30 * time.Second
	delayMost  = 15 * time.Minute
	// forgetAfter is how long without a try a key is remembered.
	forgetAfter = time.Hour
	// throttleKeys bounds the memory; about 100 bytes each.
	throttleKeys = 4096
)

// throttle counts tries by key and makes the one wait who has too many. A try counts
// when it begins, so that a thousand at once are not free.
type throttle struct {
	now  func() time.Time
	free int // tries without delay

	mu   sync.Mutex
	keys map[string]*tries
}

type tries struct {
	n     int
	last  time.Time
	until time.Time
}

func newThrottle(now func() time.Time, free int) *throttle {
	return &throttle{now: now, free: free, keys: map[string]*tries{}}
}

// take counts a try; a positive answer says how long to wait instead of trying.
func (t *throttle) take(key string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	k := t.keys[key]
	if k == nil || now.Sub(k.last) >= forgetAfter {
		if k == nil && len(t.keys) >= throttleKeys {
			t.evict(now)
		}
		k = &tries{}
		t.keys[key] = k
	}
	if wait := k.until.Sub(now); wait > 0 {
		return wait
	}
	k.n++
	k.last = now
	if over := k.n - t.free; over >= 0 {
		k.until = now.Add(min(delayFirst<<min(over, 10), delayMost))
	}
	return 0
}

// wait is how long nothing may be tried, without counting a try.
func (t *throttle) wait(key string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := t.keys[key]; k != nil {
		return k.until.Sub(t.now())
	}
	return 0
}

// clear forgives after a success.
func (t *throttle) clear(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.keys, key)
}

// evict makes room: all that are forgotten, else the one that tried longest ago.
func (t *throttle) evict(now time.Time) {
	var oldest string
	var when time.Time
	for key, k := range t.keys {
		if now.Sub(k.last) >= forgetAfter {
			delete(t.keys, key)
			continue
		}
		if oldest == "" || k.last.Before(when) {
			oldest, when = key, k.last
		}
	}
	if len(t.keys) >= throttleKeys {
		delete(t.keys, oldest)
	}
}

// network is the key of an address: a whole IPv6 /64 counts as one, since a single
// machine has as many addresses as it likes there.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return clip(address, 64)
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
