package sound

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"testing"
)

var update = flag.Bool("update", false, "write RECIPES.md anew")

func TestEverySoundIsLoudEnoughAndEndsInSilence(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range All() {
		if seen[s.Name] || !regexp.MustCompile(`^[a-z_]{3,20}$`).MatchString(s.Name) || s.Title == "" {
			t.Errorf("%q: name used twice, or no name of a config", s.Name)
		}
		seen[s.Name] = true
		for _, rate := range []int{44100, 48000} {
			pcm := s.Render(rate)
			if want := int(s.Length * float64(rate)); len(pcm) != want {
				t.Errorf("%s: %d samples, want %d", s.Name, len(pcm), want)
			}
			loudest, sum := 0.0, 0.0
			for _, v := range pcm {
				loudest = max(loudest, math.Abs(float64(v)))
				sum += float64(v) * float64(v)
			}
			if math.Abs(loudest-Peak) > 0.01 {
				t.Errorf("%s at %d: peak %.3f, want %.2f", s.Name, rate, loudest, Peak)
			}
			if sum == 0 || math.Abs(float64(pcm[0])) > 0.02 || math.Abs(float64(pcm[len(pcm)-1])) > 0.001 {
				t.Errorf("%s at %d: clicks at its start or end", s.Name, rate)
			}
		}
	}
}

// tone is the power of a pitch (Goertzel's algorithm).
func tone(pcm []float32, rate int, hz float64) float64 {
	w := 2 * math.Pi * hz / float64(rate)
	var s1, s2 float64
	for _, v := range pcm {
		s1, s2 = float64(v)+2*math.Cos(w)*s1-s2, s1
	}
	return (s1*s1 + s2*s2 - 2*math.Cos(w)*s1*s2) / float64(len(pcm))
}

func TestDingIsAnEAndDongIsAC(t *testing.T) {
	const rate = 48000
	s, ok := ByName("ding_dong")
	if !ok {
		t.Fatal("no ding_dong")
	}
	pcm := s.Render(rate)
	ding, dong := pcm[:rate/2], pcm[rate*9/10:rate*19/10]
	if tone(ding, rate, e5) < 20*tone(ding, rate, c5) {
		t.Error("the first strike is not E5")
	}
	if tone(dong, rate, c5) < 2*tone(dong, rate, e5) {
		t.Error("the second strike is not C5")
	}
}

func TestUnknownName(t *testing.T) {
	if _, ok := ByName("vuvuzela"); ok {
		t.Error("found a sound that nobody made")
	}
	if len(Names()) != len(All()) {
		t.Error("Names and All differ")
	}
}

func TestRecipesAreCurrent(t *testing.T) {
	var b bytes.Buffer
	recipes(&b)
	if *update {
		if err := os.WriteFile("RECIPES.md", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("RECIPES.md")
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("RECIPES.md is not current: go test ./plugins/speaker/sound -update (%v)", err)
	}
}

// recipes writes the page.
func recipes(b *bytes.Buffer) {
	b.WriteString(`# The sounds of the house, as recipes

Written by ` + "`go test ./plugins/speaker/sound -update`" + ` from recipes.go. Speaker and browser follow the same numbers, so a chime
is the same chime wherever it sounds.

A sound is a sum of notes, each note a struck voice, each voice a sum of sine partials. For a note that begins at ` + "`at`" + `,
with t counted from there in seconds, a partial is

    gain(note) * gain(partial) * exp(-t / decay) * min(1, t / attack) * sin(phase)

and its phase begins at 0 and grows by 2 pi * ratio * hz a second. Where a note has "to", hz goes there in a straight line within
"glide" seconds and stays. The sum is multiplied with the sound's scale (its loudest sample is then ` + fmt.Sprint(Peak) + `), its last
` + fmt.Sprint(Fade) + ` s go down to 0 in a straight line, and volume V (0 to 100) multiplies with (V/100)^2.

`)
	voices := map[string]bool{}
	var order []Voice
	for _, s := range All() {
		fmt.Fprintf(b, "## %s (%s)\n\nlength %g s, scale %.4f\n\n| at s | hz | to hz | glide s | gain | voice |\n|---|---|---|---|---|---|\n", s.Name, s.Title, s.Length, s.Scale())
		for _, n := range s.Notes {
			to, glide := "", ""
			if n.To != 0 {
				to, glide = fmt.Sprintf("%g", n.To), fmt.Sprintf("%g", n.Glide)
			}
			fmt.Fprintf(b, "| %.3f | %g | %s | %s | %g | %s |\n", n.At, n.Hz, to, glide, n.Gain, n.Voice.Name)
			if !voices[n.Voice.Name] {
				voices[n.Voice.Name] = true
				order = append(order, n.Voice)
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("## Voices\n\n| voice | attack s | ratio | gain | decay s |\n|---|---|---|---|---|\n")
	for _, v := range order {
		for _, p := range v.Partials {
			fmt.Fprintf(b, "| %s | %g | %g | %g | %g |\n", v.Name, v.Attack, p.Ratio, p.Gain, p.Decay)
		}
	}
}
