package search

import (
	"cmp"
	"math"
	"slices"
)

// limited is an iterator that can leave out matches whose scores are too low to
// matter.
type limited interface {
	iterator
	// limit says that from now on matches that score less don't matter. It never
	// gets lower.
	limit(least float32)
}

// best is the greatest score that a match of an iterator may have, infinite where
// that isn't known.
func best(it iterator) float64 {
	switch it := it.(type) {
	case noneIterator:
		return 0
	case *termIterator:
		return math.Max(0, float64(it.scorer.weight))
	case *bitmapIterator:
		return float64(it.boost)
	case constantIterator:
		return float64(it.boost)
	case *boolIterator:
		return it.best()
	default:
		return math.Inf(1)
	}
}

func (it *boolIterator) best() float64 {
	sum := 0.0
	for _, group := range [][]iterator{it.required, it.optional} {
		for _, sub := range group {
			sum += best(sub)
		}
	}
	if it.boost < 0 {
		return math.Inf(1)
	}
	return sum * float64(it.boost)
}

// limit leaves out documents that only clauses of little weight have: even all of
// these together can't score enough (the algorithm is called MaxScore).
func (it *boolIterator) limit(least float32) {
	if it.boost <= 0 {
		return
	}
	// Rounding must not leave out what scores just enough.
	enough := float64(least) / float64(it.boost) * (1 - 1e-6)
	switch {
	case len(it.required) == 1 && len(it.optional) == 0:
		if inner, ok := it.required[0].(limited); ok {
			inner.limit(float32(enough))
		}
	case len(it.required)+len(it.filters) == 0 && it.minimum <= 1:
		if it.essential == nil {
			it.essential = slices.Clone(it.optional)
			slices.SortStableFunc(it.essential, func(a, b iterator) int { return cmp.Compare(best(a), best(b)) })
			it.negligible = 0
		}
		for len(it.essential) > 1 && it.negligible+best(it.essential[0]) < enough {
			it.negligible += best(it.essential[0])
			it.essential = it.essential[1:]
		}
	}
}

// limit does as that of boolIterator, where the best score alone counts.
func (it *disMaxIterator) limit(least float32) {
	if it.boost <= 0 || it.tie != 0 || it.minimum > 1 {
		return
	}
	enough := float64(least) / float64(it.boost) * (1 - 1e-6)
	if it.essential == nil {
		it.essential = slices.Clone(it.optional)
	}
	strong := slices.DeleteFunc(slices.Clone(it.essential), func(sub iterator) bool { return best(sub) < enough })
	if len(strong) > 0 {
		it.essential = strong
	}
	for _, sub := range it.essential {
		if inner, ok := sub.(limited); ok {
			inner.limit(float32(enough))
		}
	}
}
