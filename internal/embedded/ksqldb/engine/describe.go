package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// fieldSchema is a type as DESCRIBE shows it.
type fieldSchema struct {
	Type       string       `json:"type"`
	Fields     []field      `json:"fields"`
	Member     *fieldSchema `json:"memberSchema"`
	Parameters *decimalSize `json:"parameters,omitempty"`
}

type decimalSize struct {
	Precision int `json:"precision"`
	Scale     int `json:"scale"`
}

// field is a column, or a member of a STRUCT, as DESCRIBE shows it.
type field struct {
	Name      string      `json:"name"`
	Schema    fieldSchema `json:"schema"`
	HeaderKey string      `json:"headerKey,omitempty"`
	Type      string      `json:"type,omitempty"`
}

func schemaOf(t *types.Type) fieldSchema {
	s := fieldSchema{Type: t.Kind.String()}
	switch t.Kind {
	case types.KindDecimal:
		s.Parameters = &decimalSize{t.Precision, t.Scale}
	case types.KindArray, types.KindMap:
		member := schemaOf(t.Elem)
		s.Member = &member
	case types.KindStruct:
		s.Fields = []field{}
		for _, f := range t.Fields {
			s.Fields = append(s.Fields, field{Name: f.Name, Schema: schemaOf(f.Type)})
		}
	}
	return s
}

func fieldsOf(schema *types.Schema) []field {
	list := []field{}
	for _, c := range schema.Key {
		list = append(list, field{Name: c.Name, Schema: schemaOf(c.Type), Type: "KEY"})
	}
	for _, c := range schema.Value {
		list = append(list, field{Name: c.Name, Schema: schemaOf(c.Type)})
	}
	for _, c := range schema.Header {
		f := field{Name: c.Name, Schema: schemaOf(c.Type), Type: "HEADER"}
		f.HeaderKey, _ = strings.CutPrefix(c.Header, "=")
		if c.Header == "*" {
			f.HeaderKey = ""
		}
		list = append(list, f)
	}
	return list
}

// Fields gives columns the form that DESCRIBE has.
func Fields(columns []Column) any {
	list := []field{}
	for _, c := range columns {
		f := field{Name: c.Name, Schema: schemaOf(c.Type)}
		if c.Key {
			f.Type = "KEY"
		}
		list = append(list, f)
	}
	return list
}

type sourceDescription struct {
	Name              string          `json:"name"`
	WindowType        *string         `json:"windowType"`
	ReadQueries       []queryEntry    `json:"readQueries"`
	WriteQueries      []queryEntry    `json:"writeQueries"`
	Fields            []field         `json:"fields"`
	Type              string          `json:"type"`
	Timestamp         string          `json:"timestamp"`
	Statistics        string          `json:"statistics"`
	ErrorStats        string          `json:"errorStats"`
	Extended          bool            `json:"extended"`
	KeyFormat         string          `json:"keyFormat"`
	ValueFormat       string          `json:"valueFormat"`
	Topic             string          `json:"topic"`
	Partitions        int             `json:"partitions"`
	Replication       int             `json:"replication"`
	Statement         string          `json:"statement"`
	OffsetSummaries   []offsetSummary `json:"queryOffsetSummaries"`
	Constraints       []string        `json:"sourceConstraints"`
	ClusterStatistics []struct{}      `json:"clusterStatistics"`
	ClusterErrorStats []struct{}      `json:"clusterErrorStats"`
}

