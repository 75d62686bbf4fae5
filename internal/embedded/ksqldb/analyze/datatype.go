package analyze

import (
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// resolveType finds the SQL type for a type as written; custom types come from
// the catalog.
func (a *Analyzer) resolveType(t *ast.DataType) (*types.Type, error) {
	return expr.ResolveType(t, a.Catalog.Type)
}

// writtenType is the type as a statement would write it, for the texts of
// rewritten statements.
func writtenType(t *types.Type) *ast.DataType {
	switch t.Kind {
	case types.KindDecimal:
		return &ast.DataType{Kind: ast.TypeDecimal, Precision: t.Precision, Scale: t.Scale}
	case types.KindArray:
		return &ast.DataType{Kind: ast.TypeArray, Element: writtenType(t.Elem)}
	case types.KindMap:
		return &ast.DataType{Kind: ast.TypeMap, Key: writtenType(t.Key), Value: writtenType(t.Elem)}
	case types.KindStruct:
		d := &ast.DataType{Kind: ast.TypeStruct}
		for _, f := range t.Fields {
			d.Fields = append(d.Fields, &ast.FieldType{Name: ident(f.Name), Type: writtenType(f.Type)})
		}
		return d
	default:
		return &ast.DataType{Kind: ast.TypeNamed, Name: ident(t.Kind.String())}
	}
}

func ident(name string) *ast.Ident { return &ast.Ident{Name: name} }

func columnRef(name string) *ast.ColumnRef { return &ast.ColumnRef{Name: ident(name)} }
