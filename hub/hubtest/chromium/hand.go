package chromium

import (
	"encoding/json"
	"time"
)

// spot is the middle of the first element that a selector finds and is seen, once it
// stays where it is and nothing is before it; null until then.
const spot = `(async (find) => {
	const e = [...document.querySelectorAll(find)].find((e) => e.getClientRects().length && !e.disabled);
	if (!e) return null;
	e.scrollIntoView({block: "center", behavior: "instant"});
	const where = () => { const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; };
	const was = where();
	await new Promise((r) => setTimeout(r, 50));
	const [x, y] = where(), top = document.elementFromPoint(x, y);
	const there = top && (e.contains(top) || top.contains(e) || top.closest("label")?.control === e);
	return was[0] === x && was[1] === y && there ? [x, y] : null;
})`

// at scrolls to the element and gives its spot.
func (p *Page) at(selector string) (x, y float64) {
	p.tb.Helper()
	js := spot + "(" + quote(selector) + ")"
	for {
		p.Until("something to touch: "+selector, js)
		var got []float64
		if err := p.Eval(js, &got); err != nil {
			p.tb.Fatalf("%s: %v", selector, err)
		}
		if len(got) == 2 {
			return got[0], got[1]
		}
	}
}

// Tap touches or clicks an element shortly.
func (p *Page) Tap(selector string) {
	p.tb.Helper()
	p.Hold(selector)()
}

// Hold puts a finger, or the mouse's button, on an element; what it gives lifts it.
func (p *Page) Hold(selector string) (lift func()) {
	p.tb.Helper()
	x, y := p.at(selector)
	if p.phone {
		p.Call("Input.dispatchTouchEvent", map[string]any{"type": "touchStart", "touchPoints": []map[string]any{{"x": x, "y": y}}}, nil)
		return func() {
			p.tb.Helper()
			p.Call("Input.dispatchTouchEvent", map[string]any{"type": "touchEnd", "touchPoints": []any{}}, nil)
		}
	}
	mouse := func(kind string) {
		p.tb.Helper()
		p.Call("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}, nil)
	}
	mouse("mouseMoved")
	mouse("mousePressed")
	return func() { p.tb.Helper(); mouse("mouseReleased") }
}

// Press types a key once: "Escape", " ", "f".
func (p *Page) Press(key string) {
	p.tb.Helper()
	text, code := "", key
	if len(key) == 1 {
		text, code = key, "Key"+string(key[0]&^0x20)
	}
	if key == " " {
		code = "Space"
	}
	down := map[string]any{"type": "keyDown", "key": key, "code": code}
	if text != "" {
		down["text"] = text
	}
	p.Call("Input.dispatchKeyEvent", down, nil)
	p.Call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": code}, nil)
}

// Type writes text into a field, in place of what is there.
func (p *Page) Type(selector, text string) {
	p.tb.Helper()
	in := "document.activeElement?.matches(" + quote(selector) + ")"
	p.Tap(selector)
	// A touch becomes a tap a moment later, unless the page was not ready for it.
	if p.wait(in, 2*time.Second) != nil {
		p.Tap(selector)
		p.Until("the cursor is in "+selector, in)
	}
	p.Do("document.activeElement.select()")
	p.Call("Input.insertText", map[string]any{"text": text}, nil)
}

// quote writes a string as JavaScript reads it.
func quote(s string) string {
	b, _ := json.Marshal(s) // a string always can be
	return string(b)
}
