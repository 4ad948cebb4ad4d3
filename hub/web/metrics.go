package web

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// BusStats is the bus, as far as /metrics reads it.
type BusStats interface {
	Stats() bus.Stats
}

// ringsKept bounds the rings whose chimes are still awaited for the histogram.
const ringsKept = 256

// metrics are read from the rooms when somebody asks; only what no room counts is
// counted here.
type metrics struct {
	rooms   api.Rooms
	api     *api.API
	bus     BusStats
	handler http.Handler
	toChime prometheus.Histogram
	rings   *prometheus.CounterVec

	configValid, configProblems, restarts, pluginState, pluginMemory, cameraOnline, lastSeen, quiet, streams,
	published, durable, duplicates, waiting, diskFull, cutOffs, gaveUp *prometheus.Desc
}

func newMetrics(rooms api.Rooms, a *api.API, bus BusStats) *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("porchlight_"+name, help, labels, nil)
	}
	m := &metrics{
		rooms: rooms, api: a, bus: bus,
		toChime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "porchlight_ring_to_chime_seconds", Help: "From the hub's receipt of a ring to a chime's sound.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		rings:          prometheus.NewCounterVec(prometheus.CounterOpts{Name: "porchlight_rings_total", Help: "Rings, by camera."}, []string{"camera"}),
		configValid:    desc("config_valid", "1 if the config on disk is valid and in use."),
		configProblems: desc("config_problems", "Problems of the config on disk.", "severity"),
		restarts:       desc("plugin_restarts_total", "Restarts of a plugin's process.", "plugin"),
		pluginState:    desc("plugin_state", "1 for the state that a plugin is in.", "plugin", "state"),
		pluginMemory:   desc("plugin_memory_bytes", "Memory of a plugin's process.", "plugin"),
		cameraOnline:   desc("camera_online", "1 if a camera answers.", "camera"),
		lastSeen:       desc("camera_last_seen_timestamp_seconds", "When a camera answered last.", "camera"),
		quiet:          desc("quiet", "1 while the house is kept quiet."),
		streams:        desc("web_streams", "Open live streams of events."),
		published:      desc("bus_published_total", "Events taken by the bus."),
		durable:        desc("bus_durable_total", "Events written to the journal."),
		duplicates:     desc("bus_duplicates_total", "Events taken before, or within a camera's debounce."),
		waiting:        desc("bus_not_durable", "Events that wait for the journal."),
		cutOffs:        desc("bus_taker_cutoffs_total", "How often a slow taker was cut off and read on from the journal.", "taker"),
		gaveUp:         desc("bus_taker_given_up_total", "Events that a taker failed to handle every time.", "taker"),
		diskFull:       desc("bus_disk_full", "1 while the journal has no room."),
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(m, newSourceMetrics(rooms.Cameras.Cameras), newViewerMetrics(rooms.Viewers), m.toChime, m.rings, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 5 * time.Second})
	return m
}

// Describe is for prometheus; what there is depends on the house.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// Collect is for prometheus.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	state := m.rooms.Config.State()
	gauge(m.configValid, one(state.Valid))
	bySeverity := map[string]int{"error": 0, "warning": 0}
	for _, p := range state.Problems {
		bySeverity[p.Severity]++
	}
	for s, n := range bySeverity {
		gauge(m.configProblems, float64(n), s)
	}
	for _, p := range m.rooms.Plugins.Plugins() {
		count(m.restarts, float64(p.Restarts), p.Name)
		gauge(m.pluginState, 1, p.Name, p.State)
		if p.MemoryBytes > 0 {
			gauge(m.pluginMemory, float64(p.MemoryBytes), p.Name)
		}
	}
	for _, c := range m.rooms.Cameras.Cameras() {
		gauge(m.cameraOnline, one(c.Online), c.ID)
		if !c.LastSeen.IsZero() {
			gauge(m.lastSeen, float64(c.LastSeen.UnixMilli())/1000, c.ID)
		}
	}
	gauge(m.quiet, one(m.rooms.Chimes.Quiet().On))
	gauge(m.streams, float64(m.api.Open()))
	if m.bus != nil {
		b := m.bus.Stats()
		count(m.published, float64(b.Published))
		count(m.durable, float64(b.Durable))
		count(m.duplicates, float64(b.Duplicates))
		gauge(m.waiting, float64(b.NotDurable))
		gauge(m.diskFull, one(b.DiskFull))
		for _, t := range b.Takers {
			if t.Name != "" { // those without a name come and go
				count(m.cutOffs, float64(t.Critical.CutOffs+t.Normal.CutOffs), t.Name)
				count(m.gaveUp, float64(t.Critical.GaveUp+t.Normal.GaveUp), t.Name)
			}
		}
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// watch counts rings and times their chimes until ctx ends.
func (m *metrics) watch(ctx context.Context, feed api.Feed) {
	sub, err := feed.Subscribe()
	if err != nil {
		return // the bus has stopped
	}
	defer sub.Close()
	waiting := map[string]time.Time{} // ring id -> received
	var order []string
	for {
		d, err := sub.Next(ctx)
		if err != nil {
			return
		}
		if d.Replay {
			continue
		}
		switch x := d.Event.Data.(type) {
		case event.Ring:
			m.rings.WithLabelValues(d.Event.Camera).Inc()
			waiting[d.Event.ID] = d.Event.Received
			if order = append(order, d.Event.ID); len(order) > ringsKept {
				delete(waiting, order[0])
				order = order[1:]
			}
		case event.ChimeResult:
			if at, ok := waiting[d.Event.Correlation]; ok && x.Played {
				m.toChime.Observe(max(0, d.Event.Received.Sub(at)).Seconds())
			}
		}
	}
}

func (s *Server) metricsPage(w http.ResponseWriter, r *http.Request) {
	s.metrics.handler.ServeHTTP(w, r)
}
