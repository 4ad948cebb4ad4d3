package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"

	"google.golang.org/protobuf/proto"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// Remembered is a description as it is kept over the hub's restarts, so that pictures
// need not wait for the plugin. It holds no password.
type Remembered struct {
	Plugin   string `json:"plugin"`
	Settings string `json:"settings"` // their digest: others want another answer
	Source   []byte `json:"source"`   // SourceDescriptor
}

// reference in settings, which are JSON, to what stands elsewhere; the name of a secret in it.
var reference = regexp.MustCompile(`"(?:secret://([^"]+)|(?:env|file)://[^"]*)"`)

func settingsDigest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// remember keeps what the plugin has said. A description with a password in it is not
// kept, nor one that the plugin may have filled with another secret, such as an address out
// of secrets.yaml: the disk is not the place for it.
func (s *Sources) remember(w Wish, d *pb.SourceDescriptor) {
	if s.o.Remember == nil || d.GetPush() || len(d.GetStreams()) == 0 {
		return
	}
	creds := []*pb.Credential{d.GetSnapshotCredential()}
	for _, st := range d.GetStreams() {
		creds = append(creds, st.GetCredential())
	}
	named := map[string]bool{}
	for _, c := range creds {
		if c.GetPassword() != "" {
			return
		}
		named[c.GetSecret()] = true
	}
	for _, m := range reference.FindAllStringSubmatch(w.Settings, -1) {
		if m[1] == "" || !named[m[1]] {
			return
		}
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(d)
	if err != nil {
		return // strings that are no UTF-8: the plugin is asked at each start
	}
	s.o.Remember(w.Camera, Remembered{w.Plugin, settingsDigest(w.Settings), b})
}

// recall gives what was remembered of a camera that is wished for as it was then.
func (s *Sources) recall(w Wish) *pb.SourceDescriptor {
	if s.o.Recall == nil {
		return nil
	}
	r, ok := s.o.Recall(w.Camera)
	if !ok || r.Plugin != w.Plugin || r.Settings != settingsDigest(w.Settings) {
		return nil
	}
	d := &pb.SourceDescriptor{}
	if proto.Unmarshal(r.Source, d) != nil || d.GetPush() {
		return nil
	}
	return d
}
