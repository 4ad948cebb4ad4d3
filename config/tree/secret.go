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

// Reference tells whether a whole value names a secret, an environment variable
// or a file instead of being the value.
func Reference(s string) (scheme string, ok bool) {
	for _, p := range []string{"secret", "env", "file"} {
		if rest, found := strings.CutPrefix(s, p+"://"); found && rest != "" && !strings.ContainsAny(rest, " \t\n") {
			return p, true
		}
	}
	return "", false
}

// maskURLs hides user and password inside addresses such as rtsp://u:p@host/.
// It hides up to the last @, since an unescaped password may hold any sign.
func maskURLs(s string) string {
	return login.ReplaceAllString(s, "${1}"+Mask+"@")
}
