package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

// patience bounds every wait: far longer than anything takes, so that only what hangs fails.
const patience = 30 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// call is one request that a receiver got.
type call struct {
	method, uri, body string
	header            http.Header
}

// receiver notes its calls and answers as told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call
	answer func(w http.ResponseWriter, r *http.Request)
}

func newReceiver(t testing.TB, answer func(w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	v := &receiver{answer: answer}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		v.mu.Lock()
		v.calls = append(v.calls, call{r.Method, r.RequestURI, string(b), r.Header.Clone()})
		v.mu.Unlock()
		if v.answer != nil {
			v.answer(w, r)
		}
	}))
	t.Cleanup(v.Close)
	return v
}

func (v *receiver) got() []call {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]call(nil), v.calls...)
}

func chimeAt(t testing.TB, s settings) sdk.Device {
	t.Helper()
	m := map[string]any{"sound": "ding_dong"} // the hub always hands it over
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(b, &keys); err != nil {
		t.Fatal(err)
	}
	for k, v := range keys {
		if v != "" && v != nil {
			m[k] = v
		}
	}
	if s.Body != nil {
		m["body"] = *s.Body
	}
	if b, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return sdk.Device{ID: "upstairs", Name: "Up the stairs", Kind: "chime", JSON: b}
}

// ring plays once and returns what the plugin answered.
func ring(t *testing.T, s settings) sdk.PlayResult {
	t.Helper()
	hub := plugintest.Start(t, New, plugintest.Options{Devices: []sdk.Device{chimeAt(t, s)}})
	r, err := hub.Play(within(t), theRing(), false)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func theRing() sdk.PlayRequest {
	volume := 40
	return sdk.PlayRequest{Chime: "upstairs", EventID: "0199c2f4-0000-7000-8000-000000000001", Camera: "front_door", CameraName: `The "front" & door`, Volume: &volume}
}

func text(s string) *string { return &s }

func TestContract(t *testing.T) {
	v := newReceiver(t, nil)
	plugintest.InProcess(t, New, plugintest.Options{Devices: []sdk.Device{chimeAt(t, settings{URL: v.URL})}, BadConfig: json.RawMessage(`[1]`)})
	if len(v.got()) == 0 {
		t.Error("the kit did not ring it")
	}
	t.Run("a chime without a URL", func(t *testing.T) {
		plugintest.InProcess(t, New, plugintest.Options{Only: []string{"configure", "health", "commands", "bad-config", "silent-replay", "stop"}})
	})
}

func TestARingIsOneCallWithAllThatIsKnown(t *testing.T) {
	v := newReceiver(t, nil)
	r := ring(t, settings{URL: v.URL + "/ring"})
	if !r.Played || r.Took <= 0 || r.Sound != "ding_dong" || r.Reason != "" {
		t.Errorf("answered %+v", r)
	}
	got := v.got()
	if len(got) != 1 || got[0].method != "POST" || got[0].uri != "/ring" || got[0].header.Get("Content-Type") != "application/json" || got[0].header.Get(headerEvent) != theRing().EventID {
		t.Fatalf("%+v", got)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(got[0].body), &m); err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, fmt.Sprint(m["time"]))
	if err != nil || at.IsZero() {
		t.Error(err)
	}
	delete(m, "time")
	want := map[string]any{"event": "ring", "camera": "front_door", "camera_name": `The "front" & door`, "event_id": theRing().EventID, "test": false, "chime": "upstairs",
		"chime_name": "Up the stairs", "sound": "ding_dong", "volume": float64(40), "house": "Test house"}
	if fmt.Sprint(m) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", m, want)
	}
}

