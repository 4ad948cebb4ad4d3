package tlv

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
)

// Unmarshal reads b into the struct that v points to, by the tags Marshal knows. Items
// that no field asks for are passed over, as HAP demands. A field that is neither
// optional nor a pointer nor a slice must be there; else, and with a value that does not
// fit its field, the error is a *Malformed.
func Unmarshal(b []byte, v any) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() || rv.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("tlv8: unmarshal: %T is no pointer to a struct", v)
	}
	items, err := Parse(b)
	if err != nil {
		return err
	}
	return readStruct(items, rv.Elem())
}

func readStruct(items Items, v reflect.Value) error {
	for i := range v.NumField() {
		f, ok, err := fieldOf(v.Type().Field(i))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := readField(items, f, v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func readField(items Items, f field, v reflect.Value) error {
	if v.Kind() == reflect.Slice && (f.each || v.Type().Elem().Kind() != reflect.Uint8) {
		return readSlice(items, f, v)
	}
	b, ok := items.Bytes(f.tag)
	if !ok && f.tag == 0 && v.Kind() == reflect.Slice {
		return nil // an empty item 0 cannot be told from a separator
	}
	if !ok {
		if f.optional || v.Kind() == reflect.Pointer {
			return nil
		}
		return &Malformed{Tag: f.tag, Why: "is missing"}
	}
	return readValue(f.tag, b, v)
}

func readSlice(items Items, f field, v reflect.Value) error {
	elem := v.Type().Elem()
	if f.inline {
		if elem.Kind() != reflect.Struct {
			return fmt.Errorf("tlv8: unmarshal: elements of %s have no items", v.Type())
		}
		groups, err := grouped(items, elem)
		if err != nil {
			return err
		}
		for _, g := range groups {
			one := reflect.New(elem).Elem()
			if err := readStruct(g, one); err != nil {
				return err
			}
			v.Set(reflect.Append(v, one))
		}
		return nil
	}
	for _, i := range items {
		if i.Tag != f.tag || i.separates() {
			continue
		}
		one := reflect.New(elem).Elem()
		if err := readValue(f.tag, i.Value, one); err != nil {
			return err
		}
		v.Set(reflect.Append(v, one))
	}
	return nil
}

// grouped takes the items that belong to elements standing among others: a separator,
// or a tag that is there already, begins the next element.
func grouped(items Items, elem reflect.Type) ([]Items, error) {
	var mine [256]bool
	for i := range elem.NumField() {
		f, ok, err := fieldOf(elem.Field(i))
		if err != nil {
			return nil, err
		}
		if ok && !f.inline {
			mine[f.tag] = true
		}
	}
	var out []Items
	var group Items
	var seen [256]bool
	flush := func() {
		if len(group) > 0 {
			out = append(out, group)
		}
		group, seen = nil, [256]bool{}
	}
	for _, i := range items {
		switch {
		case i.separates():
			flush()
			continue
		case !mine[i.Tag]:
			continue
		case seen[i.Tag]:
			flush()
		}
		group, seen[i.Tag] = append(group, i), true
	}
	flush()
	return out, nil
}

func readValue(tag byte, b []byte, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer:
		one := reflect.New(v.Type().Elem())
		if err := readValue(tag, b, one.Elem()); err != nil {
			return err
		}
		v.Set(one)
		return nil
	case reflect.Struct:
		items, err := Parse(b)
		if err != nil {
			return err
		}
		return readStruct(items, v)
	case reflect.String:
		v.SetString(string(b))
		return nil
	case reflect.Slice:
		v.SetBytes(append([]byte(nil), b...))
		return nil
	case reflect.Float32:
		if len(b) != 4 {
			return &Malformed{tag, fmt.Sprintf("a float of %d bytes", len(b))}
		}
		v.SetFloat(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		return nil
	}
	n, err := number(tag, b)
	if err != nil {
		return err
	}
	return setNumber(tag, n, len(b), v)
}

// number reads 1, 2, 4 or 8 bytes, the least first.
func number(tag byte, b []byte) (uint64, error) {
	switch len(b) {
	case 1, 2, 4, 8:
		var full [8]byte
		copy(full[:], b)
		return binary.LittleEndian.Uint64(full[:]), nil
	}
	return 0, &Malformed{tag, fmt.Sprintf("a number of %d bytes", len(b))}
}

func setNumber(tag byte, n uint64, size int, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(n != 0)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.OverflowUint(n) {
			return &Malformed{tag, fmt.Sprintf("%d does not fit", n)}
		}
		v.SetUint(n)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		shift := 64 - 8*size // the sign stands in the highest bit that was sent
		signed := int64(n<<shift) >> shift
		if v.OverflowInt(signed) {
			return &Malformed{tag, fmt.Sprintf("%d does not fit", signed)}
		}
		v.SetInt(signed)
	default:
		return fmt.Errorf("tlv8: unmarshal: a field of %s cannot be read", v.Type())
	}
	return nil
}
