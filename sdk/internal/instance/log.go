package instance

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// maxText bounds one message or value of a log line, in bytes.
const maxText = 16 << 10

// logHandler sends lines over the Link, behind all else; what does not fit is
// dropped and counted, and the next line tells the count. Without a Link lines go
// to stderr, which the hub keeps too.
type logHandler struct {
	link   *wire.Outbox[*pb.FromPlugin]
	stderr slog.Handler
	attrs  map[string]string // bound ones; never changed
	prefix string            // of the open groups, ending with a dot
}

func newLogHandler(link *wire.Outbox[*pb.FromPlugin], stderr io.Writer) *logHandler {
	return &logHandler{link: link, stderr: slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug})}
}

// Enabled says yes to all: what is worth keeping is the hub's choice.
func (h *logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	attrs := maps.Clone(h.attrs)
	if attrs == nil {
		attrs = make(map[string]string, r.NumAttrs())
	}
	r.Attrs(func(a slog.Attr) bool {
		flatten(attrs, h.prefix, a)
		return true
	})
	m := &pb.Log{Time: timestamppb.New(r.Time), Level: levelName(r.Level), Message: cut(r.Message), Attrs: attrs}
	taken, dropped := h.link.Offer(&pb.FromPlugin{M: &pb.FromPlugin_Log{Log: m}})
	if !taken {
		return h.stderr.Handle(ctx, r)
	}
	if dropped > 0 {
		h.link.Offer(&pb.FromPlugin{M: &pb.FromPlugin_Log{Log: &pb.Log{
			Time: timestamppb.New(r.Time), Level: "warn", Message: "log lines dropped: they came faster than the hub takes them",
			Attrs: map[string]string{"count": strconv.FormatUint(dropped, 10)},
		}}})
	}
	return nil
}

func (h *logHandler) WithAttrs(as []slog.Attr) slog.Handler {
	out := *h
	out.attrs = maps.Clone(h.attrs)
	if out.attrs == nil {
		out.attrs = make(map[string]string, len(as))
	}
	for _, a := range as {
		flatten(out.attrs, h.prefix, a)
	}
	out.stderr = h.stderr.WithAttrs(as)
	return &out
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	out := *h
	out.prefix = h.prefix + name + "."
	out.stderr = h.stderr.WithGroup(name)
	return &out
}

// flatten writes an attribute as dotted key and text.
func flatten(to map[string]string, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		if a.Key != "" {
			to[cut(prefix+a.Key)] = cut(v.String())
		}
		return
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, g := range v.Group() {
		flatten(to, prefix, g)
	}
}

func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warn"
	}
	return "error"
}

// cut keeps a text within its limit, and valid UTF-8, which protobuf insists upon.
func cut(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
