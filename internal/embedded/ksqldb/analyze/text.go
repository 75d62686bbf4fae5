package analyze

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// withClause is a WITH clause in the making: the properties of the statement
// and those that the analysis adds.
type withClause []*ast.Property

func (w *withClause) text(name, value string) {
	w.put(name, &ast.StringLiteral{Value: value})
}

func (w *withClause) number(name string, value int64) {
	if value >= math.MinInt32 && value <= math.MaxInt32 {
		w.put(name, &ast.IntegerLiteral{Value: int32(value)})
		return
	}
	w.put(name, &ast.LongLiteral{Value: value})
}

func (w *withClause) put(name string, value ast.Literal) {
	*w = slices.DeleteFunc(*w, func(p *ast.Property) bool { return strings.EqualFold(p.Name, name) })
	*w = append(*w, &ast.Property{Name: name, Value: value})
}

// createText is the text of a plain CREATE with its columns and defaults.
func createText(s *ast.CreateSource, p *properties, source *catalog.Source) string {
	c := filledCreate(s, p, source)
	policy := "delete"
	if s.Kind == ast.Table {
		policy = "compact"
	}
	with := withClause(c.With)
	with.text(propCleanupPolicy, policy)
	c.With = with
	return ast.Format(c)
}

// exampleText is the statement as ksqlDB proposes it when the topic is missing.
func exampleText(s *ast.CreateSource, p *properties, source *catalog.Source) string {
	c := filledCreate(s, p, source)
	with := withClause(c.With)
	with.number(propPartitions, 2)
	c.With = with
	return ast.Format(c)
}

func filledCreate(s *ast.CreateSource, p *properties, source *catalog.Source) *ast.CreateSource {
	c := *s
	c.Elements = elements(source)
	with := withClause(slices.Clone(s.With))
	if !p.has(propFormat) {
		with.text(propKeyFormat, p.keyFormat)
		with.text(propValueFormat, p.valueFormat)
	}
	if source.Topic.Value.SchemaID != nil && source.Topic.Value.FullName != "" {
		with.text(propValueFullName, source.Topic.Value.FullName)
	}
	if source.Topic.Key.SchemaID != nil && source.Topic.Key.FullName != "" {
		with.text(propKeyFullName, source.Topic.Key.FullName)
	}
	c.With = with
	return &c
}

// elements are the columns of a source as a CREATE lists them.
func elements(source *catalog.Source) []*ast.TableElement {
	var list []*ast.TableElement
	add := func(cols []types.Column, role ast.ColumnRole) {
		for _, c := range cols {
			list = append(list, &ast.TableElement{Name: ident(c.Name), Type: writtenType(c.Type), Role: role})
		}
	}
	key := ast.KeyColumn
	if source.IsTable() {
		key = ast.PrimaryKeyColumn
	}
	add(source.Schema.Key, key)
	add(source.Schema.Value, ast.ValueColumn)
	for _, c := range source.Schema.Header {
		e := &ast.TableElement{Name: ident(c.Name), Type: writtenType(c.Type), Role: ast.HeadersColumn}
		if key, one := strings.CutPrefix(c.Header, "="); one {
			e.Role, e.HeaderKey = ast.HeaderColumn, key
		}
		list = append(list, e)
	}
	return list
}

// createAsText is the text of a CREATE … AS SELECT with every name resolved and
// the topic's settings filled in.
func createAsText(s *ast.CreateAsSelect, p *properties, source *catalog.Source, q *planned, topic TopicSpec) string {
	c := *s
	c.Query = q.sanitized
	with := withClause(slices.Clone(s.With))
	with.text(propTopic, topic.Name)
	with.text(propCleanupPolicy, topic.CleanupPolicy)
	if topic.Partitions != 0 {
		with.number(propPartitions, int64(topic.Partitions))
	}
	if topic.Replicas != 0 {
		with.number(propReplicas, int64(topic.Replicas))
	}
	with.number(propRetention, *topic.RetentionMS)
	if p.value.schemaID != nil && source.Topic.Value.FullName != "" {
		with.text(propValueFullName, source.Topic.Value.FullName)
	}
	c.With = with
	return ast.Format(&c)
}

// Masked is the text of an INSERT … VALUES as error answers show it, without
// its values.
func Masked(s *ast.InsertValues) string {
	columns := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		columns[i] = types.QuoteName(c.Name)
	}
	list := ""
	if len(columns) > 0 {
		list = fmt.Sprintf(" (%s)", strings.Join(columns, ", "))
	}
	values := make([]string, len(s.Values))
	for i := range values {
		values[i] = "'[value]'"
	}
	return fmt.Sprintf("INSERT INTO %s%s VALUES (%s);", types.QuoteName(s.Target.Name), list, strings.Join(values, ", "))
}