func TestWordsAreEscapedAsTheirPlaceWants(t *testing.T) {
	for name, c := range map[string]struct {
		s    settings
		want call
	}{
		"JSON":   {settings{Body: text(`{"text": "{{ camera_name }}: {{test}} {{volume}}"}`)}, call{method: "POST", uri: "/", body: `{"text": "The \"front\" \u0026 door: false 40"}`}},
		"a form": {settings{Body: text("name={{camera_name}}"), Headers: map[string]string{"content-type": "application/x-www-form-urlencoded"}}, call{method: "POST", uri: "/", body: "name=The+%22front%22+%26+door"}},
		"text":   {settings{Body: text("{{camera_name}}"), Headers: map[string]string{"Content-Type": "text/plain"}}, call{method: "POST", uri: "/", body: `The "front" & door`}},
		"a URL":  {settings{URL: "/r?a={{camera}}&b={{camera_name}}", Method: "GET"}, call{method: "GET", uri: "/r?a=front_door&b=The+%22front%22+%26+door"}},
		"PUT":    {settings{Method: "PUT", Body: text("")}, call{method: "PUT", uri: "/"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := newReceiver(t, nil)
			c.s.URL = v.URL + c.s.URL
			if r := ring(t, c.s); !r.Played {
				t.Fatal(r)
			}
			got := v.got()
			if len(got) != 1 || got[0].method != c.want.method || got[0].uri != c.want.uri || got[0].body != c.want.body {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
	// What a word holds is no template, and no header of its own.
	w := newWords(sdk.PlayRequest{CameraName: "{{event_id}}\r\nX-Evil: 1", EventID: "id"}, "", "", "", time.Unix(0, 0))
	if got := w.fill("{{camera_name}}", oneLine); got != "{{event_id}}  X-Evil: 1" {
		t.Errorf("%q", got)
	}
}

func TestTheSignatureIsTheReceiversToCheck(t *testing.T) {
	v := newReceiver(t, nil)
	if r := ring(t, settings{URL: v.URL, SignWith: "geheim", Body: text("hello")}); !r.Played {
		t.Fatal(r)
	}
	c := v.got()[0]
	m := hmac.New(sha256.New, []byte("geheim"))
	fmt.Fprintf(m, "%s.%s", c.header.Get("X-Porchlight-Time"), c.body)
	if c.header.Get("X-Porchlight-Signature") != "sha256="+hex.EncodeToString(m.Sum(nil)) || c.header.Get("X-Porchlight-Time") == "" {
		t.Errorf("%v", c.header)
	}
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestWhatIsNoSuccessIsToldWithTheReason(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		want   string // of the reason; empty: it played
		calls  int
	}{
		"200": {status(200), "", 1}, "204": {status(204), "", 1}, "303": {status(303), "", 1},
		"401": {status(401), "it asks for a login", 1}, "404": {status(404), "404 Not Found", 1}, "500": {status(500), "500", 1}, "503": {status(503), "503", 1},
		"gone in the middle": {func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, "broke", 1},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "POST"} {
				v := newReceiver(t, c.answer)
				r := ring(t, settings{URL: v.URL + "/x?token=geheim", Method: method})
				if r.Played != (c.want == "") || !strings.Contains(r.Reason, c.want) || strings.Contains(r.Reason, "geheim") {
					t.Errorf("%s: %+v, want %q", method, r, c.want)
				}
				if n := len(v.got()); n != c.calls {
					t.Errorf("%s: called %d times, want %d", method, n, c.calls)
				}
			}
		})
	}
}

func TestASlowReceiverIsNotWaitedForForEver(t *testing.T) {
	free := make(chan struct{})
	v := newReceiver(t, func(http.ResponseWriter, *http.Request) { <-free })
	t.Cleanup(func() { close(free) })
	r := ring(t, settings{URL: v.URL, Timeout: "100ms"})
	if r.Played || !strings.Contains(r.Reason, "did not answer in time") && !strings.Contains(r.Reason, "no connection") {
		t.Errorf("%+v", r)
	}
	if n := len(v.got()); n > 1 {
		t.Errorf("called %d times", n)
	}
}

func TestItIsCalledAgainOnlyWhereNobodyWasReached(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	hub := plugintest.Start(t, New, plugintest.Options{Devices: []sdk.Device{chimeAt(t, settings{URL: "http://" + address, Timeout: "20s"})}})
	answered := make(chan sdk.PlayResult, 1)
	ctx := within(t)
	go func() {
		r, _ := hub.Play(ctx, theRing(), false)
		answered <- r
	}()
	// The receiver comes up while it is rung: nothing was lost, and it rings once.
	calls := make(chan string, 10)
	l, err = net.Listen("tcp", address)
	if err != nil {
		t.Skip("SKIPPED: the port was taken meanwhile: ", err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls <- r.Header.Get(headerEvent) })}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	if r := <-answered; !r.Played || len(calls) != 1 {
		t.Errorf("%+v, %d calls", r, len(calls))
	}
}

