package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// Raw is a part of the document that belongs to a plugin: a tree with the
// places it came from. Printing, logging and marshalling it masks its secrets;
// only JSON gives them in clear.
type Raw struct{ node *tree.Node }

// RawJSON makes a Raw of JSON text, with no places.
func RawJSON(b []byte) (Raw, error) {
	n, err := tree.FromJSON(b)
	if err != nil {
		return Raw{}, fmt.Errorf("raw: %w", err)
	}
	n.HideSecrets()
	return Raw{n}, nil
}

// IsZero tells that nothing was written.
func (r Raw) IsZero() bool { return !r.node.IsSet() }

// JSON is the tree in clear, for the plugin it belongs to; nil if nothing was
// written. A secret://name stays as it is: the plugin asks for it by its name. Keys
// are sorted, so equal trees are equal bytes.
func (r Raw) JSON() json.RawMessage {
	if r.IsZero() {
		return nil
	}
	b, _ := json.Marshal(r.node.Referring().Plain()) // made of JSON values only
	return b
}

// clear is the tree with the values of its secrets in it.
func (r Raw) clear() []byte {
	if r.IsZero() {
		return nil
	}
	b, _ := json.Marshal(r.node.Plain()) // made of JSON values only
	return b
}

// Equal compares what is said, the values of secrets among it, not where.
func (r Raw) Equal(o Raw) bool { return bytes.Equal(r.clear(), o.clear()) }

// Position is the place of the value that a JSON pointer such as
// "/accessories/0/name" leads to, or of the nearest one above it.
func (r Raw) Position(pointer string) Position {
	if r.node == nil {
		return Position{}
	}
	n := r.node
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		next := n.Get(step)
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Items) {
			next = n.Items[i]
		}
		if next == nil {
			break
		}
		n = next
	}
	return n.Pos
}

// MarshalJSON masks.
func (r Raw) MarshalJSON() ([]byte, error) {
	if r.IsZero() {
		return []byte("null"), nil
	}
	return r.node.Masked().MarshalJSON()
}

// UnmarshalJSON reads JSON text without places.
func (r *Raw) UnmarshalJSON(b []byte) error {
	v, err := RawJSON(b)
	if err == nil {
		*r = v
	}
	return err
}

func (r Raw) String() string {
	b, _ := r.MarshalJSON()
	return string(b)
}

// LogValue masks.
func (r Raw) LogValue() slog.Value { return slog.StringValue(r.String()) }
