package sound

// Partial is one tone of a bell. Its loudness falls as exp(-t/Decay).
type Partial struct {
	Ratio float64 // times the note's pitch
	Gain  float64
	Decay float64 // seconds to 1/e
}

// Voice is a thing that is struck: its partials, and how fast it speaks.
type Voice struct {
	Name     string
	Attack   float64 // seconds, rising in a straight line
	Partials []Partial
}

// Note is one strike. Where To is not zero the pitch glides there in a straight
// line, within Glide seconds, and stays.
type Note struct {
	At    float64 // seconds from the beginning
	Hz    float64
	To    float64
	Glide float64
	Gain  float64
	Voice Voice
}

// Sound is a chime. Its last Fade seconds go down to silence in a straight line.
type Sound struct {
	Name   string // as the config writes it
	Title  string // as people read it
	Length float64
	Notes  []Note
}

// Fade is how long the end of every sound takes, in seconds.
const Fade = 0.12

// Peak is the loudest sample of every sound at volume 100; 1 is full scale.
const Peak = 0.85

// The bells. Ratios of the tubes are those of a free bar as it is heard in an
// orchestra's tubular bell (modes 4 to 7, 2:3:4.2:5.4 of the strike note); of the
// plate, of a thick disc; of the wood, of a tuned marimba bar (1:4:9.2).
func tube() Voice {
	return Voice{"tube", 0.003, []Partial{{1, 1, 1.05}, {2, 0.55, 0.80}, {3, 0.28, 0.42}, {4.2, 0.16, 0.22}, {5.4, 0.09, 0.12}, {0.5, 0.12, 0.90}}}
}

func bar() Voice {
	return Voice{"bar", 0.002, []Partial{{1, 1, 0.62}, {2.76, 0.30, 0.20}, {5.40, 0.12, 0.08}}}
}

func dome() Voice {
	return Voice{"dome", 0.001, []Partial{{1, 1, 0.55}, {1.52, 0.42, 0.38}, {2.31, 0.36, 0.26}, {3.27, 0.20, 0.14}, {4.41, 0.10, 0.08}}}
}

func wood() Voice {
	return Voice{"wood", 0.002, []Partial{{1, 1, 0.30}, {4, 0.26, 0.09}, {9.2, 0.08, 0.03}}}
}

func plate() Voice {
	return Voice{"plate", 0.020, []Partial{{1, 1, 2.4}, {1.48, 0.62, 1.9}, {1.98, 0.55, 1.6}, {2.62, 0.38, 1.1}, {3.31, 0.28, 0.8}, {4.17, 0.16, 0.5}, {0.5, 0.30, 2.6}}}
}

func board() Voice {
	return Voice{"board", 0.001, []Partial{{1, 1, 0.045}, {1.72, 0.6, 0.032}, {2.9, 0.35, 0.018}, {5.3, 0.2, 0.008}}}
}

func whistle() Voice {
	return Voice{"whistle", 0.012, []Partial{{1, 1, 0.085}, {2, 0.08, 0.05}}}
}

// All are the sounds, the default first.
func All() []Sound {
	return []Sound{dingDong(), westminster(), chirp(), gong(), knock(), doorbellClassic(), marimba()}
}

// ByName finds a sound.
func ByName(name string) (Sound, bool) {
	for _, s := range All() {
		if s.Name == name {
			return s, true
		}
	}
	return Sound{}, false
}

// Names of all sounds, the default first.
func Names() []string {
	var out []string
	for _, s := range All() {
		out = append(out, s.Name)
	}
	return out
}

// Pitches in equal temperament, a4 = 440 Hz.
const (
	b3  = 246.942
	e4  = 329.628
	fs4 = 369.994
	gs4 = 415.305
	c5  = 523.251
	e5  = 659.255
	g5  = 783.991
	c6  = 1046.502
)

func dingDong() Sound {
	return Sound{"ding_dong", "Ding-dong", 2.6, []Note{
		{At: 0, Hz: e5, Gain: 1, Voice: tube()},
		{At: 0.55, Hz: c5, Gain: 1, Voice: tube()},
	}}
}

// westminster is the first quarter of the Cambridge chimes of 1793.
func westminster() Sound {
	s := Sound{Name: "westminster", Title: "Westminster", Length: 4.6}
	for i, hz := range []float64{gs4, fs4, e4, b3} {
		s.Notes = append(s.Notes, Note{At: 0.72 * float64(i), Hz: hz, Gain: 1, Voice: tube()})
	}
	return s
}

func chirp() Sound {
	s := Sound{Name: "chirp", Title: "Chirp", Length: 1.25}
	for i := range 5 {
		at := 0.11 * float64(i)
		if i > 2 {
			at += 0.16
		}
		s.Notes = append(s.Notes, Note{At: at, Hz: 2100 + 120*float64(i%3), To: 3150 + 90*float64(i%3), Glide: 0.07, Gain: 1, Voice: whistle()})
	}
	return s
}

func gong() Sound {
	return Sound{"gong", "Gong", 4.5, []Note{{At: 0, Hz: 131, Gain: 1, Voice: plate()}}}
}

func knock() Sound {
	s := Sound{Name: "knock", Title: "Knock", Length: 1.1}
	for _, at := range []float64{0, 0.20, 0.40} {
		s.Notes = append(s.Notes, Note{At: at, Hz: 185, Gain: 1, Voice: board()})
	}
	return s
}

// doorbellClassic is a striker between two small domes, as on the wall of an old hall.
func doorbellClassic() Sound {
	s := Sound{Name: "doorbell_classic", Title: "Classic doorbell", Length: 1.9}
	for i := range 18 {
		hz := 1480.0
		if i%2 == 1 {
			hz = 1568
		}
		s.Notes = append(s.Notes, Note{At: 0.055 * float64(i), Hz: hz, Gain: 0.8, Voice: dome()})
	}
	return s
}

func marimba() Sound {
	s := Sound{Name: "marimba", Title: "Marimba", Length: 1.5}
	for i, hz := range []float64{c5, e5, g5, c6} {
		s.Notes = append(s.Notes, Note{At: 0.13 * float64(i), Hz: hz, Gain: 1, Voice: wood()})
	}
	s.Notes = append(s.Notes, Note{At: 0.13 * 4, Hz: c6, Gain: 0.35, Voice: bar()})
	return s
}
