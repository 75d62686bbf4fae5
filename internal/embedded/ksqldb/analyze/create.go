package analyze

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// TopicSpec is a topic that must exist for a statement: it is created as
// described, or compared with the description if it exists. Partitions and
// Replicas of 0 leave the number to the broker; RetentionMS is nil where none is
// set.
type TopicSpec struct {
	Name        string
	Partitions  int
	Replicas    int
	RetentionMS *int64
	// Explicit tells that the statement itself gives RetentionMS.
	Explicit bool
	// CleanupPolicy is delete, compact or compact,delete.
	CleanupPolicy string
}

// CreateSource is a CREATE STREAM or CREATE TABLE.
type CreateSource struct {
	// Exists is set when IF NOT EXISTS met a source of that name: nothing is to
	// be done and Warning says so.
	Exists  bool
	Warning string
	Source  *catalog.Source
	Replace bool
	// Topic is the topic to create or compare; nil when it must only exist.
	Topic *TopicSpec
	// Schemas are the sides whose schemas are to be registered unless their
	// subjects exist.
	Schemas []format.Spec
	// Query keeps the rows of a SOURCE TABLE; nil otherwise.
	Query *catalog.Query
	// Text is the statement with its defaults filled in.
	Text string
}

// Apply adds the source and its query.
func (r *CreateSource) Apply(c *catalog.Catalog) error {
	if r.Exists {
		return nil
	}
	if err := c.PutSource(r.Source, r.Replace); err != nil {
		return badStatement("%s", err)
	}
	if r.Query != nil {
		c.PutQuery(r.Query)
	}
	return nil
}

func (a *Analyzer) createSource(ctx context.Context, s *ast.CreateSource) (*CreateSource, error) {
	p, err := readProperties(s.With, createProps)
	if err != nil {
		return nil, err
	}
	if p.topic == "" {
		return nil, prepareFailure(`Missing required property "KAFKA_TOPIC" which has no default value.`)
	}
	schema, err := a.declaredSchema(s)
	if err != nil {
		return nil, err
	}
	if old, ok := a.Catalog.Source(s.Name.Name); ok && !s.OrReplace {
		if s.IfNotExists {
			return &CreateSource{Exists: true, Warning: existsWarning(s.Kind, s.Name.Name, old), Text: s.Text()}, nil
		}
		return nil, badStatement("%s", catalog.ExistsError(&catalog.Source{Name: s.Name.Name, Kind: s.Kind}, old))
	}
	if err := checkName(s.Name); err != nil {
		return nil, err
	}
	if p.has(propCleanupPolicy) {
		return nil, cleanupPolicyRefused()
	}
	if err := a.fillFormats(p); err != nil {
		return nil, err
	}
	for _, side := range []format.Spec{
		{Format: p.keyFormat, IsKey: true, Delimiter: p.key.delimiter}, {Format: p.valueFormat, Delimiter: p.value.delimiter},
	} {
		if err := format.Validate(side); err != nil {
			return nil, badStatement("%s", err)
		}
	}
	inferred, err := a.inferSchema(ctx, s, p, schema)
	if err != nil {
		return nil, err
	}
	if err := checkColumns(s, schema); err != nil {
		return nil, err
	}
	source := a.newSource(s.Name.Name, s.Kind, schema, p)
	source.ReadOnly = s.ReadOnly
	if err := a.checkSource(source, p); err != nil {
		return nil, err
	}
	r := &CreateSource{Source: source, Replace: s.OrReplace}
	if err := a.sourceTopic(ctx, r, s, p); err != nil {
		return nil, err
	}
	if err := a.checkReplace(source, s.OrReplace); err != nil {
		return nil, err
	}
	r.Schemas = registeredSides(source, inferred)
	r.Text = createText(s, p, source)
	source.SQL = r.Text
	if s.ReadOnly && s.Kind == ast.Table {
		r.Query = a.materialization(source)
	}
	return r, nil
}

func existsWarning(kind ast.SourceKind, name string, old *catalog.Source) string {
	return fmt.Sprintf("Cannot add %s %s: A %s with the same name already exists.",
		strings.ToLower(kind.String()), types.QuoteName(name), strings.ToLower(old.Kind.String()))
}

// checkName refuses names that topics could not carry.
func checkName(name *ast.Ident) error {
	for _, r := range name.Name {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
		if !ok {
			return &prepareError{badStatement("Illegal argument at %s. Source names may only contain alphanumeric values, '_' or '-'. Got: '%s'",
				strings.TrimSuffix(location(name), ": "), name.Name)}
		}
	}
	return nil
}

