package controller

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/tlv"
)

// ID names a characteristic.
type ID struct{ AID, IID uint64 }

// Value of a characteristic, or why there is none.
type Value struct {
	AID    uint64          `json:"aid"`
	IID    uint64          `json:"iid"`
	Value  json.RawMessage `json:"value,omitempty"`
	Status *int            `json:"status,omitempty"`
}

// ID is whose value it is.
func (v Value) ID() ID { return ID{v.AID, v.IID} }

// Write is what is to be written to a characteristic.
type Write struct {
	AID      uint64          `json:"aid"`
	IID      uint64          `json:"iid"`
	Value    json.RawMessage `json:"value,omitempty"`
	Events   *bool           `json:"ev,omitempty"`
	Response bool            `json:"r,omitempty"`
}

// Database is what an accessory has.
type Database struct {
	Accessories []struct {
		AID      uint64    `json:"aid"`
		Services []Service `json:"services"`
	} `json:"accessories"`
}

// Service of an accessory.
type Service struct {
	AID             uint64           `json:"-"`
	IID             uint64           `json:"iid"`
	Type            string           `json:"type"` // short: 3E
	Primary         bool             `json:"primary"`
	Hidden          bool             `json:"hidden"`
	Linked          []uint64         `json:"linked"`
	Characteristics []Characteristic `json:"characteristics"`
}

// Characteristic of a service.
type Characteristic struct {
	IID         uint64          `json:"iid"`
	Type        string          `json:"type"`
	Perms       []string        `json:"perms"`
	Format      string          `json:"format"`
	Value       json.RawMessage `json:"value"`
	MinValue    *float64        `json:"minValue"`
	MaxValue    *float64        `json:"maxValue"`
	ValidValues []int           `json:"valid-values"`
}

// ErrStatus says that an accessory answered with another HTTP status than hoped for.
var ErrStatus = errors.New("controller: the accessory says no")

// short is a type without the base UUID and leading zeros (HAP 6.6.1).
func short(s string) string {
	s, _ = strings.CutSuffix(strings.ToUpper(s), "-0000-1000-8000-0026BB765291")
	return strings.TrimLeft(s, "0")
}

// Accessories reads the whole database.
func (x *Conn) Accessories(ctx context.Context) (Database, error) {
	var d Database
	a, err := x.Ask(ctx, "GET", "/accessories", "", nil)
	if err != nil {
		return d, err
	}
	if a.Status != 200 {
		return d, fmt.Errorf("%w: /accessories: HTTP %d %s", ErrStatus, a.Status, a.Body)
	}
	if err := json.Unmarshal(a.Body, &d); err != nil {
		return d, fmt.Errorf("controller: /accessories: %w", err)
	}
	for i := range d.Accessories {
		for j := range d.Accessories[i].Services {
			s := &d.Accessories[i].Services[j]
			s.AID, s.Type = d.Accessories[i].AID, short(s.Type)
			for k := range s.Characteristics {
				s.Characteristics[k].Type = short(s.Characteristics[k].Type)
			}
		}
	}
	return d, nil
}

// Services are all of that short type.
func (d Database) Services(kind string) (all []Service) {
	for _, a := range d.Accessories {
		for _, s := range a.Services {
			if s.Type == kind {
				all = append(all, s)
			}
		}
	}
	return all
}

// Find is the characteristic of that short type in the first service of its type.
func (d Database) Find(service, characteristic string) (ID, bool) {
	for _, s := range d.Services(service) {
		if id, ok := s.Find(characteristic); ok {
			return id, true
		}
	}
	return ID{}, false
}

// Find is the service's characteristic of that short type.
func (s Service) Find(characteristic string) (ID, bool) {
	for _, c := range s.Characteristics {
		if c.Type == characteristic {
			return ID{s.AID, c.IID}, true
		}
	}
	return ID{}, false
}

// Get reads characteristics.
func (x *Conn) Get(ctx context.Context, ids ...ID) ([]Value, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = fmt.Sprintf("%d.%d", id.AID, id.IID)
	}
	a, err := x.Ask(ctx, "GET", "/characteristics?id="+strings.Join(names, ","), "", nil)
	if err != nil {
		return nil, err
	}
	return values(a)
}

