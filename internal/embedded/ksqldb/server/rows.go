package server

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// schemaText is the list of columns in the header of an answer.
// ksqlDB puts header columns behind the key there, whatever the order of the rows'
// columns.
func schemaText(columns []engine.Column) string {
	var keys, headers, others []string
	for _, c := range columns {
		text := types.QuoteName(c.Name) + " " + c.Type.String()
		key, one := strings.CutPrefix(c.Header, "=")
		switch {
		case c.Key:
			keys = append(keys, text+" KEY")
		case one:
			headers = append(headers, text+" HEADER('"+key+"')")
		case c.Header != "":
			headers = append(headers, text+" HEADERS")
		default:
			others = append(others, text)
		}
	}
	if len(headers) > 0 {
		return strings.Join(slices.Concat(keys, headers, others), ", ")
	}
	return inOrder(columns)
}

func inOrder(columns []engine.Column) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = types.QuoteName(c.Name) + " " + c.Type.String()
		if c.Key {
			parts[i] += " KEY"
		}
	}
	return strings.Join(parts, ", ")
}

// appendMetadata writes the columns of an answer as names and types.
func appendMetadata(dst []byte, q *engine.Query) ([]byte, error) {
	names, kinds := make([]string, len(q.Columns)), make([]string, len(q.Columns))
	for i, c := range q.Columns {
		names[i], kinds[i] = c.Name, c.Type.String()
	}
	head, err := marshal(struct {
		ID    string   `json:"queryId"`
		Names []string `json:"columnNames"`
		Types []string `json:"columnTypes"`
	}{q.ID, names, kinds})
	return append(dst, head...), err
}

func appendError(dst []byte, failed *engine.Error) []byte {
	body, err := marshal((&engine.Error{Code: failed.Code, Message: failed.Message}).Answer())
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, body...)
}

func appendRow(dst []byte, columns []engine.Column, values []types.Value) []byte {
	dst = append(dst, '[')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, columns[i].Type, v, true)
	}
	return append(dst, ']')
}

// appendValue writes a value as ksqlDB's answers do: times as text at the top
// level and as numbers further in.
func appendValue(dst []byte, t *types.Type, v types.Value, top bool) []byte {
	if v.IsNull() {
		return append(dst, "null"...)
	}
	switch t.Kind {
	case types.KindBoolean:
		return strconv.AppendBool(dst, v.Bool())
	case types.KindInteger, types.KindBigint:
		return strconv.AppendInt(dst, v.Int(), 10)
	case types.KindDouble:
		return appendDouble(dst, v.Double())
	case types.KindDecimal:
		return types.AppendDecimal(dst, v.Decimal())
	case types.KindString:
		return appendText(dst, v.Str())
	case types.KindBytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		return append(dst, '"')
	case types.KindTime, types.KindDate, types.KindTimestamp:
		if !top {
			return strconv.AppendInt(dst, v.Int(), 10)
		}
		return append(types.AppendText(append(dst, '"'), t, v), '"')
	case types.KindArray:
		dst = append(dst, '[')
		for i, e := range v.Elems() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, t.Elem, e, false)
		}
		return append(dst, ']')
	case types.KindMap:
		m := v.Map()
		dst = append(dst, '{')
		for i, at := range types.HashOrder(t.Key, m.Keys, len(m.Keys)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendText(dst, types.Text(t.Key, m.Keys[at])), ':')
			dst = appendValue(dst, t.Elem, m.Values[at], false)
		}
		return append(dst, '}')
	case types.KindStruct:
		dst = append(dst, '{')
		for i, e := range v.Elems() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendText(dst, t.Fields[i].Name), ':')
			dst = appendValue(dst, t.Fields[i].Type, e, false)
		}
		return append(dst, '}')
	default:
		return append(dst, "null"...)
	}
}

// appendDouble writes a DOUBLE; what is no number in JSON becomes a text.
func appendDouble(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(types.AppendDouble(append(dst, '"'), f), '"')
	}
	return types.AppendDouble(dst, f)
}

// appendText writes a JSON string, escaping no more than JSON demands.
func appendText(dst []byte, text string) []byte {
	plain := true
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return append(append(append(dst, '"'), text...), '"')
	}
	body, err := marshal(text)
	if err != nil {
		return append(dst, `""`...)
	}
	return append(dst, body...)
}

// isRecord tells a printed record from the lines about formats and the blank
// ones.
func isRecord(line string) bool { return strings.HasPrefix(line, "rowtime: ") }
