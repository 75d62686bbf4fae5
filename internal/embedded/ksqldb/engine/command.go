package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// commandVersion is the version of the commands' form.
const commandVersion = 1

// command is a statement in the command topic.
type command struct {
	Version    int               `json:"version"`
	Statement  string            `json:"statement"`
	Properties map[string]string `json:"properties,omitempty"`
	Facts      *facts            `json:"facts,omitempty"`
	offset     int64
	id         string // the record's key
}

// commandLog is the command topic: one partition, kept for ever. Its offsets are
// the sequence numbers of commands.
type commandLog struct {
	topic  string
	client *kgo.Client

	mu   sync.Mutex
	next int64
	seen chan struct{} // closed and replaced when next moves
	past []command     // what the start found, until it is replayed

	// uncertain is set when a write failed in a way that leaves open whether the
	// topic has it. It is used by the one request that changes things.
	uncertain bool
}

func commandTopic(serviceID string) string {
	return "_confluent-ksql-" + serviceID + "_command_topic"
}

// openCommandLog makes the topic when it is absent, and reads it.
func openCommandLog(ctx context.Context, cfg Config, client *kgo.Client, admin *kadm.Client) (*commandLog, error) {
	l := &commandLog{topic: commandTopic(cfg.ServiceID), client: client, seen: make(chan struct{})}
	value := func(s string) *string { return &s }
	_, err := admin.CreateTopic(ctx, 1, -1, map[string]*string{
		"cleanup.policy": value("delete"), "retention.ms": value("-1"),
	}, l.topic)
	if err == nil {
		return l, nil
	}
	if !errors.Is(err, kerr.TopicAlreadyExists) {
		return nil, fmt.Errorf("creating the command topic %s: %w", l.topic, err)
	}
	end, err := l.end(ctx, admin)
	if err != nil || end == 0 {
		return l, err
	}
	return l, l.read(ctx, cfg.kafka(), end)
}

// end is the offset behind the last record of the topic.
func (l *commandLog) end(ctx context.Context, admin *kadm.Client) (int64, error) {
	ends, err := admin.ListEndOffsets(ctx, l.topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("asking where the command topic %s ends: %w", l.topic, err)
	}
	end, _ := ends.Lookup(l.topic, 0)
	return end.Offset, nil
}

// readOn gives the commands behind the ones that are known, and knows them then.
func (l *commandLog) readOn(ctx context.Context, cfg Config, admin *kadm.Client) ([]command, error) {
	end, err := l.end(ctx, admin)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if end > l.next {
		if err := l.read(ctx, cfg.kafka(), end); err != nil {
			return nil, err
		}
	}
	found := l.past
	l.past, l.uncertain = nil, false
	return found, nil
}

func (l *commandLog) read(ctx context.Context, kafka []kgo.Opt, end int64) error {
	consumer, err := kgo.NewClient(append(kafka,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{l.topic: {0: kgo.NewOffset().At(l.next)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
	)...)
	if err != nil {
		return fmt.Errorf("reading the command topic: %w", err)
	}
	defer consumer.Close()
	for l.next < end {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading the command topic %s: %w", l.topic, err)
		}
		for _, rec := range fetches.Records() {
			l.next = rec.Offset + 1
			if rec.Attrs.IsControl() || rec.Value == nil {
				continue
			}
			c := command{offset: rec.Offset, id: string(rec.Key)}
			if err := json.Unmarshal(rec.Value, &c); err != nil {
				return fmt.Errorf("reading offset %d of the command topic %s: %w", rec.Offset, l.topic, err)
			}
			if c.Version != commandVersion {
				return fmt.Errorf("reading offset %d of the command topic %s: version %d is not one that this program knows (%d): use the program that wrote it", rec.Offset, l.topic, c.Version, commandVersion)
			}
			l.past = append(l.past, c)
		}
	}
	return nil
}

// nextSequence is the sequence number that the next command gets.
func (l *commandLog) nextSequence() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// append writes a command and gives its sequence number. Only one caller at a
// time may append.
func (l *commandLog) append(ctx context.Context, id string, c command) (int64, error) {
	c.Version = commandVersion
	value, err := json.Marshal(c)
	if err != nil {
		return 0, fmt.Errorf("writing a command: %w", err)
	}
	rec, err := l.client.ProduceSync(ctx, &kgo.Record{Topic: l.topic, Key: []byte(id), Value: value}).First()
	if err != nil {
		l.uncertain = true
		return 0, fmt.Errorf("Could not write the statement '%s' into the command topic: %w", c.Statement, err) //nolint:staticcheck // ksqlDB's wording
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = rec.Offset + 1
	close(l.seen)
	l.seen = make(chan struct{})
	return rec.Offset, nil
}

// wait returns when the command of a sequence number has been executed, or with
// false after the timeout.
func (l *commandLog) wait(ctx context.Context, sequence int64, timeout time.Duration) bool {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		l.mu.Lock()
		next, seen := l.next, l.seen
		l.mu.Unlock()
		if sequence < next {
			return true
		}
		select {
		case <-seen:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
