package pages

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/static"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// TestServe is no test: it serves the made-up house for people who design pages.
// PORCHLIGHT_PAGES=127.0.0.1:8490 go test ./hub/web/pages -run TestServe -timeout 0
// PORCHLIGHT_PAGES_HOUSE=troubled takes the house where all is wrong, many the one
// with several cameras, button the one with a bare button, empty the one without any,
// apple the one in Apple Home, fresh, down and sick that one in other states, and
// PORCHLIGHT_PAGES_MP4 names a fragmented MP4 to play in a loop.
func TestServe(t *testing.T) {
	addr := os.Getenv("PORCHLIGHT_PAGES")
	if addr == "" {
		return
	}
	h := demoHouse()
	if other := map[string]func() *house{"troubled": troubledHouse, "many": manyHouse, "button": buttonHouse, "empty": emptyHouse, "apple": appleHouse, "fresh": freshAppleHouse, "down": downAppleHouse, "sick": sickAppleHouse}[os.Getenv("PORCHLIGHT_PAGES_HOUSE")]; other != nil {
		h = other()
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeHub{h: h, pages: serveAs(h, owner()), bare: serveAs(h, nil), streams: map[chan string]struct{}{}}
	t.Logf("http://%s", ln.Addr())
	_ = http.Serve(ln, f.routes())
}

// fakeHub answers what the pages' script asks of the API.
type fakeHub struct {
	h           *house
	pages, bare http.Handler
	mu          sync.Mutex
	streams     map[chan string]struct{}
}

func (f *fakeHub) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/static/", static.Handler())
	mux.Handle("/login", f.bare)
	mux.Handle("/", f.guard(f.pages))
	mux.HandleFunc("GET /api/v1/cameras/{id}/snapshot.jpg", func(w http.ResponseWriter, r *http.Request) {
		if !f.none(w, r) {
			picture(w)
		}
	})
	mux.HandleFunc("GET /api/v1/cameras/{id}/stream.mjpeg", f.mjpeg)
	mux.HandleFunc("GET /api/v1/events/stream", f.stream)
	mux.HandleFunc("GET /api/v1/ws", f.media)
	mux.HandleFunc("POST /api/v1/cameras/{id}/ring", f.ring)
	mux.HandleFunc("POST /api/v1/cameras/{id}/retry", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /api/v1/cameras/{id}/hook", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(api.Hook{Camera: r.PathValue("id")})
	})
	mux.HandleFunc("POST /api/v1/quiet", func(w http.ResponseWriter, r *http.Request) {
		f.h.quiet = api.Quiet{On: true, Until: f.h.now.Add(time.Hour)}
		f.tell("quiet", f.h.quiet)
	})
	mux.HandleFunc("DELETE /api/v1/quiet", func(w http.ResponseWriter, r *http.Request) {
		f.h.quiet = api.Quiet{}
		f.tell("quiet", f.h.quiet)
	})
	mux.HandleFunc("POST /api/v1/chimes/{id}/sounded", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /api/v1/chimes/{id}/test", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(api.Played{Played: true})
		f.tell("sound", api.Sound{Chime: r.PathValue("id"), Sound: "westminster", Volume: 50, EventID: event.NewID(), Test: true})
	})
	return mux
}

// none refuses the pictures of a camera of which there are none: H.265, and no ffmpeg.
func (f *fakeHub) none(w http.ResponseWriter, r *http.Request) bool {
	c, _ := f.h.Camera(r.PathValue("id"))
	if len(c.Sources) == 0 || c.Sources[0].Codec != "h265" {
		return false
	}
	api.NewProblem(http.StatusServiceUnavailable, "E-CONV-NO-FFMPEG", "ffmpeg is not installed", "Install it on the hub: `sudo apt install ffmpeg`.").Write(w)
	return true
}

// guard gives the pages the headers that the server gives them.
func (f *fakeHub) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		next.ServeHTTP(w, r)
	})
}

const policy = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; style-src 'self'; script-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func (f *fakeHub) tell(name string, data any) {
	b, _ := json.Marshal(data)
	f.mu.Lock()
	defer f.mu.Unlock()
	for ch := range f.streams {
		select {
		case ch <- fmt.Sprintf("event: %s\ndata: %s\n\n", name, b):
		default:
		}
	}
}

