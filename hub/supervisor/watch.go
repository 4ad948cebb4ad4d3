package supervisor

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/porchlight-hub/porchlight/hub/supervisor/child"
	"github.com/porchlight-hub/porchlight/hub/supervisor/fault"
	"github.com/porchlight-hub/porchlight/hub/supervisor/runner"
	"github.com/porchlight-hub/porchlight/hub/supervisor/streams"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

const (
	sampleEvery = 5 * time.Second  // of memory, CPU and descendants
	soonAfter   = time.Second      // of the first Health: what was not known at the start is known now
	cpuDegraded = 60 * time.Second // over its budget so long
	cpuRestart  = 2 * time.Minute
)

// watcher is the state of one life's loop.
type watcher struct {
	*life
	misses  int
	asking  bool
	answers chan healthAnswer // size 1: one question is under way at a time
	ran     bool

	proven     <-chan time.Time // the config has run for provenAfter
	stopProven func()

	lastTicks uint64
	lastAt    time.Time
	overSince time.Time // CPU; zero: within its budget
}

type healthAnswer struct {
	report *pb.HealthReport
	err    error
}

// watch owns a running process until it ends or is asked to.
func (l *life) watch(ctx context.Context) ending {
	w := &watcher{life: l, answers: make(chan healthAnswer, 1)}
	clock := l.i.s.o.Clock
	began := clock.Now()
	w.ask(ctx)
	health, stopHealth := clock.After(min(soonAfter, l.spec.Health.Every))
	sample, stopSample := clock.After(firstSample(l.i.name))
	w.proven, w.stopProven = clock.After(provenAfter)
	healthy, stopHealthy := clock.After(healthyAfter)
	defer func() { stopHealth(); stopSample(); w.stopProven(); stopHealthy() }()
	w.sample(began)
	for {
		var f *fault.Failure
		select {
		case <-ctx.Done():
			if l.i.left() {
				return ending{asked: "removed"}
			}
			return ending{asked: "shutdown"}
		case <-l.p.Run.Exited():
			f = child.Crash(l.p.Run.Exit())
		case err := <-l.streams.Broken():
			if f = l.p.Died(200 * time.Millisecond); f == nil {
				f = streams.FailureOf(err)
			}
		case <-l.i.knock:
			var asked string
			if asked, f = w.wish(ctx); asked != "" {
				return ending{asked: asked}
			}
			w.ask(ctx)
		case a := <-w.answers:
			f = w.heard(a)
		case <-health:
			health, stopHealth = clock.After(l.spec.Health.Every)
			w.ask(ctx)
		case <-sample:
			sample, stopSample = clock.After(sampleEvery)
			f = w.sample(clock.Now())
		case <-w.proven:
			good := l.spec
			l.i.good = &good
			l.i.note("debug", fmt.Sprintf("its config is proven: %s without a fault", provenAfter))
		case <-healthy:
			l.i.ladder.rest()
		}
		if f != nil {
			return ending{failure: f, tried: &w.spec}
		}
	}
}

// ask sends one Health question, unless one is under way.
func (w *watcher) ask(ctx context.Context) {
	if w.asking {
		return
	}
	w.asking = true
	// No longer than the interval, so that the misses are counted at its pace.
	within := min(healthWithin, w.spec.Health.Every)
	w.streams.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		report, err := w.p.Plugin.Health(ctx, &pb.HealthRequest{})
		w.answers <- healthAnswer{report, err}
	})
}

// heard judges an answer, or its absence.
func (w *watcher) heard(a healthAnswer) *fault.Failure {
	w.asking = false
	if a.err != nil && status.Code(a.err) != codes.Unimplemented {
		w.misses++
		if w.misses >= w.spec.Health.Misses {
			return fault.New(fault.Hang, "see its last log lines; a plugin must answer Health while it works",
				"it gave no sign of life for %s and was killed", time.Duration(w.misses)*w.spec.Health.Every)
		}
		if w.misses >= 2 {
			w.degrade(fault.Health, fmt.Sprintf("it answers late: %d of %d", w.misses, w.spec.Health.Misses), "")
		}
		return nil
	}
	w.misses = 0
	if !w.ran {
		w.ran = true
		w.i.note("info", fmt.Sprintf("running, pid %d", w.p.Run.PID()))
	}
	w.i.set(func(st *Status) {
		st.parts(a.report)
		st.UnknownMessages = w.streams.Unknown()
		st.State, st.Code, st.Reason, st.Fix = Running, "", "", ""
		w.judge(st)
	})
	return nil
}

