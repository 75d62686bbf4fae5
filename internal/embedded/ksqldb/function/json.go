package function

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func jsonFunctions() []scalarDef {
	parsed := func(name, params, result, description string, f func(n *jsonNode) types.Value) scalarDef {
		return scalarDef{name, CategoryJSON, description, []overloadDef{{params: params, result: result, impl: f1(func(v types.Value) (types.Value, error) {
			n, err := parseJSON(v.Str())
			if err != nil || n == nil {
				return types.Null, err
			}
			return f(n), nil
		})}}}
	}
	return []scalarDef{
		{"extractjsonfield", CategoryJSON, "The value at a path, such as $.a[0].b, in a JSON text.", []overloadDef{{params: "VARCHAR input, VARCHAR path", result: "VARCHAR", bind: func([]*types.Type, *types.Type) (Impl, error) {
			return f2((&jsonPaths{}).extract), nil
		}}}},
		{"IS_JSON_STRING", CategoryJSON, "Whether a text is JSON.", []overloadDef{{params: "VARCHAR input", result: "BOOLEAN", nulls: true, impl: f1(func(v types.Value) (types.Value, error) {
			n, err := parseJSON(v.Str())
			return types.BoolValue(err == nil && n != nil && !v.IsNull()), nil
		})}}},
		parsed("JSON_ARRAY_LENGTH", "VARCHAR jsonArray", "INT", "The number of elements of a JSON array.", func(n *jsonNode) types.Value {
			if n.kind != jsonArray {
				return types.Null
			}
			return types.IntValue(int64(len(n.elems)))
		}),
		parsed("JSON_KEYS", "VARCHAR jsonObj", "ARRAY<VARCHAR>", "The names of the members of a JSON object.", func(n *jsonNode) types.Value {
			if n.kind != jsonObject {
				return types.Null
			}
			out := make([]types.Value, len(n.members))
			for i, m := range n.members {
				out[i] = types.StringValue(m.name)
			}
			return types.ArrayValue(out)
		}),
		parsed("JSON_RECORDS", "VARCHAR jsonObj", "MAP<VARCHAR, VARCHAR>", "The members of a JSON object as a map.", func(n *jsonNode) types.Value {
			if n.kind != jsonObject {
				return types.Null
			}
			out := types.NewMapBuilder(types.String, len(n.members))
			for _, m := range n.members {
				out.Put(types.StringValue(m.name), types.StringValue(m.value.plain()))
			}
			return out.Value()
		}),
		{"JSON_ITEMS", CategoryJSON, "The elements of a JSON array, each as JSON.", []overloadDef{{params: "VARCHAR jsonItems", result: "ARRAY<VARCHAR>", impl: f1(func(v types.Value) (types.Value, error) {
			n, err := parseJSON(v.Str())
			if err == nil && (n == nil || n.kind != jsonArray) {
				err = fmt.Errorf("Invalid JSON format:%s", v.Str())
			}
			if err != nil {
				return types.Null, err
			}
			out := make([]types.Value, len(n.elems))
			for i, e := range n.elems {
				out[i] = types.StringValue(e.String())
			}
			return types.ArrayValue(out), nil
		})}}},
		{"JSON_ARRAY_CONTAINS", CategoryJSON, "Whether a JSON array has an element.", []overloadDef{{params: "VARCHAR jsonArray, T val", result: "BOOLEAN", nulls: true, bind: func(args []*types.Type, _ *types.Type) (Impl, error) {
			t := args[1]
			return f2(func(array, v types.Value) (types.Value, error) {
				if array.IsNull() {
					return types.Null, nil
				}
				n, err := parseJSON(array.Str())
				if err != nil || n == nil || n.kind != jsonArray {
					return types.BoolValue(false), nil
				}
				return types.BoolValue(slices.ContainsFunc(n.elems, func(e *jsonNode) bool { return e.equals(t, v) })), nil
			}), nil
		}}}},
		{"JSON_CONCAT", CategoryJSON, "JSON values merged: the members of objects, else the elements of arrays.", []overloadDef{{params: "VARCHAR... jsonStrings", result: "VARCHAR", impl: Impl{FN: jsonConcat}}}},
		{"TO_JSON_STRING", CategoryJSON, "A value as JSON.", []overloadDef{{params: "T input", result: "VARCHAR", nulls: true, bind: func(args []*types.Type, _ *types.Type) (Impl, error) {
			t := args[0]
			return f1(func(v types.Value) (types.Value, error) { return text(toJSON(t, v).String()) }), nil
		}}}},
	}
}

// equals compares with a SQL value: numbers only with the like (1 is not 1.0,
// and a DECIMAL equals nothing).
func (n *jsonNode) equals(t *types.Type, v types.Value) bool {
	if n.kind == jsonNull || v.IsNull() {
		return n.kind == jsonNull && v.IsNull()
	}
	switch t.Kind {
	case types.KindInteger, types.KindBigint:
		return n.kind == jsonInt && n.text == strconv.FormatInt(v.Int(), 10)
	case types.KindDouble:
		f, err := strconv.ParseFloat(n.text, 64)
		return n.kind == jsonFloat && err == nil && f == v.Double()
	case types.KindString:
		return n.kind == jsonString && n.text == v.Str()
	case types.KindBoolean:
		return n.kind == jsonTrue && v.Bool() || n.kind == jsonFalse && !v.Bool()
	default:
		return false
	}
}

