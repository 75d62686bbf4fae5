package search

import (
	"cmp"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"strconv"
)

const (
	// defaultExactCardinality is up to how many distinct values are counted
	// exactly, as precision_threshold has it.
	defaultExactCardinality = 3000
	// sketchBits is the precision of the estimate beyond that: 2^14 registers, an
	// error of about 0.8 %.
	sketchBits = 14
	// exactQuantiles is up to how many values percentiles are exact.
	exactQuantiles = 2000
	// digestSize bounds the centroids that stand for more values.
	digestSize = 200
)

// distinct counts different values: exactly up to a number of them, by a
// HyperLogLog beyond.
type distinct struct {
	exact     map[uint64]struct{}
	limit     int
	registers []uint8
}

var distinctSeed = maphash.MakeSeed()

func newDistinct(limit int) *distinct {
	return &distinct{exact: map[uint64]struct{}{}, limit: limit}
}

func (d *distinct) addText(text string) { d.add(maphash.String(distinctSeed, text)) }

func (d *distinct) addNumber(v int64) { d.add(maphash.Comparable(distinctSeed, v)) }

func (d *distinct) add(hash uint64) {
	if d.registers == nil {
		d.exact[hash] = struct{}{}
		if len(d.exact) <= d.limit {
			return
		}
		d.registers = make([]uint8, 1<<sketchBits)
		for h := range d.exact {
			d.register(h)
		}
		d.exact = nil
		return
	}
	d.register(hash)
}

func (d *distinct) register(hash uint64) {
	i := hash >> (64 - sketchBits)
	rank := uint8(bits.LeadingZeros64(hash<<sketchBits|1<<(sketchBits-1)) + 1)
	d.registers[i] = max(d.registers[i], rank)
}

func (d *distinct) count() int64 {
	if d.registers == nil {
		return int64(len(d.exact))
	}
	m := float64(len(d.registers))
	sum, zeros := 0.0, 0.0
	for _, r := range d.registers {
		sum += math.Exp2(-float64(r))
		if r == 0 {
			zeros++
		}
	}
	estimate := 0.7213 / (1 + 1.079/m) * m * m / sum
	if estimate <= 2.5*m && zeros > 0 {
		estimate = m * math.Log(m/zeros)
	}
	return int64(math.Round(estimate))
}

// cardinality counts different values of a field.
type cardinality struct {
	slot int
	set  *distinct
}

func (c *cardinality) collect(p *aggPart, doc uint64, _ float32) error {
	v := p.bound[c.slot].(*fieldValues)
	if v.kind == termValues {
		list, err := v.texts(doc)
		for _, t := range list {
			c.set.addText(t)
		}
		return err
	}
	list, err := v.numbers(doc)
	for _, n := range list {
		c.set.addNumber(n)
	}
	return err
}

func (c *cardinality) flush(*aggPart) error { return nil }
func (c *cardinality) typed() string        { return "cardinality" }

func (c *cardinality) metric(name string) (float64, bool) {
	return float64(c.set.count()), name == "" || name == "value"
}

func (c *cardinality) result(*aggResult) (object, error) {
	return object{{"value", c.set.count()}}, nil
}

// digest keeps values for quantiles: all of them up to a number, then centroids
// (a merging t-digest).
type digest struct {
	values    []float64
	sorted    bool
	centroids []centroid
	total     float64
	min, max  float64
}

type centroid struct{ mean, weight float64 }

func (d *digest) add(v float64) {
	if d.total == 0 {
		d.min, d.max = v, v
	}
	d.min, d.max = math.Min(d.min, v), math.Max(d.max, v)
	d.total++
	d.sorted = false
	if d.values = append(d.values, v); len(d.values) > exactQuantiles {
		d.compress()
	}
}

// compress turns the values into centroids, small ones at the ends.
func (d *digest) compress() {
	list := d.centroids
	for _, v := range d.values {
		list = append(list, centroid{v, 1})
	}
	d.values = d.values[:0]
	slices.SortFunc(list, func(a, b centroid) int { return cmp.Compare(a.mean, b.mean) })
	merged := []centroid{list[0]}
	before := 0.0
	scale := func(q float64) float64 { return digestSize * (math.Asin(2*q-1)/math.Pi + 0.5) }
	limit := scale(0) + 1
	for _, c := range list[1:] {
		last := &merged[len(merged)-1]
		if scale(math.Min(1, (before+last.weight+c.weight)/d.total)) <= limit {
			last.mean += (c.mean - last.mean) * c.weight / (last.weight + c.weight)
			last.weight += c.weight
			continue
		}
		before += last.weight
		limit = scale(before/d.total) + 1
		merged = append(merged, c)
	}
	d.centroids = merged
}

