package analyze

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// DropSource is a DROP STREAM or DROP TABLE.
type DropSource struct {
	// Name of the source, and Source itself; nil when IF EXISTS met none.
	Name   string
	Source *catalog.Source
	// DeleteTopic tells that the topic, and its schemas, go too.
	DeleteTopic bool
	// Text is the statement as the server answers it: without DELETE TOPIC.
	Text string
	// Stopped are the queries that end with the source; filled in by Apply.
	Stopped []*catalog.Query
}

// Apply takes the source and the queries that belong to it out.
func (r *DropSource) Apply(c *catalog.Catalog) error {
	if r.Source == nil {
		return nil
	}
	stopped, err := c.DropSource(r.Name)
	if err != nil {
		return badStatement("%s", err)
	}
	r.Stopped = stopped
	return nil
}

func (a *Analyzer) dropSource(s *ast.DropSource) (*DropSource, error) {
	r := &DropSource{Name: s.Name.Name, DeleteTopic: s.DeleteTopic, Text: s.Text()}
	if s.DeleteTopic {
		shown := *s
		shown.DeleteTopic = false
		r.Text = ast.Format(&shown)
	}
	source, ok := a.Catalog.Source(s.Name.Name)
	if !ok {
		if s.IfExists {
			return r, nil
		}
		kind := "Stream"
		if s.Kind == ast.Table {
			kind = "Table"
		}
		return nil, badStatement("%s %s does not exist.", kind, s.Name.Name)
	}
	if source.Kind != s.Kind {
		return nil, badStatement("Incompatible data source type is %s, but statement was DROP %s",
			strings.ToLower(source.Kind.String()), strings.ToLower(s.Kind.String()))
	}
	if s.DeleteTopic {
		if source.ReadOnly {
			return nil, badRequest("Cannot delete topic for read-only source: %s", source.Name)
		}
		var others []string
		for _, o := range a.Catalog.OnTopic(source.Topic.Name) {
			if o.Name != source.Name {
				others = append(others, o.Name)
			}
		}
		if len(others) > 0 {
			return nil, serverError("Refusing to delete topic. Found other data sources (%s) using topic %s", strings.Join(others, ", "), source.Topic.Name)
		}
	}
	if err := a.Catalog.CheckDrop(source.Name); err != nil {
		refused := badStatement("%s", err)
		refused.Statement = r.Text
		return nil, refused
	}
	r.Source = source
	return r, nil
}

// AlterSource is an ALTER STREAM or ALTER TABLE.
type AlterSource struct {
	// Source is the source with the new columns.
	Source *catalog.Source
	// Schemas are the sides whose schemas are to be registered anew.
	Schemas []format.Spec
}

// Apply replaces the source.
func (r *AlterSource) Apply(c *catalog.Catalog) error {
	return c.PutSource(r.Source, true)
}

func (a *Analyzer) alterSource(s *ast.AlterSource) (*AlterSource, error) {
	source, ok := a.Catalog.Source(s.Name.Name)
	if !ok {
		return nil, badStatement("Source %s does not exist.", s.Name.Name)
	}
	if source.Kind != s.Kind {
		return nil, badStatement("Incompatible data source type is %s, but statement was ALTER %s", source.Kind, s.Kind)
	}
	if source.CreatedBy != "" {
		return nil, badStatement("ALTER command is not supported for CREATE ... AS statements.")
	}
	if source.ReadOnly {
		return nil, badStatement("Cannot alter %s '%s': ALTER operations are not supported on source %ss.",
			strings.ToLower(source.Kind.String()), source.Name, strings.ToLower(source.Kind.String()))
	}
	altered := *source
	schema := *source.Schema
	schema.Value = slices.Clone(schema.Value)
	for _, c := range s.Columns {
		if schema.FindKey(c.Name.Name) >= 0 || schema.FindValue(c.Name.Name) >= 0 || schema.FindHeader(c.Name.Name) >= 0 {
			return nil, badStatement("Cannot add column %s to schema. A column with the same name already exists.", types.QuoteName(c.Name.Name))
		}
		if isSystemColumn(c.Name.Name) {
			return nil, badStatement("'%s' is a reserved column name. You cannot use it as a name for a column.", c.Name.Name)
		}
		t, err := a.resolveType(c.Type)
		if err != nil {
			return nil, prepareFailure("%s", err)
		}
		schema.Value = append(schema.Value, types.Column{Name: c.Name.Name, Type: t})
	}
	altered.Schema = &schema
	altered.SQL += "\n" + s.Text()
	if err := format.Validate(ValueSpec(&altered)); err != nil {
		return nil, badStatement("%s", err)
	}
	r := &AlterSource{Source: &altered}
	if format.SupportsInference(altered.Topic.Value.Name) {
		r.Schemas = []format.Spec{ValueSpec(&altered)}
	}
	return r, nil
}

