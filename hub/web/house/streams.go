package house

import (
	"context"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/media/restream"
)

// StreamLogins lets the re-stream ask for the stream passwords.
func StreamLogins(a *access.Access) restream.Logins { return streamLogins{a} }

type streamLogins struct{ access *access.Access }

func (l streamLogins) Credentials(ctx context.Context, user, address string) ([]restream.Credential, error) {
	keys, err := l.access.StreamKeys(ctx, user, address)
	out := make([]restream.Credential, 0, len(keys))
	for _, k := range keys {
		out = append(out, restream.Credential{
			ID: k.ID, MD5: k.MD5, SHA256: k.SHA256,
			Viewer: restream.Viewer{User: k.User, Name: k.Name, MayTalk: k.Talk, Cameras: k.Cameras},
		})
	}
	return out, err
}

func (l streamLogins) Wrong(address string) { l.access.StreamWrong(address) }

func (l streamLogins) Used(ctx context.Context, id, address string) {
	l.access.StreamUsed(ctx, id, address)
}

func (l streamLogins) Valid(ctx context.Context, id string) bool {
	return l.access.StreamValid(ctx, id)
}
