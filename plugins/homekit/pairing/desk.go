package pairing

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/brutella/hap"

	"github.com/porchlight-hub/porchlight/plugins/homekit/store"
	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
)

// Book is what is kept of an accessory; *store.Accessory is one.
type Book interface {
	Identity() store.Identity
	Pairings() []hap.Pairing
	Pairing(name string) (hap.Pairing, bool)
	Pair(p hap.Pairing) error
	Unpair(name string) (last bool, err error)
	Tries() int
	Try() (int, error)
	ClearTries() error
}

// ConnID names a connection to the desk, for as long as it is open.
type ConnID uint64

// Limits of pair-setup.
const (
	MaxTries = 100              // wrong proofs, then nobody pairs until they are cleared (HAP 5.6.2)
	stepTime = 30 * time.Second // between two steps
	allTime  = 90 * time.Second // from the first step on, however often it is begun anew

	// A beginning takes some milliseconds of a processor, on a small one tens: so many are
	// answered at once, more than there are tries, and one more each beginEvery.
	beginnings = 128
	beginEvery = 250 * time.Millisecond
)

// Options of a desk.
type Options struct {
	Now     func() time.Time
	Log     *slog.Logger
	Changed func() // the accessory was paired, or is paired no more; must not call the desk
}

// Desk is where one accessory's pairings are made and managed. It is safe for many
// connections at once; pair-setup is for one at a time.
type Desk struct {
	book    Book
	now     func() time.Time
	log     *slog.Logger
	changed func()

	mu      sync.Mutex
	current *course       // of pair-setup, nil when there is none
	missed  int           // wrong proofs that the book could not count
	begun   time.Duration // what beginnings have cost that is not made good yet
	begunAt time.Time     // when begun was true
}

// course is one pair-setup in progress.
type course struct {
	conn     ConnID
	begun    time.Time
	deadline time.Time // of the next step
	srp      *exchange
	proven   bool          // M3 went well, M5 is next
	secret   []byte        // SRP's, from M3 on
	key      [keySize]byte // for the sealed parts of M5 and M6
}

// NewDesk opens a desk over a book.
func NewDesk(b Book, o Options) *Desk {
	d := &Desk{book: b, now: o.Now, log: o.Log, changed: o.Changed}
	if d.now == nil {
		d.now = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.changed == nil {
		d.changed = func() {}
	}
	return d
}

// Setup takes one body of /pair-setup and gives the reply, always.
func (d *Desk) Setup(conn ConnID, body []byte) []byte {
	reply, paired := d.step(conn, body)
	if paired {
		d.changed()
	}
	return reply
}

func (d *Desk) step(conn ConnID, body []byte) (reply []byte, paired bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	items, err := tlv.Parse(body)
	if err != nil {
		d.drop(conn)
		return refuse(2, unknown), false
	}
	state, follows := next(items)
	var f failure
	switch state {
	case 1:
		reply, f = d.start(conn, items)
	case 3:
		reply, f = d.prove(conn, items)
	case 5:
		if reply, f = d.exchange(conn, items); f == 0 {
			return reply, true
		}
	default:
		f = unknown
		d.drop(conn)
	}
	if f != 0 {
		d.log.Debug("pair-setup was refused", "step", follows, "why", f.String())
		return refuse(follows, f), false
	}
	return reply, false
}

// drop ends the course of this connection, if there is one.
func (d *Desk) drop(conn ConnID) {
	if d.current != nil && d.current.conn == conn {
		d.current = nil
	}
}

// Gone frees the desk when the connection that uses it is closed.
func (d *Desk) Gone(conn ConnID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(conn)
}

// Busy tells whether a pair-setup is in progress.
func (d *Desk) Busy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.current != nil && d.now().Before(d.current.deadline)
}

// start answers M1 with the salt and our public key.
func (d *Desk) start(conn ConnID, items tlv.Items) ([]byte, failure) {
	if m, ok := items.Byte(itemMethod); ok && m != methodSetup && m != methodSetupAuth {
		d.drop(conn)
		return nil, unknown
	}
	if len(d.book.Pairings()) > 0 {
		d.drop(conn)
		return nil, unavailable
	}
	if d.tries() >= MaxTries {
		d.drop(conn)
		return nil, maxTries
	}
	now := d.now()
	begun := now
	if c := d.current; c != nil {
		if c.conn != conn && now.Before(c.deadline) {
			return nil, busy
		}
		if c.conn == conn && now.Before(c.begun.Add(allTime)) {
			begun = c.begun
		}
	}
	if !d.mayBegin(now) {
		return nil, busy
	}
	x, err := newExchange(string(d.book.Identity().Code))
	if err != nil {
		d.current = nil
		d.log.Error("pair-setup could not be begun", "err", err)
		return nil, unknown
	}
	// Whoever begins again and again has the desk for allTime, then others may have it.
	deadline := now.Add(stepTime)
	if end := begun.Add(allTime); deadline.After(end) {
		deadline = end
	}
	d.current = &course{conn: conn, begun: begun, deadline: deadline, srp: x}
	var w tlv.Writer
	return w.Byte(itemState, 2).Bytes(itemPublicKey, x.public).Bytes(itemSalt, x.salt).Out(), 0
}

// mayBegin bounds what strangers make an accessory reckon that nobody has paired.
func (d *Desk) mayBegin(now time.Time) bool {
	d.begun = max(0, d.begun-max(0, now.Sub(d.begunAt)))
	d.begunAt = now
	if d.begun > (beginnings-1)*beginEvery {
		return false
	}
	d.begun += beginEvery
	return true
}

