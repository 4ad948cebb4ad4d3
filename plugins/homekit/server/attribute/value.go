package attribute

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/brutella/hap/characteristic"
)

// Meta is what GET /characteristics gives for meta=1 (HAP table 6-3).
type Meta struct {
	Format      string   `json:"format"`
	Unit        string   `json:"unit,omitempty"`
	MinValue    *float64 `json:"minValue,omitempty"`
	MaxValue    *float64 `json:"maxValue,omitempty"`
	MinStep     *float64 `json:"minStep,omitempty"`
	MaxLen      int      `json:"maxLen,omitempty"`
	ValidValues []int    `json:"valid-values,omitempty"`
	ValidRange  []int    `json:"valid-values-range,omitempty"`
}

// Meta describes the characteristic.
func (at *Attribute) Meta() Meta {
	c := at.C
	return Meta{
		Format: c.Format, Unit: c.Unit,
		MinValue: number(c.MinVal), MaxValue: number(c.MaxVal), MinStep: number(c.StepVal),
		MaxLen: c.MaxLen, ValidValues: c.ValidVals, ValidRange: c.ValidRange,
	}
}

func number(v any) *float64 {
	var f float64
	switch v := v.(type) {
	case int:
		f = float64(v)
	case uint64:
		f = float64(v)
	case float64:
		f = v
	default:
		return nil
	}
	return &f
}

// Read is the value now. A press is never read, only heard (HAP 9.75).
func (at *Attribute) Read(r *http.Request) (json.RawMessage, int) {
	c := at.C
	if !c.IsReadable() {
		return nil, WriteOnly
	}
	if at.IsPress() {
		return json.RawMessage("null"), OK
	}
	if c.ValueRequestFunc == nil {
		return at.held(), OK
	}
	v, status := c.ValueRequestFunc(r)
	if status != OK {
		return nil, status
	}
	return at.JSON(v), OK
}

// IsPress says whether this is a button: its events are presses.
func (at *Attribute) IsPress() bool {
	return at.C.Type == characteristic.TypeProgrammableSwitchEvent
}

func (at *Attribute) held() json.RawMessage {
	if at.IsPress() {
		return json.RawMessage("null")
	}
	v := at.C.Value()
	if v == nil {
		v = at.zero()
	}
	return at.JSON(v)
}

func (at *Attribute) zero() any {
	switch at.C.Format {
	case characteristic.FormatString, characteristic.FormatData, characteristic.FormatTLV8:
		return ""
	case characteristic.FormatBool:
		return false
	}
	return 0
}

// JSON is v as this characteristic's value.
func (at *Attribute) JSON(v any) json.RawMessage {
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		v = 0
	}
	return Marshal(v)
}

// parse turns what a controller wrote into what callbacks expect: bool, int, uint64,
// float64 or string (base64 for data and TLVs). false when it does not fit.
func (at *Attribute) parse(raw json.RawMessage) (any, bool) {
	c := at.C
	switch c.Format {
	case characteristic.FormatBool:
		switch string(raw) {
		case "true", "1":
			return true, true
		case "false", "0":
			return false, true
		}
		return nil, false
	case characteristic.FormatUInt8:
		return at.parseInt(raw, 0, math.MaxUint8)
	case characteristic.FormatUInt16:
		return at.parseInt(raw, 0, math.MaxUint16)
	case characteristic.FormatUInt32:
		return at.parseInt(raw, 0, math.MaxUint32)
	case characteristic.FormatInt32:
		return at.parseInt(raw, math.MinInt32, math.MaxInt32)
	case characteristic.FormatUInt64:
		v, err := strconv.ParseUint(string(raw), 10, 64)
		return v, err == nil
	case characteristic.FormatFloat:
		v, ok := parseFloat(raw)
		return v, ok && within(v, c)
	case characteristic.FormatString:
		var v string
		err := json.Unmarshal(raw, &v)
		most := longestText
		if c.MaxLen > 0 {
			most = c.MaxLen
		}
		return v, err == nil && raw[0] == '"' && utf8.RuneCountInString(v) <= most
	case characteristic.FormatData, characteristic.FormatTLV8:
		var v string
		if json.Unmarshal(raw, &v) != nil || raw[0] != '"' {
			return nil, false
		}
		b, err := base64.StdEncoding.DecodeString(v)
		return v, err == nil && len(b) <= longestData
	}
	return nil, false
}

func (at *Attribute) parseInt(raw json.RawMessage, lowest, highest int64) (any, bool) {
	c := at.C
	switch string(raw) { // controllers write switches both ways
	case "true":
		raw = json.RawMessage("1")
	case "false":
		raw = json.RawMessage("0")
	}
	f, ok := parseFloat(raw)
	if !ok || f != math.Trunc(f) || f < float64(lowest) || f > float64(highest) {
		return nil, false
	}
	v := int(f)
	switch {
	case !within(f, c),
		len(c.ValidVals) > 0 && !slices.Contains(c.ValidVals, v),
		len(c.ValidVals) == 0 && len(c.ValidRange) == 2 && (v < c.ValidRange[0] || v > c.ValidRange[1]):
		return nil, false
	}
	return v, true
}

// parseFloat reads a number as JSON has them: no NaN, no underscores.
func parseFloat(raw json.RawMessage) (float64, bool) {
	var f float64
	err := json.Unmarshal(raw, &f)
	return f, err == nil && raw[0] != 'n'
}

func within(v float64, c *characteristic.C) bool {
	if lowest := number(c.MinVal); lowest != nil && v < *lowest {
		return false
	}
	highest := number(c.MaxVal)
	return highest == nil || v <= *highest
}

type storeFunc = func(v any, r *http.Request) (any, int)

// storing marks the request with which a value is only put in its place.
type storing struct{}

// takeOver stands before the characteristic's own callback, because the only way to its
// value is a method that calls it, and only when the value is a new one. Without the mark
// the own callback is called as before, so that it may be taken over more than once.
func (at *Attribute) takeOver() {
	own := at.C.SetValueRequestFunc
	at.store = own
	if own == nil {
		return
	}
	at.C.SetValueRequestFunc = func(v any, r *http.Request) (any, int) {
		if r != nil && r.Context().Value(storing{}) != nil {
			return nil, OK
		}
		return own(v, r)
	}
}

// Write is a controller's write: first the callback, whatever is held now, then the value
// and all who listen for it, with r. response is nil when the callback gave none.
func (at *Attribute) Write(raw json.RawMessage, r *http.Request) (response json.RawMessage, status int) {
	c := at.C
	if !c.IsWritable() {
		return nil, ReadOnly
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, Invalid
	}
	v, ok := at.parse(raw)
	if !ok {
		return nil, Invalid
	}
	if c.Type == identifyType {
		if at.of.IdentifyFunc != nil {
			at.of.IdentifyFunc(r)
		}
		return nil, OK
	}
	if at.store != nil {
		answer, status := at.store(v, r)
		if status != OK {
			return nil, status
		}
		if answer != nil {
			response = at.JSON(answer)
		}
	}
	if c.Format == characteristic.FormatUInt64 {
		return response, OK // hap v0.0.35 panics when it is to hold one
	}
	_, status = c.SetValueRequest(v, r.WithContext(context.WithValue(r.Context(), storing{}, true)))
	return response, status
}
