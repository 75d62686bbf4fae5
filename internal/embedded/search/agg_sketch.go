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

func (d *distinct) addValue(kind valueKind, raw int64, text string) {
	if kind == termValues {
		d.add(maphash.String(distinctSeed, text))
	} else {
		d.add(hashNumber(raw))
	}
}

// addOrdinal adds a value of a column.
func (d *distinct) addOrdinal(v *fieldValues, c *segmentColumn, ordinal uint32) {
	if v.kind == termValues {
		d.add(maphash.Bytes(distinctSeed, c.term(ordinal)))
		return
	}
	raw, _ := v.keyOf(c, ordinal)
	d.add(hashNumber(raw))
}

// hashNumber spreads numbers as MurmurHash's last step does.
func hashNumber(v int64) uint64 {
	h := uint64(v) + 0x9e3779b97f4a7c15
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (d *distinct) add(hash uint64) {
	if d.registers != nil {
		d.register(hash)
		return
	}
	d.exact[hash] = struct{}{}
	if len(d.exact) > d.limit {
		d.estimate()
	}
}

// estimate goes over from the values themselves to a sketch of them.
func (d *distinct) estimate() {
	d.registers = make([]uint8, 1<<sketchBits)
	for h := range d.exact {
		d.register(h)
	}
	d.exact = nil
}

// merge takes in what another one, which has a sketch, has seen.
func (d *distinct) merge(other *distinct) {
	if d.registers == nil {
		d.estimate()
	}
	for i, r := range other.registers {
		d.registers[i] = max(d.registers[i], r)
	}
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

func (c *cardinality) collect(p *aggPart, b *batch) error {
	v := p.bound[c.slot].(*fieldValues)
	column, ordinals, err := v.ordinals(b)
	if err != nil {
		return err
	}
	if column == nil {
		return b.each(func(_ *batch, doc uint64) error { return c.collectOne(v, doc) })
	}
	missing := false
	for _, o := range ordinals {
		missing = missing || o == 0
	}
	p.groups[c.slot].count(ordinals, column.top, func(ordinal uint32, _ int) { c.set.addOrdinal(v, column, ordinal) })
	if missing && v.missing {
		c.set.addValue(v.kind, v.number, v.text)
	}
	return nil
}

func (c *cardinality) collectWhole(p *aggPart, segment int) (bool, error) {
	v := p.bound[c.slot].(*fieldValues)
	column, err := v.whole(segment)
	if err != nil || column == nil {
		return false, err
	}
	if int(column.top) > c.set.limit && column.top > 1<<sketchBits {
		c.set.merge(column.distinct(v))
		return true, nil
	}
	for ordinal, n := range column.histogram() {
		if ordinal > 0 && n > 0 {
			c.set.addOrdinal(v, column, uint32(ordinal))
		}
	}
	return true, nil
}

// collectOne takes in a document that may have several values.
func (c *cardinality) collectOne(v *fieldValues, doc uint64) error {
	if v.kind == termValues {
		list, err := v.texts(doc)
		for _, t := range list {
			c.set.addValue(v.kind, 0, t)
		}
		return err
	}
	list, err := v.numbers(doc)
	for _, n := range list {
		c.set.addValue(v.kind, n, "")
	}
	return err
}

// distinct is the sketch of all values of a column; it isn't to be changed.
func (c *segmentColumn) distinct(v *fieldValues) *distinct {
	c.sketched.Do(func() {
		d := newDistinct(0)
		for ordinal, n := range c.histogram() {
			if ordinal > 0 && n > 0 {
				d.addOrdinal(v, c, uint32(ordinal))
			}
		}
		c.sketch = d
	})
	return c.sketch
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
	d.note(v, v, 1)
	d.sorted = false
	if d.values = append(d.values, v); len(d.values) > exactQuantiles {
		d.compress(nil)
	}
}

func (d *digest) note(low, high, weight float64) {
	if d.total == 0 {
		d.min, d.max = low, high
	}
	d.min, d.max = math.Min(d.min, low), math.Max(d.max, high)
	d.total += weight
}

// addSorted takes in values in their order, each as often as its weight says.
func (d *digest) addSorted(list []centroid) {
	if len(list) == 0 {
		return
	}
	weight := 0.0
	for _, c := range list {
		weight += c.weight
	}
	if len(d.centroids) == 0 && len(d.values)+int(weight) <= exactQuantiles {
		for _, c := range list {
			for range int(c.weight) {
				d.add(c.mean)
			}
		}
		return
	}
	d.note(list[0].mean, list[len(list)-1].mean, weight)
	d.compress(list)
}

// compress turns all values, with others in their order, into centroids, small
// ones at the ends.
func (d *digest) compress(more []centroid) {
	slices.Sort(d.values)
	loose := make([]centroid, len(d.values))
	for i, v := range d.values {
		loose[i] = centroid{v, 1}
	}
	d.values = d.values[:0]
	list := mergeCentroids(mergeCentroids(d.centroids, loose), more)
	merged := []centroid{list[0]}
	before := 0.0
	// limit is how much weight there may be up to the end of the centroid at hand.
	limit := d.total * digestShare(digestPlace(0)+1)
	for _, c := range list[1:] {
		last := &merged[len(merged)-1]
		if before+last.weight+c.weight <= limit {
			last.mean += (c.mean - last.mean) * c.weight / (last.weight + c.weight)
			last.weight += c.weight
			continue
		}
		before += last.weight
		limit = d.total * digestShare(digestPlace(before/d.total)+1)
		merged = append(merged, c)
	}
	d.centroids = merged
}

// digestPlace puts a share of all values on a scale on which centroids are one
// apart, and digestShare leads back.
func digestPlace(q float64) float64 {
	return digestSize * (math.Asin(2*math.Min(1, q)-1)/math.Pi + 0.5)
}

func digestShare(place float64) float64 {
	return (math.Sin((math.Min(1, place/digestSize)-0.5)*math.Pi) + 1) / 2
}

func mergeCentroids(a, b []centroid) []centroid {
	if len(a) == 0 || len(b) == 0 {
		return append(slices.Clone(a), b...)
	}
	list := make([]centroid, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if b[0].mean < a[0].mean {
			list, b = append(list, b[0]), b[1:]
		} else {
			list, a = append(list, a[0]), a[1:]
		}
	}
	return append(append(list, a...), b...)
}

// points gives the distribution as centroids in order.
func (d *digest) points() []centroid {
	if len(d.centroids) > 0 {
		if len(d.values) > 0 {
			d.compress(nil)
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

func (a *percentiles) collect(p *aggPart, b *batch) error {
	v := p.bound[a.slot].(*fieldValues)
	a.show = v.show
	c, ordinals, err := v.ordinals(b)
	if err != nil {
		return err
	}
	g := &p.groups[a.slot]
	switch {
	case c == nil:
		return b.each(func(_ *batch, doc uint64) error { return a.collectOne(v, doc) })
	case v.missing || !c.numeric || len(b.docs) < exactQuantiles:
		for _, f := range v.doubles(c, ordinals, g) {
			a.digest.add(f)
		}
		return nil
	}
	var list []centroid
	if int(c.top) <= 2*len(ordinals) {
		g.count(ordinals, c.top, func(ordinal uint32, n int) {
			list = append(list, centroid{v.double(c.number(ordinal)), float64(n)})
		})
	} else {
		values := v.doubles(c, ordinals, g)
		slices.Sort(values)
		for _, f := range values {
			list = append(list, centroid{f, 1})
		}
	}
	a.digest.addSorted(list)
	return nil
}

func (a *percentiles) collectWhole(p *aggPart, segment int) (bool, error) {
	v := p.bound[a.slot].(*fieldValues)
	c, err := v.whole(segment)
	if err != nil || c == nil || !c.numeric {
		return false, err
	}
	a.show = v.show
	counts := c.histogram()
	list := make([]centroid, 0, len(counts))
	for ordinal, n := range counts {
		if ordinal > 0 && n > 0 {
			list = append(list, centroid{v.double(c.number(uint32(ordinal))), float64(n)})
		}
	}
	a.digest.addSorted(list)
	return true, nil
}

// collectOne takes in a document that may have several values.
func (a *percentiles) collectOne(v *fieldValues, doc uint64) error {
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