func (e *Engine) describe(c *catalog.Catalog, s *catalog.Source, details kadm.TopicDetails, extended bool) sourceDescription {
	d := sourceDescription{
		Name: s.Name, ReadQueries: []queryEntry{}, WriteQueries: []queryEntry{}, Fields: fieldsOf(s.Schema), Type: s.Kind.String(),
		Extended: extended, KeyFormat: keyFormat(s), ValueFormat: s.Topic.Value.Name, Topic: s.Topic.Name, Statement: s.SQL,
		OffsetSummaries: []offsetSummary{}, Constraints: []string{}, ClusterStatistics: []struct{}{}, ClusterErrorStats: []struct{}{},
	}
	if s.WindowType != "" {
		d.WindowType = &s.WindowType
	}
	if s.Timestamp != nil {
		d.Timestamp = s.Timestamp.Column
	}
	for _, q := range c.Queries() {
		switch {
		case q.Kind == catalog.Materialization && q.Sink == s.Name:
			d.ReadQueries = append(d.ReadQueries, e.queryEntry(c, q))
		case q.Sink == s.Name:
			d.WriteQueries = append(d.WriteQueries, e.queryEntry(c, q))
		}
	}
	for _, q := range c.Readers(s.Name) {
		if q.Sink != s.Name {
			d.ReadQueries = append(d.ReadQueries, e.queryEntry(c, q))
		}
	}
	d.Partitions, d.Replication = topicPartitions(details, s.Topic.Name)
	for _, q := range c.Readers(s.Name) {
		if q.Kind == catalog.CreateAs {
			d.Constraints = append(d.Constraints, q.Sink)
		}
	}
	return d
}

// describeWhole also asks for what only EXTENDED shows.
func (e *Engine) describeWhole(ctx context.Context, c *catalog.Catalog, s *catalog.Source, details kadm.TopicDetails, extended bool) (sourceDescription, error) {
	d := e.describe(c, s, details, extended)
	if !extended {
		return d, nil
	}
	var err error
	d.OffsetSummaries, err = e.offsetSummaries(ctx, c, s.Name)
	return d, err
}

func describedSource(c *catalog.Catalog, s *ast.DescribeSource) (*catalog.Source, error) {
	source, ok := c.Source(s.Name.Name)
	if ok {
		return source, nil
	}
	text := fmt.Sprintf("Could not find STREAM/TABLE '%s' in the Metastore", s.Name.Name)
	if upper := strings.ToUpper(s.Name.Name); upper != s.Name.Name {
		if _, ok := c.Source(upper); ok {
			text += "\nDid you mean \"" + upper + "\"? Hint: try removing double quotes from the source name."
		}
	}
	return nil, &Error{Code: CodeBadStatement, Message: text}
}

func (e *Engine) describeSource(ctx context.Context, s *ast.DescribeSource) (any, error) {
	c := e.Catalog()
	source, err := describedSource(c, s)
	if err != nil {
		return nil, err
	}
	details, err := e.topicDetails(ctx, source)
	if err != nil {
		return nil, err
	}
	description, err := e.describeWhole(ctx, c, source, details, s.Extended)
	if err != nil {
		return nil, err
	}
	return struct {
		head
		Source   sourceDescription `json:"sourceDescription"`
		Warnings []Warning         `json:"warnings"`
	}{head{"sourceDescription", s.Text()}, description, []Warning{}}, nil
}

func (e *Engine) describeSources(ctx context.Context, text string, kind ast.SourceKind, extended bool) (any, error) {
	c := e.Catalog()
	sources := e.sourcesOf(kind)
	details, err := e.topicDetails(ctx, sources...)
	if err != nil {
		return nil, err
	}
	list := []sourceDescription{}
	for _, s := range sources {
		description, err := e.describeWhole(ctx, c, s, details, extended)
		if err != nil {
			return nil, err
		}
		list = append(list, description)
	}
	return struct {
		head
		Sources  []sourceDescription `json:"sourceDescriptions"`
		Warnings []Warning           `json:"warnings"`
	}{head{"source_descriptions", text}, list, []Warning{}}, nil
}

func (e *Engine) topicDetails(ctx context.Context, sources ...*catalog.Source) (kadm.TopicDetails, error) {
	if len(sources) == 0 {
		return nil, nil
	}
	topics := make([]string, len(sources))
	for i, s := range sources {
		topics[i] = s.Topic.Name
	}
	details, err := e.listTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("asking for topics: %w", err)
	}
	return details, nil
}
