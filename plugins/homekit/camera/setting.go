package camera

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
	"github.com/porchlight-hub/porchlight/sdk"
)

// setting is a switch that controllers turn: a bool, or a number that is 0 or 1. Its state is
// kept here, not in the library's characteristic, which has the old one while a write is
// taken in.
type setting struct {
	c       *characteristic.C
	value   atomic.Bool
	writing sync.Mutex                               // what was written last is how it is
	admin   bool                                     // only those may turn it who may change pairings (HAP: administrators)
	set     func(ctx context.Context, on bool) error // before it counts; nil: nothing more is to be done
	changed func()                                   // after it counts; nil: nobody is told
}

func (s *setting) on() bool { return s.value.Load() }

// words is the state in the characteristic's format.
func (s *setting) words(on bool) any {
	switch {
	case s.c.Format == characteristic.FormatBool:
		return on
	case on:
		return 1
	}
	return 0
}

// tell takes over a state that came about otherwise, and tells those who listen.
func (s *setting) tell(on bool) {
	s.value.Store(on)
	if s.c.Format == characteristic.FormatBool {
		(&characteristic.Bool{C: s.c}).SetValue(on)
	}
}

// write is what a controller does.
func (s *setting) write(v any, r *http.Request) (any, int) {
	on, ok := truth(v)
	if !ok {
		return nil, statusInvalid
	}
	ctx := context.Background()
	if r != nil {
		ctx = r.Context()
	}
	if p := server.PeerOf(r); s.admin && p != nil && !p.Admin() {
		return nil, statusPrivileges
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.set != nil {
		if err := s.set(ctx, on); err != nil {
			return nil, statusUnreached
		}
	}
	s.value.Store(on)
	if s.changed != nil {
		s.changed()
	}
	return nil, statusOK
}

// truth of what was written, in whichever form of JSON.
func truth(v any) (on, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case int:
		return v == 1, v == 0 || v == 1
	case uint64:
		return v == 1, v <= 1
	case float64:
		return v == 1, v == 0 || v == 1
	}
	return false, false
}

func newSetting(c *characteristic.C, on bool) *setting {
	s := &setting{c: c}
	s.value.Store(on)
	c.Val = s.words(on)
	c.SetValueRequestFunc = s.write
	c.ValueRequestFunc = func(*http.Request) (any, int) { return s.words(s.on()), statusOK }
	return s
}

// keep is a setting that outlives a restart; at first it is otherwise.
func (c *Camera) keep(ch *characteristic.C, key string, otherwise int) (*setting, error) {
	kept := otherwise
	if _, err := c.o.Keep.Value(key, &kept); err != nil {
		return nil, fmt.Errorf("camera %s: %s: %w", c.o.Camera, key, err)
	}
	s := newSetting(ch, kept == 1)
	s.set = func(_ context.Context, on bool) error {
		n := 0
		if on {
			n = 1
		}
		err := c.o.Keep.SetValue(key, n)
		if err != nil {
			c.log.Warn("a setting of Home is not kept", "setting", key, "err", err)
		}
		return err
	}
	return s, nil
}

// actLimit is how long a device may take to change a mode.
const actLimit = 5 * time.Second

// mode is a setting that the device itself keeps.
func (c *Camera) mode(ch *characteristic.C, name string) *setting {
	s := newSetting(ch, false)
	s.set = func(ctx context.Context, on bool) error {
		ctx, cancel := context.WithTimeout(ctx, actLimit)
		defer cancel()
		if on && s.on() {
			return nil // night vision that the camera decides stays so
		}
		err := c.act(ctx, name, on)
		if err != nil {
			c.log.Warn("the device does not do what Home asks", "mode", name, "on", on, "err", err)
		}
		return err
	}
	c.modes[name] = s
	return s
}

// act sets a mode. Night vision that Home switches on is the camera's to decide by the light,
// where it can.
func (c *Camera) act(ctx context.Context, mode string, on bool) error {
	value := "off"
	if on {
		value = "on"
	}
	if on && mode == modeNightVision {
		err := c.o.Hub.Act(ctx, c.o.Camera, sdk.ModeSet{Mode: mode, Value: "auto"})
		if err == nil || !errors.Is(err, sdk.ErrInvalid) && !errors.Is(err, sdk.ErrUnsupported) && !errors.Is(err, sdk.ErrNotFound) {
			return err
		}
	}
	return c.o.Hub.Act(ctx, c.o.Camera, sdk.ModeSet{Mode: mode, Value: value})
}
