package search

import (
	"math"
	"strconv"
	"strings"
)

// metricBody is an aggregation that makes one result of the values of a field.
type metricBody struct {
	valueSource
	kind     string
	sigma    float64
	percents []float64 // percentiles, or the values of percentile_ranks
	keyed    bool
	exact    int // cardinality: up to how many values it counts exactly
}

func parseMetric(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &metricBody{kind: spec.kind, sigma: 2, keyed: true, exact: defaultExactCardinality}
	p := b.params(spec.kind)
	numbers := func(v *node) *apiError {
		if v.kind != kindArray && v.kind != kindNumber {
			return wrongToken(spec.kind, "values", v)
		}
		b.percents = []float64{}
		for _, e := range v.list() {
			f, err := number64(e)
			if err != nil {
				return err
			}
			b.percents = append(b.percents, f)
		}
		return nil
	}
	flag := func(v *node) *apiError { b.keyed = v.kind != kindFalse; return nil }
	switch spec.kind {
	case "extended_stats":
		p["sigma"] = func(v *node) *apiError {
			f, err := number64(v)
			if err == nil && f < 0 {
				err = illegalArgument("[sigma] must be greater than or equal to 0. Found [%s] in [%s]", javaFloat(f, 64), spec.name)
			}
			b.sigma = f
			return err
		}
	case "percentiles":
		b.percents = []float64{1, 5, 25, 50, 75, 95, 99}
		p["percents"], p["keyed"], p["tdigest"], p["hdr"] = func(v *node) *apiError {
			if err := numbers(v); err != nil {
				return err
			}
			return nil
		}, flag, ignored, refusedParam("[hdr] of an aggregation")
	case "percentile_ranks":
		p["values"], p["keyed"], p["tdigest"], p["hdr"] = numbers, flag, ignored, refusedParam("[hdr] of an aggregation")
	case "median_absolute_deviation":
		p["compression"], p["execution_hint"] = ignored, ignored
	case "cardinality":
		p["execution_hint"], p["rehash"] = ignored, ignored
		p["precision_threshold"] = func(v *node) *apiError {
			f, err := number64(v)
			if err == nil && f < 0 {
				err = illegalArgument("[precisionThreshold] must be greater than or equal to 0. Found [%d] in [%s]", int64(f), spec.name)
			}
			b.exact = min(int(f), 40000)
			return err
		}
	case "geo_bounds":
		p["wrap_longitude"] = ignored
	}
	if err := p.parse(spec.kind, n); err != nil {
		return nil, err
	}
	if err := b.checkPercents(spec.name); err != nil {
		return nil, unbuilt(spec.kind, err)
	}
	return b, b.require()
}

// checkPercents reports percents, or values, that can't be asked for.
func (b *metricBody) checkPercents(name string) *apiError {
	switch {
	case b.kind == "percentile_ranks" && b.percents == nil:
		return illegalArgument("[values] must not be null: [%s]", name)
	case b.kind == "percentile_ranks" && len(b.percents) == 0:
		return illegalArgument("[values] must not be an empty array: [%s]", name)
	case b.kind != "percentiles":
		return nil
	case len(b.percents) == 0:
		return illegalArgument("[percents] must not be empty: [%s]", name)
	}
	for _, f := range b.percents {
		if f < 0 || f > 100 {
			return illegalArgument("percent must be in [0,100], got [%s]: [%s]", javaFloat(f, 64), name)
		}
	}
	return nil
}

func ignored(*node) *apiError { return nil }

func refusedParam(what string) func(*node) *apiError {
	return func(*node) *apiError { return unsupported(what) }
}

func number64(n *node) (float64, *apiError) {
	text, _ := n.scalar()
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, newError(400, "number_format_exception", "For input string: \"%s\"", text)
	}
	return f, nil
}

func (b *metricBody) bind(p *aggPart, _ *aggSpec) (any, error) {
	v, err := p.x.values(&b.valueSource)
	if err != nil {
		return nil, err
	}
	geo := b.kind == "geo_bounds" || b.kind == "geo_centroid"
	switch {
	case v.m == nil || b.kind == "value_count" || b.kind == "cardinality":
	case geo != (v.m.typ == "geo_point"), v.kind == termValues,
		b.kind == "median_absolute_deviation" && (v.m.typ == "date" || v.m.typ == "boolean"):
		return nil, unsuited(v.m, b.kind)
	}
	return v, nil
}

func (b *metricBody) start(spec *aggSpec) aggregator {
	switch b.kind {
	case "cardinality":
		return &cardinality{slot: spec.slot, set: newDistinct(b.exact)}
	case "percentiles", "percentile_ranks", "median_absolute_deviation":
		return &percentiles{slot: spec.slot, body: b}
	case "geo_bounds", "geo_centroid":
		return &geoMetric{slot: spec.slot, body: b}
	default:
		return &statistics{slot: spec.slot, body: b, min: math.Inf(1), max: math.Inf(-1)}
	}
}

