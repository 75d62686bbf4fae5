package data

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"time"
)

// The patterns of points in time in texts, as Connect writes them.
const (
	isoDate      = "2006-01-02"
	isoTime      = "15:04:05.000Z"
	isoTimestamp = "2006-01-02T15:04:05.000Z"
)

// ParseText makes a value of a text, with the schema that its form suggests:
// numbers, booleans, points in time, lists and maps of them; what has no such
// form is a string. The text null gives neither.
func ParseText(text string) (*Schema, any) {
	if strings.TrimSpace(text) == "" {
		return Of(String), text
	}
	p := &textParser{rest: text}
	schema, v, err := p.parse(false)
	if err != nil || p.rest != "" {
		return Of(String), text
	}
	return schema, v
}

var errNoForm = errors.New("the text has no form but its own")

// textParser reads a value from the beginning of rest.
type textParser struct {
	rest  string
	depth int
}

const maxTextDepth = 100

func (p *textParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *textParser) accept(c string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, c)
	if ok {
		p.rest = rest
		p.space()
	}
	return ok
}

func (p *textParser) parse(embedded bool) (*Schema, any, error) {
	if p.depth++; p.depth > maxTextDepth {
		return nil, nil, errNoForm
	}
	defer func() { p.depth-- }()
	switch {
	case p.accept("["):
		return p.list()
	case p.accept("{"):
		return p.table()
	case embedded && strings.HasPrefix(p.rest, `"`):
		return p.quoted()
	case embedded:
		return p.word(p.cut())
	}
	text := p.rest
	p.rest = ""
	return p.word(strings.TrimSpace(text))
}

// cut takes what comes before the next delimiter. A colon between digits belongs
// to a time.
func (p *textParser) cut() string {
	p.space()
	if len(p.rest) >= len(isoTime) {
		for _, layout := range []string{isoTimestamp, isoTime} {
			if len(p.rest) >= len(layout) {
				if _, err := time.Parse(layout, p.rest[:len(layout)]); err == nil {
					word := p.rest[:len(layout)]
					p.rest = p.rest[len(layout):]
					return word
				}
			}
		}
	}
	end := strings.IndexAny(p.rest, `[]{},:"`)
	if end < 0 {
		end = len(p.rest)
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	return strings.TrimSpace(word)
}

func (p *textParser) word(word string) (*Schema, any, error) {
	switch word {
	case "":
		return nil, nil, errNoForm
	case "null":
		return nil, nil, nil
	case "true", "false":
		return Of(Boolean), word == "true", nil
	}
	if schema, at, ok := parseTime(word); ok {
		return schema, at, nil
	}
	if schema, v, ok := parseNumber(word); ok {
		return schema, v, nil
	}
	return nil, nil, errNoForm
}

func parseTime(text string) (*Schema, time.Time, bool) {
	text = strings.ReplaceAll(text, `\:`, ":")
	for layout, schema := range map[string]*Schema{isoDate: Date(), isoTime: TimeOfDay(), isoTimestamp: Timestamp()} {
		if len(text) != len(layout) {
			continue
		}
		if at, err := time.Parse(layout, text); err == nil {
			if layout == isoTime {
				at = time.UnixMilli(0).UTC().Add(at.Sub(time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)))
			}
			return schema, at, true
		}
	}
	return nil, time.Time{}, false
}

// parseNumber gives the narrowest type that holds a number.
func parseNumber(text string) (*Schema, any, bool) {
	if text == "" || !strings.ContainsRune("0123456789+-", rune(text[0])) || strings.ContainsAny(text, "xX_/pPbBoOnN") || len(text) > 400 {
		return nil, nil, false
	}
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, nil, false
	}
	if exact.IsInt() && exact.Num().IsInt64() {
		switch n := exact.Num().Int64(); {
		case n == int64(int8(n)):
			return Of(Int8), int8(n), true
		case n == int64(int16(n)):
			return Of(Int16), int16(n), true
		case n == int64(int32(n)):
			return Of(Int32), int32(n), true
		default:
			return Of(Int64), n, true
		}
	}
	if exact.IsInt() {
		return DecimalSchema(0), Decimal{Unscaled: new(big.Int).Set(exact.Num())}, true
	}
	if f, _ := exact.Float32(); !math.IsInf(float64(f), 0) {
		return Of(Float32), f, true
	}
	f, _ := exact.Float64()
	return Of(Float64), f, !math.IsInf(f, 0)
}

