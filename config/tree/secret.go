package tree

import (
	"net/url"
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

// parameter is a name and a value in an address: of its query, or of a path such as
// /user=admin_password=x_channel=1.sdp, which whole families of cameras want. A value
// behind an underscore goes on to the end, since it may hold one itself.
var (
	parameter = regexp.MustCompile(`([?&;/])([^\s"'=&?#;/]+)=([^\s"'&;#]*)`)
	inPath    = regexp.MustCompile(`(_)([A-Za-z]+)=([^\s"'&;#]*)`)
)

// MaskLogins hides what lets somebody in from addresses: user and password of
// rtsp://u:p@host/, and of /a.cgi?user=u&pwd=p what its name says is secret. Of a login it hides
// up to the last @, since an unescaped password may hold any sign.
func MaskLogins(s string) string {
	s = login.ReplaceAllString(s, "${1}"+Mask+"@")
	if !strings.Contains(s, "=") {
		return s
	}
	for _, form := range []*regexp.Regexp{parameter, inPath} {
		s = form.ReplaceAllStringFunc(s, func(all string) string {
			m := form.FindStringSubmatch(all)
			if m[3] == "" || !secretParameter(m[2]) || !strings.Contains(s, "/") {
				return all
			}
			return m[1] + m[2] + "=" + Mask
		})
	}
	return s
}

// secretParameter is SecretKey of a name as a query writes it.
func secretParameter(name string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	name = strings.ToLower(name)
	return SecretKey(name) || slices.Contains([]string{"p", "pas", "psw", "sig", "signature", "session", "sid", "jwt"}, name)
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
		for _, m := range slices.Concat(parameter.FindAllStringSubmatch(n.Text, -1), inPath.FindAllStringSubmatch(n.Text, -1)) {
			if m[3] != "" && secretParameter(m[2]) && strings.Contains(n.Text, "/") {
				out = append(out, m[3])
			}
		}
	})
	return out
}