// statistics makes all metrics that a few sums are enough for.
type statistics struct {
	slot         int
	body         *metricBody
	show         *valueFormat
	count        int64
	sum, squares compensated
	min, max     float64
}

func (s *statistics) see(v *fieldValues) {
	if s.show == nil || s.show.typ == "unmapped" {
		s.show = v.show
	}
}

func (s *statistics) collect(p *aggPart, b *batch) error {
	v := p.bound[s.slot].(*fieldValues)
	s.see(v)
	c, ordinals, err := v.ordinals(b)
	if err != nil {
		return err
	}
	if c == nil {
		return b.each(func(_ *batch, doc uint64) error { return s.collectOne(v, doc) })
	}
	if v.kind == termValues || s.body.kind == "value_count" {
		for _, o := range ordinals {
			if o != 0 || v.missing {
				s.count++
			}
		}
		return nil
	}
	s.add(v.doubles(c, ordinals, &p.groups[s.slot]))
	return nil
}

func (s *statistics) collectWhole(p *aggPart, segment int) (bool, error) {
	v := p.bound[s.slot].(*fieldValues)
	c, err := v.whole(segment)
	if err != nil || c == nil {
		return false, err
	}
	s.see(v)
	for ordinal, n := range c.histogram() {
		if ordinal == 0 || n == 0 {
			continue
		}
		s.count += int64(n)
		if v.kind == termValues {
			continue
		}
		raw, _ := v.keyOf(c, uint32(ordinal))
		f := v.double(raw)
		s.sum.add(f * float64(n))
		s.squares.add(f * f * float64(n))
		s.min, s.max = math.Min(s.min, f), math.Max(s.max, f)
	}
	return true, nil
}

// add takes in numbers.
func (s *statistics) add(values []float64) {
	s.count += int64(len(values))
	low, high := s.min, s.max
	for _, f := range values {
		low, high = min(low, f), max(high, f)
	}
	s.min, s.max = low, high
	switch s.body.kind {
	case "min", "max":
	case "extended_stats":
		s.sum.addAll(values)
		for _, f := range values {
			s.squares.add(f * f)
		}
	default:
		s.sum.addAll(values)
	}
}

// collectOne takes in a document that may have several values.
func (s *statistics) collectOne(v *fieldValues, doc uint64) error {
	if v.kind == termValues {
		list, err := v.texts(doc)
		s.count += int64(len(list))
		return err
	}
	list, err := v.numbers(doc)
	for _, raw := range list {
		s.add([]float64{v.double(raw)})
	}
	return err
}

func (s *statistics) flush(p *aggPart) error {
	if s.show == nil {
		s.show = p.bound[s.slot].(*fieldValues).show
	}
	return nil
}

func (s *statistics) typed() string { return s.body.kind }

func (s *statistics) variance(sampling bool) float64 {
	n := float64(s.count)
	v := (s.squares.sum - s.sum.sum*s.sum.sum/n) / n
	if sampling {
		v = (s.squares.sum - s.sum.sum*s.sum.sum/n) / (n - 1)
	}
	if v < 0 {
		return 0
	}
	return v
}

func (s *statistics) metric(name string) (float64, bool) {
	if name == "" || name == "value" {
		if s.body.kind == "stats" || s.body.kind == "extended_stats" {
			return 0, false
		}
		name = s.body.kind
	}
	empty := s.count == 0
	switch name {
	case "count", "value_count":
		return float64(s.count), true
	case "sum":
		return s.sum.sum, true
	case "sum_of_squares":
		return s.squares.sum, true
	case "min":
		return s.min, true
	case "max":
		return s.max, true
	case "avg":
		if empty {
			return math.NaN(), true
		}
		return s.sum.sum / float64(s.count), true
	case "variance", "variance_population":
		return s.variance(false), true
	case "variance_sampling":
		return s.variance(true), true
	case "std_deviation", "std_deviation_population":
		return math.Sqrt(s.variance(false)), true
	case "std_deviation_sampling":
		return math.Sqrt(s.variance(true)), true
	case "std_upper":
		return s.bound(1, false), true
	case "std_lower":
		return s.bound(-1, false), true
	default:
		return 0, false
	}
}

func (s *statistics) bound(sign float64, sampling bool) float64 {
	return s.sum.sum/float64(s.count) + sign*s.body.sigma*math.Sqrt(s.variance(sampling))
}

// known is a number, or null when there are no values. Of one value there is no
// sample to speak of, which is no number.
func (s *statistics) known(v float64) any {
	if s.count == 0 {
		return nil
	}
	return v
}

// finite is a number, or null where there is none.
func finite(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return v
}

func (s *statistics) result(*aggResult) (object, error) {
	switch s.body.kind {
	case "value_count":
		return object{{"value", s.count}}, nil
	case "stats", "extended_stats":
		return s.all(), nil
	}
	v, _ := s.metric("")
	o := object{{"value", finite(v)}}
	if text := s.show.double(v); text != "" {
		o = append(o, field{"value_as_string", text})
	}
	return o, nil
}

