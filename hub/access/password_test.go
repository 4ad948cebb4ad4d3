package access

import (
	"testing"
	"time"
)

func TestHashesThatAreNobodys(t *testing.T) {
	good := hashPassword("porchlight")
	if !samePassword(good, "porchlight") || samePassword(good, "porchlighT") {
		t.Fatal("the hash does not compare")
	}
	for _, h := range []string{
		"", "porchlight", "$argon2id$", "$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
		"$argon2id$v=18$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
		"$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", // 4 TiB
		"$argon2id$v=19$m=19456,t=0,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
		"$argon2id$v=19$m=19456,t=2,p=0$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
		"$argon2id$v=19$m=19456,t=2,p=1$c2Fs$aGFzaGhhc2hoYXNoaGFzaA",
		"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$",
	} {
		if samePassword(h, "") || samePassword(h, "porchlight") {
			t.Errorf("%q takes a password", h)
		}
	}
}

func TestThrottleIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	th := newThrottle(func() time.Time { return now }, 5)
	for i := range throttleKeys * 2 {
		now = now.Add(time.Millisecond)
		th.take(string(rune(i)) + "x")
	}
	if len(th.keys) != throttleKeys {
		t.Fatalf("%d keys are kept, want %d", len(th.keys), throttleKeys)
	}
	now = now.Add(forgetAfter)
	th.take("late")
	if len(th.keys) != 1 {
		t.Fatalf("%d keys are kept after an hour, want the new one", len(th.keys))
	}
}

func TestThrottleDelayHasAnEnd(t *testing.T) {
	now := time.Unix(0, 0)
	th := newThrottle(func() time.Time { return now }, 5)
	for range 100 {
		wait := th.take("k")
		if wait > delayMost {
			t.Fatalf("waits %s", wait)
		}
		now = now.Add(wait)
	}
}
