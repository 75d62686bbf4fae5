package search

import "slices"

// maxEdges bounds the intervals that a column is cut into.
const maxEdges = 1 << 16

// columnEdges cuts a column into intervals of its values, so that the interval of a
// document's value is found by its ordinal.
type columnEdges struct {
	column *segmentColumn
	starts []uint32  // the first ordinal of each interval
	keys   []float64 // of each interval
	groups []uint32  // the interval of each ordinal, counted from 1; nil where there are many
	found  []uint32
}

// edgesOf cuts a column with the keys that a function gives its values, which never
// get less, and a guess of the key behind another. It gives nil where that makes too
// many intervals.
func edgesOf(c *segmentColumn, key func(raw int64) float64, from func(key float64) uint32, next func(key float64) float64) *columnEdges {
	e := &columnEdges{column: c}
	for ordinal := uint32(1); ordinal <= c.top; {
		if len(e.starts) == maxEdges {
			return nil
		}
		k := key(c.number(ordinal))
		e.starts, e.keys = append(e.starts, ordinal), append(e.keys, k)
		end := max(ordinal+1, min(from(next(k)), c.top+1))
		for end <= c.top && key(c.number(end)) == k {
			end++
		}
		for end > ordinal+1 && key(c.number(end-1)) != k {
			end--
		}
		ordinal = end
	}
	if int(c.top) <= maxEdges {
		e.groups = make([]uint32, int(c.top)+1)
		for i, start := range e.starts {
			group := e.groups[start:]
			if i+1 < len(e.starts) {
				group = e.groups[start:e.starts[i+1]]
			}
			for j := range group {
				group[j] = uint32(i) + 1
			}
		}
	}
	return e
}

// of gives the intervals of ordinals, counted from 1, 0 for those of ordinal 0. The
// list is good until the next call.
func (e *columnEdges) of(ordinals []uint32) []uint32 {
	e.found = slices.Grow(e.found[:0], len(ordinals))[:len(ordinals)]
	if e.groups != nil {
		for i, o := range ordinals {
			e.found[i] = e.groups[o]
		}
		return e.found
	}
	group, low, span := uint32(0), uint32(0), uint32(0) // the interval of the last one, which is often that of the next
	for i, o := range ordinals {
		if o-low >= span {
			if o == 0 {
				e.found[i] = 0
				continue
			}
			at, exact := slices.BinarySearch(e.starts, o)
			if !exact {
				at--
			}
			group, low, span = uint32(at)+1, e.starts[at], e.column.top+1-e.starts[at]
			if at+1 < len(e.starts) {
				span = e.starts[at+1] - low
			}
		}
		e.found[i] = group
	}
	return e.found
}

// bounds gives the ordinals of an interval, counted from 1: the first one, and the
// one behind the last.
func (e *columnEdges) bounds(group int) (from, to uint32) {
	if group < len(e.starts) {
		return e.starts[group-1], e.starts[group]
	}
	return e.starts[group-1], e.column.top + 1
}
