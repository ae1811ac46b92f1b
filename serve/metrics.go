package serve

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

// counters are what a server counts, in a registry of its own.
type counters struct {
	registry           *prometheus.Registry
	ok, failed         prometheus.Counter // rows by outcome
	dropped            prometheus.Counter
	batches, connected prometheus.Counter
	refusals           *prometheus.CounterVec
}

func newCounters(s *Server) *counters {
	r := prometheus.NewRegistry()
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	rows := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "imgvec_rows_total",
		Help: "Rows that are through: with features (ok), with an error (failed), or of a client that is gone (dropped)."}, []string{"outcome"})
	c := &counters{
		registry: r,
		ok:       rows.WithLabelValues("ok"), failed: rows.WithLabelValues("failed"), dropped: rows.WithLabelValues("dropped"),
		batches:   counter("imgvec_batches_total", "Record batches answered."),
		connected: counter("imgvec_connections_total", "Connections taken."),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "imgvec_refusals_total",
			Help: "Requests refused and streams broken off, by code."}, []string{"code"}),
	}
	r.MustRegister(rows, c.refusals, &ofServer{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return c
}

// finished counts a row by its result.
func (c *counters) finished(err error) {
	if err != nil {
		c.failed.Inc()
		return
	}
	c.ok.Inc()
}

// ofServer reads what the server and its executor know anyway, when somebody asks.
type ofServer struct{ s *Server }

var (
	describeConnections = prometheus.NewDesc("imgvec_connections", "Connections that are open.", nil, nil)
	describeQueued      = prometheus.NewDesc("imgvec_queued_rows", "Rows that were read and have no result yet.", nil, nil)
	describeLoads       = prometheus.NewDesc("imgvec_model_loads_total", "Models loaded: one for each device.", nil, nil)
	describeBusy        = prometheus.NewDesc("imgvec_stage_busy_seconds_total", "Time spent in a step, of all threads together.", []string{"stage"}, nil)
	describeImages      = prometheus.NewDesc("imgvec_stage_images_total", "Images that went through a step.", []string{"stage"}, nil)
	describeInfo        = prometheus.NewDesc("imgvec_info", "What the server runs; always 1.",
		[]string{"version", "model", "sha256", "device", "provider", "precision", "cuda_visible_devices"}, nil)
)

// Describe implements prometheus.Collector.
func (o *ofServer) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{describeConnections, describeQueued, describeLoads, describeBusy, describeImages, describeInfo} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (o *ofServer) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	open := 0
	o.s.each(func(*conn, bool) { open++ })
	gauge(describeConnections, float64(open))
	gauge(describeQueued, float64(o.s.queue.unfinished()))
	a := o.s.cfg.About
	counter(describeLoads, float64(a.Loads))
	for name, stage := range o.s.ex.Stats().Stages {
		counter(describeBusy, stage.Busy.Seconds(), name)
		counter(describeImages, float64(stage.Images), name)
	}
	visible := ""
	if a.CUDAVisibleDevices != nil {
		visible = *a.CUDAVisibleDevices
	}
	labels := []string{a.Version, a.Model, a.SHA256, a.Device, a.Provider, a.Precision, visible}
	for i := range labels {
		labels[i] = strings.ToValidUTF8(labels[i], "\uFFFD")
	}
	gauge(describeInfo, 1, labels...)
}

// Metrics answers with the counters in Prometheus' form.
func (s *Server) Metrics() http.Handler {
	return promhttp.HandlerFor(s.counts.registry, promhttp.HandlerOpts{})
}

// metrics answers a client that asks for the counters over the connection itself.
func (c *conn) metrics() error {
	families, err := c.server.counts.registry.Gather()
	if err != nil {
		return c.refuse(refuse(CodeInternal, "gather the counters: %v", err))
	}
	text := bytes.NewBuffer(line(Reply{Protocol: Protocol, OK: true}))
	enc := expfmt.NewEncoder(text, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			return c.refuse(refuse(CodeInternal, "write the counters: %v", err))
		}
	}
	return c.say(text.Bytes())
}
