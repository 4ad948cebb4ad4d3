package registry

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/store"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// answers of plugins, one for each question in turn; the last one stays.
type answers struct {
	mu    sync.Mutex
	asked []string
	reply func(n int, plugin, device string) (*pb.DeviceDescription, error)
}

func (a *answers) ask(_ context.Context, plugin, device string) (*pb.DeviceDescription, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, plugin+"/"+device)
	return a.reply(len(a.asked), plugin, device)
}

func (a *answers) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.asked)
}

func describer(t *testing.T, path string, a *answers) (*Describer, chan struct{}, func()) {
	t.Helper()
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	notes, err := OpenNotes(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	changed := make(chan struct{}, 16) // of a few changes in a test
	d := NewDescriber(DescriberOptions{Ask: a.ask, Notes: notes, Changed: func() { changed <- struct{}{} }, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}) // closed when Serve has ended
	go func() { defer close(done); _ = d.Serve(ctx) }()
	stop := sync.OnceFunc(func() { cancel(); <-done; db.Close() })
	t.Cleanup(stop)
	return d, changed, stop
}

func model(s string) *pb.DeviceDescription {
	return &pb.DeviceDescription{Model: s, Modes: []*pb.Choice{{Id: "indicator", Values: []string{"on", "off"}}}}
}

func TestADescriptionOutlivesTheHub(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	said := "X1"
	a := &answers{reply: func(_ int, _, device string) (*pb.DeviceDescription, error) {
		switch device {
		case "silent":
			return nil, ErrNothing
		case "long":
			return model(strings.Repeat("x", maxDescription)), nil
		}
		return model(said), nil
	}}
	d, changed, stop := describer(t, path, a)
	d.Apply(map[string]string{"porch": "bell", "silent": "bell", "long": "bell", "yard": "other"})
	if d.Of("porch") != nil || a.count() != 0 {
		t.Fatal("asked before the plugin was configured")
	}
	d.Configured("bell")
	<-changed
	if d.Of("porch").GetModel() != "X1" || d.Of("silent") != nil || d.Of("yard") != nil || d.Of("cellar") != nil {
		t.Errorf("porch %v, silent %v, yard %v", d.Of("porch"), d.Of("silent"), d.Of("yard"))
	}
	a.mu.Lock()
	said = "X2"
	a.mu.Unlock()
	d.Again("porch")
	<-changed
	d.Apply(map[string]string{"porch": "bell", "long": "bell"})
	if d.Of("porch").GetModel() != "X2" || d.Of("long") != nil {
		t.Errorf("porch %v, long of %d bytes", d.Of("porch"), len(d.Of("long").GetModel()))
	}
	stop()

	d, _, stop = describer(t, path, a)
	d.Apply(map[string]string{"porch": "bell"})
	if got := d.Of("porch"); got.GetModel() != "X2" || len(got.GetModes()) != 1 {
		t.Errorf("after a restart: %v", got)
	}
	d.Apply(map[string]string{"porch": "another"})
	if got := d.Of("porch"); got != nil {
		t.Errorf("another plugin's word: %v", got)
	}
	stop()
}

func TestAPluginThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	hold := make(chan struct{})
	a := &answers{reply: func(n int, _, _ string) (*pb.DeviceDescription, error) {
		if n == 1 {
			return nil, errors.New("it is starting")
		}
		return model("X1"), nil
	}}
	d, changed, _ := describer(t, filepath.Join(t.TempDir(), "hub.db"), a)
	d.Apply(map[string]string{"porch": "bell"})
	d.Configured("bell")
	select {
	case <-changed:
	case <-time.After(30 * time.Second):
		t.Fatal("it was not asked again")
	}
	if d.Of("porch").GetModel() != "X1" {
		t.Errorf("described as %v", d.Of("porch"))
	}
	// A change while a question is under way is asked about once more.
	begun := make(chan struct{}, 4)
	a.mu.Lock()
	a.reply = func(n int, _, _ string) (*pb.DeviceDescription, error) {
		begun <- struct{}{}
		if n == 3 {
			<-hold
			return model("X2"), nil
		}
		return model("X3"), nil
	}
	a.mu.Unlock()
	d.Again("porch")
	<-begun
	d.Again("porch")
	close(hold)
	for d.Of("porch").GetModel() != "X3" {
		<-changed
	}
}
