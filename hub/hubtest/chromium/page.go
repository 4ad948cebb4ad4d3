package chromium

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// Page is a tab.
type Page struct {
	tb                       testing.TB
	browser                  *Browser
	context, target, session string
	phone                    bool

	mu         sync.Mutex
	complaints []string
}

// hear keeps what goes wrong while nobody looks.
func (p *Page) hear(method string, params json.RawMessage) {
	var said string
	switch method {
	case "Runtime.exceptionThrown":
		var m struct {
			ExceptionDetails struct {
				Text, URL  string
				LineNumber int
				Exception  struct{ Description string }
			}
		}
		_ = json.Unmarshal(params, &m) // of the protocol's form
		d := m.ExceptionDetails
		said = fmt.Sprintf("%s %s (%s:%d)", d.Text, d.Exception.Description, d.URL, d.LineNumber+1)
	case "Log.entryAdded":
		var m struct {
			Entry struct{ Level, Text, URL string }
		}
		_ = json.Unmarshal(params, &m)
		if m.Entry.Level == "error" {
			said = m.Entry.Text + " (" + m.Entry.URL + ")"
		}
	case "Runtime.consoleAPICalled":
		var m struct {
			Type string
			Args []struct {
				Value       json.RawMessage
				Description string
			}
		}
		_ = json.Unmarshal(params, &m)
		if m.Type == "error" {
			for _, a := range m.Args {
				said += string(a.Value) + a.Description + " "
			}
		}
	}
	if said != "" {
		p.mu.Lock()
		p.complaints = append(p.complaints, said)
		p.mu.Unlock()
	}
}

// Complaints are the errors in the page and its console so far; it forgets them.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	said := p.complaints
	p.complaints = nil
	return said
}

// Call asks the page's session of the browser.
func (p *Page) Call(method string, params, into any) {
	p.tb.Helper()
	if err := p.browser.call(p.session, method, params, into); err != nil {
		p.tb.Fatalf("%s: %v", method, err)
	}
}

// For lets a part of the test be judged by the page.
func (p *Page) For(tb testing.TB) *Page {
	p.tb = tb
	return p
}

// Go loads an address and waits until its document is there.
func (p *Page) Go(url string) {
	p.tb.Helper()
	if err := p.Visit(url); err != nil {
		p.tb.Fatal(err)
	}
}

// Visit loads an address and gives why that is not possible.
func (p *Page) Visit(url string) error {
	var got struct{ ErrorText string }
	if err := p.browser.call(p.session, "Page.navigate", map[string]any{"url": url}, &got); err != nil {
		return err
	}
	if got.ErrorText != "" {
		return fmt.Errorf("%s: %s", url, got.ErrorText)
	}
	return p.wait(`document.readyState === "complete"`, within)
}

// Eval runs an expression in the page, waits for its promise, and reads what it gives.
func (p *Page) Eval(js string, into any) error {
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := p.browser.call(p.session, "Runtime.evaluate", map[string]any{"expression": js, "awaitPromise": true, "returnByValue": true}, &got)
	switch {
	case err != nil:
		return err
	case got.ExceptionDetails != nil:
		return fmt.Errorf("%.200s: %s %s", js, got.ExceptionDetails.Text, got.ExceptionDetails.Exception.Description)
	case into == nil || len(got.Result.Value) == 0:
		return nil
	}
	return json.Unmarshal(got.Result.Value, into)
}

// Text is what an expression gives, as a string.
func (p *Page) Text(js string) string {
	p.tb.Helper()
	var s string
	if err := p.Eval("(async () => String("+js+"))()", &s); err != nil {
		p.tb.Fatal(err)
	}
	return s
}

// Number is what an expression gives, as a number.
func (p *Page) Number(js string) float64 {
	p.tb.Helper()
	var n float64
	if err := p.Eval("(async () => Number("+js+"))()", &n); err != nil {
		p.tb.Fatal(err)
	}
	return n
}

// Do runs an expression in the page.
func (p *Page) Do(js string) {
	p.tb.Helper()
	if err := p.Eval(js, nil); err != nil {
		p.tb.Fatal(err)
	}
}

// Until waits until an expression is true in the page and gives how long that took; what
// names it in the failure.
func (p *Page) Until(what, js string) time.Duration {
	p.tb.Helper()
	from := time.Now()
	if err := p.wait(js, within); err != nil {
		var now string
		_ = p.Eval(`location.href + "\n" + document.body.innerText`, &now) // only to tell
		p.tb.Fatalf("not within %s: %s: %v\nthe page has\n%.2000s\nand complains %q", within, what, err, now, p.Complaints())
	}
	return time.Since(from)
}

func (p *Page) wait(js string, most time.Duration) error {
	end := time.Now().Add(most)
	for {
		var yes bool
		err := p.Eval("(async () => !!(await ("+js+")))()", &yes)
		if err == nil && yes {
			return nil
		}
		if time.Now().After(end) {
			if err == nil {
				err = fmt.Errorf("%.300s is not true", js)
			}
			return err
		}
		<-time.After(20 * time.Millisecond) // an inquiry, not a wait for a duration
	}
}

// Shot writes a picture of the page (PNG).
func (p *Page) Shot(file string) {
	p.tb.Helper()
	var got struct{ Data string }
	p.Call("Page.captureScreenshot", map[string]any{"format": "png"}, &got)
	b, err := base64.StdEncoding.DecodeString(got.Data)
	if err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		p.tb.Fatal(err)
	}
}

// Script runs before those of every document that the page loads from now on.
func (p *Page) Script(js string) {
	p.tb.Helper()
	p.Call("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": js}, nil)
}
