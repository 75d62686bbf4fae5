// Package bench measures a running system from outside, by the protocols that its
// clients speak: pull queries, push queries and the start of queries of any ksqlDB.
//
// Invariants: what a measurement makes, it drops again, also when it fails; its
// streams, tables and topics begin with bench_. A measurement never invents
// answers: one that is not what was asked for ends it with an error.
package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql"
)

// Target is the system that is measured.
type Target struct {
	// KsqlDB is the client of the ksqlDB server, with the Username and Password that
	// it was made with.
	KsqlDB             *ksql.Client
	Username, Password string
	// Kafka is the cluster under it.
	Kafka kafka.Config
	// Partitions is how many partitions the source topic gets; 0 means 4.
	Partitions int
}

// Latencies is what a measurement found.
type Latencies struct {
	// Rate is how many happened per second.
	Rate float64
	// Took are the times of all, sorted.
	Took []time.Duration
}

func summarize(took []time.Duration, over time.Duration) Latencies {
	slices.Sort(took)
	return Latencies{Rate: float64(len(took)) / over.Seconds(), Took: took}
}

// Percentile is the time that a share of all, from 0 to 1, took at most.
func (l Latencies) Percentile(share float64) time.Duration {
	if len(l.Took) == 0 {
		return 0
	}
	return l.Took[min(int(share*float64(len(l.Took))), len(l.Took)-1)]
}

func (l Latencies) String() string {
	parts := []string{fmt.Sprintf("%d, %.0f/s", len(l.Took), l.Rate)}
	for _, p := range []struct {
		name  string
		share float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}} {
		parts = append(parts, p.name+" "+l.Percentile(p.share).Round(10*time.Microsecond).String())
	}
	return strings.Join(parts, ", ")
}

const (
	topic  = "bench_events"
	source = "CREATE STREAM bench_events (k STRING KEY, v BIGINT) WITH (KAFKA_TOPIC='" + topic + "', VALUE_FORMAT='JSON');"
)

// prepare makes the source stream, anew, and gives a producer for it. clean drops
// what was made.
func (t *Target) prepare(ctx context.Context, statements ...string) (client *kgo.Client, clean func() error, err error) {
	t.drop(ctx)
	client, err = kafka.NewClient(t.Kafka)
	if err != nil {
		return nil, nil, err
	}
	clean = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		t.drop(ctx)
		_, err := kadm.NewClient(client).DeleteTopics(ctx, topic, "BENCH_TOTALS")
		client.Close()
		if err != nil {
			return fmt.Errorf("deleting the topics of the measurement: %w", err)
		}
		return nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, clean())
		}
	}()
	partitions := t.Partitions
	if partitions == 0 {
		partitions = 4
	}
	if _, err := kadm.NewClient(client).CreateTopic(ctx, int32(partitions), -1, nil, topic); err != nil {
		return nil, nil, fmt.Errorf("creating topic %s: %w", topic, err)
	}
	for _, sql := range append([]string{source}, statements...) {
		if err := t.exec(ctx, sql); err != nil {
			return nil, nil, err
		}
	}
	return client, clean, nil
}

func (t *Target) exec(ctx context.Context, sql string) error {
	_, err := t.KsqlDB.Exec(ctx, sql, ksql.ExecOptions{Properties: map[string]any{"auto.offset.reset": "earliest"}})
	if err != nil {
		return fmt.Errorf("preparing the measurement: %w", err)
	}
	return nil
}

// drop removes what a measurement made. What can't be dropped isn't there.
func (t *Target) drop(ctx context.Context) {
	streams, err := t.KsqlDB.ListStreams(ctx)
	if err == nil {
		for _, s := range streams {
			if strings.HasPrefix(s.Name, "BENCH_") && s.Name != "BENCH_EVENTS" {
				_, _ = t.KsqlDB.Exec(ctx, "DROP STREAM IF EXISTS "+s.Name+" DELETE TOPIC;", ksql.ExecOptions{})
			}
		}
	}
	for _, sql := range []string{"DROP TABLE IF EXISTS bench_totals DELETE TOPIC;", "DROP STREAM IF EXISTS bench_events;"} {
		_, _ = t.KsqlDB.Exec(ctx, sql, ksql.ExecOptions{})
	}
}

func key(i int) string { return fmt.Sprintf("key-%07d", i) }

func event(k string, v int64) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(k), Value: fmt.Appendf(nil, `{"V":%d}`, v)}
}
