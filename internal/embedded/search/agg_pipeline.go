package search

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// pipelineSpec is an aggregation over the results of others.
type pipelineSpec struct {
	name, kind string
	path       string
	meta       *node
	format     *decimalFormat
	zeros      bool // gap_policy: insert_zeros
	sigma      float64
	percents   []float64
	keyed      bool
	lag        int
}

var pipelineParsers = map[string]bool{
	"avg_bucket": true, "sum_bucket": true, "min_bucket": true, "max_bucket": true,
	"stats_bucket": true, "extended_stats_bucket": true, "percentiles_bucket": true,
	"cumulative_sum": true, "serial_diff": true,
}

// refusedPipelines need scripts.
var refusedPipelines = []string{"bucket_script"}

// ofParent reports whether a pipeline works on the buckets of the aggregation
// that it stands in.
func (p *pipelineSpec) ofParent() bool { return p.kind == "cumulative_sum" || p.kind == "serial_diff" }

func (p *pipelineSpec) parse(n *node) *apiError {
	p.sigma, p.percents, p.keyed, p.lag = 2, []float64{1, 5, 25, 50, 75, 95, 99}, true, 1
	known := params{
		"buckets_path": func(v *node) *apiError {
			list := texts(v)
			if v.kind == kindObject || len(list) != 1 {
				return parsingError(v.src, v.start, "Invalid value for [buckets_path] in [%s]: one path is expected", p.name)
			}
			p.path = list[0]
			return nil
		},
		"format": func(v *node) *apiError { p.format = newDecimalFormat(v.text); return nil },
		"gap_policy": func(v *node) *apiError {
			switch v.text {
			case "skip", "keep_values":
			case "insert_zeros":
				p.zeros = true
			default:
				return parsingError(v.src, v.start, "Invalid gap policy: [%s], accepted values: [insert_zeros, skip, keep_values]", v.text)
			}
			return nil
		},
	}
	switch p.kind {
	case "extended_stats_bucket":
		known["sigma"] = func(v *node) (err *apiError) { p.sigma, err = number64(v); return err }
	case "percentiles_bucket":
		known["keyed"] = func(v *node) *apiError { p.keyed = v.kind != kindFalse; return nil }
		known["percents"] = func(v *node) *apiError {
			p.percents = nil
			for _, e := range v.list() {
				f, err := number64(e)
				if err != nil {
					return err
				}
				p.percents = append(p.percents, f)
			}
			return nil
		}
	case "serial_diff":
		known["lag"] = func(v *node) *apiError {
			f, err := number64(v)
			if p.lag = int(f); err == nil && p.lag <= 0 {
				return parsingError(v.src, v.start, "Lag must be a positive, non-zero integer.  Value supplied was %d in [%s].", p.lag, p.name)
			}
			return err
		}
	case "cumulative_sum":
		delete(known, "gap_policy")
	}
	for _, m := range n.members {
		read := known[m.name]
		if read == nil {
			return parsingError(m.value.src, m.value.start, "Unexpected token %s [%s] in [%s].", m.value.token(), m.name, p.name)
		}
		if err := read(m.value); err != nil {
			return err
		}
	}
	if p.path == "" {
		return parsingError(n.src, n.end-1, "Missing required field [buckets_path] for aggregation [%s]", p.name)
	}
	return nil
}

// checkPipelines reports pipelines that lead to nothing.
func checkPipelines(specs []*aggSpec, pipes []*pipelineSpec, parent *aggSpec) *apiError {
	for _, p := range pipes {
		if p.ofParent() {
			if parent == nil || parent.kind != "histogram" && parent.kind != "date_histogram" {
				return validationFailed(p.kind + " aggregation [" + p.name + "] must have a histogram, date_histogram or auto_date_histogram as parent")
			}
			continue
		}
		head, rest, deeper := strings.Cut(p.path, ">")
		i := slices.IndexFunc(specs, func(s *aggSpec) bool { return s.name == head })
		if i < 0 {
			return validationFailed("No aggregation found for path [" + p.path + "]")
		}
		if !deeper {
			return validationFailed("The first aggregation in buckets_path must be a multi-bucket aggregation for aggregation [" + p.name + "] found :" + specs[i].kind + " for buckets path: " + p.path)
		}
		if name, missing := missingOn(specs[i], rest); missing {
			return validationFailed("No aggregation [" + name + "] found for path [" + p.path + "]")
		}
	}
	for _, s := range specs {
		if err := checkPipelines(s.subs, s.pipes, s); err != nil {
			return err
		}
	}
	return nil
}

