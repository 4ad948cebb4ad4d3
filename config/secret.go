package config

import (
	"log/slog"
	"regexp"
	"slices"
	"strings"
)

const masked = "***"

// Secret is text that no log, error or page shows. Reveal gives it in clear.
type Secret string

// Reveal gives the text in clear.
func (s Secret) Reveal() string { return string(s) }

func (Secret) String() string               { return masked }
func (Secret) GoString() string             { return masked }
func (Secret) LogValue() slog.Value         { return slog.StringValue(masked) }
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// secretKey tells by its name whether a key's value must not be shown. It errs
// towards hiding.
func secretKey(key string) bool {
	k := strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(key))
	for _, part := range []string{"password", "passwd", "passphrase", "secret", "token", "credential", "cookie", "setupcode", "signwith"} {
		if strings.Contains(k, part) {
			return true
		}
	}
	return slices.Contains([]string{"pass", "pin", "pw", "pwd", "auth", "key", "topic"}, k) || strings.HasSuffix(k, "apikey") ||
		strings.HasSuffix(k, "privatekey") || strings.HasSuffix(k, "authkey") || strings.HasSuffix(k, "encryptionkey")
}

// reference tells whether a whole value names a secret, an environment variable
// or a file instead of being the value.
func reference(s string) (scheme string, ok bool) {
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
	return regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s"']*@`).ReplaceAllString(s, "${1}"+masked+"@")
}
