package tree

import (
	"regexp"
	"slices"
	"strings"
)

// Mask stands for a secret.
const Mask = "***"

var login = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s"']*@`)

// SecretKey tells by its name whether a key's value must not be shown. It errs
// towards hiding.
func SecretKey(key string) bool {
	k := strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(key))
	for _, part := range []string{"password", "passwd", "passphrase", "secret", "token", "credential", "cookie", "setupcode", "signwith"} {
		if strings.Contains(k, part) {
			return true
		}
	}
	return slices.Contains([]string{"pass", "pin", "pw", "pwd", "auth", "key", "topic"}, k) || strings.HasSuffix(k, "apikey") ||
		strings.HasSuffix(k, "privatekey") || strings.HasSuffix(k, "authkey") || strings.HasSuffix(k, "encryptionkey")
}

// IsReference tells whether a whole value means to name a secret, an environment
// variable or a file instead of being the value.
func IsReference(s string) bool {
	_, _, ok := Reference(s)
	return ok
}

// Reference takes such a value apart.
func Reference(s string) (scheme, rest string, ok bool) {
	for _, p := range []string{"secret", "env", "file"} {
		if rest, found := strings.CutPrefix(s, p+"://"); found {
			return p, rest, true
		}
	}
	return "", "", false
}

// MaskLogins hides user and password inside addresses such as rtsp://u:p@host/.
// It hides up to the last @, since an unescaped password may hold any sign.
func MaskLogins(s string) string {
	return login.ReplaceAllString(s, "${1}"+Mask+"@")
}

// password is what stands for one inside an address.
var password = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"':/@]*:([^\s"']*)@`)

// Secrets lists the values under n that are never shown, passwords inside addresses
// among them. A reference that was followed counts by its value.
func (n *Node) Secrets() []string {
	var out []string
	n.Each("", func(_ string, n *Node) {
		if n.Kind == Null || n.Kind == Bool {
			return
		}
		if IsReference(n.Text) {
			return
		}
		if n.Secret {
			out = append(out, n.Text)
		}
		for _, m := range password.FindAllStringSubmatch(n.Text, -1) {
			out = append(out, m[1])
		}
	})
	return out
}