func cleanupPolicyRefused() error {
	return badRequest("Invalid config variable in the WITH clause: CLEANUP_POLICY.\nThe CLEANUP_POLICY config is automatically inferred based on the type of source (STREAM or TABLE).\nUsers can't set the CLEANUP_POLICY config manually.")
}

// declaredSchema makes the schema of the columns as declared.
func (a *Analyzer) declaredSchema(s *ast.CreateSource) (*types.Schema, error) {
	schema := &types.Schema{}
	var seen []string
	var duplicates []string
	for _, e := range s.Elements {
		t, err := a.resolveType(e.Type)
		if err != nil {
			return nil, prepareFailure("%s", err)
		}
		if slices.Contains(seen, e.Name.Name) {
			duplicates = append(duplicates, types.QuoteName(e.Name.Name))
		}
		seen = append(seen, e.Name.Name)
		column := types.Column{Name: e.Name.Name, Type: t}
		switch e.Role {
		case ast.KeyColumn, ast.PrimaryKeyColumn:
			schema.Key = append(schema.Key, column)
		case ast.HeadersColumn:
			column.Header = "*"
			schema.Header = append(schema.Header, column)
		case ast.HeaderColumn:
			column.Header = "=" + e.HeaderKey
			schema.Header = append(schema.Header, column)
		default:
			schema.Value = append(schema.Value, column)
		}
	}
	if len(duplicates) > 0 {
		return nil, prepareFailure("Duplicate column names: %s", strings.Join(duplicates, ", "))
	}
	return schema, checkHeaders(schema.Header)
}

var headersType = types.ArrayOf(types.StructOf(
	types.Field{Name: "KEY", Type: types.String}, types.Field{Name: "VALUE", Type: types.Bytes}))

func checkHeaders(cols []types.Column) error {
	keys := map[string]bool{}
	for _, c := range cols {
		switch {
		case c.Header == "*" && !c.Type.Equal(headersType):
			return prepareFailure("Invalid type for HEADERS column: expected %s, got %s", headersType, c.Type)
		case c.Header != "*" && !c.Type.Equal(types.Bytes):
			return prepareFailure("Invalid type for HEADER('%s') column: expected BYTES, got %s", strings.TrimPrefix(c.Header, "="), c.Type)
		case keys[c.Header] && c.Header == "*":
			return prepareFailure("Schema already contains a HEADERS column.")
		case keys[c.Header]:
			return prepareFailure("Schema already contains a HEADER('%s') column.", strings.TrimPrefix(c.Header, "="))
		case c.Header != "*" && keys["*"], c.Header == "*" && len(keys) > 0:
			return prepareFailure("Schema already contains a HEADERS column.")
		}
		keys[c.Header] = true
	}
	return nil
}

// checkColumns applies the rules on the columns of a plain CREATE.
func checkColumns(s *ast.CreateSource, schema *types.Schema) error {
	if len(schema.Key)+len(schema.Value)+len(schema.Header) == 0 {
		return badStatement("The statement does not define any columns.")
	}
	for _, e := range s.Elements {
		if s.Kind == ast.Stream && e.Role == ast.PrimaryKeyColumn {
			return badStatement("%sColumn %s is a 'PRIMARY KEY' column: please use 'KEY' for streams.\n%s", location(e), types.QuoteName(e.Name.Name), keyHint)
		}
		if s.Kind == ast.Table && e.Role == ast.KeyColumn {
			return badStatement("%sColumn %s is a 'KEY' column: please use 'PRIMARY KEY' for tables.\n%s", location(e), types.QuoteName(e.Name.Name), keyHint)
		}
	}
	if s.Kind == ast.Table && len(schema.Key) == 0 {
		return badStatement("Tables require a PRIMARY KEY. Please define the PRIMARY KEY.")
	}
	for _, c := range slices.Concat(schema.Key, schema.Value, schema.Header) {
		if isSystemColumn(c.Name) {
			return badStatement("'%s' is a reserved column name. You cannot use it as a name for a column.", c.Name)
		}
	}
	return nil
}

const keyHint = "Tables have PRIMARY KEYs, which are unique and NON NULL.\nStreams have KEYs, which have no uniqueness or NON NULL constraints."

func isSystemColumn(name string) bool {
	switch name {
	case types.RowTime, types.RowPartition, types.RowOffset, types.WindowStart, types.WindowEnd:
		return true
	}
	return false
}

