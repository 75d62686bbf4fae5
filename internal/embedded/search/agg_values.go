package search

import (
	"encoding/hex"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// valueSource is the field that an aggregation is about.
type valueSource struct {
	field   string
	missing *node
	format  string
	zone    *time.Location
	hint    string // value_type
}

// params are those that every aggregation over a field has.
func (s *valueSource) params(kind string) params {
	return params{
		"field": func(v *node) *apiError {
			if v.kind != kindString {
				return wrongToken(kind, "field", v)
			}
			s.field = v.text
			return nil
		},
		"missing": func(v *node) *apiError { s.missing = v; return nil },
		"format":  func(v *node) *apiError { s.format = v.text; return nil },
		"time_zone": func(v *node) *apiError {
			zone, err := parseZone(v)
			s.zone = zone
			return err
		},
		"value_type": func(v *node) *apiError { s.hint = v.text; return nil },
		"script": func(*node) *apiError {
			return newError(400, "illegal_argument_exception", "script_lang not supported [painless]")
		},
	}
}

// require reports a source without a field.
func (s *valueSource) require() *apiError {
	if s.field == "" {
		return illegalArgument("Required one of fields [field, script], but none were specified. ")
	}
	return nil
}

// parseZone reads a time zone: an offset, or a name.
func parseZone(v *node) (*time.Location, *apiError) {
	text, _ := v.scalar()
	if v.kind == kindNumber {
		hours, err := strconv.Atoi(text)
		if err != nil {
			return nil, illegalArgument("Invalid ID for offset-based ZoneId: %s", text)
		}
		return time.FixedZone(text, hours*3600), nil
	}
	if text == "Z" || text == "UTC" || text == "GMT" {
		return time.UTC, nil
	}
	if strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") {
		s := &dateScanner{text: text, ok: true}
		seconds := s.zone()
		if !s.ok || s.text != "" {
			return nil, newError(400, "date_time_exception", "Invalid ID for ZoneOffset, invalid format: %s", text)
		}
		return time.FixedZone(text, seconds), nil
	}
	zone, err := time.LoadLocation(text)
	if err != nil || text == "" || text == "Local" {
		return nil, newError(400, "zone_rules_exception", "Unknown time-zone ID: %s", text)
	}
	return zone, nil
}

// valueKind is how the values of a field are read.
type valueKind int

const (
	noValues     valueKind = iota // the index hasn't got the field
	longValues                    // whole numbers, dates, booleans
	doubleValues                  // in their sortable form
	termValues
)

// fieldValues reads the values of a field by document.
type fieldValues struct {
	m       *mapping
	kind    valueKind
	column  *fieldColumn
	raw     []int64
	terms   []string
	missing bool // documents without a value have the one below
	number  int64
	text    string
	show    *valueFormat
}

// valueFormat shows values of a field.
type valueFormat struct {
	typ    string // of the field
	date   *dateFormat
	zone   *time.Location
	number *decimalFormat
}

