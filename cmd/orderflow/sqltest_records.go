package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// recordWait is how long one look for records takes at most.
const recordWait = 20 * time.Millisecond

// serverRecords reads what the queries of a server write, for the assertions of a
// test. After each INSERT … VALUES it waits for as many records as the engine in
// memory wrote, so that the next INSERT finds what that engine would have found.
type serverRecords struct {
	client       *kgo.Client
	schemas      *registry.Client
	engine       *sqltest.Engine // that says how many records there will be
	wait, settle time.Duration
	log          *slog.Logger
	topics       map[string]*serverTopic
	inserts      int // made so far
}

// serverTopic is a topic that is read.
type serverTopic struct {
	// unread are the records that were not compared yet.
	unread []serverRecord
	// read counts all records, compared those that an assertion took off.
	read, compared int
	// followed says that the topic is being read.
	followed bool
	// without is how many of the engine's records are not waited for, since they did
	// not come in time or were in a topic of that name that was deleted.
	without int
}

// serverRecord is a record with the number of the INSERT that led to it.
type serverRecord struct {
	sqltest.Record
	insert int
}

// Registry implements sqltest.Observed.
func (r *serverRecords) Registry() format.SchemaRegistry { return r.schemas }

// Next implements sqltest.Observed. Where several queries write a topic, nobody says
// in which order they do so: the records of one INSERT may come in any.
func (r *serverRecords) Next(ctx context.Context, topic string) ([]sqltest.Record, int, error) {
	if err := r.await(ctx, topic); err != nil {
		return nil, 0, err
	}
	t := r.topics[topic]
	if t == nil || len(t.unread) == 0 {
		compared := 0
		if t != nil {
			compared = t.compared
		}
		return nil, compared, nil
	}
	records := []sqltest.Record{t.unread[0].Record}
	if r.engine.Writers(topic) > 1 {
		for _, rec := range t.unread[1:] {
			if rec.insert == t.unread[0].insert {
				records = append(records, rec.Record)
			}
		}
	}
	return records, t.compared, nil
}

// Compared implements sqltest.Observed.
func (r *serverRecords) Compared(topic string, record int) {
	t := r.topics[topic]
	t.unread = slices.Delete(t.unread, record, record+1)
	t.compared++
}

// await gives a record of a topic a little time that the engine does not know of.
func (r *serverRecords) await(ctx context.Context, topic string) error {
	for deadline := time.Now().Add(r.settle); ; {
		if t := r.topics[topic]; t != nil && len(t.unread) > 0 || time.Now().After(deadline) {
			return nil
		}
		if err := r.read(ctx); err != nil {
			return err
		}
	}
}

// catchUp waits until every topic has as many records as the engine wrote. What has
// not come in time is not waited for again: the assertions say what is missing. A
// query that joins and had nothing to write gets time to read.
func (r *serverRecords) catchUp(ctx context.Context) error {
	r.inserts++
	for deadline := time.Now().Add(r.wait); r.lacking() > 0; {
		if time.Now().After(deadline) {
			r.giveUp()
			break
		}
		if err := r.read(ctx); err != nil {
			return err
		}
	}
	if r.engine.Quiet() {
		return pause(ctx, r.settle)
	}
	return nil
}

func (r *serverRecords) giveUp() {
	for name, t := range r.topics {
		lack := max(r.lack(name), 0)
		if lack > 0 {
			r.log.Debug("a query wrote fewer records than the embedded engine would have", "topic", name, "records", t.read, "fewer", lack, "waited", r.wait)
		}
		t.without += lack
	}
}

func (r *serverRecords) lacking() int {
	sum := 0
	for _, name := range r.engine.TopicNames() {
		sum += max(r.lack(name), 0)
	}
	return sum
}

// lack is how many records of a topic are still to come.
func (r *serverRecords) lack(topic string) int {
	expected := len(r.engine.Lookup(topic).Records)
	if t := r.topics[topic]; t != nil {
		return expected - t.without - t.read
	}
	return expected
}

// read takes what comes soon in the topics that the engine has written to.
func (r *serverRecords) read(ctx context.Context) error {
	if err := r.follow(ctx); err != nil {
		return err
	}
	poll, cancel := context.WithTimeout(ctx, recordWait)
	defer cancel()
	fetches := r.client.PollFetches(poll)
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, failed := range fetches.Errors() {
		if !errors.Is(failed.Err, context.DeadlineExceeded) {
			return fmt.Errorf("reading topic %s: %w", failed.Topic, failed.Err)
		}
	}
	fetches.EachRecord(func(rec *kgo.Record) {
		t := r.topics[rec.Topic]
		if t == nil {
			return
		}
		t.read++
		record := sqltest.Record{Key: rec.Key, Value: rec.Value, Time: rec.Timestamp.UnixMilli()}
		for _, h := range rec.Headers {
			record.Headers = append(record.Headers, types.Header{Key: h.Key, Value: h.Value})
		}
		t.unread = append(t.unread, serverRecord{record, r.inserts})
	})
	return nil
}

// follow begins to read the topics of the engine that are not read yet.
func (r *serverRecords) follow(ctx context.Context) error {
	var missing []string
	for _, name := range r.engine.TopicNames() {
		if t := r.topics[name]; t == nil || !t.followed {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	found, err := kadm.NewClient(r.client).ListTopics(ctx, missing...)
	if err != nil {
		return fmt.Errorf("looking for the test's topics: %w", err)
	}
	partitions := map[string]map[int32]kgo.Offset{}
	for name, t := range found {
		if t.Err != nil {
			if !errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
				return fmt.Errorf("looking for topic %s: %w", name, t.Err)
			}
			continue
		}
		partitions[name] = map[int32]kgo.Offset{}
		for p := range t.Partitions {
			partitions[name][p] = kgo.NewOffset().AtStart()
		}
		if r.topics[name] == nil {
			r.topics[name] = &serverTopic{}
		}
		r.topics[name].followed = true
	}
	r.client.AddConsumePartitions(partitions)
	return nil
}

// forgetDeleted stops reading topics that a statement has deleted. One of the same
// name may be made later.
func (r *serverRecords) forgetDeleted(ctx context.Context) error {
	found, err := kadm.NewClient(r.client).ListTopics(kadm.WithAuthorizedOps(ctx))
	if err != nil {
		return fmt.Errorf("looking for the test's topics: %w", err)
	}
	for name, t := range r.topics {
		if !t.followed || found.Has(name) && !errors.Is(found[name].Err, kerr.UnknownTopicOrPartition) {
			continue
		}
		r.client.PurgeTopicsFromConsuming(name)
		t.followed, t.without = false, len(r.engine.Lookup(name).Records)-t.read
	}
	return nil
}
