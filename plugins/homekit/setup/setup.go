package setup

import (
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Code is a setup code in the form 518-08-582, which is also the password of pairing.
// string(c) and Digits show it; printing and logging do not.
type Code string

const mask = "***-**-***"

// String hides the code: whoever wants it says string(c).
func (c Code) String() string { return mask }

// GoString hides the code.
func (c Code) GoString() string { return mask }

// LogValue hides the code.
func (c Code) LogValue() slog.Value { return slog.StringValue(mask) }

// Digits are the eight digits alone.
func (c Code) Digits() string { return strings.ReplaceAll(string(c), "-", "") }

// Refused says why a text cannot be a setup code. It never holds the text.
type Refused struct{ Why string }

func (r *Refused) Error() string { return "setup code: " + r.Why }
func (r *Refused) Code() string  { return "E-HOMEKIT-CODE" }
func (r *Refused) Hint() string {
	return "Take eight digits that are not a simple row, such as 518-08-582 with digits of your own, or leave the code out: one is made."
}

// forbidden are the codes that HAP 4.2.1.2 refuses, and the sample that stands in every
// document and on pictures of every box.
func forbidden(digits string) bool {
	if strings.Count(digits, digits[:1]) == len(digits) {
		return true
	}
	return slices.Contains([]string{"12345678", "87654321", "03145154"}, digits)
}

// ParseCode reads 518-08-582 or 51808582.
func ParseCode(s string) (Code, error) {
	digits := s
	if len(s) == 10 && s[3] == '-' && s[6] == '-' {
		digits = s[:3] + s[4:6] + s[7:]
	}
	if len(digits) != 8 || strings.Trim(digits, "0123456789") != "" {
		return "", &Refused{"it needs eight digits, as in 518-08-582"}
	}
	if forbidden(digits) {
		return "", &Refused{"this one is forbidden, because everybody would guess it"}
	}
	return dashed(digits), nil
}

func dashed(digits string) Code { return Code(digits[:3] + "-" + digits[3:5] + "-" + digits[5:]) }

// NewCode draws a code that is allowed.
func NewCode() (Code, error) {
	for {
		n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
		if err != nil {
			return "", fmt.Errorf("setup code: draw: %w", err)
		}
		if digits := fmt.Sprintf("%08d", n.Int64()); !forbidden(digits) {
			return dashed(digits), nil
		}
	}
}

const idLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// NewID draws a setup id: four of 0-9 and A-Z.
func NewID() (string, error) {
	id := make([]byte, 4)
	for i := range id {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(idLetters))))
		if err != nil {
			return "", fmt.Errorf("setup id: draw: %w", err)
		}
		id[i] = idLetters[n.Int64()]
	}
	return string(id), nil
}

// ValidID tells whether s can be a setup id.
func ValidID(s string) bool { return len(s) == 4 && strings.Trim(s, idLetters) == "" }

// overIP is the flag in the address that says: this accessory speaks IP.
const overIP = 2

// URI is what the QR code says: the category, the flags and the code in nine places of
// base 36, then the setup id.
func URI(c Code, category byte, id string) string {
	code, err := strconv.ParseUint(c.Digits(), 10, 27)
	if err != nil {
		return "" // no code, no address
	}
	n := uint64(category)<<31 | overIP<<27 | code
	return "X-HM://" + fmt.Sprintf("%09s", strings.ToUpper(strconv.FormatUint(n, 36))) + id
}

// Hash is TXT sh: by it a phone that scanned the code finds the accessory on the network.
func Hash(id, device string) string {
	sum := sha512.Sum512([]byte(id + device))
	return base64.StdEncoding.EncodeToString(sum[:4])
}
