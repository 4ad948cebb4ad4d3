package httpcam_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/httpcam"
)

// A door station that tells of its button in an endless multipart answer. Its first part
// says how the button is now, which is no press.
func ExampleAlarms() {
	station := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=--ioboundary")
		for _, state := range []string{"L", "L", "H", "H", "L"} {
			fmt.Fprintf(w, "--ioboundary\r\nContent-Type: text/plain\r\n\r\ndoorbell:%s\r\n\r\n", state)
		}
	}))
	defer station.Close()

	pressed := true // as if: only what changes from L to H is a press
	err := httpcam.Alarms(context.Background(), httpcam.Options{
		URL: station.URL + "/monitor?ring=doorbell", Login: httpcam.Login{Username: "porch", Password: "p@:/#"}, Silence: time.Minute,
	}, func(p httpcam.Part) error {
		now := strings.TrimSpace(string(p.Body)) == "doorbell:H"
		if now && !pressed {
			fmt.Println("somebody rings")
		}
		pressed = now
		return nil
	})
	fmt.Println(httpcam.KindOf(err)) // try again later, and later still
	// Output:
	// somebody rings
	// ended
}
