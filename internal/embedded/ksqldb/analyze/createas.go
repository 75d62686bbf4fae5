package analyze

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const defaultRetentionMS = 7 * dayMillis

// CreateAsSelect is a CREATE STREAM AS SELECT or CREATE TABLE AS SELECT.
type CreateAsSelect struct {
	// Exists is set when IF NOT EXISTS met a source of that name: nothing is to
	// be done and Warning says so.
	Exists  bool
	Warning string
	Source  *catalog.Source
	Replace bool
	Query   *catalog.Query
	// Topic is the sink's topic to create or compare.
	Topic TopicSpec
	// Schemas are the sides whose schemas are to be registered.
	Schemas []format.Spec
	// Text is the statement with its defaults filled in.
	Text string
}

// Apply adds the sink and the query.
func (r *CreateAsSelect) Apply(c *catalog.Catalog) error {
	if r.Exists {
		return nil
	}
	if err := c.PutSource(r.Source, r.Replace); err != nil {
		return badStatement("%s", err)
	}
	c.PutQuery(r.Query)
	return nil
}

// InsertInto is an INSERT INTO … SELECT.
type InsertInto struct {
	Target *catalog.Source
	Query  *catalog.Query
	// Schemas are the sides whose schemas are to be registered.
	Schemas []format.Spec
	// Text is the statement as written.
	Text string
}

// Apply adds the query.
func (r *InsertInto) Apply(c *catalog.Catalog) error {
	if _, ok := c.Source(r.Target.Name); !ok {
		return badStatement("Source %s does not exist.", types.QuoteName(r.Target.Name))
	}
	c.PutQuery(r.Query)
	return nil
}

func (a *Analyzer) createAsSelect(ctx context.Context, s *ast.CreateAsSelect) (*CreateAsSelect, error) {
	p, err := readProperties(s.With, createAsProps)
	if err != nil {
		return nil, err
	}
	if s.Query.Limit != nil {
		return nil, prepareFailure("CREATE %s AS SELECT statements don't support LIMIT clause.", s.Kind)
	}
	if s.Query.GroupBy != nil && s.Query.PartitionBy != nil {
		return nil, prepareFailure("Queries only support one of PARTITION BY and GROUP BY")
	}
	if err := checkName(s.Name); err != nil {
		return nil, err
	}
	old, exists := a.Catalog.Source(s.Name.Name)
	if exists && s.IfNotExists {
		return &CreateAsSelect{Exists: true, Warning: existsWarning(s.Kind, s.Name.Name, old), Text: s.Text()}, nil
	}
	if p.has(propCleanupPolicy) {
		return nil, cleanupPolicyRefused()
	}
	planned, err := a.planQuery(ctx, s.Query, querySink{s.Name.Name, p.timestamp})
	if err != nil {
		return nil, withSchemaPrefix(err)
	}
	r, err := a.planSink(ctx, s, p, planned)
	if err != nil {
		return nil, withSchemaPrefix(err)
	}
	if exists && !s.OrReplace {
		return nil, withSchemaPrefix(&schemaError{badStatement("%s", catalog.ExistsError(r.Source, old))})
	}
	if err := a.checkReplace(r.Source, s.OrReplace); err != nil {
		return nil, err
	}
	return r, a.checkUpgrade(r.Query, s.OrReplace)
}

// planSink puts the sink of a CREATE … AS SELECT on top of its query.
func (a *Analyzer) planSink(ctx context.Context, s *ast.CreateAsSelect, p *properties, q *planned) (*CreateAsSelect, error) {
	source := &catalog.Source{
		Name: s.Name.Name, Kind: s.Kind, Schema: q.node.Schema(), WindowType: q.windowType,
		Topic: plan.Topic{Name: p.topic, Window: q.node.Windowed()},
	}
	if source.Topic.Name == "" {
		source.Topic.Name = a.Config.OutputTopicPrefix + s.Name.Name
	}
	if q.window != nil && q.window.Type != plan.Session {
		source.Topic.WindowSize = q.window.Size
	} else if q.window == nil {
		source.Topic.WindowSize = q.left.Topic.WindowSize
	}
	if p.timestamp != "" {
		source.Timestamp = &plan.Timestamp{Column: p.timestamp, Pattern: p.timestampFormat}
	}
	if err := a.sinkFormats(source, p, q); err != nil {
		return nil, err
	}
	if err := a.useSchemaIDs(ctx, source, p); err != nil {
		return nil, err
	}
	r := &CreateAsSelect{Source: source, Replace: s.OrReplace}
	topic, shown, err := a.sinkTopic(ctx, source, p, q)
	if err != nil {
		return nil, err
	}
	r.Topic = topic
	r.Text = createAsText(s, p, source, q, shown)
	if source.IsTable() != q.node.Changelog() {
		kind := ast.Stream
		if q.node.Changelog() {
			kind = ast.Table
		}
		return nil, &schemaError{badStatement("Invalid result type. Your SELECT query produces a %s. Please use CREATE %s AS SELECT statement instead.\nStatement: %s", kind, kind, r.Text)}
	}
	if err := a.checkSink(source, p); err != nil {
		return nil, withStatement(err, s, q)
	}
	source.SQL = r.Text
	source.CreatedBy = a.queryID(s, source)
	r.Query = &catalog.Query{
		ID: source.CreatedBy, Kind: catalog.CreateAs, Sources: sourceNames(q.sources), Sink: source.Name, SQL: r.Text,
		Properties: a.Config.Properties,
		Plan: &plan.Sink{
			Input: q.node, Name: source.Name, Topic: source.Topic, Timestamp: source.Timestamp, Materialize: source.IsTable(),
		},
	}
	r.Schemas = registeredSides(source, inference{})
	return r, nil
}

