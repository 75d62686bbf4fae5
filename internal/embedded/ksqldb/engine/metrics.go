package engine

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/runtime"
)

// QueryMetrics are the counts of a persistent query since it was started.
type QueryMetrics struct {
	QueryID string
	runtime.Status
	// Operators are the query's steps, its end first.
	Operators []runtime.OperatorMetrics
}

// Metrics gives the counts of all persistent queries.
func (e *Engine) Metrics() ([]QueryMetrics, error) {
	var list []QueryMetrics
	for _, q := range e.Catalog().Queries() {
		status, err := e.runtime.Status(q.ID)
		if err != nil {
			continue // terminated meanwhile
		}
		m := QueryMetrics{QueryID: q.ID, Status: status}
		if m.Operators, err = e.runtime.Operators(q.ID); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// ProcessingLogCounts tells how many entries of the processing log were written
// and how many were dropped since the start. Both are 0 without one.
func (e *Engine) ProcessingLogCounts() (written, dropped int64) {
	if e.problems.topic == nil {
		return 0, 0
	}
	return e.problems.topic.written.Load(), e.problems.topic.dropped.Load()
}

// collector gives the engine's counts to Prometheus.
type collector struct {
	engine *Engine

	in, out, late, errors, state *prometheus.Desc
	running                      *prometheus.Desc
	written, dropped             *prometheus.Desc
}

// Collector gives the metrics of all queries and their operators, and those of
// the processing log, for a Prometheus registry.
func (e *Engine) Collector() prometheus.Collector {
	operator := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("orderflow_ksqldb_operator_"+name, help, []string{"query", "operator", "step"}, nil)
	}
	return &collector{
		engine:  e,
		in:      operator("records_in_total", "Rows that an operator of a persistent query has taken in."),
		out:     operator("records_out_total", "Rows that an operator of a persistent query has handed on."),
		late:    operator("records_late_total", "Rows that an operator has dropped because their window was closed."),
		errors:  operator("errors_total", "Records that an operator could not process as it should."),
		state:   operator("state_bytes", "About how much the stores of an operator take."),
		running: prometheus.NewDesc("orderflow_ksqldb_query_running", "1 for a persistent query that runs, 0 for one that is paused or failed.", []string{"query"}, nil),
		written: prometheus.NewDesc("orderflow_ksqldb_processing_log_written_total", "Entries written to the processing log.", nil, nil),
		dropped: prometheus.NewDesc("orderflow_ksqldb_processing_log_dropped_total", "Entries of the processing log that were dropped.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.in, c.out, c.late, c.errors, c.state, c.running, c.written, c.dropped} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	queries, err := c.engine.Metrics()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.in, err)
		return
	}
	count := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for _, q := range queries {
		running := 0.0
		if q.State == runtime.Running {
			running = 1
		}
		ch <- prometheus.MustNewConstMetric(c.running, prometheus.GaugeValue, running, q.QueryID)
		for i, op := range q.Operators {
			labels := []string{q.QueryID, strconv.Itoa(i), op.Name}
			count(c.in, op.In, labels...)
			count(c.out, op.Out, labels...)
			count(c.late, op.Late, labels...)
			count(c.errors, op.Errors, labels...)
			if len(op.Stores) > 0 {
				ch <- prometheus.MustNewConstMetric(c.state, prometheus.GaugeValue, float64(op.StateBytes), labels...)
			}
		}
	}
	written, dropped := c.engine.ProcessingLogCounts()
	count(c.written, written)
	count(c.dropped, dropped)
}