// missingOn names the aggregation on the way of a path that doesn't exist.
func missingOn(spec *aggSpec, path string) (string, bool) {
	for path != "" {
		head, rest, _ := strings.Cut(path, ">")
		if head == "_count" || head == "_key" || head == "_bucket_count" {
			return "", false
		}
		name := head
		find := func() *aggSpec {
			for _, s := range spec.subs {
				if s.name == name {
					return s
				}
			}
			return nil
		}
		next := find()
		if next == nil {
			if slices.ContainsFunc(spec.pipes, func(p *pipelineSpec) bool { return p.name == head }) {
				return "", false
			}
			if i := strings.LastIndexAny(head, ".["); i >= 0 {
				name = head[:i]
				next = find()
			}
		}
		if next == nil {
			return name, true
		}
		spec, path = next, rest
	}
	return "", false
}

// bucketsOf gives the buckets of a result with their keys.
func bucketsOf(o object) (buckets []object, keys []string) {
	list, _ := o.get("buckets")
	switch list := list.(type) {
	case []any:
		for _, b := range list {
			b := b.(object)
			buckets = append(buckets, b)
			keys = append(keys, bucketKey(b))
		}
	case object:
		for _, f := range list {
			buckets = append(buckets, f.value.(object))
			keys = append(keys, f.name)
		}
	}
	return buckets, keys
}

func bucketKey(b object) string {
	if text, ok := b.get("key_as_string"); ok {
		return text.(string)
	}
	key, _ := b.get("key")
	switch k := key.(type) {
	case string:
		return k
	case int64:
		return strconv.FormatInt(k, 10)
	case float64:
		return javaFloat(k, 64)
	case object:
		return string(encodeJSON(k, false))
	}
	return ""
}

// named finds the result of an aggregation, also where names have their types.
func named(o object, name string) (object, bool) {
	for _, f := range o {
		if f.name == name || strings.HasSuffix(f.name, "#"+name) {
			found, ok := f.value.(object)
			return found, ok
		}
	}
	return nil, false
}

// valueIn follows a path through the results of one bucket; NaN means a gap.
func (p *pipelineSpec) valueIn(b object, path string) (float64, bool) {
	if path == "_count" {
		n, _ := b.get("doc_count")
		count, _ := n.(int64)
		return float64(count), true
	}
	head, rest, deeper := strings.Cut(path, ">")
	if deeper {
		inner, ok := named(b, head)
		if !ok {
			return 0, false
		}
		return p.valueIn(inner, rest)
	}
	prop := "value"
	inner, ok := named(b, head)
	if !ok {
		i := strings.LastIndexAny(head, ".[")
		if i < 0 {
			return 0, false
		}
		prop = strings.TrimSuffix(head[i+1:], "]")
		if inner, ok = named(b, head[:i]); !ok {
			return 0, false
		}
		if values, isObject := inner.get("values"); isObject {
			if keyed, ok := values.(object); ok {
				if f, err := strconv.ParseFloat(prop, 64); err == nil {
					inner, prop = keyed, javaFloat(f, 64)
				}
			}
		}
		if prop == "_count" {
			prop = "doc_count"
		}
	}
	v, ok := inner.get(prop)
	if !ok {
		if v, ok = inner.get("doc_count"); !ok {
			return 0, false
		}
	}
	_, hasCount := inner.get("doc_count")
	if n, ok := b.get("doc_count"); ok && !p.zeros {
		if docs, _ := n.(int64); docs == 0 && !hasCount {
			return math.NaN(), true // an empty bucket is a gap
		}
	}

	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case nil:
		if p.zeros {
			return 0, true
		}
		return math.NaN(), true
	}
	return 0, false
}

// noNumber is what a path to a result that isn't one number is told.
func noNumber(b object, path string) *apiError {
	name := path[strings.LastIndexByte(path, '>')+1:]
	kind := "InternalAggregation"
	if inner, ok := named(b, name); ok {
		for _, known := range []struct{ key, kind string }{
			{"hits", "InternalTopHits"}, {"bounds", "InternalGeoBounds"}, {"values", "InternalTDigestPercentiles"},
			{"sum_of_squares", "InternalExtendedStats"}, {"sum", "InternalStats"}, {"location", "InternalGeoCentroid"},
		} {
			if _, ok := inner.get(known.key); ok {
				kind = known.kind
				break
			}
		}
	}
	return newError(http.StatusBadRequest, "illegal_argument_exception", "buckets_path must reference either a number value or a single value numeric metric aggregation, got: [%s] at aggregation [%s]", kind, name)
}