func (p *textParser) quoted() (*Schema, any, error) {
	end := strings.IndexByte(p.rest[1:], '"')
	if end < 0 {
		return nil, nil, errNoForm
	}
	text := p.rest[1 : 1+end]
	p.rest = p.rest[end+2:]
	if schema, at, ok := parseTime(text); ok {
		return schema, at, nil
	}
	return Of(String), text, nil
}

func (p *textParser) list() (*Schema, any, error) {
	values := []any{}
	var common merger
	for first := true; !p.accept("]"); first = false {
		if !first && !p.accept(",") {
			return nil, nil, errNoForm
		}
		schema, v, err := p.parse(true)
		if err != nil {
			return nil, nil, err
		}
		common.add(schema)
		values = append(values, v)
	}
	return &Schema{Type: Array, Value: common.schema}, common.align(values), nil
}

func (p *textParser) table() (*Schema, any, error) {
	m := &Map{}
	var keys, values merger
	for first := true; !p.accept("}"); first = false {
		if !first && !p.accept(",") {
			return nil, nil, errNoForm
		}
		keySchema, key, err := p.parse(true)
		if err != nil || key == nil || !p.accept(":") {
			return nil, nil, errNoForm
		}
		schema, v, err := p.parse(true)
		if err != nil {
			return nil, nil, err
		}
		keys.add(keySchema)
		values.add(schema)
		m.Keys, m.Values = append(m.Keys, key), append(m.Values, v)
	}
	m.Keys, m.Values = keys.align(m.Keys), values.align(m.Values)
	return &Schema{Type: MapType, Key: keys.schema, Value: values.schema}, m, nil
}

// merger finds the schema that several values have in common: numbers widen,
// other types have to be the same.
type merger struct {
	schema *Schema
	none   bool
}

func (m *merger) add(s *Schema) {
	switch {
	case s == nil || m.none:
	case m.schema == nil:
		m.schema = s
	case m.schema.Type == s.Type && m.schema.Name == s.Name:
	case m.schema.Type <= Float64 && s.Type <= Float64 && m.schema.Name == "" && s.Name == "":
		m.schema = Of(max(m.schema.Type, s.Type))
	default:
		m.schema, m.none = nil, true
	}
}

// align makes numbers values of the common type.
func (m *merger) align(values []any) []any {
	if m.schema == nil || m.schema.Type > Float64 || m.schema.Name != "" {
		return values
	}
	for i, v := range values {
		if v != nil {
			values[i] = widen(v, m.schema.Type)
		}
	}
	return values
}

func widen(v any, to Type) any {
	var whole int64
	var real float64
	switch v := v.(type) {
	case int8:
		whole, real = int64(v), float64(v)
	case int16:
		whole, real = int64(v), float64(v)
	case int32:
		whole, real = int64(v), float64(v)
	case int64:
		whole, real = v, float64(v)
	case float32:
		real = float64(v)
	case float64:
		real = v
	}
	switch to {
	case Int8:
		return int8(whole) //nolint:gosec // no wider value is among them
	case Int16:
		return int16(whole) //nolint:gosec // no wider value is among them
	case Int32:
		return int32(whole) //nolint:gosec // no wider value is among them
	case Int64:
		return whole
	case Float32:
		return float32(real)
	default:
		return real
	}
}

// HeaderText writes a value as a header shows it.
func HeaderText(v any) string { return headerText(v, false) }

func headerText(v any, embedded bool) string {
	switch v := v.(type) {
	case string:
		if embedded {
			return `"` + strings.ReplaceAll(strings.ReplaceAll(v, `\`, `\\`), `"`, `\"`) + `"`
		}
		return v
	case time.Time:
		return isoText(v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = headerText(e, true)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case *Map:
		parts := make([]string, len(v.Keys))
		for i, k := range v.Keys {
			parts[i] = headerText(k, true) + ":" + headerText(v.Values[i], true)
		}
		return "{" + strings.Join(parts, ",") + "}"
	default:
		return Text(v)
	}
}

// isoText writes a point in time in the form of what it can only be: a time on
// the first day, a date at midnight.
func isoText(at time.Time) string {
	at = at.UTC()
	const day = 24 * 60 * 60 * 1000
	switch ms := at.UnixMilli(); {
	case ms >= 0 && ms < day:
		return at.Format(isoTime)
	case ms%day == 0:
		return at.Format(isoDate)
	default:
		return at.Format(isoTimestamp)
	}
}