// CreateType is a CREATE TYPE.
type CreateType struct {
	Name string
	Type *types.Type
	// Exists is set when IF NOT EXISTS met a type of that name.
	Exists bool
	// Message is what the server answers.
	Message string
}

// Apply adds the type.
func (r *CreateType) Apply(c *catalog.Catalog) error {
	if !r.Exists && !c.PutType(r.Name, r.Type) {
		return badStatement("Cannot register custom type '%s' since it is already registered.", r.Name)
	}
	return nil
}

func (a *Analyzer) createType(s *ast.CreateType) (*CreateType, error) {
	t, err := a.resolveType(s.Type)
	if err != nil {
		return nil, prepareFailure("%s", err)
	}
	r := &CreateType{Name: s.Name.Name, Type: t}
	if old, ok := a.Catalog.Type(r.Name); ok {
		if !s.IfNotExists {
			return nil, badStatement("Cannot register custom type '%s' since it is already registered with type: %s", r.Name, old)
		}
		r.Exists = true
		r.Message = fmt.Sprintf("%s is already registered with type %s", r.Name, old)
		return r, nil
	}
	r.Message = fmt.Sprintf("Registered custom type with name '%s' and SQL type %s", r.Name, t)
	return r, nil
}

// DropType is a DROP TYPE.
type DropType struct {
	Name string
	// Message is what the server answers.
	Message string
}

// Apply takes the type out.
func (r *DropType) Apply(c *catalog.Catalog) error {
	c.DropType(r.Name)
	return nil
}

func (a *Analyzer) dropType(s *ast.DropType) (*DropType, error) {
	if _, ok := a.Catalog.Type(s.Name.Name); ok {
		return &DropType{Name: s.Name.Name, Message: fmt.Sprintf("Dropped type '%s'", s.Name.Name)}, nil
	}
	if !s.IfExists {
		return nil, badStatement("Type %s does not exist.", s.Name.Name)
	}
	return &DropType{Name: s.Name.Name, Message: fmt.Sprintf("Type '%s' does not exist", s.Name.Name)}, nil
}

// checkReplace applies the rules of CREATE OR REPLACE.
func (a *Analyzer) checkReplace(s *catalog.Source, replace bool) error {
	if !replace {
		return nil
	}
	if s.ReadOnly {
		return badStatement("Cannot add %s '%s': CREATE OR REPLACE is not supported on source %ss.",
			strings.ToLower(s.Kind.String()), s.Name, strings.ToLower(s.Kind.String()))
	}
	old, ok := a.Catalog.Source(s.Name)
	if !ok {
		return nil
	}
	if old.ReadOnly {
		return badStatement("Cannot add %s '%s': CREATE OR REPLACE is not supported on source %ss.",
			strings.ToLower(s.Kind.String()), s.Name, strings.ToLower(s.Kind.String()))
	}
	var reasons []string
	if old.Kind != s.Kind {
		reasons = append(reasons, fmt.Sprintf("has type = %s which is not upgradeable to %s", kindText(old), kindText(s)))
	}
	if !sameTopic(old.Topic, s.Topic) {
		reasons = append(reasons, fmt.Sprintf("has topic = %s which is not upgradeable to %s", topicText(old), topicText(s)))
	}
	if why := schemaChange(old.Schema, s.Schema); why != "" {
		reasons = append(reasons, fmt.Sprintf("has schema = %s which is not upgradeable to %s. (%s)", old.Schema, s.Schema, why))
	}
	if len(reasons) == 0 {
		return nil
	}
	for i := range reasons {
		reasons[i] = fmt.Sprintf("DataSource '%s' %s", types.QuoteName(s.Name), reasons[i])
	}
	return badStatement("Cannot upgrade data source: %s", strings.Join(reasons, "\n\tAND "))
}

func kindText(s *catalog.Source) string { return "K" + s.Kind.String() }

func sameTopic(a, b plan.Topic) bool {
	return a.Name == b.Name && a.Key.Name == b.Key.Name && a.Value.Name == b.Value.Name &&
		a.Key.Delimiter == b.Key.Delimiter && a.Value.Delimiter == b.Value.Delimiter &&
		a.Window == b.Window && a.WindowSize == b.WindowSize
}