// values prepares to read the field of a source.
func (x *execution) values(s *valueSource) (*fieldValues, error) {
	v := &fieldValues{}
	m := x.mapping.lookup(s.field)
	switch s.field {
	case "_index":
		v.kind, v.missing, v.text, v.show = termValues, true, x.ix.name, &valueFormat{typ: "keyword"}
		return v, nil
	case "_id":
		return nil, illegalArgument("Fielddata access on the _id field is disallowed, you can re-enable it by updating the dynamic cluster setting: indices.id_field_data.enabled")
	case "_seq_no":
		m = newLeaf("_seq_no", fieldSeq, "long")
	}
	if m == nil || m.typ == "object" || m.typ == "nested" {
		v.show = &valueFormat{typ: "unmapped"}
		if s.missing != nil {
			typ := "keyword"
			switch {
			case s.hint != "":
				typ = s.hint
			case s.missing.kind == kindNumber && s.missing.isInteger():
				typ = "long"
			case s.missing.kind == kindNumber:
				typ = "double"
			case s.missing.kind == kindTrue || s.missing.kind == kindFalse:
				typ = "boolean"
			}
			m = newLeaf(s.field, s.field, typ)
			v.show = &valueFormat{typ: typ}
			v.kind = kindOfValues(typ)
			return v, v.parseMissing(x, m, s)
		}
		return v, nil
	}
	if err := aggregatable(x, m); err != nil {
		return nil, err
	}
	v.m, v.kind = m, kindOfValues(m.typ)
	v.show = &valueFormat{typ: m.typ, date: m.format, zone: s.zone}
	if s.format != "" {
		if m.typ == "date" {
			f, err := newDateFormat(s.format)
			if err != nil {
				return nil, err
			}
			v.show.date = f
		} else if v.kind != termValues {
			v.show.number = newDecimalFormat(s.format)
		}
	}
	v.column = x.column(m.path, m.numeric())
	if s.missing != nil {
		if err := v.parseMissing(x, m, s); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func kindOfValues(typ string) valueKind {
	switch typ {
	case "keyword", "ip", "flattened", "string":
		return termValues
	case "double", "float", "half_float", "scaled_float":
		return doubleValues
	default:
		return longValues
	}
}

func (v *fieldValues) parseMissing(x *execution, m *mapping, s *valueSource) error {
	text, _ := s.missing.scalar()
	v.missing = true
	switch {
	case v.kind == termValues:
		v.text = text
	case m.typ == "date":
		format := v.show.date
		if format == nil {
			format = mustDateFormat(defaultDateFormat)
		}
		n, err := format.parseMath(text, false, x.now)
		if err != nil {
			return err
		}
		v.number = n
	case m.typ == "boolean":
		if text == "true" || text == "1" {
			v.number = 1
		}
	default:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return newError(400, "number_format_exception", "For input string: \"%s\"", text)
		}
		if v.kind == doubleValues {
			v.number = sortableDouble(f)
		} else {
			v.number = int64(f)
		}
	}
	return nil
}

// numbers gives the values of a document in their sortable form. The list is
// good until the next call.
func (v *fieldValues) numbers(doc uint64) ([]int64, error) {
	v.raw = v.raw[:0]
	if v.column != nil && v.kind != termValues {
		var err error
		if v.m.typ == "boolean" {
			err = v.column.visit(doc, func(term []byte) { v.raw = append(v.raw, booleanOf(term)) })
		} else {
			v.raw, err = v.column.numbers(doc, v.raw)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(v.raw) == 0 && v.missing && v.kind != termValues {
		v.raw = append(v.raw, v.number)
	}
	return v.raw, nil
}

// booleanOf is the number of a boolean's term.
func booleanOf(term []byte) int64 { return int64(boolIndex(len(term) > 0 && term[0] == 'T')) }

// keyOf is the number that an ordinal of a column stands for, or its text.
func (v *fieldValues) keyOf(c *segmentColumn, ordinal uint32) (raw int64, text string) {
	switch {
	case v.kind == termValues:
		return 0, string(c.term(ordinal))
	case c.numeric:
		return c.number(ordinal), ""
	default:
		return booleanOf(c.term(ordinal)), ""
	}
}

// ordinals gives those of the documents of a batch, as a column does. Documents
// without a value are 0, whatever stands for a missing one.
func (v *fieldValues) ordinals(b *batch) (*segmentColumn, []uint32, error) {
	if v.column == nil {
		return nil, nil, nil
	}
	return v.column.ordinals(b)
}

// whole gives the column of a segment all of whose documents match, as a column
// does; nil too when something stands for missing values.
func (v *fieldValues) whole(segment int) (*segmentColumn, error) {
	if v.column == nil || v.missing {
		return nil, nil
	}
	return v.column.whole(segment)
}

// double is a value as a floating-point number.
func (v *fieldValues) double(raw int64) float64 {
	if v.kind == doubleValues {
		return doubleOf(raw)
	}
	return float64(raw)
}

// doubles gives the numbers of the documents with some ordinals, those that stand
// for missing ones included. The list is good until the next call.
func (v *fieldValues) doubles(c *segmentColumn, ordinals []uint32, g *grouping) []float64 {
	list := g.values[:0]
	for _, o := range ordinals {
		if o != 0 {
			raw := int64(0)
			if c.numeric {
				raw = c.number(o)
			} else {
				raw = booleanOf(c.term(o))
			}
			list = append(list, v.double(raw))
		} else if v.missing {
			list = append(list, v.double(v.number))
		}
	}
	g.values = list
	return list
}

// readEnd reads an end of a range or of a histogram, unless there is none: a number,
// or a date as clocks of a zone show it.
func (v *fieldValues) readEnd(x *execution, n *node, date bool, zone *time.Location, into *float64) error {
	if n == nil {
		return nil
	}
	if !date || n.kind != kindString {
		f, err := number64(n)
		if err != nil {
			return err
		}
		*into = f
		return nil
	}
	format := v.show.date
	if format == nil {
		format = mustDateFormat(defaultDateFormat)
	}
	millis, err := format.parseMath(n.text, false, x.now)
	if err != nil {
		return err
	}
	if zone != nil {
		millis = instant(millis, zone)
	}
	*into = float64(millis)
	return nil
}

// raised is the least value, in its sortable form, that isn't below a number.
func (v *fieldValues) raised(f float64) int64 {
	if v.kind == doubleValues {
		return sortableDouble(f)
	}
	return saturated(math.Ceil(f))
}

// texts gives the values of a document as terms.
func (v *fieldValues) texts(doc uint64) ([]string, error) {
	v.terms = v.terms[:0]
	if v.column != nil {
		if err := v.column.visit(doc, func(term []byte) { v.terms = append(v.terms, string(term)) }); err != nil {
			return nil, err
		}
	}
	if len(v.terms) == 0 && v.missing {
		v.terms = append(v.terms, v.text)
	}
	return v.terms, nil
}

// has reports whether a document has a value.
func (v *fieldValues) has(doc uint64) (bool, error) {
	if v.missing {
		return true, nil
	}
	if v.column == nil {
		return false, nil
	}
	s, err := v.column.loaded(doc)
	if err != nil {
		return false, err
	}
	if s.column != nil {
		return s.column.ordinal(doc-s.begin) != 0, nil
	}
	found := false
	err = v.column.visitValues(s, doc, func(string, []byte) { found = true })
	return found, err
}

// key is a value of a bucket: the number or text, and how it is shown, "" when
// that is not shown apart.
func (f *valueFormat) key(kind valueKind, raw int64, text string) (any, string) {
	if kind == termValues {
		return f.text(text), ""
	}
	switch {
	case f.typ == "boolean":
		return raw, strconv.FormatBool(raw != 0)
	case f.typ == "date":
		return raw, f.dateText(raw)
	case kind == doubleValues && f.number != nil:
		return doubleOf(raw), f.number.format(doubleOf(raw))
	case kind == doubleValues:
		return doubleOf(raw), ""
	case f.number != nil:
		return raw, f.number.format(float64(raw))
	default:
		return raw, ""
	}
}

// text shows a term.
func (f *valueFormat) text(term string) string {
	if f.typ == "ip" {
		return shownIP(term)
	}
	return term
}

func shownIP(term string) string {
	raw, err := hex.DecodeString(term)
	addr, ok := netip.AddrFromSlice(raw)
	if err != nil || !ok {
		return term
	}
	return addr.Unmap().String()
}

func (f *valueFormat) dateText(millis int64) string {
	date := f.date
	if date == nil {
		date = mustDateFormat(defaultDateFormat)
	}
	return date.formatIn(millis, f.zone)
}

// double is how a computed number is shown beside itself, "" when it isn't.
func (f *valueFormat) double(v float64) string {
	switch {
	case f == nil || math.IsNaN(v) || math.IsInf(v, 0):
		return ""
	case f.typ == "date":
		return f.dateText(saturated(v))
	case f.typ == "boolean":
		return strconv.FormatBool(v != 0)
	case f.number != nil:
		return f.number.format(v)
	default:
		return ""
	}
}

// saturated is a number without its fraction, at most as large as a long can be.
func saturated(v float64) int64 {
	switch {
	case v >= math.MaxInt64:
		return math.MaxInt64
	case v <= math.MinInt64:
		return math.MinInt64
	default:
		return int64(v)
	}
}

// unsuited reports a field that an aggregation can't be about.
func unsuited(m *mapping, kind string) *apiError {
	return illegalArgument("Field [%s] of type [%s] is not supported for aggregation [%s]", m.path, m.typ, kind)
}

// decimalFormat is a pattern of Java's DecimalFormat.
type decimalFormat struct {
	prefix, suffix string
	minInt         int
	minFrac        int
	maxFrac        int
	group          int
	percent        bool
}

func newDecimalFormat(pattern string) *decimalFormat {
	pattern, _, _ = strings.Cut(pattern, ";")
	from := strings.IndexAny(pattern, "#0,.")
	if from < 0 {
		return &decimalFormat{prefix: pattern, minInt: 1}
	}
	to := from + len(pattern[from:]) - len(strings.TrimLeft(pattern[from:], "#0,."))
	f := &decimalFormat{prefix: pattern[:from], suffix: pattern[to:]}
	f.percent = strings.Contains(f.suffix, "%")
	whole, fraction, _ := strings.Cut(pattern[from:to], ".")
	if i := strings.LastIndex(whole, ","); i >= 0 {
		f.group = len(whole) - i - 1
	}
	f.minInt = strings.Count(whole, "0")
	f.minFrac, f.maxFrac = strings.Count(fraction, "0"), len(fraction)
	return f
}

func (f *decimalFormat) format(v float64) string {
	if f.percent {
		v *= 100
	}
	text := strconv.FormatFloat(math.Abs(v), 'f', f.maxFrac, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	for len(fraction) > f.minFrac && strings.HasSuffix(fraction, "0") {
		fraction = fraction[:len(fraction)-1]
	}
	if whole == "0" && f.minInt == 0 && fraction != "" {
		whole = ""
	}
	for len(whole) < f.minInt {
		whole = "0" + whole
	}
	if f.group > 0 {
		var groups []string
		for len(whole) > f.group {
			groups = append(groups, whole[len(whole)-f.group:])
			whole = whole[:len(whole)-f.group]
		}
		groups = append(groups, whole)
		slices.Reverse(groups)
		whole = strings.Join(groups, ",")
	}
	if fraction != "" {
		whole += "." + fraction
	}
	sign := ""
	if v < 0 && strings.Trim(whole, "0.,") != "" {
		sign = "-"
	}
	return sign + f.prefix + whole + f.suffix
}
