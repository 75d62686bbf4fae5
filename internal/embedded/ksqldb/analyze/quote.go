package analyze

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
)

// quotable finds the error that is to name the statement as ksqlDB had rewritten
// it when it came up. Errors of preparing a statement come before that.
func quotable(err error) (*Error, bool) {
	var e *Error
	if !errors.As(err, &e) || e.Statement != "" || e.Code != CodeBadStatement {
		return nil, false
	}
	for _, prefix := range []string{"Failed to prepare statement", "Illegal argument", "Exception while preparing statement"} {
		if strings.HasPrefix(e.Message, prefix) {
			return nil, false
		}
	}
	return e, true
}

// quoteCreate names the statement in an error about a CREATE: its columns are
// filled in, then its formats, and once the columns are known its topic's
// settings.
func (a *Analyzer) quoteCreate(ctx context.Context, s *ast.CreateSource, err error) error {
	e, ok := quotable(err)
	if !ok {
		return err
	}
	p, failed := readProperties(s.With, createProps)
	if failed != nil || p.topic == "" {
		return err
	}
	schema, failed := a.declaredSchema(s)
	if failed != nil {
		return err
	}
	key, value := p.keyFormat, p.valueFormat
	formats := a.fillFormats(p)
	if formats != nil {
		p.keyFormat, p.valueFormat = cmp.Or(key, a.defaultKeyFormat()), cmp.Or(value, a.Config.DefaultValueFormat)
	}
	if p.valueFormat == "" {
		return err
	}
	known := formats == nil && format.Validate(format.Spec{Format: p.keyFormat, IsKey: true, Delimiter: p.key.delimiter}) == nil &&
		format.Validate(format.Spec{Format: p.valueFormat, Delimiter: p.value.delimiter}) == nil
	if known {
		_, inference := a.inferSchema(ctx, s, p, schema)
		known = inference == nil || len(s.Elements) == 0 && len(schema.Key) == 0 && len(schema.Value) == 0 && inference.Error() == noColumns
	}
	source := &catalog.Source{Kind: s.Kind, Schema: schema}
	if known {
		e.Statement = createText(s, p, source)
	} else {
		e.Statement = ast.Format(filledCreate(s, p, source))
	}
	return err
}

// noColumns is ksqlDB's text for a CREATE without columns.
const noColumns = "No columns supplied."

// quoteCreateAs names the statement in an error about a CREATE … AS SELECT whose
// sources are known: with all names resolved and the topic's settings filled in.
func (a *Analyzer) quoteCreateAs(ctx context.Context, s *ast.CreateAsSelect, err error) error {
	e, ok := quotable(err)
	if !ok {
		return err
	}
	p, failed := readProperties(s.With, createAsProps)
	if failed != nil {
		return err
	}
	q := &planner{a: a, ctx: ctx, q: s.Query, persistent: true, sink: s.Name.Name, timestamp: p.timestamp}
	if failed := q.resolve(); failed != nil || q.sanitized == nil || len(q.sources) == 0 {
		return err
	}
	left := q.sources[0].source
	source := &catalog.Source{Name: s.Name.Name, Kind: s.Kind, Topic: plan.Topic{Name: p.topic}}
	if source.Topic.Name == "" {
		source.Topic.Name = a.Config.OutputTopicPrefix + s.Name.Name
	}
	topic, failed := a.quotedTopic(ctx, source, p, left, s.Query.Window != nil)
	if failed != nil {
		return err
	}
	e.Statement = createAsText(s, p, source, &planned{sanitized: q.sanitized}, topic)
	return err
}

// quotedTopic is the topic of a sink as far as it is known without a plan.
func (a *Analyzer) quotedTopic(ctx context.Context, s *catalog.Source, p *properties, left *catalog.Source, windowed bool) (TopicSpec, error) {
	retention := int64(defaultRetentionMS)
	topic := TopicSpec{Name: s.Topic.Name, Partitions: a.Config.SinkPartitions, Replicas: a.Config.SinkReplicas, RetentionMS: &retention, CleanupPolicy: "delete"}
	if a.Topics != nil {
		found, ok, err := a.Topics.Topic(ctx, left.Topic.Name)
		if err != nil {
			return topic, err
		}
		if ok {
			topic.Partitions, topic.Replicas = found.Partitions, found.Replicas
			if found.RetentionMS != 0 {
				retention = found.RetentionMS
			}
		}
	}
	if p.partitions != nil {
		topic.Partitions = *p.partitions
	}
	if p.replicas != nil {
		topic.Replicas = *p.replicas
	}
	if p.retention != nil {
		retention = *p.retention
	}
	switch {
	case s.IsTable() && windowed:
		topic.CleanupPolicy = "compact,delete"
	case s.IsTable():
		topic.CleanupPolicy = "compact"
	}
	return topic, nil
}
