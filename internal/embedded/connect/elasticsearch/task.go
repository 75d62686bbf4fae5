package elasticsearch

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// task writes records.
type task struct {
	env        plugin.Environment
	client     *client
	documents  documents
	malformed  string
	batchSize  int
	batchBytes int64
	drop       bool
	// synchronous allows transformations that change the topic.
	synchronous bool
	indices     map[string]bool // known to be there
}

// Start reads the settings; Elasticsearch is asked for at the first record.
func (t *task) Start(_ context.Context, env plugin.Environment, settings map[string]string) error {
	s := config.NewSettings(definition, settings)
	c, err := newClient(s)
	if err != nil {
		return fault.New(fault.Config, "%s", err)
	}
	c.log = env.Log.With("connector", env.Name)
	t.env, t.client = env, c
	t.documents = documents{
		ignoreKey: s.Flag("key.ignore"), ignoreKeyTopics: s.List("topic.key.ignore"),
		onNull: strings.ToUpper(s.Text("behavior.on.null.values")), compact: s.Flag("compact.map.entries"),
	}
	t.malformed = strings.ToUpper(s.Text("behavior.on.malformed.documents"))
	t.batchSize, t.batchBytes, t.drop = int(s.Number("batch.size")), s.Number("bulk.size.bytes"), s.Flag("drop.invalid.message")
	t.synchronous = s.Flag("flush.synchronously")
	t.indices = map[string]bool{}
	return nil
}

// Put writes records in bulk requests, one after the other.
func (t *task) Put(ctx context.Context, records []*plugin.Record) (int, error) {
	done := 0 // records that are behind us
	var body []byte
	var batch []*plugin.Record
	var positions []int // of the batch's records among all
	flush := func(next int) error {
		if len(batch) > 0 {
			written, err := t.send(ctx, body, batch)
			if err != nil {
				done = positions[written]
				return err
			}
		}
		body, batch, positions = body[:0], batch[:0], positions[:0]
		done = next
		return nil
	}
	for i, r := range records {
		if r.Topic != r.KafkaTopic && !t.synchronous {
			if err := flush(i); err != nil {
				return done, err
			}
			return done, exiting(fault.New(fault.Connect, "Found a topic name '%s' that doesn't match assigned partitions. Connector doesn't support topic mutating SMTs", r.Topic))
		}
		action, err := t.documents.action(r)
		if err != nil {
			if t.drop {
				t.env.Log.Warn("connect: dropping a record that can't become a document", "connector", t.env.Name,
					"topic", r.KafkaTopic, "partition", r.KafkaPartition, "offset", r.KafkaOffset, "error", err)
				continue
			}
			if flushErr := flush(i); flushErr != nil {
				return done, flushErr
			}
			return done, exiting(err)
		}
		if action == nil {
			continue
		}
		index := indexName(r.Topic)
		if !t.indices[index] {
			if err := t.client.createIndex(ctx, index); err != nil {
				return done, exiting(fault.New(fault.Connect, "%s", err))
			}
			t.indices[index] = true
		}
		if len(batch) == t.batchSize || t.batchBytes >= 0 && len(batch) > 0 && int64(len(body)+len(action)) > t.batchBytes {
			if err := flush(i); err != nil {
				return done, err
			}
		}
		body, batch, positions = append(body, action...), append(batch, r), append(positions, i)
	}
	err := flush(len(records))
	return done, err
}

func exiting(err error) error {
	return fault.Wrap(fault.Connect, err, "Exiting WorkerSinkTask due to unrecoverable exception.")
}

// The errors by which Elasticsearch says that a document can't be indexed.
var malformedTypes = []string{
	"strict_dynamic_mapping_exception", "mapper_parsing_exception", "illegal_argument_exception",
	"action_request_validation_exception", "document_parsing_exception",
}

// send writes a batch and gives, with an error, how many of its records came before
// the one that failed.
func (t *task) send(ctx context.Context, body []byte, batch []*plugin.Record) (int, error) {
	answer, err := t.client.bulk(ctx, body)
	if err != nil {
		failed := fault.New(fault.Connect, "%s", err)
		if said, ok := errors.AsType[*statusError](err); ok {
			failed.Cause = said.trace()
		}
		return 0, exiting(fault.Wrap(fault.Connect, failed, "Bulk request failed"))
	}
	if len(answer.Items) != len(batch) && !answer.Errors {
		return 0, exiting(fault.New(fault.Connect, "Elasticsearch answered with %d items to a bulk request of %d", len(answer.Items), len(batch)))
	}
	if !answer.Errors {
		return len(batch), nil
	}
	for i, item := range answer.Items {
		for _, outcome := range item {
			if outcome.Error == nil || outcome.Status == 409 && strings.Contains(outcome.Error.Type, "version_conflict_engine_exception") {
				// A newer version is there: this record was delivered again.
				continue
			}
			attrs := []any{"connector", t.env.Name, "id", outcome.ID, "status", outcome.Status, "type", outcome.Error.Type, "reason", outcome.Error.Reason}
			if i < len(batch) {
				attrs = append(attrs, "topic", batch[i].KafkaTopic, "partition", batch[i].KafkaPartition, "offset", batch[i].KafkaOffset)
			}
			if slices.Contains(malformedTypes, outcome.Error.Type) && t.malformed != "FAIL" {
				t.env.Log.Warn("connect: Elasticsearch refused a document, going on", attrs...)
				continue
			}
			t.env.Log.Error("connect: Elasticsearch refused a document", attrs...)
			return min(i, len(batch)-1), exiting(fault.New(fault.Connect, "Indexing record failed. Please check DLQ topic for errors."))
		}
	}
	return len(batch), nil
}

// Close lets connections go.
func (t *task) Close() error {
	if t.client != nil {
		t.client.close()
	}
	return nil
}

const maxIndexName = 255

// indexName makes a topic's name one that Elasticsearch takes.
func indexName(topic string) string {
	name := strings.ToLower(topic)
	if len(name) > maxIndexName {
		name = name[:maxIndexName]
	}
	name = strings.TrimLeft(name, "-_")
	switch name {
	case ".":
		return "dot"
	case "..":
		return "dotdot"
	}
	return name
}

// fallbackID names a document by where its record stands.
func fallbackID(r *plugin.Record) string {
	return r.KafkaTopic + "+" + strconv.Itoa(int(r.KafkaPartition)) + "+" + strconv.FormatInt(r.KafkaOffset, 10)
}