// mine is the course of this connection if its step is due; it is over when the step is
// late or out of order.
func (d *Desk) mine(conn ConnID, proven bool) (*course, failure) {
	c := d.current
	if c == nil || c.conn != conn {
		if c != nil && d.now().Before(c.deadline) {
			return nil, busy
		}
		return nil, unknown
	}
	if c.proven != proven || !d.now().Before(c.deadline) {
		d.current = nil
		return nil, unknown
	}
	return c, 0
}

// prove answers M3, the controller's proof that it knows the code, with ours.
func (d *Desk) prove(conn ConnID, items tlv.Items) ([]byte, failure) {
	c, f := d.mine(conn, false)
	if f != 0 {
		return nil, f
	}
	d.current = nil // one proof for each beginning
	public, _ := items.Bytes(itemPublicKey)
	proof, _ := items.Bytes(itemProof)
	if len(public) == 0 || len(proof) == 0 {
		return nil, unknown
	}
	if d.tries() >= MaxTries { // counted while this one was under way
		return nil, maxTries
	}
	secret, ours, err := c.srp.prove(public, proof)
	if err != nil {
		if _, err := d.book.Try(); err != nil {
			d.missed++
			d.log.Error("a wrong setup code could not be counted on disk", "err", err)
		}
		d.log.Warn("somebody tried to pair with a wrong setup code", "tries", d.tries(), "most", MaxTries)
		return nil, authentication
	}
	key, err := derive(secret, "Pair-Setup-Encrypt-Salt", "Pair-Setup-Encrypt-Info")
	if err != nil {
		d.log.Error("pair-setup could not go on", "err", err)
		return nil, unknown
	}
	c.secret, c.key, c.proven, c.deadline = secret, key, true, d.now().Add(stepTime)
	d.current = c
	var w tlv.Writer
	return w.Byte(itemState, 4).Bytes(itemProof, ours).Out(), 0
}

// tries are all wrong proofs: a disk that is full is no way around the limit.
func (d *Desk) tries() int { return d.book.Tries() + d.missed }

// exchange answers M5, who the controller is, with who the accessory is, and keeps the
// controller as an administrator before it says so.
func (d *Desk) exchange(conn ConnID, items tlv.Items) ([]byte, failure) {
	c, f := d.mine(conn, true)
	if f != 0 {
		return nil, f
	}
	d.current = nil
	sealed, _ := items.Bytes(itemEncrypted)
	inner, err := open(c.key, "PS-Msg05", sealed)
	if errors.Is(err, errSealed) {
		return nil, authentication
	}
	if err != nil {
		return nil, unknown
	}
	p, f := introduced(c.secret, inner)
	if f != 0 {
		return nil, f
	}
	if len(d.book.Pairings()) > 0 {
		return nil, unavailable
	}
	reply, err := d.introduce(c)
	if err != nil {
		d.log.Error("pair-setup could not be ended", "err", err)
		return nil, unknown
	}
	switch err := d.book.Pair(p); {
	case errors.Is(err, store.ErrFull):
		return nil, maxPeers
	case err != nil:
		d.log.Error("a pairing could not be kept", "err", err)
		return nil, unknown
	}
	d.missed = 0
	if err := d.book.ClearTries(); err != nil {
		d.log.Error("the count of wrong setup codes could not be cleared", "err", err)
	}
	d.log.Info("paired", "controller", p.Name)
	return reply, 0
}

// introduced reads who the controller says it is, and checks that it has the key.
func introduced(secret []byte, items tlv.Items) (hap.Pairing, failure) {
	name, _ := items.Bytes(itemIdentifier)
	public, _ := items.Bytes(itemPublicKey)
	signature, _ := items.Bytes(itemSignature)
	if !validName(name) || len(public) != ed25519.PublicKeySize {
		return hap.Pairing{}, unknown
	}
	x, err := derive(secret, "Pair-Setup-Controller-Sign-Salt", "Pair-Setup-Controller-Sign-Info")
	if err != nil {
		return hap.Pairing{}, unknown
	}
	if !ed25519.Verify(public, slices.Concat(x[:], name, public), signature) {
		return hap.Pairing{}, authentication
	}
	return hap.Pairing{Name: string(name), PublicKey: slices.Clone(public), Permission: hap.PermissionAdmin}, 0
}

// introduce is M6: who the accessory is, signed and sealed.
func (d *Desk) introduce(c *course) ([]byte, error) {
	id := d.book.Identity()
	x, err := derive(c.secret, "Pair-Setup-Accessory-Sign-Salt", "Pair-Setup-Accessory-Sign-Info")
	if err != nil {
		return nil, err
	}
	signed := ed25519.Sign(id.Keys.Private, slices.Concat(x[:], []byte(id.Device), id.Keys.Public))
	var inner, outer tlv.Writer
	inner.String(itemIdentifier, id.Device).Bytes(itemPublicKey, id.Keys.Public).Bytes(itemSignature, signed)
	sealed, err := seal(c.key, "PS-Msg06", inner.Out())
	if err != nil {
		return nil, err
	}
	return outer.Byte(itemState, 6).Bytes(itemEncrypted, sealed).Out(), nil
}

// maxName is the longest identifier of a controller. Apple's are UUIDs of 36 bytes.
const maxName = 64

// validName: one line that people can read, since lists and logs show it.
func validName(b []byte) bool {
	return len(b) > 0 && len(b) <= maxName && utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool { return !unicode.IsPrint(r) })
}