// topicText prints a topic as ksqlDB's replace errors do.
func topicText(s *catalog.Source) string {
	formatText := func(f plan.Format) string {
		props := "{}"
		if f.Delimiter != "" {
			props = "{delimiter=" + f.Delimiter + "}"
		}
		return fmt.Sprintf("FormatInfo{format=%s, properties=%s}", f.Name, props)
	}
	features := func(unwrapped bool) string {
		if unwrapped {
			return "[UNWRAP_SINGLES]"
		}
		return "[]"
	}
	window := "Optional.empty"
	if s.WindowType != "" {
		size := "Optional.empty"
		if s.Topic.WindowSize > 0 {
			size = fmt.Sprintf("Optional[PT%gS]", s.Topic.WindowSize.Seconds())
		}
		window = fmt.Sprintf("Optional[WindowInfo{type=%s, size=%s, emitStrategy=Optional.empty}]", s.WindowType, size)
	}
	return fmt.Sprintf("KsqlTopic{kafkaTopicName='%s', keyFormat=KeyFormat{format=%s, features=%s, window=%s}, valueFormat=ValueFormat{format=%s, features=%s}}",
		s.Topic.Name, formatText(s.Topic.Key), features(KeySpec(s).Unwrapped()), window, formatText(s.Topic.Value), features(ValueSpec(s).Unwrapped()))
}

// schemaChange says what keeps a schema from being replaced by another: key
// columns must stay as they are, value columns may only be added at the end.
func schemaChange(old, now *types.Schema) string {
	if changed := changedColumns(old.Key, now.Key, true); len(changed) > 0 || len(old.Key) != len(now.Key) {
		return fmt.Sprintf("Key columns must be identical. The following key columns are changed, missing or reordered: [%s]", strings.Join(changed, ", "))
	}
	if changed := changedColumns(old.Value, now.Value, false); len(changed) > 0 {
		return fmt.Sprintf("The following columns are changed, missing or reordered: [%s]", strings.Join(changed, ", "))
	}
	return ""
}

func changedColumns(old, now []types.Column, key bool) []string {
	var list []string
	for i, c := range old {
		if i < len(now) && now[i].Name == c.Name && now[i].Type.Equal(c.Type) {
			continue
		}
		text := types.QuoteName(c.Name) + " " + c.Type.String()
		if key {
			text += " KEY"
		}
		list = append(list, text)
	}
	return list
}

// checkUpgrade refuses to replace a query by one that could not go on with its
// state: ksqlDB replaces no joins, windows or table functions, and groups and
// aggregate functions must stay as they are.
func (a *Analyzer) checkUpgrade(q *catalog.Query, replace bool) error {
	old, ok := a.Catalog.Query(q.ID)
	if !replace || !ok {
		return nil
	}
	for _, root := range []plan.Node{old.Plan, q.Plan} {
		if step := fixedStep(root); step != "" {
			return badStatement("Upgrades not yet supported for %s", step)
		}
	}
	was, is := aggregateOf(old.Plan), aggregateOf(q.Plan)
	if (was == nil) != (is == nil) {
		return badStatement("Query is not upgradeable: an aggregation can't be added to or taken from %s. Drop it and create it anew.", q.ID)
	}
	if was != nil && !sameAggregate(was, is) {
		return badStatement("Query is not upgradeable: the groups and aggregate functions of %s must stay as they are. Drop it and create it anew.", q.ID)
	}
	return nil
}

// fixedStep names a step of a plan that can't be replaced, as ksqlDB calls it.
func fixedStep(n plan.Node) string {
	switch n := n.(type) {
	case *plan.StreamStreamJoin:
		return "StreamStreamJoin"
	case *plan.StreamTableJoin:
		return "StreamTableJoin"
	case *plan.TableTableJoin:
		return "TableTableJoin"
	case *plan.ForeignKeyJoin:
		return "ForeignKeyTableTableJoin"
	case *plan.FlatMap:
		return "StreamFlatMap"
	case *plan.Suppress:
		return "TableSuppress"
	case *plan.Aggregate:
		if n.Window != nil {
			return "StreamWindowedAggregate"
		}
	}
	for _, in := range n.Inputs() {
		if step := fixedStep(in); step != "" {
			return step
		}
	}
	return ""
}

func aggregateOf(n plan.Node) *plan.Aggregate {
	if agg, ok := n.(*plan.Aggregate); ok {
		return agg
	}
	for _, in := range n.Inputs() {
		if agg := aggregateOf(in); agg != nil {
			return agg
		}
	}
	return nil
}

func sameAggregate(a, b *plan.Aggregate) bool {
	sameExpr := func(x, y plan.Expr) bool { return ast.Same(x.AST, y.AST) && x.Type.Equal(y.Type) }
	return slices.EqualFunc(a.Groups, b.Groups, func(x, y plan.Named) bool { return sameExpr(x.Expr, y.Expr) }) &&
		slices.EqualFunc(a.Calls, b.Calls, func(x, y plan.AggregateCall) bool {
			return x.Function == y.Function && slices.EqualFunc(x.Args, y.Args, sameExpr)
		})
}