// fillFormats applies the default formats to a CREATE.
func (a *Analyzer) fillFormats(p *properties) error {
	if p.keyFormat == "" {
		p.keyFormat = a.Config.DefaultKeyFormat
	}
	if p.valueFormat == "" {
		p.valueFormat = a.Config.DefaultValueFormat
	}
	if p.valueFormat == "" {
		return badStatement("Statement is missing the 'VALUE_FORMAT' property from the WITH clause. Either provide one or set a default via the 'ksql.persistence.default.format.value' config.")
	}
	var err error
	if p.keyFormat, err = format.Canonical(p.keyFormat); err != nil {
		return badStatement("%s", err)
	}
	if p.valueFormat, err = format.Canonical(p.valueFormat); err != nil {
		return badStatement("%s", err)
	}
	return nil
}

// newSource puts a declared source together.
func (a *Analyzer) newSource(name string, kind ast.SourceKind, schema *types.Schema, p *properties) *catalog.Source {
	keyFormat := p.keyFormat
	if len(schema.Key) == 0 && !p.has(propKeyFormat) && !p.has(propFormat) && keyFormat == format.Kafka {
		keyFormat = format.None
	}
	source := &catalog.Source{
		Name: name, Kind: kind, Schema: schema, WindowType: p.windowType,
		Topic: plan.Topic{
			Name: p.topic, Key: p.key.planFormat(keyFormat), Value: p.value.planFormat(p.valueFormat),
			Window: p.window, WindowSize: p.windowSize,
		},
	}
	source.Topic.Value.Wrap = a.wrapping(p, p.valueFormat, schema.Value)
	if p.timestamp != "" {
		source.Timestamp = &plan.Timestamp{Column: p.timestamp, Pattern: p.timestampFormat}
	}
	return source
}

// wrapping decides whether a single value column is wrapped: what the statement
// says, else what the settings say where it applies.
func (a *Analyzer) wrapping(p *properties, valueFormat string, value []types.Column) *bool {
	if p.wrap != nil {
		return p.wrap
	}
	w := a.Config.WrapSingleValues
	if w == nil || len(value) != 1 {
		return nil
	}
	if format.Validate(format.Spec{Format: valueFormat, Columns: value, Wrap: w}) != nil {
		return nil
	}
	return w
}

// checkSource checks that the formats can hold the columns and that the
// timestamp column exists and fits.
func (a *Analyzer) checkSource(s *catalog.Source, p *properties) error {
	if err := checkKeyTypes(s.Schema.Key); err != nil {
		return err
	}
	for _, side := range []struct {
		spec format.Spec
		f    formatProperties
	}{{KeySpec(s), p.key}, {ValueSpec(s), p.value}} {
		if side.f.fullNameSet && strings.TrimSpace(side.f.fullName) == "" {
			return badStatement("fullSchemaName cannot be empty. Format configuration: {fullSchemaName=}")
		}
		if err := format.Validate(side.spec); err != nil {
			return badStatement("%s", err)
		}
	}
	return checkTimestamp(s.Schema, s.Timestamp)
}

// checkKeyTypes refuses maps in keys.
func checkKeyTypes(key []types.Column) error {
	for _, c := range key {
		if containsMap(c.Type) {
			return badStatement("Map keys, including types that contain maps, are not supported as they may lead to unexpected behavior due to inconsistent serialization. Key column name: %s. Column type: %s. See https://github.com/confluentinc/ksql/issues/6621 for more.",
				types.QuoteName(c.Name), c.Type)
		}
	}
	return nil
}

func containsMap(t *types.Type) bool {
	if t == nil {
		return false
	}
	if t.Kind == types.KindMap || containsMap(t.Elem) {
		return true
	}
	return slices.ContainsFunc(t.Fields, func(f types.Field) bool { return containsMap(f.Type) })
}

func checkTimestamp(schema *types.Schema, ts *plan.Timestamp) error {
	if ts == nil {
		return nil
	}
	var column *types.Column
	for _, c := range slices.Concat(schema.Key, schema.Value) {
		if c.Name == ts.Column {
			column = &c
		}
	}
	switch {
	case column == nil:
		return badStatement("The TIMESTAMP column set in the WITH clause does not exist in the schema: '%s'", ts.Column)
	case ts.Pattern != "" && column.Type.Kind != types.KindString:
		return badStatement("'TIMESTAMP_FORMAT' set in the WITH clause can only be used when the timestamp column is of type STRING.")
	case column.Type.Kind == types.KindString && ts.Pattern == "":
		return badStatement("A String timestamp field has been specified without also specifying the timestamp_format")
	case column.Type.Kind == types.KindString, column.Type.Kind == types.KindBigint, column.Type.Kind == types.KindTimestamp:
		return nil
	default:
		return badStatement("Timestamp column, %s, should be LONG(INT64), TIMESTAMP, or a String with a timestamp_format specified.", types.QuoteName(ts.Column))
	}
}

