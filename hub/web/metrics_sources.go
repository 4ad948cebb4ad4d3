package web

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// sourceMetrics are those of each stream of each camera.
type sourceMetrics struct {
	cameras func() []api.Camera

	up, age, fps, bitrate, gop, ring, ringTime, noPrebuffer, readers, skipped, reconnects, repairs *prometheus.Desc
}

func newSourceMetrics(cameras func() []api.Camera) *sourceMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("porchlight_stream_"+name, help, []string{"camera", "stream"}, nil)
	}
	return &sourceMetrics{
		cameras:     cameras,
		up:          desc("up", "1 while pictures come."),
		age:         desc("last_frame_age_seconds", "Age of the newest picture."),
		fps:         desc("fps", "Pictures a second, over what the ring holds."),
		bitrate:     desc("bits_per_second", "Bits a second, over what the ring holds."),
		gop:         desc("key_interval_seconds", "Between the newest two key frames."),
		ring:        desc("ring_bytes", "What the ring holds."),
		ringTime:    desc("ring_seconds", "How far back a reader can begin."),
		noPrebuffer: desc("no_prebuffer", "1 while one GOP is bigger than the ring may be."),
		readers:     desc("readers", "Who reads the stream now."),
		skipped:     desc("skipped_gops_total", "GOPs that slow readers jumped over."),
		reconnects:  desc("reconnects_total", "Connections to the camera after the first."),
		repairs:     desc("time_repairs_total", "Time stamps that were set right."),
	}
}

// Describe is for prometheus; what there is depends on the house.
func (m *sourceMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect is for prometheus.
func (m *sourceMetrics) Collect(out chan<- prometheus.Metric) {
	for _, c := range m.cameras() {
		for _, s := range c.Sources {
			put := func(d *prometheus.Desc, t prometheus.ValueType, v float64) {
				out <- prometheus.MustNewConstMetric(d, t, v, c.ID, s.Stream)
			}
			live := s.State == "live" || s.State == "pushed"
			put(m.up, prometheus.GaugeValue, one(live))
			put(m.readers, prometheus.GaugeValue, float64(s.Readers))
			put(m.ring, prometheus.GaugeValue, float64(s.RingBytes))
			put(m.ringTime, prometheus.GaugeValue, float64(s.RingMS)/1000)
			put(m.noPrebuffer, prometheus.GaugeValue, one(s.NoPrebuffer))
			put(m.skipped, prometheus.CounterValue, float64(s.SkippedGOPs))
			put(m.reconnects, prometheus.CounterValue, float64(s.Reconnects))
			put(m.repairs, prometheus.CounterValue, float64(s.Repairs))
			if !live { // figures of a stream that does not come would be of another time
				continue
			}
			put(m.age, prometheus.GaugeValue, float64(s.LastFrameMS)/1000)
			put(m.fps, prometheus.GaugeValue, s.FPS)
			put(m.bitrate, prometheus.GaugeValue, float64(s.BitrateKbps)*1000)
			put(m.gop, prometheus.GaugeValue, float64(s.GOPMS)/1000)
		}
	}
}
