package event

import "testing"

func TestIntersect(t *testing.T) {
	for _, c := range []struct {
		a, b, want string
		ok         bool
	}{
		{"camera.*.ring", "camera.door.*", "camera.door.ring", true},
		{"camera.**", "camera.door.ring", "camera.door.ring", true},
		{"**", "camera.*.talk.*", "camera.*.talk.*", true},
		{"camera.**", "camera.*.**", "camera.*.**", true},
		{"camera.*.ring", "camera.*", "", false},
		{"camera.**", "camera", "", false},
		{"chime.*.played", "camera.**", "", false},
		{"camera.door.ring", "camera.door.ring", "camera.door.ring", true},
	} {
		for _, p := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			if got, ok := Intersect(p[0], p[1]); got != c.want || ok != c.ok {
				t.Errorf("%s and %s: %q, %t, want %q, %t", p[0], p[1], got, ok, c.want, c.ok)
			}
		}
	}
}

// What both filters take, and only that, falls under their intersection.
func FuzzIntersect(f *testing.F) {
	f.Add("camera.*.ring", "camera.**", "camera.a.ring")
	f.Add("**", "a.*", "a.b")
	f.Fuzz(func(t *testing.T, a, b, subject string) {
		if CheckFilter(a) != nil || CheckFilter(b) != nil || CheckSubject(subject) != nil {
			t.Skip()
		}
		both, ok := Intersect(a, b)
		want := Match(a, subject) && Match(b, subject)
		if got := ok && Match(both, subject); got != want {
			t.Errorf("%s and %s give %q (%t): %s falls under it: %t, under both: %t", a, b, both, ok, subject, got, want)
		}
	})
}