// points gives the distribution as centroids in order.
func (d *digest) points() []centroid {
	if len(d.centroids) > 0 {
		if len(d.values) > 0 {
			d.compress()
		}
		return d.centroids
	}
	if !d.sorted {
		slices.Sort(d.values)
		d.sorted = true
	}
	list := make([]centroid, len(d.values))
	for i, v := range d.values {
		list[i] = centroid{v, 1}
	}
	return list
}

// quantile gives the value below which a share of all is.
func (d *digest) quantile(q float64) float64 {
	points := d.points()
	if len(points) == 0 {
		return math.NaN()
	}
	index := q * (d.total - 1)
	before := 0.0
	previous, previousAt := d.min, 0.0
	for _, c := range points {
		at := before + (c.weight-1)/2
		if at >= index {
			if at == previousAt {
				return c.mean
			}
			return previous + (index-previousAt)/(at-previousAt)*(c.mean-previous)
		}
		previous, previousAt = c.mean, at
		before += c.weight
	}
	if last := d.total - 1; last > previousAt {
		return previous + (index-previousAt)/(last-previousAt)*(d.max-previous)
	}
	return d.max
}

// rank gives the share of all that is below a value.
func (d *digest) rank(v float64) float64 {
	points := d.points()
	switch {
	case len(points) == 0:
		return math.NaN()
	case v < d.min:
		return 0
	case len(points) == 1:
		if v == points[0].mean {
			return 0.5
		}
		return 1
	case v > d.max:
		return 1
	}
	before := 0.0
	left := (points[1].mean - points[0].mean) / 2
	for i, c := range points {
		right := left
		if i+1 < len(points) {
			right = (points[i+1].mean - c.mean) / 2
		}
		if v < c.mean+right {
			share := (v - (c.mean - left)) / (right + left)
			return math.Max(0, (before+c.weight*share)/d.total)
		}
		before += c.weight
		left = right
	}
	return 1
}

// percentiles makes the metrics that need the distribution of the values.
type percentiles struct {
	slot   int
	body   *metricBody
	digest digest
	show   *valueFormat
}

func (a *percentiles) collect(p *aggPart, doc uint64, _ float32) error {
	v := p.bound[a.slot].(*fieldValues)
	a.show = v.show
	list, err := v.numbers(doc)
	for _, raw := range list {
		a.digest.add(v.double(raw))
	}
	return err
}

func (a *percentiles) flush(*aggPart) error { return nil }

func (a *percentiles) typed() string {
	switch a.body.kind {
	case "percentiles":
		return "tdigest_percentiles"
	case "percentile_ranks":
		return "tdigest_percentile_ranks"
	default:
		return a.body.kind
	}
}

func (a *percentiles) at(p float64) float64 {
	if a.body.kind == "percentile_ranks" {
		return a.digest.rank(p) * 100
	}
	return a.digest.quantile(p / 100)
}

func (a *percentiles) metric(name string) (float64, bool) {
	if a.body.kind == "median_absolute_deviation" {
		return a.deviation(), name == "" || name == "value"
	}
	p, err := strconv.ParseFloat(name, 64)
	return a.at(p), err == nil
}

// deviation is the median of the distances from the median.
func (a *percentiles) deviation() float64 {
	median := a.digest.quantile(0.5)
	var list []centroid
	for _, c := range a.digest.points() {
		list = append(list, centroid{math.Abs(c.mean - median), c.weight})
	}
	if len(list) == 0 {
		return math.NaN()
	}
	slices.SortFunc(list, func(a, b centroid) int { return cmp.Compare(a.mean, b.mean) })
	d := digest{centroids: list, total: a.digest.total, min: list[0].mean, max: list[len(list)-1].mean}
	return d.quantile(0.5)
}

func (a *percentiles) result(*aggResult) (object, error) {
	if a.body.kind == "median_absolute_deviation" {
		v := a.deviation()
		o := object{{"value", finite(v)}}
		if text := a.show.double(v); text != "" {
			o = append(o, field{"value_as_string", text})
		}
		return o, nil
	}
	values, list := object{}, []any{}
	for _, p := range slices.Sorted(slices.Values(a.body.percents)) {
		v, name := a.at(p), javaFloat(p, 64)
		text := a.show.double(v)
		one := object{{"key", p}, {"value", finite(v)}}
		values = append(values, field{name, finite(v)})
		if text != "" {
			values = append(values, field{name + "_as_string", text})
			one = append(one, field{"value_as_string", text})
		}
		list = append(list, one)
	}
	if a.body.keyed {
		return object{{"values", values}}, nil
	}
	return object{{"values", list}}, nil
}
