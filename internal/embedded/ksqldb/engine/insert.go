package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// insertValues writes the record of an INSERT … VALUES and waits until the
// broker has it.
func (e *Engine) insertValues(ctx context.Context, s *ast.InsertValues, sess *session) error {
	row, err := e.analyzeInsert(e.Catalog(), s, sess)
	if err != nil {
		return err
	}
	failed := func(err error) error {
		return badStatement(ast.Mask(s), "Failed to insert values into '%s'. %s", row.Target.Name, err)
	}
	rec := &kgo.Record{Topic: row.Target.Topic.Name, Timestamp: time.Now()}
	if row.Time != nil {
		rec.Timestamp = time.UnixMilli(*row.Time)
	}
	if row.Key != nil {
		if rec.Key, err = e.serialize(ctx, analyze.KeySpec(row.Target), row.Key); err != nil {
			return failed(fmt.Errorf("Could not serialize key: %w", err)) //nolint:staticcheck // ksqlDB's text
		}
	}
	if rec.Value, err = e.serialize(ctx, analyze.ValueSpec(row.Target), row.Value); err != nil {
		return failed(fmt.Errorf("Could not serialize value: %w", err)) //nolint:staticcheck // ksqlDB's text
	}
	if err := e.produce(ctx, rec); err != nil {
		return failed(fmt.Errorf("writing to topic %s: %w", rec.Topic, err))
	}
	return nil
}

// produce writes a record and waits until the broker has it. A topic that was made
// anew since the last record is written to like any other.
func (e *Engine) produce(ctx context.Context, rec *kgo.Record) error {
	err := e.client.ProduceSync(ctx, rec).FirstErr()
	if !errors.Is(err, kerr.UnknownTopicID) {
		return err
	}
	e.client.PurgeTopicsFromProducing(rec.Topic)
	return e.client.ProduceSync(ctx, rec).FirstErr()
}

func (e *Engine) analyzeInsert(c *catalog.Catalog, s *ast.InsertValues, sess *session) (*analyze.InsertValues, error) {
	cfg, err := sess.config()
	if err != nil {
		return nil, err
	}
	row, err := e.analyzer(c, liveTopics{e}, cfg, 0).InsertValues(s)
	if err != nil {
		return nil, err
	}
	if e.readOnlyTopic(row.Target.Topic.Name) {
		return nil, &Error{Code: CodeBadRequest, Message: "Cannot insert values into read-only topic: " + row.Target.Topic.Name}
	}
	if row.Target.IsTable() && row.Key == nil {
		return nil, &Error{Code: CodeBadRequest, Message: fmt.Sprintf(
			"Failed to insert values into '%s'.\nCaused by: Compacted topic cannot accept message without key in topic partition\n\t%s-0", row.Target.Name, row.Target.Topic.Name)}
	}
	return row, nil
}

// readOnlyTopic tells the topics that only servers write.
func (e *Engine) readOnlyTopic(topic string) bool {
	return topic == e.processingLogTopic() || e.hidden.MatchString(topic)
}

func (e *Engine) serialize(ctx context.Context, spec format.Spec, values []types.Value) ([]byte, error) {
	serde, err := format.New(ctx, spec, e.registry)
	if err != nil {
		return nil, err
	}
	return serde.Serialize(nil, values)
}
