package data

import (
	"errors"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode"
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
	if text == "" {
		return Of(String), text
	}
	p := &textParser{tokens: tokens{text: text}}
	schema, v, err := p.parse(false)
	if err != nil {
		return Of(String), text
	}
	return schema, v
}

var errNoForm = errors.New("the text has no form but its own")

// tokens cuts a text at delimiters, which are tokens themselves. A backslash takes
// the meaning from a delimiter after it.
type tokens struct {
	text string
	at   int
	next string // read, but not taken
}

const delimiters = `:,{}[]"`

// more reports whether there is another token.
func (t *tokens) more() bool { return t.next != "" || t.at < len(t.text) }

func (t *tokens) read() string {
	start, escaped := t.at, false
	for ; t.at < len(t.text); t.at++ {
		c := t.text[t.at]
		switch {
		case c == '\\':
			escaped = !escaped
		case strings.IndexByte(delimiters, c) >= 0 && !escaped:
			if start == t.at {
				t.at++
			}
			return t.text[start:t.at]
		default:
			escaped = false
		}
	}
	return t.text[start:]
}

// take takes a token.
func (t *tokens) take() string {
	token := t.next
	if t.next = ""; token == "" {
		token = t.read()
	}
	return token
}

// accept takes the next token if it is the one, leaving out white space before it.
func (t *tokens) accept(token string) bool {
	if t.next == "" {
		if !t.more() {
			return false
		}
		t.next = t.read()
	}
	for blank(t.next) && t.at < len(t.text) {
		t.next = t.read()
	}
	if javaTrim(t.next) != token {
		return false
	}
	t.next = ""
	return true
}

// mark is the place of the next token, for rewind.
func (t *tokens) mark() int { return t.at - len(t.next) }

func (t *tokens) rewind(to int) { t.at, t.next = to, "" }

func blank(text string) bool { return javaTrim(text) == "" }

// javaTrim cuts off what Java's trim does: all up to the space.
func javaTrim(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
}

// textParser reads a value from tokens.
type textParser struct {
	tokens
	depth int
}

const maxTextDepth = 100

// literal accepts a word. On the outermost level it must be all there is.
func (p *textParser) literal(word string, embedded bool) bool {
	start := p.mark()
	if p.accept(word) && (embedded || !p.more()) {
		return true
	}
	p.rewind(start)
	return false
}

func (p *textParser) parse(embedded bool) (*Schema, any, error) {
	if p.depth++; p.depth > maxTextDepth {
		return nil, nil, errNoForm
	}
	defer func() { p.depth-- }()
	switch {
	case !p.more():
		return nil, nil, nil
	case embedded && p.accept(`"`):
		schema, v := p.quoted()
		return schema, v, nil
	case p.literal("null", embedded):
		return nil, nil, nil
	case p.literal("true", embedded):
		return Of(Boolean), true, nil
	case p.literal("false", embedded):
		return Of(Boolean), false, nil
	}
	start := p.mark()
	var schema *Schema
	var v any
	err := errNoForm
	if p.accept("[") {
		schema, v, err = p.list()
	} else if p.accept("{") {
		schema, v, err = p.table()
	}
	if err == nil {
		return schema, v, nil
	}
	p.rewind(start)
	token := p.take()
	if blank(token) {
		return Of(String), token, nil
	}
	return p.word(embedded, javaTrim(token))
}

func (p *textParser) word(embedded bool, word string) (*Schema, any, error) {
	first := []rune(word)[0]
	if unicode.IsDigit(first) {
		if schema, at, ok := p.timeOf(word); ok {
			return schema, at, nil
		}
	}
	if unicode.IsDigit(first) || first == '+' || first == '-' {
		if schema, v, ok := parseNumber(word); ok {
			return schema, v, nil
		}
	}
	if embedded {
		return nil, nil, errNoForm
	}
	return Of(String), p.text, nil
}

// timeOf reads a point in time that begins with a word; colons have cut it.
func (p *textParser) timeOf(word string) (*Schema, any, bool) {
	start := p.mark()
	whole, complete := word, true
	for range 4 {
		if complete = complete && p.more(); complete {
			whole += p.take()
		}
	}
	if complete {
		if schema, at, ok := parseTime(whole); ok {
			return schema, at, true
		}
	}
	p.rewind(start)
	return parseTime(word)
}

func parseTime(text string) (*Schema, any, bool) {
	text = strings.ReplaceAll(text, `\:`, ":")
	for layout, schema := range map[string]*Schema{isoDate: Date(), isoTime: TimeOfDay(), isoTimestamp: Timestamp()} {
		if len(text) != len(layout) {
			continue
		}
		if at, ok := lenientTime(layout, text); ok {
			return schema, at, true
		}
	}
	return nil, nil, false
}