// siblings appends what pipelines make of the aggregations beside them.
func (r *aggResult) siblings(o object, pipes []*pipelineSpec) (object, error) {
	for _, p := range pipes {
		if p.ofParent() {
			continue
		}
		head, rest, _ := strings.Cut(p.path, ">")
		source, ok := named(o, head)
		for ok && rest != "" {
			if _, multi := source.get("buckets"); multi {
				break
			}
			head, rest, _ = strings.Cut(rest, ">")
			source, ok = named(source, head)
		}
		buckets, keys := bucketsOf(source)
		var values []float64
		var found []string
		for i, b := range buckets {
			v, ok := p.valueIn(b, rest)
			if !ok {
				return nil, atTheEnd(noNumber(b, rest))
			}
			if !math.IsNaN(v) {
				values, found = append(values, v), append(found, keys[i])
			}
		}
		body, typed := p.summarize(values, found)
		if p.meta != nil {
			body = append(object{{"meta", p.meta}}, body...)
		}
		o = append(o, field{r.key(typed, p.name), body})
	}
	return o, nil
}

func (p *pipelineSpec) text(o object, name string, v float64) object {
	if p.format != nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		o = append(o, field{name, p.format.format(v)})
	}
	return o
}

// summarize makes one result of the values of all buckets.
func (p *pipelineSpec) summarize(values []float64, keys []string) (object, string) {
	switch p.kind {
	case "percentiles_bucket":
		slices.Sort(values)
		shown, list := object{}, []any{}
		for _, percent := range p.percents {
			v := math.NaN()
			if n := len(values); n > 0 {
				v = values[int(math.Round(percent/100*float64(n-1)))]
			}
			shown = append(shown, field{javaFloat(percent, 64), finite(v)})
			list = append(list, object{{"key", percent}, {"value", finite(v)}})
		}
		if !p.keyed {
			return object{{"values", list}}, p.kind
		}
		return object{{"values", shown}}, p.kind
	case "stats_bucket", "extended_stats_bucket":
		s := &statistics{body: &metricBody{kind: strings.TrimSuffix(p.kind, "_bucket"), sigma: p.sigma}, min: math.Inf(1), max: math.Inf(-1)}
		s.show = &valueFormat{number: p.format}
		for _, v := range values {
			s.count++
			s.sum.add(v)
			s.squares.add(v * v)
			s.min, s.max = math.Min(s.min, v), math.Max(s.max, v)
		}
		return s.all(), p.kind
	case "max_bucket", "min_bucket":
		best, at := math.NaN(), []any{}
		for i, v := range values {
			switch {
			case math.IsNaN(best) || p.kind == "max_bucket" && v > best || p.kind == "min_bucket" && v < best:
				best, at = v, []any{keys[i]}
			case v == best:
				at = append(at, keys[i])
			}
		}
		return append(p.text(object{{"value", finite(best)}}, "value_as_string", best), field{"keys", at}), "bucket_metric_value"
	default:
		var sum compensated
		for _, v := range values {
			sum.add(v)
		}
		v := sum.sum
		if p.kind == "avg_bucket" {
			v /= float64(len(values))
		}
		return p.text(object{{"value", finite(v)}}, "value_as_string", v), "simple_value"
	}
}

// parents puts the results of pipelines into the buckets that they work on.
func (r *aggResult) parents(spec *aggSpec, shown []any) error {
	for _, p := range spec.pipes {
		if !p.ofParent() {
			continue
		}
		sum := 0.0
		var earlier []float64
		for i := range shown {
			b := shown[i].(object)
			v, ok := p.valueIn(b, p.path)
			if !ok {
				return illegalArgument("No aggregation found for path [%s]", p.path)
			}
			var out float64
			if p.kind == "cumulative_sum" {
				if !math.IsNaN(v) {
					sum += v
				}
				out = sum
			} else {
				earlier = append(earlier, v)
				if i < p.lag || math.IsNaN(v) || math.IsNaN(earlier[i-p.lag]) {
					continue
				}
				out = v - earlier[i-p.lag]
			}
			body := p.text(object{{"value", finite(out)}}, "value_as_string", out)
			if p.meta != nil {
				body = append(object{{"meta", p.meta}}, body...)
			}
			shown[i] = append(b, field{r.key("simple_value", p.name), body})
		}
	}
	return nil
}
