//go:build linux

package street

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/chromium"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// eyes are put into each page: they see what the browser does with the hub's pictures
// and change nothing of it.
const eyes = `(() => {
	if (window.__eyes) return;
	const pcs = [], mics = [];
	const Real = window.RTCPeerConnection;
	window.RTCPeerConnection = class RTCPeerConnection extends Real { constructor(...a) { super(...a); pcs.push(this); } };
	const devices = navigator.mediaDevices;
	if (devices) {
		const real = devices.getUserMedia.bind(devices);
		devices.getUserMedia = async (wish) => { const s = await real(wish); mics.push({wish, tracks: s.getTracks()}); return s; };
	}
	const e = window.__eyes = {
		born: Math.random(), past: [], seen: 0, mics,
		player: () => [...document.querySelectorAll("[data-player]:not([data-small])")].at(-1),
		video: () => { const p = e.player(); return p && [...p.querySelectorAll("video")].find((v) => !v.hidden); },
		pc: () => pcs.findLast((p) => p.connectionState === "connected"),
		async stats() { return [...(await e.pc()?.getStats() ?? new Map()).values()]; },
		async inbound(kind) { return (await e.stats()).find((s) => s.type === "inbound-rtp" && s.kind === kind) ?? {}; },
		async pair() {
			const all = await e.stats(), by = (id) => all.find((s) => s.id === id);
			const transport = all.find((s) => s.type === "transport");
			const pair = by(transport?.selectedCandidatePairId);
			const end = (id) => { const c = by(id); return c && {address: c.address, port: c.port, protocol: c.protocol}; };
			return pair && {local: end(pair.localCandidateId), remote: end(pair.remoteCandidateId)};
		},
		shows(camera, mode) {
			const p = e.player(), v = e.video();
			return p?.dataset.camera === camera && p.dataset.state === "live" && (p.dataset.mode ?? "").startsWith(mode + " ") && v?.videoWidth > 0 && !v.paused;
		},
		// The next touch, until the large player shows and sounds.
		next(camera) {
			e.first = new Promise((done) => addEventListener("pointerdown", () => {
				const from = performance.now(), got = {};
				const look = async () => {
					const v = e.video(), now = performance.now() - from;
					const shows = e.player()?.dataset.camera === camera && v?.videoWidth > 0 && v.readyState >= 2 && v.currentTime > 0;
					if (shows && !got.picture) { got.picture = now; got.mode = e.player().dataset.mode; }
					if (shows && !got.sound && !v.muted && (await e.inbound("audio")).totalAudioEnergy > 0) got.sound = performance.now() - from;
					if (got.picture && got.sound || now > 20000) done(got); else setTimeout(look, 10);
				};
				look();
			}, {once: true, capture: true}));
		},
	};
	const known = new WeakSet();
	setInterval(() => {
		const v = e.video(), p = e.player();
		if (v && !known.has(v)) {
			known.add(v);
			const see = () => { if (!v.hidden) e.seen++; v.requestVideoFrameCallback(see); };
			v.requestVideoFrameCallback(see);
		}
		const now = [p?.dataset.mode ?? "", p?.dataset.state ?? ""].join("/");
		if (e.past.at(-1)?.[1] !== now) e.past.push([Math.round(performance.now()), now]);
	}, 50);
})()`

// seen is the video of the large player.
const seen = `.player:not([data-small]) .player-view video:not([hidden])`

// shows is whether the large player shows that camera live that way.
func shows(camera, mode string) string {
	return fmt.Sprintf("__eyes.shows(%q, %q)", camera, mode)
}

// look opens the page of a camera and waits for WebRTC.
func (s *street) look(p *chromium.Page, camera string) {
	s.t.Helper()
	p.Go(s.url("/cameras/" + camera))
	p.Until(camera+" by WebRTC", shows(camera, "webrtc"))
}

// listen turns the sound on, with a tap, where it is off.
func (s *street) listen(p *chromium.Page) {
	s.t.Helper()
	p.Until("the player knows of its sound", `["on", "off"].includes(__eyes.player().dataset.audio)`)
	if p.Text("__eyes.player().dataset.audio") == "off" {
		p.Tap("[data-listen]")
	}
	if p.Text("__eyes.video().muted") == "true" {
		p.Tap(".player:not([data-small]) .player-view") // a page that nobody has touched may not sound
	}
	p.Until("the sound is on", `__eyes.player().dataset.audio === "on" && !__eyes.video().muted`)
}