// withStatement adds the statement, with its names resolved, to an error.
func withStatement(err error, s *ast.CreateAsSelect, q *planned) error {
	var e *Error
	if errors.As(err, &e) {
		c := *s
		c.Query = q.sanitized
		e.Statement = ast.Format(&c)
	}
	return err
}

// queryID is the id of a CREATE … AS SELECT's query. A replaced query keeps its
// own.
func (a *Analyzer) queryID(s *ast.CreateAsSelect, source *catalog.Source) string {
	if old, ok := a.Catalog.Source(source.Name); ok && s.OrReplace && old.CreatedBy != "" {
		return old.CreatedBy
	}
	prefix := "CSAS"
	if s.Kind == ast.Table {
		prefix = "CTAS"
	}
	return fmt.Sprintf("%s_%s_%d", prefix, strings.ToUpper(source.Name), a.QueryNumber)
}

func sourceNames(list []*from) []string {
	var names []string
	for _, f := range list {
		if !slices.Contains(names, f.source.Name) {
			names = append(names, f.source.Name)
		}
	}
	return names
}

// sinkFormats decides the formats of a sink: those of the statement, else those
// of the left source.
func (a *Analyzer) sinkFormats(s *catalog.Source, p *properties, q *planned) error {
	key, value := q.keyFormat, q.valueFormat
	var err error
	if p.keyFormat != "" {
		if key.Name, err = format.Canonical(p.keyFormat); err != nil {
			return badStatement("%s", err)
		}
		key = plan.Format{Name: key.Name}
	}
	if p.valueFormat != "" {
		if value.Name, err = format.Canonical(p.valueFormat); err != nil {
			return badStatement("%s", err)
		}
		value = plan.Format{Name: value.Name}
	}
	switch {
	case len(s.Schema.Key) == 0:
		if p.has(propKeyFormat) && key.Name != format.None {
			return &schemaError{badStatement("Key format specified for stream without key columns.")}
		}
		key = plan.Format{Name: format.None}
	case key.Name == format.None && p.keyFormat == "":
		key = plan.Format{Name: a.defaultKeyFormat()}
	}
	s.Topic.Key, s.Topic.Value = withProperties(key, p.key), withProperties(value, p.value)
	s.Topic.Value.Wrap = a.wrapping(p, value.Name, s.Schema.Value)
	return nil
}

// withProperties sets what the WITH clause says of a side.
func withProperties(f plan.Format, p formatProperties) plan.Format {
	if p.delimiter != "" {
		f.Delimiter = p.delimiter
	}
	if p.schemaID != nil {
		f.SchemaID = p.schemaID
	}
	if p.fullName != "" {
		f.FullName = p.fullName
	}
	if p.nullable != "" {
		f.Nullable = p.nullable
	}
	return f
}

// checkSink checks that a sink's formats can hold its columns.
func (a *Analyzer) checkSink(s *catalog.Source, p *properties) error {
	if err := checkKeyTypes(s.Schema.Key); err != nil {
		return &schemaError{err}
	}
	if err := checkTimestamp(s.Schema, s.Timestamp); err != nil {
		return &schemaError{err}
	}
	for _, side := range []formatProperties{p.key, p.value} {
		if side.fullNameSet && strings.TrimSpace(side.fullName) == "" {
			return badStatement("fullSchemaName cannot be empty. Format configuration: {fullSchemaName=}")
		}
	}
	for _, spec := range []format.Spec{KeySpec(s), ValueSpec(s)} {
		if err := format.Validate(spec); err != nil {
			return badRequest("%s", err)
		}
	}
	return nil
}

