package engine

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
)

// The properties of the processing log, by ksqlDB's names.
const (
	logTopicCreate  = "ksql.logging.processing.topic.auto.create"
	logTopicName    = "ksql.logging.processing.topic.name"
	logStreamCreate = "ksql.logging.processing.stream.auto.create"
	logStreamName   = "ksql.logging.processing.stream.name"
	logRows         = "ksql.logging.processing.rows.include"
)

const (
	// processingLogQueue is how many entries wait to be written at most; what
	// comes on top is dropped and counted.
	processingLogQueue = 4096
	// processingLogClose bounds how long a stop waits for the last entries.
	processingLogClose = 5 * time.Second
	// processingLogDelivery bounds how long one entry is tried to be written.
	processingLogDelivery = 30 * time.Second
)

// logStream is the statement of ksqlDB's stream over its processing log.
const logStream = "CREATE STREAM %s (LOGGER STRING, LEVEL STRING, TIME BIGINT, MESSAGE STRUCT<TYPE INT, " +
	"DESERIALIZATIONERROR STRUCT<TARGET STRING, ERRORMESSAGE STRING, RECORDB64 STRING, CAUSE ARRAY<STRING>, `topic` STRING>, " +
	"RECORDPROCESSINGERROR STRUCT<ERRORMESSAGE STRING, RECORD STRING, CAUSE ARRAY<STRING>>, PRODUCTIONERROR STRUCT<ERRORMESSAGE STRING>, " +
	"SERIALIZATIONERROR STRUCT<TARGET STRING, ERRORMESSAGE STRING, RECORD STRING, CAUSE ARRAY<STRING>, `topic` STRING>, " +
	"KAFKASTREAMSTHREADERROR STRUCT<ERRORMESSAGE STRING, THREADNAME STRING, CAUSE ARRAY<STRING>>>) " +
	"WITH (KAFKA_TOPIC='%s', VALUE_FORMAT='JSON');"

// processingLog writes ksqlDB's processing log: one JSON event per record that
// could not be processed as it should, to a topic of one partition.
//
// Queries never wait for it. Entries queue up to a bound; an entry that finds
// the queue full or can't be written is dropped, counted and reported in the
// server's log. The event names the topic of the record as ksqlDB does; its
// partition and offset are in the headers "partition" and "offset". Problems
// with records of the log's own topic are not written to it, since each could
// cause the next.
type processingLog struct {
	topic string
	kafka []kgo.Opt // of its client
	rows  bool
	log   *slog.Logger
	now   func() time.Time

	entries chan processingEntry
	written atomic.Int64
	dropped atomic.Int64
	begin   sync.Once
	end     sync.Once
	stop    chan struct{}
	done    chan struct{}
}

type processingEntry struct {
	time    time.Time
	query   string
	problem exec.ProcessingError
}

func newProcessingLog(topic string, kafka []kgo.Opt, rows bool, log *slog.Logger, now func() time.Time) *processingLog {
	return &processingLog{
		topic: topic, kafka: kafka, rows: rows, log: log, now: now,
		entries: make(chan processingEntry, processingLogQueue), stop: make(chan struct{}), done: make(chan struct{}),
	}
}

// add takes an entry and never waits.
func (l *processingLog) add(queryID string, p exec.ProcessingError) {
	if p.Topic == l.topic {
		return
	}
	if !l.rows {
		p.Record = nil
	} else if p.Record != nil {
		p.Record = append([]byte{}, p.Record...)
	}
	select {
	case l.entries <- processingEntry{l.now(), queryID, p}:
		l.begin.Do(func() { go l.run() })
	default:
		l.dropped.Add(1)
	}
}

// run writes entries until close; it starts with the first.
func (l *processingLog) run() {
	defer close(l.done)
	client, err := kgo.NewClient(append(l.kafka,
		kgo.ClientID("ksqldb-processing-log"),
		kgo.ProducerLinger(10*time.Millisecond),
		kgo.MaxBufferedRecords(processingLogQueue),
		kgo.RecordDeliveryTimeout(processingLogDelivery),
		kgo.MetadataMinAge(100*time.Millisecond),
	)...)
	if err != nil {
		l.log.Error("making the Kafka client of the processing log; its entries are lost", "topic", l.topic, "error", err)
		return
	}
	report := time.NewTicker(problemInterval)
	defer report.Stop()
	reported := int64(0)
	for {
		select {
		case e := <-l.entries:
			l.write(client, e)
		case <-report.C:
			reported = l.report(reported)
		case <-l.stop:
			l.drain(client)
			client.Close()
			l.report(reported)
			return
		}
	}
}

func (l *processingLog) report(reported int64) int64 {
	dropped := l.dropped.Load()
	if dropped > reported {
		l.log.Warn("entries of the processing log were dropped: more came than could be written", "topic", l.topic, "dropped", dropped-reported, "dropped_in_all", dropped)
	}
	return dropped
}

func (l *processingLog) drain(client *kgo.Client) {
	for {
		select {
		case e := <-l.entries:
			l.write(client, e)
			continue
		default:
		}
		break
	}
	ctx, cancel := context.WithTimeout(context.Background(), processingLogClose)
	defer cancel()
	if err := client.Flush(ctx); err != nil {
		l.log.Warn("entries of the processing log could not be written before the stop", "topic", l.topic, "entries", client.BufferedProduceRecords(), "error", err)
	}
}

