package tlv

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// field is what a struct's tag says: `tlv8:"3"`, `tlv8:"3,optional"` (left out when it
// has its zero value, may be absent), `tlv8:"1,each"` (every byte of a []byte is an
// item of its own), `tlv8:"-"` (the items of the elements stand among those of the
// struct itself). Elements of a slice are parted by 00 00.
type field struct {
	tag                    byte
	inline, optional, each bool
}

func fieldOf(f reflect.StructField) (field, bool, error) {
	text, ok := f.Tag.Lookup("tlv8")
	if !ok || !f.IsExported() {
		return field{}, false, nil
	}
	name, rest, _ := strings.Cut(text, ",")
	out := field{optional: rest == "optional", each: rest == "each"}
	if name == "-" {
		out.inline = true
		return out, true, nil
	}
	n, err := strconv.ParseUint(name, 10, 8)
	if err != nil || rest != "" && !out.optional && !out.each {
		return field{}, false, fmt.Errorf("tlv8: field %s: tag %q is not understood", f.Name, text)
	}
	out.tag = byte(n)
	return out, true, nil
}

// Marshal writes a struct, or a pointer to one, by the tags of its fields and in their
// order: numbers, bool, float32, string, []byte, structs, pointers to them (nil is left
// out) and slices of them.
func Marshal(v any) ([]byte, error) {
	var w Writer
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		rv = rv.Elem()
	}
	if rv.Kind() != reflect.Struct {
		return nil, fmt.Errorf("tlv8: marshal: %T is no struct", v)
	}
	if err := writeStruct(&w, rv); err != nil {
		return nil, err
	}
	return w.Out(), nil
}

func writeStruct(w *Writer, v reflect.Value) error {
	for i := range v.NumField() {
		f, ok, err := fieldOf(v.Type().Field(i))
		if err != nil {
			return err
		}
		if !ok || f.optional && v.Field(i).IsZero() {
			continue
		}
		if err := writeField(w, f, v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func writeField(w *Writer, f field, v reflect.Value) error {
	switch {
	case v.Kind() != reflect.Slice:
		return writeValue(w, f, v)
	case v.Type().Elem().Kind() == reflect.Uint8 && !f.each:
		w.Bytes(f.tag, v.Bytes())
		return nil
	}
	for i := range v.Len() {
		if i > 0 {
			w.Separate()
		}
		if err := writeValue(w, f, v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func writeValue(w *Writer, f field, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		w.Uint(f.tag, v.Uint(), int(v.Type().Size()))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.Uint(f.tag, uint64(v.Int()), int(v.Type().Size()))
	case reflect.Float32:
		w.Uint(f.tag, uint64(math.Float32bits(float32(v.Float()))), 4)
	case reflect.Bool:
		if v.Bool() {
			w.Byte(f.tag, 1)
		} else {
			w.Byte(f.tag, 0)
		}
	case reflect.String:
		w.String(f.tag, v.String())
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return writeValue(w, f, v.Elem())
	case reflect.Struct:
		if f.inline {
			return writeStruct(w, v)
		}
		var in Writer
		if err := writeStruct(&in, v); err != nil {
			return err
		}
		w.Bytes(f.tag, in.Out())
	default:
		return fmt.Errorf("tlv8: marshal: a field of %s cannot be written", v.Type())
	}
	return nil
}
