package attribute

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"
)

// Statuses of a request for one characteristic (HAP 6.7.1.4).
const (
	OK           = 0
	Denied       = -70401
	Unreachable  = -70402
	ReadOnly     = -70404
	WriteOnly    = -70405
	NoEvents     = -70406
	Missing      = -70409
	Invalid      = -70410
	NotAllowed   = -70412  // as things are now
	longestText  = 64      // HAP 6.3.3: maxLen unless said
	longestData  = 2 << 20 // HAP 6.3.3: maxDataLen unless said; a body's limit comes first
	infoService  = "3E"
	identifyType = "14"
)

// Numbers keeps what each key was numbered; the first key of all gets iid 1.
type Numbers interface {
	AID(key string) (uint64, error)
	IID(key string) (uint64, error)
	ReserveIIDs(keys []string) error // many at once, in their order
}

// Attribute is one characteristic in its place.
type Attribute struct {
	AID, IID uint64
	C        *characteristic.C
	of       *accessory.A
	store    storeFunc
}

// Database is all of one server.
type Database struct {
	as  []*accessory.A
	ids map[[2]uint64]*Attribute
	cs  map[*characteristic.C]*Attribute
}

// New gives every accessory, service and characteristic its number and keeps them. The
// first accessory is number 1, and so is each one's information service (HAP 2.6.1).
func New(as []*accessory.A, n Numbers) (*Database, error) {
	if len(as) == 0 {
		return nil, fmt.Errorf("attribute: number: no accessory")
	}
	d := &Database{as: as, ids: map[[2]uint64]*Attribute{}, cs: map[*characteristic.C]*Attribute{}}
	seen := map[uint64]bool{}
	for i, a := range as {
		prefix := ""
		a.Id = 1
		if i > 0 {
			key := bridgedKey(a)
			id, err := n.AID(key)
			if err != nil {
				return nil, fmt.Errorf("attribute: number %q: %w", key, err)
			}
			a.Id, prefix = id, key+"/"
		}
		if seen[a.Id] {
			return nil, fmt.Errorf("attribute: number: two accessories are %d (%s); each needs a serial number of its own", a.Id, a.Name())
		}
		seen[a.Id] = true
		if err := d.number(a, n, prefix); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// bridgedKey is what an accessory behind a bridge is known by: it must survive renames.
func bridgedKey(a *accessory.A) string {
	if s := a.Info.SerialNumber.Value(); s != "" && s != "-" {
		return s
	}
	return a.Name()
}

// place is where a number goes.
type place struct {
	key string
	to  *uint64
}

func (d *Database) number(a *accessory.A, n Numbers, prefix string) error {
	places, err := keys(a, prefix)
	if err != nil {
		return err
	}
	if prefix != "" { // the book's 1 is the first accessory's
		a.Ss[0].Id, places = 1, places[1:]
	}
	all := make([]string, 0, len(places))
	for _, p := range places {
		all = append(all, p.key)
	}
	if err := n.ReserveIIDs(all); err != nil {
		return fmt.Errorf("attribute: number %s: %w", a.Name(), err)
	}
	taken := map[uint64]string{}
	for _, p := range places {
		id, err := n.IID(p.key)
		if err != nil {
			return fmt.Errorf("attribute: number %q: %w", p.key, err)
		}
		if other, ok := taken[id]; ok {
			return fmt.Errorf("attribute: number %q: %d is %q already", p.key, id, other)
		}
		taken[id] = p.key
		*p.to = id
	}
	if a.Ss[0].Id != 1 {
		return fmt.Errorf("attribute: number %s: the information service is %d, not 1", a.Name(), a.Ss[0].Id)
	}
	for _, s := range a.Ss {
		for _, c := range s.Cs {
			d.add(a, c)
		}
	}
	return nil
}

// keys names everything of an accessory by its kind: "3E", "3E/23", and "110#2/118" of the
// second stream management, so that the order of services is nobody's number.
func keys(a *accessory.A, prefix string) ([]place, error) {
	if len(a.Ss) == 0 || a.Ss[0].Type != infoService {
		return nil, fmt.Errorf("attribute: number: %s does not begin with its information service", a.Name())
	}
	var places []place
	times := map[string]int{}
	for _, s := range a.Ss {
		key := prefix + s.Type
		if times[s.Type]++; times[s.Type] > 1 {
			key += "#" + strconv.Itoa(times[s.Type])
		}
		places = append(places, place{key, &s.Id})
		within := map[string]bool{}
		for _, c := range s.Cs {
			if within[c.Type] {
				return nil, fmt.Errorf("attribute: number: %s has %s twice in service %s", a.Name(), c.Type, s.Type)
			}
			within[c.Type] = true
			places = append(places, place{key + "/" + c.Type, &c.Id})
		}
	}
	return places, nil
}

func (d *Database) add(a *accessory.A, c *characteristic.C) {
	at := &Attribute{AID: a.Id, IID: c.Id, C: c, of: a}
	at.takeOver()
	d.ids[[2]uint64{a.Id, c.Id}] = at
	d.cs[c] = at
}

// Find is the characteristic of two numbers; nil when there is none.
func (d *Database) Find(aid, iid uint64) *Attribute { return d.ids[[2]uint64{aid, iid}] }

// Of is c's place; nil when c is not of this database.
func (d *Database) Of(c *characteristic.C) *Attribute { return d.cs[c] }

// All calls f with each characteristic.
func (d *Database) All(f func(*Attribute)) {
	for _, s := range d.services() {
		for _, c := range s.Cs {
			f(d.cs[c])
		}
	}
}

// Has says whether an accessory has this number.
func (d *Database) Has(aid uint64) bool {
	for _, a := range d.as {
		if a.Id == aid {
			return true
		}
	}
	return false
}

func (d *Database) services() []*service.S {
	var ss []*service.S
	for _, a := range d.as {
		ss = append(ss, a.Ss...)
	}
	return ss
}

// Shape is the database without its values: what a controller may keep while the
// configuration number stays.
func (d *Database) Shape() []byte { return d.json(nil, false) }

// JSON is the answer to GET /accessories (HAP 6.6.4), read on behalf of r.
func (d *Database) JSON(r *http.Request) []byte { return d.json(r, true) }

type accessoryJSON struct {
	AID      uint64        `json:"aid"`
	Services []serviceJSON `json:"services"`
}

type serviceJSON struct {
	IID     uint64               `json:"iid"`
	Type    string               `json:"type"`
	Cs      []characteristicJSON `json:"characteristics"`
	Hidden  bool                 `json:"hidden,omitempty"`
	Primary bool                 `json:"primary,omitempty"`
	Linked  []uint64             `json:"linked,omitempty"`
}

type characteristicJSON struct {
	IID   uint64          `json:"iid"`
	Type  string          `json:"type"`
	Perms []string        `json:"perms"`
	Value json.RawMessage `json:"value,omitempty"`
	Meta
	Description string `json:"description,omitempty"`
}

func (d *Database) json(r *http.Request, values bool) []byte {
	out := struct {
		Accessories []accessoryJSON `json:"accessories"`
	}{}
	for _, a := range d.as {
		aj := accessoryJSON{AID: a.Id, Services: []serviceJSON{}}
		for _, s := range a.Ss {
			sj := serviceJSON{IID: s.Id, Type: s.Type, Hidden: s.Hidden, Primary: s.Primary, Cs: []characteristicJSON{}}
			for _, l := range s.Linked {
				sj.Linked = append(sj.Linked, l.Id)
			}
			for _, c := range s.Cs {
				at := d.cs[c]
				cj := characteristicJSON{IID: c.Id, Type: c.Type, Perms: c.Permissions, Meta: at.Meta(), Description: c.Description}
				if values && c.IsReadable() {
					v, status := at.Read(r)
					if status != OK { // the place must hold something (HAP 6.6.4)
						v = at.held()
					}
					cj.Value = v
				}
				sj.Cs = append(sj.Cs, cj)
			}
			aj.Services = append(aj.Services, sj)
		}
		out.Accessories = append(out.Accessories, aj)
	}
	return Marshal(out)
}

// Marshal is v as JSON. It is for what is made here and cannot fail: a value that JSON has
// no form for was refused where it came from.
func Marshal[T any](v T) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}
