package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// verifyPost checks what exists after the statements.
func (t *testRun) verifyPost(ctx context.Context) error {
	for _, want := range t.test.Post.Sources {
		source, ok := t.engine.Catalog.Source(want.Name)
		if !ok {
			return fmt.Errorf("source %s does not exist", want.Name)
		}
		if err := verifySource(source, want); err != nil {
			return fmt.Errorf("source %s: %w", want.Name, err)
		}
	}
	if t.test.Post.Topics == nil {
		return nil
	}
	for _, want := range t.test.Post.Topics.Topics {
		if err := t.verifyPostTopic(ctx, want); err != nil {
			return fmt.Errorf("topic %s: %w", want.Name, err)
		}
	}
	return nil
}

func verifySource(s *catalog.Source, want SourceSpec) error {
	if want.Type != "" && !strings.EqualFold(want.Type, s.Kind.String()) {
		return fmt.Errorf("is a %s, expected a %s", s.Kind, want.Type)
	}
	if want.Schema != "" {
		schema, err := parseSchema(want.Schema)
		if err != nil {
			return fmt.Errorf("reading the expected schema %s: %w", want.Schema, err)
		}
		if schema.String() != s.Schema.String() {
			return fmt.Errorf("schema is %s, expected %s", s.Schema, schema)
		}
	}
	if want.IsSource != nil && *want.IsSource != s.ReadOnly {
		return fmt.Errorf("isSource is %t", s.ReadOnly)
	}
	if k := want.KeyFormat; k != nil {
		if !strings.EqualFold(k.Format, s.Topic.Key.Name) || k.WindowType != s.WindowType {
			return fmt.Errorf("key format is %s %s, expected %s %s", s.Topic.Key.Name, s.WindowType, k.Format, k.WindowType)
		}
		if k.WindowSize != nil && *k.WindowSize != s.Topic.WindowSize.Milliseconds() {
			return fmt.Errorf("window size is %s, expected %d ms", s.Topic.WindowSize, *k.WindowSize)
		}
	}
	if f := formatName(want.ValueFormat); f != "" && !strings.EqualFold(f, s.Topic.Value.Name) {
		return fmt.Errorf("value format is %s, expected %s", s.Topic.Value.Name, f)
	}
	if err := verifyFeatures(want.KeyFeatures, analyze.KeySpec(s)); err != nil {
		return err
	}
	return verifyFeatures(want.ValueFeatures, analyze.ValueSpec(s))
}

func verifyFeatures(want *[]string, spec format.Spec) error {
	if want == nil {
		return nil
	}
	var got []string
	switch {
	case spec.Unwrapped():
		got = []string{"UNWRAP_SINGLES"}
	case spec.Wrap != nil && !spec.IsKey:
		got = []string{"WRAP_SINGLES"}
	}
	if !slices.Equal(got, *want) && len(got)+len(*want) > 0 {
		return fmt.Errorf("features of key=%t are %v, expected %v", spec.IsKey, got, *want)
	}
	return nil
}

func formatName(raw json.RawMessage) string {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		return name
	}
	var object struct {
		Format string `json:"format"`
	}
	if json.Unmarshal(raw, &object) == nil {
		return object.Format
	}
	return ""
}

// parseSchema reads a schema as tests write it: the columns of a CREATE STREAM.
func parseSchema(text string) (*types.Schema, error) {
	text = strings.ReplaceAll(text, "PRIMARY KEY", "KEY")
	stmts, err := parser.Parse("CREATE STREAM X (" + text + ") WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON');")
	if err != nil {
		return nil, err
	}
	schema := &types.Schema{}
	for _, e := range stmts[0].(*ast.CreateSource).Elements {
		t, err := expr.ResolveType(e.Type, nil)
		if err != nil {
			return nil, err
		}
		c := types.Column{Name: e.Name.Name, Type: t}
		switch e.Role {
		case ast.ValueColumn:
			schema.Value = append(schema.Value, c)
		case ast.HeadersColumn:
			c.Header = "*"
			schema.Header = append(schema.Header, c)
		case ast.HeaderColumn:
			c.Header = "=" + e.HeaderKey
			schema.Header = append(schema.Header, c)
		default:
			schema.Key = append(schema.Key, c)
		}
	}
	return schema, nil
}

// verifyPostTopic checks a topic that the test says exists. Changelog topics are
// those of another engine's stores and have no counterpart here.
func (t *testRun) verifyPostTopic(_ context.Context, want PostTopicSpec) error {
	if strings.HasSuffix(want.Name, "-changelog") {
		return nil
	}
	if strings.HasSuffix(want.Name, "-repartition") {
		for _, q := range t.engine.Queries {
			for _, in := range q.Topology.Internal {
				if in.Name == want.Name {
					return nil
				}
			}
		}
		return fmt.Errorf("does not exist")
	}
	got := t.engine.Lookup(want.Name)
	if got == nil {
		return fmt.Errorf("does not exist")
	}
	if want.Partitions != 0 && got.Config.Partitions != want.Partitions {
		return fmt.Errorf("has %d partitions, expected %d", got.Config.Partitions, want.Partitions)
	}
	for _, s := range t.engine.Catalog.OnTopic(want.Name) {
		if want.KeyFormat.Format != "" && !strings.EqualFold(want.KeyFormat.Format, s.Topic.Key.Name) {
			return fmt.Errorf("key format is %s, expected %s", s.Topic.Key.Name, want.KeyFormat.Format)
		}
		if f := formatName(want.Value); f != "" && !strings.EqualFold(f, s.Topic.Value.Name) {
			return fmt.Errorf("value format is %s, expected %s", s.Topic.Value.Name, f)
		}
	}
	return nil
}