func jsonConcat(args []types.Value) (types.Value, error) {
	nodes := make([]*jsonNode, len(args))
	objects := true
	for i, a := range args {
		n, err := parseJSON(a.Str())
		if err != nil || n == nil {
			return types.Null, err
		}
		nodes[i] = n
		objects = objects && n.kind == jsonObject
	}
	if len(nodes) == 0 {
		return types.Null, fmt.Errorf("JSON_CONCAT without arguments")
	}
	if objects {
		merged := &jsonNode{kind: jsonObject}
		for _, n := range nodes {
			for _, m := range n.members {
				merged.set(m.name, m.value)
			}
		}
		return text(merged.String())
	}
	if len(nodes) == 1 {
		return text(nodes[0].String())
	}
	merged := &jsonNode{kind: jsonArray}
	for _, n := range nodes {
		if n.kind == jsonArray {
			merged.elems = append(merged.elems, n.elems...)
		} else {
			merged.elems = append(merged.elems, n)
		}
	}
	return text(merged.String())
}

// toJSON writes times as text, bytes in base 64, and the members of structs and
// maps in the order of their names.
func toJSON(t *types.Type, v types.Value) *jsonNode {
	if v.IsNull() {
		return &jsonNode{}
	}
	switch t.Kind {
	case types.KindBoolean:
		if v.Bool() {
			return &jsonNode{kind: jsonTrue}
		}
		return &jsonNode{kind: jsonFalse}
	case types.KindInteger, types.KindBigint:
		return &jsonNode{kind: jsonInt, text: types.Text(t, v)}
	case types.KindDouble:
		n := &jsonNode{kind: jsonFloat, text: types.Text(t, v)}
		if last := n.text[len(n.text)-1]; last == 'N' || last == 'y' {
			n.kind = jsonString
		}
		return n
	case types.KindDecimal:
		return &jsonNode{kind: jsonFloat, text: types.DecimalText(v.Decimal())}
	case types.KindBytes:
		return &jsonNode{kind: jsonString, text: base64.StdEncoding.EncodeToString(v.Bytes())}
	case types.KindArray:
		n := &jsonNode{kind: jsonArray}
		for _, e := range v.Elems() {
			n.elems = append(n.elems, toJSON(t.Elem, e))
		}
		return n
	case types.KindMap:
		n := &jsonNode{kind: jsonObject}
		m := v.Map()
		for i, k := range m.Keys {
			n.set(types.Text(t.Key, k), toJSON(t.Elem, m.Values[i]))
		}
		return n.sorted()
	case types.KindStruct:
		n := &jsonNode{kind: jsonObject}
		for i, e := range v.Elems() {
			n.set(t.Fields[i].Name, toJSON(t.Fields[i].Type, e))
		}
		return n.sorted()
	default:
		return &jsonNode{kind: jsonString, text: types.Text(t, v)}
	}
}

func (n *jsonNode) sorted() *jsonNode {
	slices.SortFunc(n.members, func(a, b jsonMember) int { return types.CompareText(a.name, b.name) })
	return n
}

// jsonPaths remembers the path read last, since a query nearly always uses one.
type jsonPaths struct{ last atomic.Pointer[jsonPath] }

type jsonPath struct {
	text   string
	tokens []string
}

func (p *jsonPaths) extract(in, path types.Value) (types.Value, error) {
	compiled := p.last.Load()
	if compiled == nil || compiled.text != path.Str() {
		tokens, err := parseJSONPath(path.Str())
		if err != nil {
			return types.Null, err
		}
		compiled = &jsonPath{text: path.Str(), tokens: tokens}
		p.last.Store(compiled)
	}
	n, err := parseJSON(in.Str())
	if err != nil || n == nil {
		return types.Null, err
	}
	for _, token := range compiled.tokens {
		if n.kind == jsonArray {
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(n.elems) {
				return types.Null, nil
			}
			n = n.elems[i]
			continue
		}
		if n = n.get(token); n == nil {
			return types.Null, nil
		}
	}
	return text(n.plain())
}

// parseJSONPath cuts $.a["b c"][0] into its steps.
func parseJSONPath(path string) ([]string, error) {
	invalid := fmt.Errorf("Invalid JSON path: '%s'", path)
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil, invalid
	}
	var tokens []string
	for rest != "" {
		var token string
		switch {
		case rest[0] == '.':
			token, rest = takeWord(rest[1:], ":@_")
		case strings.HasPrefix(rest, `["`):
			if token, rest, ok = takeQuoted(rest[2:]); !ok || !strings.HasPrefix(rest, "]") {
				return nil, invalid
			}
			tokens, rest = append(tokens, token), rest[1:]
			continue
		case rest[0] == '[':
			token, rest = takeWord(rest[1:], "_")
			if !strings.HasPrefix(rest, "]") {
				return nil, invalid
			}
			rest = rest[1:]
		}
		if token == "" {
			return nil, invalid
		}
		tokens = append(tokens, token)
	}
	return tokens, nil
}

func takeWord(s, extra string) (word, rest string) {
	end := strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(extra, r)
	})
	if end < 0 {
		end = len(s)
	}
	return s[:end], s[end:]
}

func takeQuoted(s string) (token, rest string, ok bool) {
	var b strings.Builder
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == '"':
			return b.String(), s[1:], true
		case r == '\\' && len(s) > 1 && (s[1] == '"' || s[1] == '\\'):
			b.WriteByte(s[1])
			size = 2
		case r == '\\':
			return "", "", false
		default:
			b.WriteRune(r)
		}
		s = s[size:]
	}
	return "", "", false
}