func (f *fakeHub) ring(w http.ResponseWriter, r *http.Request) {
	e := f.h.at(500+len(f.h.events), 0, event.TypeRing, event.Ring{Test: true})
	e.Camera = r.PathValue("id")
	f.h.events = append([]event.Event{e}, f.h.events...)
	f.tell("event", api.StreamEvent{Event: api.FromEvent(&e), AgeMS: 3})
	f.tell("sound", api.Sound{Chime: "browser", Sound: "ding_dong", Volume: 70, EventID: e.ID, Camera: e.Camera, CameraName: e.CameraName})
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"event_id":%q}`, e.ID)
}

func (f *fakeHub) stream(w http.ResponseWriter, r *http.Request) {
	ch := make(chan string, 64) // one page's backlog
	f.mu.Lock()
	f.streams[ch] = struct{}{}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.streams, ch)
		f.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	hello, _ := json.Marshal(api.Hello{Cameras: f.h.cameras, Plugins: f.h.plugins, Chimes: f.h.chimes})
	fmt.Fprintf(w, "retry: 2000\n\nevent: hello\ndata: %s\n\n", hello)
	for {
		_ = http.NewResponseController(w).Flush()
		select {
		case m := <-ch:
			fmt.Fprint(w, m)
		case <-r.Context().Done():
			return
		}
	}
}

func (f *fakeHub) mjpeg(w http.ResponseWriter, r *http.Request) {
	if f.none(w, r) {
		return
	}
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
	for r.Context().Err() == nil {
		rec := &recorder{h: http.Header{}}
		picture(rec)
		fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", rec.b.Len(), rec.b.Bytes())
		_ = http.NewResponseController(w).Flush()
		wait(r.Context(), 200*time.Millisecond)
	}
}

type recorder struct {
	h http.Header
	b bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.h }
func (r *recorder) Write(b []byte) (int, error) { return r.b.Write(b) }
func (r *recorder) WriteHeader(int)             {}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// media plays the file in real time: its head, then its fragments over
// 10 s, and begins a new generation at its end.
func (f *fakeHub) media(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	ctx := c.CloseRead(r.Context())
	say := func(s string) error { return c.Write(ctx, websocket.MessageText, []byte(s)) }
	cam, _ := f.h.Camera(r.URL.Query().Get("camera"))
	if !cam.Online {
		_ = say(fmt.Sprintf(`{"type":"offline","reason":%q}`, cam.OfflineReason))
		<-ctx.Done()
		return
	}
	if len(cam.Sources) > 0 && cam.Sources[0].Codec == "h265" {
		_ = say(`{"type":"init","mime":"video/mp4; codecs=\"hvc1.1.6.L153.B0\""}`)
		<-ctx.Done()
		return
	}
	head, fragments, err := cut(os.Getenv("PORCHLIGHT_PAGES_MP4"))
	if err != nil {
		_ = c.Close(websocket.StatusInternalError, "no media in this fixture")
		return
	}
	for ctx.Err() == nil {
		_ = say(`{"type":"init","mime":"video/mp4; codecs=\"avc1.4d401f,mp4a.40.2\""}`)
		_ = c.Write(ctx, websocket.MessageBinary, head)
		for _, frag := range fragments {
			if c.Write(ctx, websocket.MessageBinary, frag) != nil {
				return
			}
			wait(ctx, 10*time.Second/time.Duration(len(fragments)))
		}
	}
}

// cut splits a fragmented MP4 into its head (ftyp, moov) and its fragments (moof, mdat).
func cut(name string) (head []byte, fragments [][]byte, err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, err
	}
	var frag []byte
	for len(b) >= 8 {
		size := int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		if size < 8 || size > len(b) {
			break
		}
		box, kind := b[:size], string(b[4:8])
		b = b[size:]
		switch kind {
		case "ftyp", "moov":
			head = append(head, box...)
		case "moof":
			frag = bytes.Clone(box)
		case "mdat":
			fragments = append(fragments, append(frag, box...))
		}
	}
	return head, fragments, nil
}
