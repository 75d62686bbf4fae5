package convert

import "github.com/orderflow/orderflow/internal/embedded/connect/data"

// plain takes unions out of data: the struct that stands for one becomes the
// member that is not null. Data without unions comes back as it is.
func plain(s *data.Schema, v any) (*data.Schema, any) {
	if s == nil || !hasUnion(s) {
		return s, v
	}
	if isUnion(s) {
		st, ok := v.(*data.Struct)
		if !ok {
			return s, v
		}
		for i, f := range s.Fields {
			if st.Values[i] != nil {
				return plain(f.Schema, st.Values[i])
			}
		}
		return &data.Schema{Type: data.String, Optional: true}, nil
	}
	switch v := v.(type) {
	case *data.Struct:
		schema := s.Clone()
		out := &data.Struct{Schema: schema, Values: make([]any, len(v.Values))}
		for i := range v.Values {
			schema.Fields[i].Schema, out.Values[i] = plain(s.Fields[i].Schema, v.Values[i])
		}
		return schema, out
	case []any:
		// Members of one list may be of several types, so that they keep none.
		list := make([]any, len(v))
		for i := range v {
			_, list[i] = plain(s.Value, v[i])
		}
		return nil, list
	case *data.Map:
		m := &data.Map{Keys: v.Keys, Values: make([]any, len(v.Values))}
		for i := range v.Values {
			_, m.Values[i] = plain(s.Value, v.Values[i])
		}
		return nil, m
	default:
		return s, v
	}
}

func hasUnion(s *data.Schema) bool {
	if s == nil {
		return false
	}
	if isUnion(s) || hasUnion(s.Value) {
		return true
	}
	for _, f := range s.Fields {
		if hasUnion(f.Schema) {
			return true
		}
	}
	return false
}