// more waits for so many more pictures on the screen, of that camera and by that way.
func (s *street) more(p *chromium.Page, n int, camera, mode string) time.Duration {
	s.t.Helper()
	was := p.Number("__eyes.seen")
	return p.Until(fmt.Sprintf("%d more pictures of %s by %s", n, camera, mode), fmt.Sprintf("__eyes.seen >= %v && %s", was+float64(n), shows(camera, mode)))
}

// tap is what the whole is for: a tap shows the door, with sound.
func (s *street) tap(t *testing.T, p *chromium.Page) {
	p.Until("the first camera is live", shows("gate", "webrtc"))
	s.listen(p)
	var slow int
	for i, camera := range []string{"porch", "gate", "porch", "gate"} {
		p.Do(fmt.Sprintf("void __eyes.next(%q)", camera))
		p.Tap(fmt.Sprintf("a[data-show=%q]", camera))
		var got struct {
			Picture, Sound float64
			Mode           string
		}
		if err := p.Eval("__eyes.first", &got); err != nil {
			t.Fatal(err)
		}
		t.Logf("tap on %s: picture after %.0f ms (%s), sound after %.0f ms; then %s", camera, got.Picture, got.Mode, got.Sound, p.Text(`__eyes.player().querySelector("[data-badge]").textContent`))
		if got.Picture == 0 || got.Sound == 0 {
			t.Errorf("tap %d on %s: %+v", i, camera, got)
		}
		if got.Picture > 1000 || got.Sound > 1000 {
			slow++
		}
		p.Until("the badge tells WebRTC and the delay", `/^WebRTC.*\d\.\d s$/.test(__eyes.player().querySelector("[data-badge]").textContent)`)
	}
	if slow == 4 { // a busy machine may hold up one or the other
		t.Error("each tap took more than a second")
	}
	s.look(p, "porch")
	s.listen(p)
	t.Logf("the porch sounds %+v, badge %q", p.Hear(seen, hum, -60), p.Text(`__eyes.player().querySelector("[data-badge]").textContent`))
	p.Until("a second of sound without gaps", `(async () => {
		const was = await __eyes.inbound("audio");
		await new Promise((r) => setTimeout(r, 1000));
		const now = await __eyes.inbound("audio");
		return now.totalSamplesReceived - was.totalSamplesReceived > 40000 && now.concealedSamples === was.concealedSamples;
	})()`)
	t.Logf("of its sound %s", p.Text(`(({totalSamplesReceived, concealedSamples, packetsLost}) => JSON.stringify({totalSamplesReceived, concealedSamples, packetsLost}))(await __eyes.inbound("audio"))`))
}

// talk holds the button while f looks at who hears, and lets go.
func (s *street) talk(p *chromium.Page, f func()) {
	t := s.t
	t.Helper()
	lift := p.Hold("[data-talk-button]")
	p.Until("the talk is on", `__eyes.player().dataset.talking === "on"`)
	f()
	var wish struct{ EchoCancellation, NoiseSuppression, AutoGainControl bool }
	if err := p.Eval("__eyes.mics.at(-1).wish.audio", &wish); err != nil || !wish.EchoCancellation || !wish.NoiseSuppression || !wish.AutoGainControl {
		t.Errorf("the microphone was asked for with %+v (%v)", wish, err)
	}
	lift()
	p.Until("the talk is over and the microphone off", `__eyes.player().dataset.talking === "idle" && __eyes.mics.every((m) => m.tracks.every((t) => t.readyState === "ended"))`)
}

// demoHears waits until the demo's door hears the voice.
func (s *street) demoHears() {
	s.t.Helper()
	var last string
	hubtest.Eventually(s.t, "the demo hears the voice", func() bool {
		b, err := s.Client.Act(s.t.Context(), "demo", "talk_status", json.RawMessage(`{"camera": "gate"}`))
		if err != nil {
			s.t.Fatal(err)
		}
		last = string(b)
		var st struct {
			Talking bool
			ToneHz  float64 `json:"tone_hz"`
		}
		if err := json.Unmarshal(b, &st); err != nil {
			s.t.Fatal(err)
		}
		return st.Talking && math.Abs(st.ToneHz-voice) <= 20
	})
	s.t.Logf("the demo says %s", last)
}

