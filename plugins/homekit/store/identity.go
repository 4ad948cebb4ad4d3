package store

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/brutella/hap"

	"github.com/porchlight-hub/porchlight/plugins/homekit/setup"
)

// Identity is who an accessory is to the phones that know it.
type Identity struct {
	Device  string // AA:BB:CC:DD:EE:FF, drawn once, TXT id and pairing identifier
	Keys    hap.KeyPair
	Code    setup.Code
	SetupID string
}

// The files of an accessory. Those of hap.Server keep its names and forms.
const (
	fileDevice   = "uuid"       // text
	fileKeys     = "keypair"    // JSON of hap.KeyPair
	fileVersion  = "version"    // c#, decimal
	fileShape    = "configHash" // what c# was last counted for
	fileSchema   = "schema"     // "1" keeps hap.Server from looking for an older form
	filePairing  = ".pairing"   // behind the hexadecimal name: JSON of hap.Pairing
	fileSetup    = "setup"      // JSON of setupFile
	fileTries    = "tries"      // wrong proofs, decimal
	filePort     = "port"       // decimal
	fileServices = "iids"       // JSON of numbers
	fileThings   = "aids"       // JSON of numbers
	fileValues   = "values"     // JSON object
)

type setupFile struct {
	Code string `json:"code"`
	ID   string `json:"id"`
}

var deviceForm = regexp.MustCompile(`^([0-9A-F]{2}:){5}[0-9A-F]{2}$`)

// make writes a new identity into the fresh folder of id.
func (h *House) make(id string) error {
	dir := filepath.Join(h.dir, fresh+id)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("homekit store: make an identity: %w", err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return fmt.Errorf("homekit store: make an identity: %w", err)
	}
	keys, err := json.Marshal(hap.KeyPair{Public: public, Private: private})
	if err != nil {
		return fmt.Errorf("homekit store: make an identity: %w", err)
	}
	code, err := setup.NewCode()
	if err != nil {
		return err
	}
	su, err := newSetup(code)
	if err != nil {
		return err
	}
	var mac [6]byte
	if _, err := rand.Read(mac[:]); err != nil {
		return fmt.Errorf("homekit store: make an identity: %w", err)
	}
	device := fmt.Sprintf("%02X:%02X:%02X:%02X:%02X:%02X", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5])
	for _, f := range []struct {
		name string
		data []byte
	}{{fileSchema, []byte("1")}, {fileDevice, []byte(device)}, {fileKeys, keys}, {fileSetup, su}} {
		if err := write(dir, f.name, f.data, h.step); err != nil {
			return err
		}
	}
	return nil
}

// newSetup is the file of a code with a new setup id.
func newSetup(code setup.Code) ([]byte, error) {
	id, err := setup.NewID()
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(setupFile{Code: string(code), ID: id})
	if err != nil {
		return nil, fmt.Errorf("homekit store: write the setup code: %w", err)
	}
	return b, nil
}

func parseDevice(b []byte) (string, error) {
	if s := string(bytes.TrimSpace(b)); deviceForm.MatchString(s) {
		return s, nil
	}
	return "", errors.New("this is no device id")
}

func parseKeys(b []byte) (hap.KeyPair, error) {
	var k hap.KeyPair
	if err := json.Unmarshal(b, &k); err != nil {
		return hap.KeyPair{}, errors.New("the keys are no JSON") // its own message could show a piece of them
	}
	if len(k.Private) != ed25519.PrivateKeySize || len(k.Public) != ed25519.PublicKeySize {
		return hap.KeyPair{}, errors.New("the keys have a wrong length")
	}
	made := ed25519.NewKeyFromSeed(ed25519.PrivateKey(k.Private).Seed())
	if !bytes.Equal(made, k.Private) || !bytes.Equal(made.Public().(ed25519.PublicKey), k.Public) {
		return hap.KeyPair{}, errors.New("the keys do not belong together")
	}
	return k, nil
}

func parseSetup(b []byte) (setup.Code, string, error) {
	var s setupFile
	if err := json.Unmarshal(b, &s); err != nil {
		return "", "", errors.New("the setup code is no JSON")
	}
	code, err := setup.ParseCode(s.Code)
	if err != nil {
		return "", "", err
	}
	if !setup.ValidID(s.ID) {
		return "", "", errors.New("the setup id is none")
	}
	return code, s.ID, nil
}