func (l *processingLog) write(client *kgo.Client, e processingEntry) {
	value, err := l.event(e)
	if err != nil {
		l.dropped.Add(1)
		return
	}
	rec := &kgo.Record{
		Topic: l.topic, Value: value, Timestamp: e.time,
		Headers: []kgo.RecordHeader{
			{Key: "partition", Value: strconv.AppendInt(nil, int64(e.problem.Partition), 10)},
			{Key: "offset", Value: strconv.AppendInt(nil, e.problem.Offset, 10)},
		},
	}
	client.Produce(context.Background(), rec, func(_ *kgo.Record, err error) {
		if err != nil {
			l.dropped.Add(1)
			return
		}
		l.written.Add(1)
	})
}

// close writes what is queued, within processingLogClose. It may be called
// twice.
func (l *processingLog) close() {
	l.end.Do(func() {
		close(l.stop)
		l.begin.Do(func() { close(l.done) })
		<-l.done
	})
}

type deserializationEvent struct {
	Target  string   `json:"target"`
	Message string   `json:"errorMessage"`
	Record  *string  `json:"recordB64"`
	Cause   []string `json:"cause"`
	Topic   string   `json:"topic"`
}

type recordEvent struct {
	Message string   `json:"errorMessage"`
	Record  *string  `json:"record"`
	Cause   []string `json:"cause"`
}

type productionEvent struct {
	Message string `json:"errorMessage"`
}

type serializationEvent struct {
	Target  string   `json:"target"`
	Message string   `json:"errorMessage"`
	Record  *string  `json:"record"`
	Cause   []string `json:"cause"`
	Topic   string   `json:"topic"`
}

type threadEvent struct {
	Message string   `json:"errorMessage"`
	Thread  string   `json:"threadName"`
	Cause   []string `json:"cause"`
}

type processingMessage struct {
	Type            int                   `json:"type"`
	Deserialization *deserializationEvent `json:"deserializationError"`
	Record          *recordEvent          `json:"recordProcessingError"`
	Production      *productionEvent      `json:"productionError"`
	Serialization   *serializationEvent   `json:"serializationError"`
	Thread          *threadEvent          `json:"kafkaStreamsThreadError"`
}

// event is an entry in ksqlDB's JSON form.
func (l *processingLog) event(e processingEntry) ([]byte, error) {
	p := e.problem
	cause := p.Cause
	if cause == nil {
		cause = []string{}
	}
	logger := []string{"processing", e.query}
	if p.Step != "" {
		logger = append(logger, p.Step)
	}
	m := processingMessage{Type: int(p.Type)}
	switch p.Type {
	case exec.DeserializationError:
		logger = append(logger, "deserializer")
		m.Deserialization = &deserializationEvent{Target: p.Target, Message: p.Message, Cause: cause, Topic: p.Topic}
		if p.Record != nil {
			text := base64.StdEncoding.EncodeToString(p.Record)
			m.Deserialization.Record = &text
		}
	case exec.RecordError:
		m.Record = &recordEvent{Message: p.Message, Cause: cause}
	case exec.ProductionError:
		m.Production = &productionEvent{p.Message}
	case exec.SerializationError:
		logger = append(logger, "serializer")
		m.Serialization = &serializationEvent{Target: p.Target, Message: p.Message, Cause: cause, Topic: p.Topic}
	case exec.ThreadError:
		m.Thread = &threadEvent{Message: p.Message, Thread: e.query, Cause: cause}
	default:
		return nil, fmt.Errorf("writing to the processing log: there is no error of type %d", p.Type)
	}
	return json.Marshal(struct {
		Level   string            `json:"level"`
		Logger  string            `json:"logger"`
		Time    int64             `json:"time"`
		Message processingMessage `json:"message"`
	}{"ERROR", strings.Join(logger, "."), e.time.UnixMilli(), m})
}

// property is a setting of the server, or its default.
func (e *Engine) property(name string) string {
	if v, ok := e.cfg.Properties[name]; ok {
		return v
	}
	for _, s := range settings {
		if s.name == name {
			return s.value
		}
	}
	return ""
}

func (e *Engine) enabled(name string) bool { return strings.EqualFold(e.property(name), "true") }

// processingLogTopic is the name of the processing log's topic.
func (e *Engine) processingLogTopic() string {
	if name := e.property(logTopicName); name != "" {
		return name
	}
	return e.cfg.ServiceID + "ksql_processing_log"
}

// openProcessingLog makes the topic of the processing log if the properties say
// so. Without the topic, problems show in the server's log only.
func (e *Engine) openProcessingLog(ctx context.Context) error {
	topic := e.processingLogTopic()
	if e.enabled(logTopicCreate) {
		_, err := e.admin.CreateTopic(ctx, 1, -1, nil, topic)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("creating the topic of the processing log, %s: %w", topic, err)
		}
	} else {
		details, err := e.listTopics(ctx, topic)
		if err != nil {
			return fmt.Errorf("asking for the topic of the processing log, %s: %w", topic, err)
		}
		if !details.Has(topic) || details[topic].Err != nil {
			return nil
		}
	}
	e.problems.topic = newProcessingLog(topic, e.cfg.kafka(), e.enabled(logRows), e.log, time.Now)
	return nil
}

// declareProcessingLog makes the stream over the processing log, once, if the
// properties say so and the topic is there.
func (e *Engine) declareProcessingLog(ctx context.Context) error {
	name := e.property(logStreamName)
	if e.problems.topic == nil || !e.enabled(logStreamCreate) {
		return nil
	}
	if _, ok := e.Catalog().Source(name); ok {
		return nil
	}
	if _, err := e.Execute(ctx, Request{SQL: fmt.Sprintf(logStream, name, e.problems.topic.topic)}); err != nil {
		return fmt.Errorf("declaring the stream of the processing log: %w", err)
	}
	return nil
}