func (s *street) talkToDemo(t *testing.T, p *chromium.Page) {
	s.look(p, "gate")
	s.talk(p, s.demoHears)
}

func (s *street) talkToCamera(t *testing.T, p *chromium.Page) {
	s.look(p, "porch")
	s.talk(p, func() {
		const rate = 8000 // of PCMU
		from := len(hubtest.Heard(t, s.heard))
		hubtest.Eventually(t, "the camera hears the voice", func() bool {
			pcm := hubtest.Heard(t, s.heard)[from:]
			if len(pcm) < rate {
				return false
			}
			hz, part := hubtest.Pitch(pcm[len(pcm)-rate:], rate)
			if math.Abs(hz-voice) > 20 || part < 0.5 {
				return false
			}
			t.Logf("the camera hears %.0f Hz, %.0f %% of all, within %.1f s of sound", hz, 100*part, float64(len(pcm))/rate)
			return true
		})
	})
	if past := p.Text("JSON.stringify(__eyes.past)"); strings.Contains(past, "stalled") || strings.Contains(past, "mse") {
		t.Errorf("the picture was disturbed: %s", past)
	}
	s.more(p, 15, "porch", "webrtc")
}

func (s *street) second(t *testing.T, p *chromium.Page) {
	other := s.signIn(s.b, s.url(""))
	s.look(other, "gate")
	s.look(p, "gate")
	s.talk(p, func() {
		s.demoHears()
		other.Until("the other's button says that the line is busy", `document.querySelector("[data-talk-button]").textContent.includes("Line busy")`)
		other.Tap("[data-talk-button]")
		other.Until("and who talks", `document.querySelector(".talk-says").innerText.toLowerCase().includes("owner")`)
		t.Logf("the other reads %q", other.Text(`document.querySelector(".talk-says").innerText`))
		var got struct {
			Status int
			Body   struct{ Code, Detail string }
		}
		err := other.Eval(`fetch("/api/v1/cameras/gate/talk", {method: "POST", headers: {"Content-Type": "application/json"}, body: "{}"}).then(async (r) => ({status: r.status, body: await r.json()}))`, &got)
		if err != nil || got.Status != 409 || got.Body.Code != "E-TALK-BUSY" || !strings.Contains(got.Body.Detail, "owner") {
			t.Errorf("the second talker gets %+v (%v)", got, err)
		}
	})
	other.Until("the line is free again", `document.querySelector("[data-talk-button]").textContent.includes("Hold to talk")`)
	s.talk(other, s.demoHears)
}

// answer rings, and the ring is answered on the phone.
func (s *street) answer(t *testing.T, p *chromium.Page) {
	p.Go(s.url("/"))
	p.Until("the page is live", shows("gate", "webrtc"))
	if _, err := s.Client.Ring(t.Context(), "gate", false); err != nil {
		t.Fatal(err)
	}
	p.Until("the ring is shown with its picture", `document.querySelector("dialog.ring [data-answer]") && `+shows("gate", "webrtc"))
	p.Tap("dialog.ring [data-answer]")
	p.Until("the talk is on", `document.querySelector("dialog.ring [data-player]").dataset.talking === "on"`)
	p.Until("the door is heard", `!__eyes.video().muted && (await __eyes.inbound("audio")).totalAudioEnergy > 0`)
	s.demoHears()
	p.Tap("dialog.ring [data-not-now]")
	p.Until("it is over", `!document.querySelector("dialog.ring") && __eyes.mics.every((m) => m.tracks.every((t) => t.readyState === "ended"))`)
}

const udp = "meta l4proto udp"

