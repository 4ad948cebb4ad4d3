package still

// bits writes a NAL unit's payload, the highest bit first.
type bits struct {
	b []byte
	n uint // bits used of the last byte; 0: all
}

// u writes the lowest n bits of v.
func (w *bits) u(n uint, v uint64) {
	for i := int(n) - 1; i >= 0; i-- {
		if w.n == 0 {
			w.b = append(w.b, 0)
		}
		w.b[len(w.b)-1] |= byte(v>>uint(i)&1) << (7 - w.n)
		w.n = (w.n + 1) & 7
	}
}

// ue writes Exp-Golomb codes (H.264 9.1, H.265 9.2).
func (w *bits) ue(vs ...uint64) {
	for _, v := range vs {
		n := uint(0)
		for (v+1)>>(n+1) != 0 {
			n++
		}
		w.u(n, 0)
		w.u(n+1, v+1)
	}
}

// zeros writes n flags that are off.
func (w *bits) zeros(n uint) { w.u(n, 0) }

// nal ends the payload with its stop bit and returns it behind a start code, with the
// bytes that keep it from looking like one (H.264 7.4.1.1, H.265 7.4.2).
func (w *bits) nal(header ...byte) []byte {
	w.u(1, 1)
	out := append([]byte{0, 0, 0, 1}, header...)
	zeros := 0
	for _, b := range w.b {
		if zeros == 2 && b <= 3 {
			out, zeros = append(out, 3), 0
		}
		out = append(out, b)
		if zeros++; b != 0 {
			zeros = 0
		}
	}
	return out
}