// judge names what is wrong with a plugin that answers.
func (w *watcher) judge(st *Status) {
	set := func(code, reason, fix string) {
		st.State, st.Code, st.Reason, st.Fix = Degraded, code, reason, fix
	}
	for _, p := range st.Parts {
		if p.State != "ok" {
			set(fault.Health, p.Name+": "+p.Reason, p.Fix)
			break
		}
	}
	if !w.overSince.IsZero() && w.i.s.o.Clock.Now().Sub(w.overSince) >= cpuDegraded {
		set(fault.CPU, fmt.Sprintf("it uses %.0f %% of a core, its limit is %d %%", st.CPU, w.spec.Limits.CPU), "raise limits.cpu, or see what it works on")
	}
	// The config comes last: it is what a person can mend.
	if why := w.i.why; why != nil {
		set(why.ID, "it runs with its last good config: "+why.Reason, why.Fix)
	}
}

func (w *watcher) degrade(code, reason, fix string) {
	w.i.set(func(st *Status) { st.State, st.Code, st.Reason, st.Fix = Degraded, code, reason, fix })
}

// wish looks at what somebody wants. asked: this process ends for that reason, and
// another begins.
func (w *watcher) wish(ctx context.Context) (asked string, f *fault.Failure) {
	i := w.i
	i.mu.Lock()
	wish, restart := i.wish, i.restart
	i.mu.Unlock()
	if restart {
		return "restart", nil
	}
	if w.refused != nil && sameProcess(*w.refused, wish) && sameConfig(*w.refused, wish) {
		return "", nil
	}
	if i.distrust != nil && sameProcess(*i.distrust, wish) && sameConfig(*i.distrust, wish) {
		return "", nil
	}
	if !sameProcess(w.spec, wish) {
		return "config", nil
	}
	if sameConfig(w.spec, wish) {
		i.why, w.refused, i.distrust = nil, nil, nil
		w.spec = wish
		return "", nil
	}
	restart, f = w.tryConfigure(ctx, wish)
	switch {
	case f != nil && (f.ID == fault.Config || f.ID == fault.Permission):
		// It said no and goes on with what it has.
		i.why, w.refused = f, &wish
		i.note("error", f.Reason)
		return "", nil
	case f != nil:
		w.spec = wish
		return "", f
	case restart:
		return "config", nil
	}
	i.why, w.refused, i.distrust = nil, nil, nil
	w.spec = wish
	w.stopProven()
	w.proven, w.stopProven = i.s.o.Clock.After(provenAfter)
	i.s.o.Host.Configured(i.name)
	return "", nil
}

// firstSample spreads the plugins of a house over the interval: started together,
// they would be measured together for ever.
func firstSample(name string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return sampleEvery/2 + sampleEvery/2*time.Duration(h.Sum32()%64)/64
}

// sample measures the process and keeps its memory and CPU within the limits.
func (w *watcher) sample(now time.Time) *fault.Failure {
	u, ok := w.i.s.sampler.Sample(w.p.Run)
	if !ok {
		return nil
	}
	cpu := w.cpu(u, now)
	w.i.set(func(st *Status) { st.CPU, st.Memory, st.RSS = cpu, u.PSS, u.RSS })
	if u.PSS > w.spec.Limits.Memory {
		return fault.New(fault.Memory, "raise limits.memory, or report it to the plugin's author",
			"it used %d MiB of memory, its limit is %d MiB, and was killed", u.PSS>>20, w.spec.Limits.Memory>>20)
	}
	if !w.overSince.IsZero() && now.Sub(w.overSince) >= cpuRestart {
		return fault.New(fault.CPU, "raise limits.cpu, or see what it works on",
			"it used %.0f %% of a core for %s, its limit is %d %%", cpu, now.Sub(w.overSince).Round(time.Second), w.spec.Limits.CPU)
	}
	return nil
}

// cpu is the use since the last sample in per cent of a core: /proc counts in
// hundredths of a second, so ticks a second are per cent.
func (w *watcher) cpu(u runner.Usage, now time.Time) float64 {
	lastTicks, lastAt := w.lastTicks, w.lastAt
	w.lastTicks, w.lastAt = u.Ticks, now
	if lastAt.IsZero() || !now.After(lastAt) || u.Ticks < lastTicks {
		return 0
	}
	cpu := float64(u.Ticks-lastTicks) / now.Sub(lastAt).Seconds()
	switch {
	case w.spec.Limits.CPU == 0 || cpu <= float64(w.spec.Limits.CPU):
		w.overSince = time.Time{}
	case w.overSince.IsZero():
		w.overSince = lastAt
	}
	return cpu
}