func TestRedirectsStayAtHomeAndAreFollowedOnce(t *testing.T) {
	elsewhere := newReceiver(t, nil)
	for name, c := range map[string]struct {
		to     string
		code   int
		played bool
		calls  int
	}{
		"another path":   {"/there", 307, true, 2},
		"as GET has it":  {"/there", 302, true, 2},
		"again":          {"/again", 307, false, 2},
		"another host":   {strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1), 307, false, 1},
		"nowhere":        {"", 307, false, 1},
		"another scheme": {"ftp://127.0.0.1/", 307, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			v := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/there" {
					w.Header().Set("Location", c.to)
					w.WriteHeader(c.code)
				}
			})
			r := ring(t, settings{URL: v.URL + "/here", Body: text("hello"), SignWith: "k"})
			got := v.got()
			if r.Played != c.played || len(got) != c.calls {
				t.Fatalf("%+v, %d calls", r, len(got))
			}
			if c.played && (got[1].method != "POST" || got[1].body != "hello" || got[1].header.Get(headerSignature) == "") {
				t.Errorf("on its way it became %+v", got[1])
			}
		})
	}
	if len(elsewhere.got()) > 0 {
		t.Error("another host was called")
	}
}

func TestItLogsInAsItIsAsked(t *testing.T) {
	rang := 0
	v := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		if user, pass, ok := r.BasicAuth(); ok && user == "admin" && pass == "p@:/#" {
			rang++
			return
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="gong"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	if r := ring(t, settings{URL: v.URL, Username: "admin", Password: "p@:/#"}); !r.Played || rang != 1 {
		t.Errorf("%+v, rang %d times", r, rang)
	}
	if r := ring(t, settings{URL: v.URL, Username: "admin", Password: "geheim"}); r.Played || !strings.Contains(r.Reason, "password is wrong") || strings.Contains(r.Reason, "geheim") {
		t.Errorf("%+v", r)
	}
}

func TestHealthFollowsTheLastRing(t *testing.T) {
	code := 500
	var mu sync.Mutex
	v := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(code)
	})
	d := chimeAt(t, settings{URL: v.URL})
	hub := plugintest.Start(t, New, plugintest.Options{Devices: []sdk.Device{d}})
	ctx := within(t)
	state := func() sdk.Part {
		t.Helper()
		for range sdk.Every(ctx, time.Millisecond) { // Run may not have begun
			parts, err := hub.Health(ctx)
			if err != nil || len(parts) > 1 {
				t.Fatal(parts, err)
			}
			if len(parts) == 1 {
				return parts[0]
			}
		}
		t.Fatal(ctx.Err())
		return sdk.Part{}
	}
	play := func() {
		t.Helper()
		if _, err := hub.Play(ctx, theRing(), false); err != nil {
			t.Fatal(err)
		}
	}
	if p := state(); p.State != sdk.PartOK || p.Name != "chime upstairs" {
		t.Errorf("before: %+v", p)
	}
	play()
	if p := state(); p.State != sdk.PartDegraded || !strings.Contains(p.Reason, "500") || p.Fix == "" {
		t.Errorf("after a bad one: %+v", p)
	}
	if _, err := hub.Reconfigure(ctx, nil, []sdk.Device{d}); err != nil {
		t.Fatal(err)
	}
	if p := state(); p.State != sdk.PartDegraded {
		t.Errorf("forgotten with the same config: %+v", p)
	}
	mu.Lock()
	code = 200
	mu.Unlock()
	play()
	if p := state(); p.State != sdk.PartOK {
		t.Errorf("after a good one: %+v", p)
	}
}

func TestAReplayAndAnOldRingAreNeverSent(t *testing.T) {
	v := newReceiver(t, nil)
	hub := plugintest.Start(t, New, plugintest.Options{Devices: []sdk.Device{chimeAt(t, settings{URL: v.URL})}})
	r, err := hub.Play(within(t), theRing(), true)
	if err != nil || r.Played || len(v.got()) > 0 {
		t.Errorf("%+v, %v, %d calls", r, err, len(v.got()))
	}
}