func (s *street) loss(t *testing.T, p *chromium.Page) {
	s.look(p, "porch")
	s.listen(p)
	past := p.Number("__eyes.past.length")
	s.cable.A.Lose(udp, 5)
	s.cable.B.Lose(udp, 5)
	took := s.more(p, 100, "porch", "webrtc")
	p.Hear(seen, hum, -60)
	up, down := s.cable.A.Heal(), s.cable.B.Heal()
	t.Logf("100 pictures in %s with %d packets lost on their way up and %d down; %s; %s", took.Round(time.Millisecond), up, down,
		p.Text(`(({framesDecoded, packetsLost, nackCount, pliCount, freezeCount, totalFreezesDuration}) => JSON.stringify({framesDecoded, packetsLost, nackCount, pliCount, freezeCount, totalFreezesDuration}))(await __eyes.inbound("video"))`),
		p.Text(fmt.Sprintf("JSON.stringify(__eyes.past.slice(%v))", past)))
	if down == 0 {
		t.Error("nothing was lost")
	}
	if strings.Contains(p.Text(fmt.Sprintf("JSON.stringify(__eyes.past.slice(%v))", past)), "mse") {
		t.Error("it went down to MSE because of the loss")
	}
}

func (s *street) noUDP(t *testing.T, p *chromium.Page) {
	s.look(p, "porch")
	s.listen(p)
	was := p.Number("__eyes.seen")
	s.cable.A.Lose(udp, 100)
	s.cable.B.Lose(udp, 100)
	took := p.Until("the pictures go on without UDP", fmt.Sprintf(`__eyes.seen > %v && (%s || %s) && (await __eyes.pair())?.local?.protocol !== "udp"`, was+45, shows("porch", "webrtc"), shows("porch", "mse")))
	p.Hear(seen, hum, -60)
	t.Logf("without UDP it goes on after %s by %s; %s", took.Round(time.Millisecond), p.Text("__eyes.player().dataset.mode + JSON.stringify(await __eyes.pair())"), p.Text("JSON.stringify(__eyes.past.slice(-6))"))
	s.cable.A.Heal()
	s.cable.B.Heal()
	took = s.more(p, 15, "porch", "webrtc")
	p.Hear(seen, hum, -60)
	t.Logf("WebRTC %s after UDP was allowed again", took.Round(time.Millisecond))
}

func (s *street) barred(t *testing.T, p *chromium.Page) {
	s.look(p, "porch")
	s.listen(p)
	s.cable.A.Lose("meta l4proto { tcp, udp } th dport "+webrtcPort, 100)
	s.cable.B.Lose("meta l4proto { tcp, udp } th sport "+webrtcPort, 100)
	took := s.more(p, 15, "porch", "mse")
	t.Logf("MSE after %s; it sounds %+v; %s", took.Round(time.Millisecond), p.Hear(seen, hum, -60), p.Text("JSON.stringify(__eyes.past.slice(-6))"))
	s.cable.A.Heal()
	s.cable.B.Heal()
	took = s.more(p, 15, "porch", "webrtc")
	p.Hear(seen, hum, -60)
	t.Logf("WebRTC %s after it was allowed again", took.Round(time.Millisecond))
}

func (s *street) moved(t *testing.T, p *chromium.Page) {
	s.look(p, "porch")
	s.listen(p)
	born := p.Number("__eyes.born")
	s.cable.B.Replace(phone4, phone4Next)
	// What was on its way is a second at most.
	took := s.more(p, 45, "porch", "webrtc")
	p.Hear(seen, hum, -60)
	t.Logf("45 pictures %s after the phone's address changed; %s", took.Round(time.Millisecond), p.Text("JSON.stringify(__eyes.past.slice(-6))"))
	hubtest.Eventually(t, "the hub sees the new address", func() bool {
		for _, v := range s.viewers() {
			if v.Kind == "webrtc" && v.Camera == "porch" && strings.Contains(v.Address, phone4Next.Addr().String()) {
				return true
			}
		}
		return false
	})
	if p.Number("__eyes.born") != born {
		t.Error("the page was loaded anew")
	}
}

func (s *street) pulled(t *testing.T, p *chromium.Page) {
	s.look(p, "porch")
	s.listen(p)
	p.Hear(seen, hum, -60)
	born := p.Number("__eyes.born")
	s.cable.B.Pull()
	<-time.After(10 * time.Second) // it is what is tried, not a wait for something
	past := p.Text("JSON.stringify(__eyes.past.slice(-4))")
	s.cable.B.Plug()
	plugged := time.Now()
	s.more(p, 5, "porch", "webrtc")
	back := time.Since(plugged)
	p.Hear(seen, hum, -60)
	sound := time.Since(plugged)
	t.Logf("WebRTC %s and sound %s after ten seconds without network; meanwhile %s, then %s, badge %q", back.Round(time.Millisecond), sound.Round(time.Millisecond), past,
		p.Text("JSON.stringify(__eyes.past.slice(-6))"), p.Text(`__eyes.player().querySelector("[data-badge]").textContent`))
	if sound > 15*time.Second {
		t.Errorf("it took %s, and 15 s are promised", sound)
	}
	if p.Number("__eyes.born") != born {
		t.Error("the page was loaded anew")
	}
}

