package chromium

import (
	"fmt"
	"math"
	"time"
)

// Sound is what the page's own ears hear of a video element: the strongest frequency
// and the level of it, from an analyser of WebAudio on the element's own stream.
type Sound struct {
	Hz     float64 `json:"hz"`
	DB     float64 `json:"db"`     // of the strongest frequency, in dB of full scale
	Tracks int     `json:"tracks"` // of sound that the element has
	Muted  bool    `json:"muted"`  // the element; then nobody else hears it
	State  string  `json:"state"`  // of the audio context; it needs a tap before it runs
}

// ears keeps one analyser an element and builds it anew when the element shows another
// stream.
const ears = `(async (find) => {
	const video = document.querySelector(find);
	if (!video) return {hz: 0, db: -200, tracks: 0, muted: true, state: "no element"};
	const w = (window.__ears ??= {context: new AudioContext()});
	if (w.context.state !== "running") await Promise.race([w.context.resume(), new Promise((r) => setTimeout(r, 200))]);
	const source = video.srcObject instanceof MediaStream ? video.srcObject : video.captureStream();
	const tracks = source.getAudioTracks();
	const id = tracks.map((t) => t.id).join();
	if (tracks.length && w.id !== id) {
		w.node?.disconnect();
		w.node = w.context.createMediaStreamSource(new MediaStream(tracks));
		w.analyser = w.context.createAnalyser();
		w.analyser.fftSize = 8192;
		w.analyser.smoothingTimeConstant = 0;
		w.node.connect(w.analyser);
		w.id = id;
		await new Promise((r) => setTimeout(r, 300)); // its window fills
	}
	let db = -200, at = 0;
	if (tracks.length) {
		const bins = new Float32Array(w.analyser.frequencyBinCount);
		w.analyser.getFloatFrequencyData(bins);
		bins.forEach((v, i) => { if (i > 2 && v > db) { db = v; at = i; } });
	}
	return {hz: at * w.context.sampleRate / 8192, db: Math.max(db, -200), tracks: tracks.length, muted: video.muted || video.volume === 0, state: w.context.state};
})`

// Listen measures what the video element plays now.
func (p *Page) Listen(selector string) (Sound, error) {
	var s Sound
	err := p.Eval(ears+"("+quote(selector)+")", &s)
	return s, err
}

// Hear waits until the video element plays something at this frequency, give or take 2 %,
// that is louder than a level in dB; 0 Hz: anything.
func (p *Page) Hear(selector string, hz, louder float64) Sound {
	p.tb.Helper()
	s, err := p.hears(selector, hz, louder, within)
	if err != nil {
		p.tb.Fatalf("not within %s: %s sounds at %.0f Hz: %v", within, selector, hz, err)
	}
	return s
}

func (p *Page) hears(selector string, hz, louder float64, most time.Duration) (loudest Sound, err error) {
	loudest.DB = -200
	for end := time.Now().Add(most); time.Now().Before(end); {
		s, err := p.Listen(selector)
		if err != nil {
			return s, err
		}
		if s.DB > louder && !s.Muted && (hz == 0 || math.Abs(s.Hz-hz) < hz/50) {
			return s, nil
		}
		if s.DB >= loudest.DB {
			loudest = s
		}
	}
	return loudest, fmt.Errorf("the loudest is %+v", loudest)
}