// lenientTime reads a text that has digits where the layout has them. Months and
// days beyond their range go on counting, as Java does.
func lenientTime(layout, text string) (time.Time, bool) {
	fields := map[byte]*int{}
	year, month, date, hour, minute, second, milli := 1970, 1, 1, 0, 0, 0, 0
	// What each digit of the layouts stands for.
	form := map[string]string{isoDate: "yyyy-MM-dd", isoTime: "HH:mm:ss.SSSZ", isoTimestamp: "yyyy-MM-ddTHH:mm:ss.SSSZ"}[layout]
	fields['y'], fields['M'], fields['d'], fields['H'], fields['m'], fields['s'], fields['S'] = &year, &month, &date, &hour, &minute, &second, &milli
	var last byte
	for i := range len(form) {
		field := fields[form[i]]
		if field == nil {
			if text[i] != form[i] {
				return time.Time{}, false
			}
			last = 0
			continue
		}
		if text[i] < '0' || text[i] > '9' {
			return time.Time{}, false
		}
		if form[i] != last {
			*field, last = 0, form[i]
		}
		*field = *field*10 + int(text[i]-'0')
	}
	return time.Date(year, time.Month(month), date, hour, minute, second, milli*int(time.Millisecond), time.UTC), true
}

var (
	// beyondLong is where whole numbers are no longer tried to fit.
	beyondLong = new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(19), nil))
	one        = big.NewRat(1, 1)
)

// parseNumber gives the narrowest type that holds a number.
func parseNumber(text string) (*Schema, any, bool) {
	d, err := ParseDecimal(text)
	if err != nil {
		return nil, nil, false
	}
	if r, ok := d.rat(); ok {
		size := new(big.Rat).Abs(r)
		if size.Cmp(beyondLong) <= 0 && (size.Cmp(one) >= 0 || size.Sign() == 0) && r.IsInt() && r.Num().IsInt64() {
			switch n := r.Num().Int64(); {
			case n == int64(int8(n)): //nolint:gosec // that is the question
				return Of(Int8), int8(n), true
			case n == int64(int16(n)): //nolint:gosec // that is the question
				return Of(Int16), int16(n), true
			case n == int64(int32(n)): //nolint:gosec // that is the question
				return Of(Int32), int32(n), true
			default:
				return Of(Int64), n, true
			}
		}
	}
	if f := d.Float(32); !math.IsInf(f, 0) && d.Scale != 0 {
		return Of(Float32), float32(f), true
	}
	if f := d.Float(64); !math.IsInf(f, 0) && d.Scale != 0 {
		return Of(Float64), f, true
	}
	return DecimalSchema(d.Scale), d, true
}

func (p *textParser) quoted() (*Schema, any) {
	text := ""
	for p.more() && !p.accept(`"`) {
		text += p.take()
	}
	if schema, at, ok := parseTime(text); ok {
		return schema, at
	}
	return Of(String), text
}

func (p *textParser) list() (*Schema, any, error) {
	values := []any{}
	var common merger
	for p.more() {
		if p.accept("]") {
			if common.schema != nil && slices.Contains(values, nil) {
				return nil, nil, errNoForm // as its elements' schema is not optional
			}
			return &Schema{Type: Array, Value: common.schema}, common.align(values), nil
		}
		if p.accept(",") {
			return nil, nil, errNoForm
		}
		schema, v, err := p.parse(true)
		if err != nil {
			return nil, nil, err
		}
		common.add(schema)
		values = append(values, v)
		at := p.mark()
		if p.accept("]") {
			p.rewind(at)
		} else if !p.accept(",") {
			return nil, nil, errNoForm
		}
	}
	return nil, nil, errNoForm
}

func (p *textParser) table() (*Schema, any, error) {
	m := &Map{}
	var keys, values merger
	for p.more() {
		if p.accept("}") {
			if keys.schema == nil {
				return &Schema{Type: MapType}, m, nil
			}
			m.Keys, m.Values = keys.align(m.Keys), values.align(m.Values)
			return &Schema{Type: MapType, Key: keys.schema, Value: values.schema}, m, nil
		}
		if p.accept(",") {
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
		m.PutAny(key, v)
		p.accept(",")
		keys.add(keySchema)
		values.add(schema)
	}
	return nil, nil, errNoForm
}

// PutAny puts an entry whose key may be a list or a map, which are always new.
func (m *Map) PutAny(key, value any) {
	switch key.(type) {
	case []any, *Map, Decimal:
		m.Keys, m.Values = append(m.Keys, key), append(m.Values, value)
	default:
		m.Put(key, value)
	}
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
	case m.schema == nil || m.schema.Type == s.Type:
		m.schema = s
	case m.schema.Type <= Float64 && s.Type <= Float64:
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
		return ISOText(v)
	case []byte:
		return headerText(Text(v), embedded)
	case *Struct:
		parts := make([]string, len(v.Values))
		for i, f := range v.Schema.Fields {
			value, _ := v.Get(f.Name)
			parts[i] = headerText(f.Name, true) + ":" + headerText(value, true)
		}
		return "{" + strings.Join(parts, ",") + "}"
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

// ISOText writes a point in time in the form of what it can only be: a time on the
// first day or before, a date at midnight.
func ISOText(at time.Time) string {
	at = at.UTC()
	const day = 24 * 60 * 60 * 1000
	switch ms := at.UnixMilli(); {
	case ms < day:
		return at.Format(isoTime)
	case ms%day == 0:
		return at.Format(isoDate)
	default:
		return at.Format(isoTimestamp)
	}
}
