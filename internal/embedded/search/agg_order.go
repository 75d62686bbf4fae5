package search

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// bucketOrder is one criterion of the order of buckets: _count, _key, or the
// number that an aggregation below them made.
type bucketOrder struct {
	path string
	desc bool
}

// parseOrder reads the "order" of a terms or histogram aggregation.
func parseOrder(kind string, v *node) ([]bucketOrder, *apiError) {
	var orders []bucketOrder
	for _, e := range v.list() {
		if e.kind != kindObject {
			return nil, wrongToken(kind, "order", e)
		}
		if len(e.members) != 1 {
			return nil, parsingError(e.src, e.start, "Must specify at least one field for [order]")
		}
		m := e.members[0]
		o := bucketOrder{path: m.name}
		switch strings.ToLower(m.value.text) {
		case "asc":
		case "desc":
			o.desc = true
		default:
			return nil, parsingError(e.src, m.value.start, "Unknown order direction [%s]", m.value.text)
		}
		if o.path == "_term" || o.path == "_time" {
			o.path = "_key"
		}
		orders = append(orders, o)
	}
	if len(orders) == 0 || orders[len(orders)-1].path != "_key" {
		orders = append(orders, bucketOrder{path: "_key"})
	}
	return orders, nil
}

// keyedBucket is a bucket with its key: a number in its sortable form, or a term.
type keyedBucket struct {
	raw  int64
	text string
	bucket
}

func compareKeys(a, b *keyedBucket) int {
	if c := cmp.Compare(a.raw, b.raw); c != 0 {
		return c
	}
	return strings.Compare(a.text, b.text)
}

// checkOrders reports a path that leads to nothing.
func checkOrders(orders []bucketOrder, spec *aggSpec) *apiError {
	for _, o := range orders {
		if o.path == "_key" || o.path == "_count" {
			continue
		}
		subs := startAll(spec.subs)
		if _, err := metricAt(spec, subs, o.path); err != nil {
			return err
		}
	}
	return nil
}

// metricAt follows a path like "a>b.avg" through the aggregations of a bucket.
func metricAt(spec *aggSpec, subs []aggregator, path string) (float64, *apiError) {
	head, rest, deeper := strings.Cut(path, ">")
	name, prop := head, ""
	if !deeper {
		if i := strings.LastIndexAny(head, ".["); i >= 0 {
			name, prop = head[:i], strings.TrimSuffix(head[i+1:], "]")
		}
	}
	i := slices.IndexFunc(spec.subs, func(s *aggSpec) bool { return s.name == head })
	if i >= 0 {
		name, prop = head, ""
	} else {
		i = slices.IndexFunc(spec.subs, func(s *aggSpec) bool { return s.name == name })
	}
	if i < 0 || subs == nil {
		if i >= 0 {
			return math.NaN(), nil
		}
		return 0, orderPathError(path, "Cannot find aggregation named ["+name+"]")
	}
	sub := spec.subs[i]
	if single, ok := subs[i].(*singleBucket); ok {
		switch {
		case deeper:
			if single.bucket.subs == nil {
				single.bucket.subs = startAll(sub.subs)
			}
			return metricAt(sub, single.bucket.subs, rest)
		case prop == "" || prop == "doc_count" || prop == "_count":
			return float64(single.bucket.count), nil
		}
	}
	if deeper {
		return 0, invalidPath(path, "Buckets can only be sorted on a sub-aggregator path that is built out of zero or more single-bucket aggregations within the path and a final single-bucket or a metrics aggregation at the path end. Sub-path [%s] points to non single-bucket aggregation", sub.name)
	}
	v, ok := subs[i].metric(prop)
	if !ok {
		if prop == "" {
			return 0, invalidPath(path, "When ordering on a multi-value metrics aggregation a metric name must be specified.")
		}
		return 0, invalidPath(path, "Unknown metric name [%s] on multi-value metrics aggregation [%s]", prop, sub.name)
	}
	return v, nil
}

// orderPathError is found only when the answer is put together, so it has the form
// of a failure at the end of a search.
func orderPathError(path, why string) *apiError {
	cause := newError(0, "illegal_argument_exception", "Invalid aggregation order path [%s]. %s", path, why)
	cause.cause = newError(0, "illegal_argument_exception", "%s", why)
	return atTheEnd(cause)
}

// atTheEnd is the form of an error that is found when the answer is put together.
func atTheEnd(cause *apiError) *apiError {
	e := newError(400, "search_phase_execution_exception", "")
	e.phases = object{{"phase", "fetch"}, {"grouped", true}, {"failed_shards", []any{}}}
	e.rootless = true
	e.cause = cause
	return e
}

// invalidPath is a path to an aggregation that has no such number.
func invalidPath(path, format string, args ...any) *apiError {
	why := newError(400, "illegal_argument_exception", format, args...)
	e := newError(400, "invalid_path", "Invalid aggregation order path [%s]. %s", path, why.reason)
	e.cause = why
	return e
}

// sortBuckets puts buckets into their order.
func sortBuckets(list []*keyedBucket, orders []bucketOrder, spec *aggSpec) *apiError {
	var failed *apiError
	metrics := map[*keyedBucket][]float64{}
	for i, o := range orders {
		if o.path == "_key" || o.path == "_count" {
			continue
		}
		for _, b := range list {
			if metrics[b] == nil {
				metrics[b] = make([]float64, len(orders))
			}
			v, err := metricAt(spec, b.subs, o.path)
			if err != nil {
				failed = err
			}
			metrics[b][i] = v
		}
	}
	slices.SortStableFunc(list, func(a, b *keyedBucket) int {
		for i, o := range orders {
			c := 0
			switch o.path {
			case "_key":
				c = compareKeys(a, b)
			case "_count":
				c = cmp.Compare(a.count, b.count)
			default:
				x, y := metrics[a][i], metrics[b][i]
				if math.IsNaN(x) || math.IsNaN(y) { // what has no value comes last
					if math.IsNaN(x) != math.IsNaN(y) {
						if math.IsNaN(x) {
							return 1
						}
						return -1
					}
					continue
				}
				c = cmp.Compare(x, y)
			}
			if c != 0 {
				if o.desc {
					return -c
				}
				return c
			}
		}
		return 0
	})
	return failed
}
