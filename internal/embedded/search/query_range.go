package search

import (
	"math"
	"strconv"
	"time"
)

// rangeQuery has the documents with a value between two.
type rangeQuery struct {
	field             string
	from, to          *string
	openLow, openHigh bool // the bound itself is left out
	format            *dateFormat
	zone              time.Duration
	boost             float32
}

func (q *rangeQuery) build(x *execution) (iterator, error) {
	m := x.mapping.lookup(q.field)
	if m == nil || m.typ == "object" || m.typ == "nested" {
		return noneIterator{}, nil
	}
	if err := searchable(x, m); err != nil {
		return nil, err
	}
	docs := x.newDocSet()
	switch m.typ {
	case "keyword", "text", "boolean", "ip", "flattened":
		err := q.collectTexts(x, m, docs)
		return newBitmapIterator(docs.whole(), q.boost), err
	case "date":
		low, high, err := q.dates(x, m)
		if err != nil {
			return nil, err
		}
		return q.between(x, m, low, high)
	}
	low, high, err := q.numbers(x, m)
	if err != nil {
		return nil, err
	}
	return q.between(x, m, low, high)
}

func (q *rangeQuery) between(x *execution, m *mapping, low, high int64) (iterator, error) {
	docs, err := x.rangeOf(m, low, high)
	if err != nil {
		return nil, err
	}
	return newBitmapIterator(docs, q.boost), nil
}

func (q *rangeQuery) collectTexts(x *execution, m *mapping, docs *docSet) error {
	from, to := "", ""
	for _, b := range []struct {
		given *string
		into  *string
	}{{q.from, &from}, {q.to, &to}} {
		if b.given != nil {
			term, err := exactText(x, m, *b.given)
			if err != nil {
				return err
			}
			*b.into = term
		}
	}
	return docs.terms(m.path, from, func(term string) verdict {
		switch {
		case q.to != nil && (term > to || q.openHigh && term == to):
			return stopTerms
		case q.from != nil && (term < from || q.openLow && term == from):
			return skipTerm
		default:
			return takeTerm
		}
	})
}

// dates gives the bounds, both included, in milliseconds.
func (q *rangeQuery) dates(x *execution, m *mapping) (low, high int64, _ *apiError) {
	low, high = math.MinInt64, math.MaxInt64
	format := m.format
	if q.format != nil {
		format = q.format
	}
	if q.from != nil {
		v, err := format.parseMath(*q.from, q.openLow, x.now)
		if err != nil {
			return 0, 0, err
		}
		if low = v - q.zone.Milliseconds(); q.openLow {
			low++
		}
	}
	if q.to != nil {
		v, err := format.parseMath(*q.to, !q.openHigh, x.now)
		if err != nil {
			return 0, 0, err
		}
		if high = v - q.zone.Milliseconds(); q.openHigh {
			high--
		}
	}
	return low, high, nil
}

// numbers gives the bounds, both included, in their sortable form.
func (q *rangeQuery) numbers(x *execution, m *mapping) (low, high int64, _ *apiError) {
	low, high = math.MinInt64, math.MaxInt64
	_, whole := integerTypes[m.typ]
	bound := func(text string, open, lower bool) (int64, *apiError) {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && !math.IsInf(f, 0) || math.IsNaN(f) {
			return 0, unparsable(x, text)
		}
		step := int64(1)
		if !lower {
			step = -1
		}
		if !whole {
			v := sortableDouble(f)
			if m.typ == "float" {
				v = sortableDouble(float64(float32(f)))
			}
			if open {
				v += step
			}
			return v, nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			switch {
			case f >= math.MaxInt64:
				return math.MaxInt64, nil
			case f <= math.MinInt64:
				return math.MinInt64, nil
			case lower:
				n = int64(math.Ceil(f))
			default:
				n = int64(math.Floor(f))
			}
			open = open && f == math.Trunc(f)
		}
		if open && !(lower && n == math.MaxInt64) && !(!lower && n == math.MinInt64) {
			n += step
		}
		return n, nil
	}
	var err *apiError
	if q.from != nil {
		if low, err = bound(*q.from, q.openLow, true); err != nil {
			return 0, 0, err
		}
	}
	if q.to != nil {
		if high, err = bound(*q.to, q.openHigh, false); err != nil {
			return 0, 0, err
		}
	}
	return low, high, nil
}