func (s *statistics) all() object {
	names := []string{"min", "max", "avg", "sum"}
	o := object{{"count", s.count}}
	for _, name := range names {
		v, _ := s.metric(name)
		o = append(o, field{name, finite(v)})
	}
	extended := s.body.kind == "extended_stats"
	squares := []string{"sum_of_squares", "variance", "variance_population", "variance_sampling", "std_deviation", "std_deviation_population", "std_deviation_sampling"}
	bounds := []string{"upper", "lower", "upper_population", "lower_population", "upper_sampling", "lower_sampling"}
	bound := func(i int) float64 { return s.bound(float64(1-2*(i%2)), i >= 4) }
	if extended {
		for _, name := range squares {
			v, _ := s.metric(name)
			o = append(o, field{name, s.known(v)})
		}
		list := object{}
		for i, name := range bounds {
			list = append(list, field{name, s.known(bound(i))})
		}
		o = append(o, field{"std_deviation_bounds", list})
	}
	if s.count == 0 || s.show.double(0) == "" {
		return o
	}
	// Of booleans, what is summed up is shown as such, what is made of it as text.
	shown := func(name string, v float64) any {
		if s.show.typ == "boolean" && !strings.HasPrefix(name, "std_") {
			return v != 0
		}
		return s.show.double(v)
	}
	for _, name := range names {
		v, _ := s.metric(name)
		o = append(o, field{name + "_as_string", shown(name, v)})
	}
	if extended {
		for _, name := range squares {
			v, _ := s.metric(name)
			if s.show.double(v) != "" {
				o = append(o, field{name + "_as_string", shown(name, v)})
			}
		}
		list := object{}
		for i, name := range bounds {
			if text := s.show.double(bound(i)); text != "" {
				list = append(list, field{name, text})
			}
		}
		o = append(o, field{"std_deviation_bounds_as_string", list})
	}
	return o
}

// weightedBody is an average of one field, weighted by another.
type weightedBody struct{ value, weight valueSource }

func parseWeightedAvg(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &weightedBody{}
	inner := func(s *valueSource) func(v *node) *apiError {
		return func(v *node) *apiError {
			if v.kind != kindObject {
				return wrongToken("weighted_avg", "value", v)
			}
			if err := s.params("weighted_avg").parse("multi_value_source_field_config", v); err != nil {
				return err
			}
			return s.require()
		}
	}
	return b, params{
		"value": inner(&b.value), "weight": inner(&b.weight), "value_type": ignored,
		"format": func(v *node) *apiError { b.value.format = v.text; return nil },
	}.parse(spec.kind, n)
}

func (b *weightedBody) bind(p *aggPart, spec *aggSpec) (any, error) {
	var pair [2]*fieldValues
	for i, s := range []*valueSource{&b.value, &b.weight} {
		if s.field == "" {
			return nil, illegalArgument("Could not find field name [%s] in multiValuesSource", []string{"value", "weight"}[i])
		}
		v, err := p.x.values(s)
		if err != nil {
			return nil, err
		}
		if v.kind == termValues {
			return nil, unsuited(v.m, spec.kind)
		}
		pair[i] = v
	}
	return pair, nil
}

func (b *weightedBody) start(spec *aggSpec) aggregator { return &weighted{slot: spec.slot} }

type weighted struct {
	slot         int
	sum, weights compensated
	show         *valueFormat
}

func (w *weighted) collect(p *aggPart, b *batch) error {
	pair := p.bound[w.slot].([2]*fieldValues)
	w.show = pair[0].show
	return b.each(func(_ *batch, doc uint64) error { return w.collectOne(pair, doc) })
}

func (w *weighted) collectOne(pair [2]*fieldValues, doc uint64) error {
	values, err := pair[0].numbers(doc)
	if err != nil {
		return err
	}
	weights, err := pair[1].numbers(doc)
	if err != nil || len(weights) == 0 || len(values) == 0 {
		return err
	}
	if len(weights) > 1 {
		return newError(400, "aggregation_execution_exception", "Encountered more than one weight for a single document. Use a script to combine multiple weights-per-doc into a single value.")
	}
	weight := pair[1].double(weights[0])
	for _, raw := range values {
		w.sum.add(pair[0].double(raw) * weight)
		w.weights.add(weight)
	}
	return nil
}

func (w *weighted) flush(*aggPart) error { return nil }
func (w *weighted) typed() string        { return "weighted_avg" }

func (w *weighted) metric(name string) (float64, bool) {
	return w.sum.sum / w.weights.sum, name == "" || name == "value"
}

func (w *weighted) result(*aggResult) (object, error) {
	v, _ := w.metric("")
	o := object{{"value", finite(v)}}
	if text := w.show.double(v); text != "" {
		o = append(o, field{"value_as_string", text})
	}
	return o, nil
}