// values of an answer; without a body there are none.
func values(a Answer) ([]Value, error) {
	switch a.Status {
	case 204:
		return nil, nil
	case 200, 207:
	default:
		return nil, fmt.Errorf("%w: HTTP %d %.200s", ErrStatus, a.Status, a.Body)
	}
	var body struct{ Characteristics []Value }
	if err := json.Unmarshal(a.Body, &body); err != nil {
		return nil, fmt.Errorf("controller: characteristics: %w", err)
	}
	return body.Characteristics, nil
}

// Put writes characteristics. What it gives has a status for each when one of them was
// refused, and the values of write responses.
func (x *Conn) Put(ctx context.Context, writes ...Write) ([]Value, error) {
	return x.put(ctx, nil, writes)
}

// PutTimed writes what was announced by Prepare.
func (x *Conn) PutTimed(ctx context.Context, pid uint64, writes ...Write) ([]Value, error) {
	return x.put(ctx, &pid, writes)
}

func (x *Conn) put(ctx context.Context, pid *uint64, writes []Write) ([]Value, error) {
	body, err := json.Marshal(struct {
		Characteristics []Write `json:"characteristics"`
		PID             *uint64 `json:"pid,omitempty"`
	}{writes, pid})
	if err != nil {
		return nil, err
	}
	a, err := x.Ask(ctx, "PUT", "/characteristics", JSON, body)
	if err != nil {
		return nil, err
	}
	return values(a)
}

// Set writes one value and wants it to be taken.
func (x *Conn) Set(ctx context.Context, id ID, value string) error {
	return taken(x.Put(ctx, Write{AID: id.AID, IID: id.IID, Value: json.RawMessage(value)}))
}

func taken(list []Value, err error) error {
	if err != nil {
		return err
	}
	for _, v := range list {
		if v.Status != nil && *v.Status != 0 {
			return fmt.Errorf("%w: %d.%d has status %d", ErrStatus, v.AID, v.IID, *v.Status)
		}
	}
	return nil
}

// Subscribe wants events of the characteristics.
func (x *Conn) Subscribe(ctx context.Context, ids ...ID) error {
	yes := true
	writes := make([]Write, len(ids))
	for i, id := range ids {
		writes[i] = Write{AID: id.AID, IID: id.IID, Events: &yes}
	}
	return taken(x.Put(ctx, writes...))
}

// Prepare announces a timed write, milliseconds ahead.
func (x *Conn) Prepare(ctx context.Context, ttl, pid uint64) error {
	a, err := x.Ask(ctx, "PUT", "/prepare", JSON, fmt.Appendf(nil, `{"ttl":%d,"pid":%d}`, ttl, pid))
	if err != nil {
		return err
	}
	var body struct{ Status int }
	if err := json.Unmarshal(a.Body, &body); err != nil || a.Status != 200 || body.Status != 0 {
		return fmt.Errorf("%w: /prepare: HTTP %d %s", ErrStatus, a.Status, a.Body)
	}
	return nil
}

// Reasons for a picture.
const (
	Periodic = 0
	ForEvent = 1
)

// Resource asks for a JPEG.
func (x *Conn) Resource(ctx context.Context, aid uint64, width, height, reason int) ([]byte, error) {
	a, err := x.Ask(ctx, "POST", "/resource", JSON,
		fmt.Appendf(nil, `{"aid":%d,"resource-type":"image","image-width":%d,"image-height":%d,"reason":%d}`, aid, width, height, reason))
	if err != nil {
		return nil, err
	}
	if a.Status != 200 || a.Header["content-type"] != "image/jpeg" {
		return nil, fmt.Errorf("%w: /resource: HTTP %d of %q %.200s", ErrStatus, a.Status, a.Header["content-type"], a.Body)
	}
	return a.Body, nil
}

// GetTLV reads a characteristic of the format tlv8.
func (x *Conn) GetTLV(ctx context.Context, id ID) (tlv.Items, error) {
	list, err := x.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	var b []byte
	if len(list) != 1 || list[0].Value == nil {
		return nil, fmt.Errorf("%w: %d.%d has no value: %+v", ErrStatus, id.AID, id.IID, list)
	}
	if err := json.Unmarshal(list[0].Value, &b); err != nil { // base64 is JSON's form of bytes
		return nil, fmt.Errorf("controller: %d.%d: %w", id.AID, id.IID, err)
	}
	return tlv.Parse(b)
}

// SetTLV writes one.
func (x *Conn) SetTLV(ctx context.Context, id ID, items ...tlv.Item) error {
	return x.Set(ctx, id, `"`+base64.StdEncoding.EncodeToString(tlv.Items(items).Bytes())+`"`)
}
