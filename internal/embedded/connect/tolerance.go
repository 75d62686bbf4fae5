package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// The settings of what becomes of errors.
const (
	tolerateSetting        = "errors.tolerance"
	tolerateAll            = "all"
	retryTimeoutSetting    = "errors.retry.timeout"
	retryDelaySetting      = "errors.retry.delay.max.ms"
	logErrorsSetting       = "errors.log.enable"
	logMessagesSetting     = "errors.log.include.messages"
	deadLetterSetting      = "errors.deadletterqueue.topic.name"
	deadReplicasSetting    = "errors.deadletterqueue.topic.replication.factor"
	deadHeadersSetting     = "errors.deadletterqueue.context.headers.enable"
	deadLetterHeaderPrefix = "__connect.errors."
)

// firstRetryDelay is the pause before the first retry; it doubles each time.
const firstRetryDelay = 300 * time.Millisecond

// tolerance is what becomes of records that can't be converted, transformed or
// written.
type tolerance struct {
	clock    plugin.Clock
	all      bool
	timeout  time.Duration // below 0 for no end
	maxDelay time.Duration
	log      bool
	messages bool
}

func newTolerance(clock plugin.Clock, settings map[string]string) tolerance {
	s := config.NewSettings(sinkDefinition, settings)
	return tolerance{
		clock: clock, all: strings.EqualFold(s.Text(tolerateSetting), tolerateAll), timeout: s.Milliseconds(retryTimeoutSetting),
		maxDelay: s.Milliseconds(retryDelaySetting), log: s.Flag(logErrorsSetting), messages: s.Flag(logMessagesSetting),
	}
}

// retriable reports whether an error may pass: something could not be reached.
func retriable(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok
}

// retry tries again while an error may pass and the time set for that is not over.
func (t tolerance) retry(ctx context.Context, f func() error) error {
	err := f()
	if err == nil || t.timeout == 0 || !retriable(err) {
		return err
	}
	began := t.clock.Now()
	for delay := firstRetryDelay; retriable(err) && ctx.Err() == nil; delay *= 2 {
		pause := min(delay, max(t.maxDelay, firstRetryDelay))
		if t.timeout > 0 {
			left := t.timeout - t.clock.Now().Sub(began)
			if left <= 0 {
				return err
			}
			pause = min(pause, left)
		}
		if t.clock.Sleep(ctx, pause) != nil {
			return err
		}
		if err = f(); err == nil {
			return nil
		}
	}
	return err
}

// deadLetters puts the records that a sink can't take into a topic.
type deadLetters struct {
	w         *worker
	topic     string
	headers   bool
	connector string
	task      int
}

// deadLettersOf makes the topic when it is missing; nil when none is wanted.
func (w *worker) deadLettersOf(ctx context.Context, c *connector, t *task, settings map[string]string) (*deadLetters, error) {
	s := config.NewSettings(sinkDefinition, settings)
	d := &deadLetters{w: w, topic: s.Text(deadLetterSetting), headers: s.Flag(deadHeadersSetting), connector: c.name, task: t.id}
	if d.topic == "" {
		return nil, nil
	}
	replicas := int16(s.Number(deadReplicasSetting)) //nolint:gosec // validated as 16 bits
	_, err := kadm.NewClient(w.store.client).CreateTopic(ctx, 1, replicas, nil, d.topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return nil, fault.Wrap(fault.Connect, err, "Could not initialize dead letter queue with topic=%s", d.topic)
	}
	return d, nil
}

// add puts a record into the topic, with the reason in headers if wanted.
func (d *deadLetters) add(ctx context.Context, raw *kgo.Record, failed *stageError) error {
	if d == nil {
		return nil
	}
	letter := &kgo.Record{Topic: d.topic, Key: raw.Key, Value: raw.Value, Headers: append([]kgo.RecordHeader(nil), raw.Headers...), Timestamp: raw.Timestamp}
	if d.headers {
		say := func(name, value string) {
			letter.Headers = append(letter.Headers, kgo.RecordHeader{Key: deadLetterHeaderPrefix + name, Value: []byte(value)})
		}
		say("topic", raw.Topic)
		say("partition", strconv.Itoa(int(raw.Partition)))
		say("offset", strconv.FormatInt(raw.Offset, 10))
		say("connector.name", d.connector)
		say("task.id", strconv.Itoa(d.task))
		say("stage", failed.stage)
		say("class.name", failed.class)
		class, message := fault.Connect, failed.Error()
		if f, ok := errors.AsType[*fault.Fault](failed.err); ok {
			class, message = f.Class, f.Message
		}
		say("exception.class.name", class)
		say("exception.message", message)
		say("exception.stacktrace", fault.Trace(failed.err)+"\n")
	}
	if err := d.w.store.deliver(ctx, d.connector, letter); err != nil {
		return fmt.Errorf("writing to the dead letter topic %s: %w", d.topic, err)
	}
	return nil
}

// tell logs a tolerated error as the settings want it.
func (t tolerance) tell(w *worker, c *connector, task int, err error, attrs ...any) {
	if !t.log {
		return
	}
	attrs = append([]any{"connector", c.name, "task", task, "error", err}, attrs...)
	w.log.Error("connect: skipping a record", attrs...)
}

func millis(ms int64) time.Time { return time.UnixMilli(ms) }