// by opens a camera on another page of a browser and waits for WebRTC that comes by an
// address of the hub.
func (s *street) by(b *chromium.Browser, address netip.Addr) {
	s.t.Helper()
	origin := "https://" + net.JoinHostPort(address.String(), pagesPort)
	p := s.signIn(b, origin)
	p.Go(origin + "/cameras/gate")
	p.Until("WebRTC", shows("gate", "webrtc"))
	s.more(p, 15, "gate", "webrtc")
	pair := p.Text("JSON.stringify(await __eyes.pair())")
	s.t.Log(pair)
	if !strings.Contains(pair, `"remote":{"address":"`+address.String()) {
		s.t.Errorf("the pictures do not come by %s", address)
	}
}

func (s *street) ipv6(*testing.T) {
	s.cable.B.Give(phone6)
	s.cable.B.Lose("meta nfproto ipv4", 100) // or whichever connects first is taken
	s.by(s.b, house6.Addr())
	s.cable.B.Heal()
	s.cable.B.Take(phone6)
}

// openAddresses is a browser that tells its own addresses, as one does that may use the
// microphone; the day's own hides them behind names that the hub cannot look up.
func (s *street) openAddresses(*testing.T) {
	s.by(s.browser("--disable-features=WebRtcHideLocalIpsWithMdns"), house4.Addr())
}

// converted is a camera whose pictures this browser cannot show: the hub makes others of
// them, and says so.
func (s *street) converted(t *testing.T, p *chromium.Page) {
	p.Go(s.url("/cameras/yard"))
	took := p.Until("the yard by WebRTC", shows("yard", "webrtc"))
	s.listen(p)
	t.Logf("H.265 is seen after %s; it sounds %+v", took.Round(time.Millisecond), p.Hear(seen, hum, -60))
	for _, v := range s.viewers() {
		if v.Camera == "yard" && v.Kind == "webrtc" {
			t.Logf("the hub says %q", v.Rendition)
			if !strings.HasPrefix(v.Rendition, "converted: ") || !strings.Contains(v.Rendition, "H.265") {
				t.Errorf("the hub says %q", v.Rendition)
			}
			return
		}
	}
	t.Error("the hub does not know who watches the yard")
}

// inClear is a hub that its owner opened without TLS: a browser gives it no microphone.
func (s *street) inClear(t *testing.T) {
	h := hubtest.Start(t, s.bin, hubtest.Dir(t, `version: 1
hub: {listen: "10.77.0.1:8490", insecure: true, webrtc: {port: 8590}, rtsp: {port: 8591}, data_dir: ./data}
cameras:
  gate: {name: Gate, kind: doorbell, plugin: demo}
`))
	p := s.b.Open(t, 390, 844)
	p.Script(eyes)
	p.Go(h.SetupURL)
	p.Until("they are in, or asked for a password", `location.pathname === "/" || document.querySelector("input[name=password]")`)
	if p.Text("location.pathname") == "/setup" {
		p.Type("input[name=password]", password)
		p.Tap("main button[type=submit]")
	}
	p.Until("the owner is in", `location.pathname === "/"`)
	p.Until("the gate by WebRTC", shows("gate", "webrtc"))
	p.Tap("[data-talk-button]")
	p.Until("it says what is missing", `document.querySelector(".talk-says").innerText.includes("HTTPS")`)
	t.Logf("the phone reads %q", p.Text(`document.querySelector(".talk-says").innerText`))
}

// viewers are who watches now, as the hub tells.
func (s *street) viewers() []api.Viewing {
	s.t.Helper()
	all, err := s.watching(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (s *street) watching(ctx context.Context) ([]api.Viewing, error) {
	res, err := s.Client.Do(ctx, "GET", "/viewers", nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var out struct{ Viewers []api.Viewing }
	err = json.NewDecoder(res.Body).Decode(&out)
	return out.Viewers, err
}