// sinkTopic describes a sink's topic, and the same as the statement's text shows
// it.
func (a *Analyzer) sinkTopic(ctx context.Context, s *catalog.Source, p *properties, q *planned) (topic, shown TopicSpec, err error) {
	topic = TopicSpec{Name: s.Topic.Name, Partitions: a.Config.SinkPartitions, Replicas: a.Config.SinkReplicas, CleanupPolicy: "delete"}
	retention := int64(defaultRetentionMS)
	if a.Topics != nil {
		from, ok, err := a.Topics.Topic(ctx, q.left.Topic.Name)
		if err != nil {
			return topic, shown, serverError("looking up topic %s: %s", q.left.Topic.Name, err)
		}
		if ok {
			topic.Partitions, topic.Replicas = from.Partitions, from.Replicas
			if from.RetentionMS != 0 {
				retention = from.RetentionMS
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
		if s.IsTable() && q.node.Windowed() == types.NoWindow {
			return topic, shown, badRequest("Invalid config variable in the WITH clause: RETENTION_MS. Non-windowed tables do not support retention.")
		}
		retention = *p.retention
		topic.Explicit = true
	}
	shown = topic
	shown.RetentionMS = &retention
	switch {
	case !s.IsTable():
		topic.RetentionMS = &retention
	case q.node.Windowed() == types.NoWindow:
		topic.CleanupPolicy = "compact"
	default:
		topic.CleanupPolicy = "compact,delete"
		kept := retention
		if q.window != nil && kept >= 0 {
			kept = max(kept, int64(q.window.Retention/time.Millisecond))
		}
		topic.RetentionMS = &kept
	}
	shown.CleanupPolicy = topic.CleanupPolicy
	return topic, shown, nil
}

var (
	plainQueryID     = regexp.MustCompile(`^[A-Za-z0-9_]*$`)
	reservedQueryIDs = []string{"INSERTQUERY_", "CTAS_", "CSAS_", "CST_"}
)

func (a *Analyzer) insertInto(ctx context.Context, s *ast.InsertInto) (*InsertInto, error) {
	p, err := readProperties(s.With, insertProps)
	if err != nil {
		return nil, err
	}
	target, ok := a.Catalog.Source(s.Target.Name)
	if !ok {
		return nil, badStatement("Exception while preparing statement: %sSource %s does not exist.", location(s.Target), types.QuoteName(s.Target.Name))
	}
	if target.IsTable() {
		return nil, badStatement("Exception while preparing statement: INSERT INTO can only be used to insert into a stream. %s is a table.", target.Name)
	}
	if target.ReadOnly {
		return nil, badRequest("Cannot insert into read-only %s: %s", strings.ToLower(target.Kind.String()), target.Name)
	}
	if len(target.Schema.Header) > 0 {
		return nil, badStatement("Cannot insert into %s because it has header columns", target.Name)
	}
	if s.Query.Limit != nil {
		return nil, prepareFailure("INSERT INTO statements don't support LIMIT clause.")
	}
	id := fmt.Sprintf("INSERTQUERY_%d", a.QueryNumber)
	if p.has(propQueryID) {
		if id, err = a.chosenQueryID(p.queryID); err != nil {
			return nil, err
		}
	}
	q, err := a.planQuery(ctx, s.Query, querySink{name: target.Name})
	if err != nil {
		return nil, err
	}
	if q.node.Changelog() {
		return nil, badStatement("INSERT INTO can only be used to insert the rows of a stream, but the SELECT at %s produces a TABLE. Use CREATE TABLE AS SELECT instead.", at(s.Query))
	}
	if err := sameSchema(q.node.Schema(), target.Schema); err != nil {
		return nil, err
	}
	if q.node.Windowed() != target.Topic.Window {
		return nil, badStatement("INSERT INTO needs a SELECT (%s) whose keys are windowed like those of %s.", at(s.Query), types.QuoteName(target.Name))
	}
	r := &InsertInto{Target: target, Text: s.Text(), Schemas: registeredSides(target, inference{})}
	r.Query = &catalog.Query{
		ID: id, Kind: catalog.Insert, Sources: sourceNames(q.sources), Sink: target.Name, SQL: s.Text(),
		Properties: a.Config.Properties,
		Plan:       &plan.Sink{Input: q.node, Name: target.Name, Topic: target.Topic},
	}
	return r, nil
}

func (a *Analyzer) chosenQueryID(text string) (string, error) {
	id := strings.ToUpper(text)
	if !plainQueryID.MatchString(id) || id == "" {
		return "", badStatement("Query IDs may contain only alphanumeric characters and '_'. Got: '%s'", id)
	}
	for _, prefix := range reservedQueryIDs {
		if strings.HasPrefix(id, prefix) {
			return "", badStatement("Query IDs must not start with a reserved query ID prefix (%s). Got '%s'.", strings.Join(reservedQueryIDs, ", "), id)
		}
	}
	if _, ok := a.Catalog.Query(id); ok {
		return "", badStatement("Query ID '%s' already exists.", id)
	}
	return id, nil
}

// sameSchema requires that the columns of a query are those of its target.
func sameSchema(result, target *types.Schema) error {
	same := func(a, b []types.Column) bool {
		return slices.EqualFunc(a, b, func(x, y types.Column) bool { return x.Name == y.Name && x.Type.Equal(y.Type) })
	}
	if same(result.Key, target.Key) && same(result.Value, target.Value) {
		return nil
	}
	return badStatement("Incompatible schema between results and sink.\nResult schema is %s\nSink schema is %s", result, target)
}
