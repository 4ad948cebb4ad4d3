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

// viewerMetrics are those of who watches now, by the way that they take.
type viewerMetrics struct {
	viewers func() []api.Viewing // nil: nobody is known

	now, bytes, repeated, loss, skipped *prometheus.Desc
}

func newViewerMetrics(viewers func() []api.Viewing) *viewerMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("porchlight_viewers"+name, help, []string{"way", "camera", "stream"}, nil)
	}
	return &viewerMetrics{
		viewers:  viewers,
		now:      desc("", "Who watches now, by WebRTC and by RTSP."),
		bytes:    desc("_bytes", "What those who watch now were sent."),
		repeated: desc("_repeated_packets", "Packets that those who watch now were sent again."),
		loss:     desc("_loss", "The greatest part of packets that one of them lost of late, 0 to 1."),
		skipped:  desc("_skipped_gops", "GOPs that those who watch now were too slow for."),
	}
}

// Describe is for prometheus; what there is depends on who watches.
func (m *viewerMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect is for prometheus.
func (m *viewerMetrics) Collect(out chan<- prometheus.Metric) {
	if m.viewers == nil {
		return
	}
	type place struct{ kind, camera, stream string }
	type sums struct{ now, bytes, repeated, loss, skipped float64 }
	all := map[place]*sums{}
	for _, v := range m.viewers() {
		at := place{v.Kind, v.Camera, v.Stream}
		if all[at] == nil {
			all[at] = &sums{}
		}
		s := all[at]
		s.now++
		s.bytes += float64(v.Bytes)
		s.repeated += float64(v.Repeated)
		s.skipped += float64(v.SkippedGOPs)
		s.loss = max(s.loss, v.Loss)
	}
	for at, s := range all {
		for d, v := range map[*prometheus.Desc]float64{m.now: s.now, m.bytes: s.bytes, m.repeated: s.repeated, m.loss: s.loss, m.skipped: s.skipped} {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, at.kind, at.camera, at.stream)
		}
	}
}
