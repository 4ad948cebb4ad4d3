package pairing

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"slices"

	"github.com/brutella/hap"

	"github.com/porchlight-hub/porchlight/plugins/homekit/store"
	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
)

// Pairings takes one body of /pairings from a verified controller and gives the reply,
// always. Connections of the controllers in removed are to be closed once the reply has
// gone out. Only administrators may add, remove and list; whether by is one is asked of
// the book, since it may have changed after by was verified.
func (d *Desk) Pairings(by Verified, body []byte) (reply []byte, removed []string) {
	reply, removed, emptied := d.manage(by, body)
	if emptied {
		d.changed()
	}
	return reply, removed
}

func (d *Desk) manage(by Verified, body []byte) (reply []byte, removed []string, emptied bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	items, err := tlv.Parse(body)
	if err != nil {
		return refuse(2, unknown), nil, false
	}
	state, _ := items.Byte(itemState)
	method, ok := items.Byte(itemMethod)
	if state != 1 || !ok {
		return refuse(2, unknown), nil, false
	}
	if p, known := d.book.Pairing(by.Controller); !known || p.Permission&hap.PermissionAdmin == 0 {
		return refuse(2, authentication), nil, false
	}
	f := unknown
	switch method {
	case methodAdd:
		f = d.add(items)
	case methodRemove:
		removed, emptied, f = d.remove(items)
	case methodList:
		return d.list(), nil, false
	}
	if f != 0 {
		d.log.Debug("a change of the pairings was refused", "controller", by.Controller, "method", method, "why", f.String())
		return refuse(2, f), removed, emptied
	}
	var w tlv.Writer
	return w.Byte(itemState, 2).Out(), removed, emptied
}

func (d *Desk) list() []byte {
	var w tlv.Writer
	w.Byte(itemState, 2)
	for i, p := range d.book.Pairings() {
		if i > 0 {
			w.SeparatePairings()
		}
		w.String(itemIdentifier, p.Name).Bytes(itemPublicKey, p.PublicKey).Byte(itemPermission, p.Permission)
	}
	return w.Out()
}

func (d *Desk) add(items tlv.Items) failure {
	name, _ := items.Bytes(itemIdentifier)
	public, _ := items.Bytes(itemPublicKey)
	permission, ok := items.Byte(itemPermission)
	if !validName(name) || len(public) != ed25519.PublicKeySize || !ok || permission > hap.PermissionAdmin {
		return unknown
	}
	p, known := d.book.Pairing(string(name))
	if known && !bytes.Equal(p.PublicKey, public) {
		return unknown
	}
	if known && permission != hap.PermissionAdmin && d.onlyAdmin(p) {
		return unknown // nobody would be left who may invite and remove
	}
	err := d.book.Pair(hap.Pairing{Name: string(name), PublicKey: slices.Clone(public), Permission: permission})
	switch {
	case errors.Is(err, store.ErrFull):
		return maxPeers
	case err != nil:
		d.log.Error("a pairing could not be kept", "err", err)
		return unknown
	}
	d.log.Info("a controller was added", "controller", string(name), "admin", permission == hap.PermissionAdmin)
	return 0
}

// onlyAdmin tells whether p is the only administrator.
func (d *Desk) onlyAdmin(p hap.Pairing) bool {
	return p.Permission&hap.PermissionAdmin != 0 && !slices.ContainsFunc(d.book.Pairings(), func(o hap.Pairing) bool {
		return o.Name != p.Name && o.Permission&hap.PermissionAdmin != 0
	})
}

func (d *Desk) remove(items tlv.Items) (removed []string, emptied bool, f failure) {
	name, _ := items.Bytes(itemIdentifier)
	if len(name) == 0 {
		return nil, false, unknown
	}
	before := d.book.Pairings()
	_, err := d.book.Unpair(string(name))
	// What is gone is told even when not all of it could be done.
	for _, p := range before {
		if _, still := d.book.Pairing(p.Name); !still {
			removed = append(removed, p.Name)
		}
	}
	emptied = len(before) > 0 && len(d.book.Pairings()) == 0
	if err != nil {
		d.log.Error("a pairing could not be removed", "err", err)
		return removed, emptied, unknown
	}
	d.log.Info("a controller was removed", "controllers", removed)
	return removed, emptied, 0
}
