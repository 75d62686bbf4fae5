package search

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// sortValue is what a document has to be ordered by. A number stands in its
// sortable form.
type sortValue struct {
	missing bool
	text    string
	number  int64
}

// sorter reads the values of one criterion from an index.
type sorter struct {
	key      sortKey
	kind     string // score, doc, text, or a numeric type
	path     string
	format   *dateFormat
	values   *fieldColumn
	fallback *sortValue // for documents without a value
	first    bool       // they come first
	indexed  bool       // terms are searchable, so they can be gone through in order
}

// newSorter prepares a criterion for an index.
func newSorter(x *execution, k sortKey) (*sorter, error) {
	s := &sorter{key: k}
	switch k.field {
	case "_score":
		s.kind = "score"
		return s, nil
	case "_doc", "_shard_doc":
		s.kind, s.path = "doc", fieldSeq
	case "_seq_no":
		s.kind, s.path = "long", fieldSeq
	case "_id":
		return nil, illegalArgument("Fielddata access on the _id field is disallowed, you can re-enable it by updating the dynamic cluster setting: indices.id_field_data.enabled")
	default:
		m := x.mapping.lookup(k.field)
		if m == nil || m.typ == "object" || m.typ == "nested" {
			if k.unmapped == "" {
				return nil, queryShard(x.ix, "No mapping found for [%s] in order to sort on", k.field)
			}
			m = newLeaf(k.field, k.field, k.unmapped)
		}
		if err := aggregatable(x, m); err != nil {
			return nil, err
		}
		s.kind, s.path, s.format, s.indexed = m.typ, m.path, m.format, true
		switch m.typ {
		case "keyword", "flattened":
			s.kind = "text"
		case "geo_point":
			return nil, illegalArgument("can't sort on geo_point or point field without using specific sorting feature, like geo_distance")
		}
		if (s.kind == "text" || s.kind == "ip") && (k.mode == "sum" || k.mode == "avg" || k.mode == "median") {
			return nil, queryShard(x.ix, "we only support AVG, MEDIAN and SUM on number based fields")
		}
	}
	if k.format != nil {
		s.format = k.format
	} else if s.kind == "date" {
		s.format = nil // shown in milliseconds
	}
	if err := s.parseMissing(x); err != nil {
		return nil, err
	}
	s.values = x.column(s.path, s.numeric())
	return s, nil
}

// numeric reports whether the values are kept as numbers.
func (s *sorter) numeric() bool { return s.kind != "text" && s.kind != "ip" && s.kind != "boolean" }

// aggregatable reports a field whose values can't be read by document.
func aggregatable(x *execution, m *mapping) *apiError {
	if m.typ == "text" {
		return illegalArgument("Fielddata is disabled on [%s] in [%s]. Text fields are not optimised for operations that require per-document field data like aggregations and sorting, so these operations are disabled by default. Please use a keyword field instead. Alternatively, set fielddata=true on [%s] in order to load field data by uninverting the inverted index. Note that this can use significant memory.", m.path, x.ix.name, m.path)
	}
	if !m.docValues {
		return illegalArgument("Can't load fielddata on [%s] because fielddata is unsupported on fields of type [%s]. Use doc values instead.", m.path, m.typ)
	}
	return nil
}

func (s *sorter) parseMissing(x *execution) *apiError {
	if s.key.missing == nil {
		return nil
	}
	text, _ := s.key.missing.scalar()
	switch text {
	case "_last":
		return nil
	case "_first":
		s.first = true
		return nil
	}
	v, err := s.parse(x, s.key.missing)
	if err == nil {
		s.fallback = &v
	}
	return err
}

// parse reads a value of a request, as search_after and missing have them.
func (s *sorter) parse(x *execution, n *node) (sortValue, *apiError) {
	if n.kind == kindNull {
		return sortValue{missing: true}, nil
	}
	text, _ := n.scalar()
	switch s.kind {
	case "text":
		return sortValue{text: text}, nil
	case "ip":
		term, err := ipTerm(text)
		return sortValue{text: term}, err
	case "boolean":
		if text == "true" || text == "1" {
			return sortValue{number: 1}, nil
		}
		return sortValue{}, nil
	case "date":
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			return sortValue{number: v}, nil
		}
		format := s.format
		if format == nil {
			format = mustDateFormat(defaultDateFormat)
		}
		v, err := format.parseMath(text, false, x.now)
		return sortValue{number: v}, err
	case "score", "double", "float", "half_float":
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && !math.IsInf(f, 0) {
			return sortValue{}, s.unreadable(text)
		}
		return sortValue{number: sortableDouble(f)}, nil
	default:
		v, err := wholeNumber(text)
		if err != nil {
			return sortValue{}, s.unreadable(text)
		}
		if s.kind == "doc" {
			return sortValue{number: v.Int64() + firstSeq}, nil
		}
		return sortValue{number: v.Int64()}, nil
	}
}

