package whep

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/pion/logging"
)

// quiet takes what pion's rooms log. What anybody on the network can cause by a packet is
// not worth a warning, so nothing of it is louder than debug.
type quiet struct{ log *slog.Logger }

// NewLogger is for pion.
func (q quiet) NewLogger(scope string) logging.LeveledLogger {
	return quiet{q.log.With("scope", scope)}
}

func (q quiet) say(msg string) { q.log.Debug(msg) }

// sayf leaves out what tells a browser's password of ICE.
func (q quiet) sayf(format string, args ...any) {
	if !strings.Contains(format, "Pwd") && q.log.Enabled(context.Background(), slog.LevelDebug) {
		q.log.Debug(fmt.Sprintf(format, args...))
	}
}

// What follows is logging.LeveledLogger. Traces are for those who mend pion.

func (q quiet) Trace(string)                 {}
func (q quiet) Tracef(string, ...any)        {}
func (q quiet) Debug(msg string)             { q.say(msg) }
func (q quiet) Debugf(f string, args ...any) { q.sayf(f, args...) }
func (q quiet) Info(msg string)              { q.say(msg) }
func (q quiet) Infof(f string, args ...any)  { q.sayf(f, args...) }
func (q quiet) Warn(msg string)              { q.say(msg) }
func (q quiet) Warnf(f string, args ...any)  { q.sayf(f, args...) }
func (q quiet) Error(msg string)             { q.say(msg) }
func (q quiet) Errorf(f string, args ...any) { q.sayf(f, args...) }
