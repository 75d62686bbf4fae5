package expr

import (
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

var primitives = map[string]*types.Type{
	"BOOLEAN": types.Boolean, "INT": types.Integer, "INTEGER": types.Integer, "BIGINT": types.Bigint,
	"DOUBLE": types.Double, "VARCHAR": types.String, "STRING": types.String, "BYTES": types.Bytes,
	"TIME": types.Time, "DATE": types.Date, "TIMESTAMP": types.Timestamp,
}

// ResolveType turns a type as written into a SQL type. custom finds the types
// made by CREATE TYPE; it may be nil.
func ResolveType(t *ast.DataType, custom func(name string) (*types.Type, bool)) (*types.Type, error) {
	switch t.Kind {
	case ast.TypeDecimal:
		if t.Precision < 1 {
			return nil, errorAt(t, "DECIMAL precision must be >= 1: DECIMAL(%d,%d)", t.Precision, t.Scale)
		}
		if t.Scale < 0 {
			return nil, errorAt(t, "DECIMAL scale must be >= 0: DECIMAL(%d,%d)", t.Precision, t.Scale)
		}
		if t.Scale > t.Precision {
			return nil, errorAt(t, "DECIMAL precision must be >= scale: DECIMAL(%d,%d)", t.Precision, t.Scale)
		}
		return types.DecimalOf(t.Precision, t.Scale), nil
	case ast.TypeArray:
		elem, err := ResolveType(t.Element, custom)
		if err != nil {
			return nil, err
		}
		return types.ArrayOf(elem), nil
	case ast.TypeMap:
		key, err := ResolveType(t.Key, custom)
		if err != nil {
			return nil, err
		}
		value, err := ResolveType(t.Value, custom)
		if err != nil {
			return nil, err
		}
		return types.MapOf(key, value), nil
	case ast.TypeStruct:
		fields := make([]types.Field, len(t.Fields))
		for i, f := range t.Fields {
			ft, err := ResolveType(f.Type, custom)
			if err != nil {
				return nil, err
			}
			fields[i] = types.Field{Name: f.Name.Name, Type: ft}
		}
		if err := uniqueFields(t, fields); err != nil {
			return nil, err
		}
		return types.StructOf(fields...), nil
	default:
		// A quoted name is never a keyword.
		if p, ok := primitives[upper(t.Name.Name)]; ok && !t.Name.Quoted {
			return p, nil
		}
		if custom != nil {
			if c, ok := custom(t.Name.Name); ok {
				return c, nil
			}
		}
		return nil, errorAt(t, "Cannot resolve unknown type: %s", t.Name.Name)
	}
}

func uniqueFields(n ast.Node, fields []types.Field) error {
	for i, f := range fields {
		for _, g := range fields[:i] {
			if f.Name == g.Name {
				return errorAt(n, "Duplicate field names found in STRUCT: '%s %s' and '%s %s'",
					types.QuoteName(g.Name), g.Type, types.QuoteName(f.Name), f.Type)
			}
		}
	}
	return nil
}