// unreadable is what a search_after is told whose value isn't of the field's kind.
func (s *sorter) unreadable(text string) *apiError {
	e := illegalArgument("Failed to parse search_after value for field [%s].", s.key.field)
	e.cause = newError(0, "number_format_exception", "For input string: \"%s\"", text)
	return e
}

// read gives the value of a document: of several the one that the mode says, by
// default the least, or the greatest when the order is descending.
func (s *sorter) read(doc uint64, score float32) (sortValue, error) {
	v, _, err := s.value(doc, score)
	return v, err
}

// value is read, and tells how many values there are.
func (s *sorter) value(doc uint64, score float32) (sortValue, int, error) {
	if s.kind == "score" {
		return sortValue{number: sortableDouble(float64(score))}, 1, nil
	}
	var list [8]sortValue
	found := list[:0]
	var err error
	if s.numeric() {
		var several [8]int64
		var numbers []int64
		numbers, err = s.values.numbers(doc, several[:0])
		for _, n := range numbers {
			found = append(found, sortValue{number: n})
		}
	} else {
		err = s.values.visit(doc, func(term []byte) {
			if s.kind == "boolean" {
				found = append(found, sortValue{number: booleanOf(term)})
			} else {
				found = append(found, sortValue{text: string(term)})
			}
		})
	}
	if err != nil {
		return sortValue{}, 0, err
	}
	if len(found) == 0 {
		if s.fallback != nil {
			return *s.fallback, 0, nil
		}
		return sortValue{missing: true}, 0, nil
	}
	return s.choose(found), len(found), nil
}

// choose makes one value of several, which are in their order.
func (s *sorter) choose(found []sortValue) sortValue {
	mode := s.key.mode
	if mode == "" {
		mode = "min"
		if s.key.desc {
			mode = "max"
		}
	}
	switch mode {
	case "min":
		return slices.MinFunc(found, compareValues)
	case "max":
		return slices.MaxFunc(found, compareValues)
	}
	double := kindOfValues(s.kind) == doubleValues
	numbers := make([]float64, len(found))
	sum := 0.0
	for i, v := range found {
		if numbers[i] = float64(v.number); double {
			numbers[i] = doubleOf(v.number)
		}
		sum += numbers[i]
	}
	slices.Sort(numbers)
	one := sum
	switch middle := len(numbers) / 2; {
	case mode == "avg":
		one = sum / float64(len(numbers))
	case mode == "median" && len(numbers)%2 == 1:
		one = numbers[middle]
	case mode == "median":
		one = (numbers[middle-1] + numbers[middle]) / 2
	}
	if double {
		return sortValue{number: sortableDouble(one)}
	}
	return sortValue{number: int64(math.Round(one))}
}

func compareValues(a, b sortValue) int {
	if c := cmp.Compare(a.number, b.number); c != 0 {
		return c
	}
	return strings.Compare(a.text, b.text)
}

// compare puts two values into the order that is asked for.
func (s *sorter) compare(a, b sortValue) int {
	switch {
	case a.missing && b.missing:
		return 0
	case a.missing || b.missing:
		if a.missing == s.first {
			return -1
		}
		return 1
	case s.key.desc:
		return compareValues(b, a)
	default:
		return compareValues(a, b)
	}
}

// render is the value as a hit shows it.
func (s *sorter) render(v sortValue) any {
	low := s.first != s.key.desc
	switch s.kind {
	case "text", "ip":
		switch {
		case v.missing:
			return nil
		case s.kind == "ip":
			return shownIP(v.text)
		default:
			return v.text
		}
	case "score":
		return float32(doubleOf(v.number))
	case "double", "float", "half_float":
		if v.missing {
			if low {
				return math.Inf(-1)
			}
			return math.Inf(1)
		}
		return doubleOf(v.number)
	case "doc":
		return v.number - firstSeq
	}
	if v.missing {
		if low {
			return int64(math.MinInt64)
		}
		return int64(math.MaxInt64)
	}
	if s.format != nil {
		return s.format.format(v.number)
	}
	return v.number
}
