package build

import (
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// scopeOf is the scope of expressions over a node's rows.
func scopeOf(n plan.Node) *expr.Scope {
	return expr.ScopeOf(n.Schema(), n.Windowed() != types.NoWindow)
}

// eval compiles an expression over the rows of a node.
func (b *builder) eval(e plan.Expr, in plan.Node) (exec.Eval, error) {
	compiled, err := b.compiler.Compile(e.AST, scopeOf(in))
	if err != nil {
		return nil, err
	}
	return compiled.Eval, nil
}

func (b *builder) evals(named []plan.Named, in plan.Node) ([]exec.Eval, error) {
	evals := make([]exec.Eval, len(named))
	for i, n := range named {
		var err error
		if evals[i], err = b.eval(n.Expr, in); err != nil {
			return nil, err
		}
	}
	return evals, nil
}

// ofKey reports whether an expression depends on key columns, and on nothing
// else.
func ofKey(e ast.Expr, schema *types.Schema) bool {
	refs, others := 0, 0
	ast.Walk(e, func(n ast.Node) bool {
		if c, ok := n.(*ast.ColumnRef); ok {
			refs++
			if schema.FindKey(c.Name.Name) < 0 {
				others++
			}
			return false
		}
		return true
	})
	return refs > 0 && others == 0
}

// timestamp compiles the TIMESTAMP property: the epoch milliseconds of a row.
func (b *builder) timestamp(ts *plan.Timestamp, schema *types.Schema, windowed bool) (func(*types.Row) (int64, error), error) {
	if ts == nil {
		return nil, nil
	}
	var e ast.Expr = &ast.ColumnRef{Name: &ast.Ident{Name: ts.Column, Quoted: true}}
	if ts.Pattern != "" {
		e = &ast.FunctionCall{
			Name: &ast.Ident{Name: "STRINGTOTIMESTAMP"},
			Args: []ast.Expr{e, &ast.StringLiteral{Value: ts.Pattern}},
		}
	}
	compiled, err := b.compiler.Compile(e, expr.ScopeOf(schema, windowed))
	if err != nil {
		return nil, fmt.Errorf("compiling the TIMESTAMP column %s: %w", ts.Column, err)
	}
	return func(row *types.Row) (int64, error) {
		v, err := compiled.Eval(row)
		if err != nil {
			return 0, err
		}
		if v.IsNull() {
			return 0, fmt.Errorf("column %s is null", ts.Column)
		}
		return v.Int(), nil
	}, nil
}

// serdes makes the formats of a topic.
func (b *builder) serdes(t plan.Topic, schema *types.Schema, source string) (key, value format.Serde, err error) {
	if key, err = b.keySerde(t.Key, schema.Key, t.Name, source); err != nil {
		return nil, nil, err
	}
	if value, err = format.New(b.ctx, spec(t.Value, schema.Value, false, t.Name, source), b.options.Registry); err != nil {
		return nil, nil, err
	}
	return key, value, nil
}

// keySerde makes the format of keys. Rows without key columns have none.
func (b *builder) keySerde(f plan.Format, columns []types.Column, topic, source string) (format.Serde, error) {
	if len(columns) == 0 {
		return noKey{}, nil
	}
	return format.New(b.ctx, spec(f, columns, true, topic, source), b.options.Registry)
}

func spec(f plan.Format, columns []types.Column, key bool, topic, source string) format.Spec {
	return format.Spec{
		Format: f.Name, Columns: columns, IsKey: key, Wrap: f.Wrap, Delimiter: f.Delimiter, SchemaID: f.SchemaID,
		FullName: f.FullName, ProtobufNullable: f.Nullable, Topic: topic, Source: source,
	}
}

// changelog is the name that the topic behind a store has in ksqlDB. Registry
// formats keep the schemas of stored keys under it.
func (b *builder) changelog(step string) string {
	return b.options.ApplicationID + "-" + step + "-changelog"
}

// noKey is the format of keys without columns: always null.
type noKey struct{}

func (noKey) Serialize([]byte, []types.Value) ([]byte, error) { return nil, nil }

func (noKey) Deserialize([]byte) ([]types.Value, error) { return nil, nil }