// KeySpec describes how a source's keys are written.
func KeySpec(s *catalog.Source) format.Spec { return sideSpec(s.Name, s.Topic, s.Schema.Key, true) }

// ValueSpec describes how a source's values are written.
func ValueSpec(s *catalog.Source) format.Spec {
	return sideSpec(s.Name, s.Topic, s.Schema.Value, false)
}

func sideSpec(name string, topic plan.Topic, cols []types.Column, isKey bool) format.Spec {
	f := topic.Value
	if isKey {
		f = topic.Key
	}
	return format.Spec{
		Format: f.Name, Columns: cols, IsKey: isKey, Wrap: f.Wrap, Delimiter: f.Delimiter, SchemaID: f.SchemaID,
		FullName: f.FullName, ProtobufNullable: f.Nullable, Topic: topic.Name, Source: name,
	}
}

// registeredSides lists the sides of a source that have schemas in a registry
// and were not read from there.
func registeredSides(s *catalog.Source, inferred inference) []format.Spec {
	var sides []format.Spec
	if len(s.Schema.Key) > 0 && format.SupportsInference(s.Topic.Key.Name) && !inferred.key {
		sides = append(sides, KeySpec(s))
	}
	if len(s.Schema.Value) > 0 && format.SupportsInference(s.Topic.Value.Name) && !inferred.value {
		sides = append(sides, ValueSpec(s))
	}
	return sides
}

// sourceTopic says what topic a plain CREATE needs.
func (a *Analyzer) sourceTopic(ctx context.Context, r *CreateSource, s *ast.CreateSource, p *properties) error {
	if p.partitions == nil {
		if a.Topics == nil {
			return nil
		}
		_, ok, err := a.Topics.Topic(ctx, p.topic)
		if err != nil {
			return serverError("looking up topic %s: %s", p.topic, err)
		}
		if !ok {
			return badRequest("Topic '%s' does not exist. If you want to create a new topic for the stream/table please re-run the statement providing the required 'PARTITIONS' configuration in the WITH clause (and optionally 'REPLICAS'). For example: %s",
				p.topic, exampleText(s, p, r.Source))
		}
		return nil
	}
	policy := "delete"
	if s.Kind == ast.Table {
		policy = "compact"
		if p.retention != nil {
			return badRequest("Invalid config variable in the WITH clause: RETENTION_MS. Non-windowed tables do not support retention.")
		}
	}
	r.Topic = &TopicSpec{Name: p.topic, Partitions: *p.partitions, CleanupPolicy: policy, RetentionMS: p.retention, Explicit: p.retention != nil}
	if p.replicas != nil {
		r.Topic.Replicas = *p.replicas
	}
	return nil
}

// materialization is the query that keeps the rows of a SOURCE TABLE.
func (a *Analyzer) materialization(s *catalog.Source) *catalog.Query {
	return &catalog.Query{
		ID:      fmt.Sprintf("CST_%s_%d", strings.ToUpper(s.Name), a.QueryNumber),
		Kind:    catalog.Materialization,
		Sources: []string{s.Name}, Sink: s.Name, SQL: s.SQL, Properties: a.Config.Properties,
		Plan: &plan.Materialize{Input: a.storedRows(s)},
	}
}

// storedRows are the rows of a SOURCE TABLE as they are kept: header columns
// become part of the value.
func (a *Analyzer) storedRows(s *catalog.Source) plan.Node {
	source := a.sourceNode(s)
	if len(s.Schema.Header) == 0 {
		return source
	}
	p := &plan.Project{Input: source}
	for _, c := range s.Schema.Key {
		p.KeyNames = append(p.KeyNames, c.Name)
	}
	for _, c := range storedSchema(s).Value {
		p.Values = append(p.Values, plan.Named{Name: c.Name, Expr: plan.Expr{AST: columnRef(c.Name), Type: c.Type}})
	}
	return p
}

// storedSchema is the shape of the rows that are kept of a SOURCE TABLE.
func storedSchema(s *catalog.Source) *types.Schema {
	stored := &types.Schema{Key: s.Schema.Key, Value: slices.Clone(s.Schema.Value)}
	for _, c := range s.Schema.Header {
		stored.Value = append(stored.Value, types.Column{Name: c.Name, Type: c.Type})
	}
	return stored
}

// sourceNode is the plan's reader of a stream or table.
func (a *Analyzer) sourceNode(s *catalog.Source) *plan.Source {
	offsets := a.Config.OffsetReset
	if offsets == "none" {
		offsets = ""
	}
	return &plan.Source{
		Name: s.Name, Topic: s.Topic, Table: s.IsTable(), Columns: s.Schema, Timestamp: s.Timestamp, Offsets: offsets,
	}
}
