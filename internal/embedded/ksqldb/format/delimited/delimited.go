// Package delimited is ksqlDB's DELIMITED format: one line of comma separated
// values in the default dialect of Apache commons-csv.
//
// Invariants: NULL is written as an empty field; an empty field is read as
// NULL, quoted or not; a record has exactly one field per column.
package delimited

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Serde writes and reads rows of primitive columns.
type Serde struct {
	columns   []types.Column
	delimiter rune
	topic     string
}

// New makes a Serde for columns of primitive types.
func New(columns []types.Column, delimiter rune, topic string) *Serde {
	return &Serde{columns: columns, delimiter: delimiter, topic: topic}
}

// Serialize implements serde.Serde.
func (s *Serde) Serialize(dst []byte, values []types.Value) ([]byte, error) {
	if values == nil {
		return nil, nil
	}
	if len(values) != len(s.columns) {
		return nil, &serde.Error{Message: fmt.Sprintf("Column count mismatch on serialization. topic: %s, expected: %d, got: %d", s.topic, len(s.columns), len(values))}
	}
	if dst == nil {
		dst = []byte{}
	}
	var scratch [64]byte
	for i, v := range values {
		if i > 0 {
			dst = utf8.AppendRune(dst, s.delimiter)
		}
		if v.IsNull() {
			continue
		}
		dst = s.appendField(dst, appendText(scratch[:0], s.columns[i].Type, v), i == 0)
	}
	return dst, nil
}

func appendText(dst []byte, t *types.Type, v types.Value) []byte {
	switch t.Kind {
	case types.KindBoolean:
		return strconv.AppendBool(dst, v.Bool())
	case types.KindDouble:
		return types.AppendDouble(dst, v.Double())
	case types.KindDecimal:
		return types.AppendDecimal(dst, v.Decimal())
	case types.KindString:
		return append(dst, v.Str()...)
	case types.KindBytes:
		return base64.StdEncoding.AppendEncode(dst, v.Bytes())
	default:
		return strconv.AppendInt(dst, v.Int(), 10)
	}
}

// appendField quotes a field where commons-csv's minimal quoting does: also
// when the first field of a record doesn't begin with an ASCII letter or digit,
// when a field begins with a character up to '#', and when it ends with a
// character up to a blank.
func (s *Serde) appendField(dst, text []byte, first bool) []byte {
	if !s.needsQuotes(text, first) {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

func (s *Serde) needsQuotes(text []byte, first bool) bool {
	if len(text) == 0 {
		return first
	}
	c := text[0]
	letterOrDigit := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
	if first && !letterOrDigit || c <= '#' || text[len(text)-1] <= ' ' {
		return true
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == '\n' || r == '\r' || r == '"' || r == s.delimiter {
			return true
		}
		i += size
	}
	return false
}

// Deserialize implements serde.Serde.
func (s *Serde) Deserialize(data []byte) ([]types.Value, error) {
	if data == nil {
		return nil, nil
	}
	values, err := s.deserialize(string(data))
	if err != nil {
		return nil, &serde.Error{Message: "Error deserializing delimited", Cause: err}
	}
	return values, nil
}

func (s *Serde) deserialize(text string) ([]types.Value, error) {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	fields, err := s.split(text)
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return nil, errors.New("No fields in record")
	}
	if len(fields) != len(s.columns) {
		return nil, fmt.Errorf("Column count mismatch on deserialization. topic: %s, expected: %d, got: %d", s.topic, len(s.columns), len(fields))
	}
	values := make([]types.Value, len(fields))
	for i, field := range fields {
		if field == "" {
			continue
		}
		if values[i], err = parse(s.columns[i].Type, field); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// split reads the first record of a text. Empty lines before it are skipped.
func (s *Serde) split(text string) ([]string, error) {
	text = strings.TrimLeft(text, "\r\n")
	if text == "" {
		return nil, nil
	}
	var fields []string
	for {
		field, rest, err := s.field(text)
		if err != nil {
			return nil, err
		}
		fields = append(fields, field)
		r, size := utf8.DecodeRuneInString(rest)
		if size == 0 || r != s.delimiter {
			return fields, nil
		}
		if len(fields) > len(s.columns) {
			return nil, fmt.Errorf("Column count mismatch on deserialization. topic: %s, expected: %d, got: more than %d", s.topic, len(s.columns), len(s.columns))
		}
		text = rest[size:]
	}
}

// field takes one field off the text. What is left begins with the delimiter or
// the end of the record.
func (s *Serde) field(text string) (field, rest string, err error) {
	// Blanks before a quote don't belong to a quoted field's text only when
	// the dialect ignores surrounding blanks, which the default doesn't.
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexFunc(text, func(r rune) bool { return r == s.delimiter || r == '\n' || r == '\r' })
		if end < 0 {
			return text, "", nil
		}
		return text[:end], text[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] != '"' {
			b.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		// Only blanks may stand between the closing quote and what follows.
		for j := i + 1; ; j++ {
			if j == len(text) {
				return b.String(), "", nil
			}
			r, _ := utf8.DecodeRuneInString(text[j:])
			switch {
			case r == s.delimiter || r == '\n' || r == '\r':
				return b.String(), text[j:], nil
			case r != ' ' && r != '\t':
				return "", "", errors.New("(line 1) invalid char between encapsulated token and delimiter")
			}
		}
	}
	return "", "", errors.New("(startline 1) EOF reached before encapsulated token finished")
}

func parse(t *types.Type, text string) (types.Value, error) {
	switch t.Kind {
	case types.KindBoolean:
		return types.BoolValue(strings.EqualFold(text, "true")), nil
	case types.KindInteger, types.KindDate:
		return parseInt(text, 32)
	case types.KindBigint, types.KindTimestamp:
		return parseInt(text, 64)
	case types.KindTime:
		v, err := parseInt(text, 64)
		if err != nil {
			return v, err
		}
		return v, serde.CheckTime(v.Int())
	case types.KindDouble:
		f, err := serde.ParseDouble(text)
		if err != nil {
			return types.Null, err
		}
		return types.DoubleValue(f), nil
	case types.KindDecimal:
		d, err := types.ParseDecimal(text)
		if err != nil {
			return types.Null, err
		}
		if d, err = types.FitDecimal(d, t.Precision, t.Scale); err != nil {
			return types.Null, err
		}
		return types.DecimalValue(d), nil
	case types.KindBytes:
		// Java's decoder does without the padding.
		b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil || strings.ContainsAny(text, "\r\n") {
			return types.Null, fmt.Errorf("Value is not a valid Base64 encoded string: %s", text)
		}
		return types.BytesValue(b), nil
	default:
		return types.StringValue(text), nil
	}
}

func parseInt(text string, bits int) (types.Value, error) {
	n, ok := serde.ParseInt(text, bits)
	if !ok {
		return types.Null, fmt.Errorf("For input string: %q", text)
	}
	return types.IntValue(n), nil
}
