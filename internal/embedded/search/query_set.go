package search

import (
	"errors"

	"github.com/RoaringBitmap/roaring/v2"
)

// rewriter is a query that stands for another, which depends on the index.
type rewriter interface {
	query
	rewrite(x *execution) (query, error)
}

// setQuery is a query whose documents can be told as a set, without scores.
type setQuery interface {
	query
	// docs gives the set, which may be shared: it isn't to be changed.
	docs(x *execution) (*roaring.Bitmap, error)
}

// built makes the iterator of what a query stands for.
func built(x *execution, q rewriter) (iterator, error) {
	inner, err := q.rewrite(x)
	if err != nil {
		return nil, err
	}
	return inner.build(x)
}

// docs gives the documents that match a query, without scores. The set may be
// shared: it isn't to be changed.
func (x *execution) docs(q query) (*roaring.Bitmap, error) {
	switch q := q.(type) {
	case matchAllQuery:
		return x.live()
	case *constantQuery:
		return x.docs(q.inner)
	case *termsQuery:
		if plain := q.unscored(); plain != q {
			return x.docs(plain)
		}
	case rewriter:
		inner, err := q.rewrite(x)
		if err != nil {
			return nil, err
		}
		return x.docs(inner)
	case setQuery:
		return q.docs(x)
	}
	it, err := q.build(x)
	if err != nil {
		return nil, err
	}
	if set, ok := it.(*bitmapIterator); ok {
		return set.set, nil
	}
	return x.drain(it)
}

// drain gathers what an iterator finds, and closes it.
func (x *execution) drain(it iterator) (*roaring.Bitmap, error) {
	docs := roaring.New()
	for target := uint64(0); ; {
		doc, err := it.advance(target)
		if err != nil || doc == noDoc {
			return docs, joinClose(err, it.close)
		}
		docs.Add(uint32(doc))
		if target = doc + 1; target&0xfff == 0 && x.ctx.Err() != nil {
			return nil, joinClose(x.ctx.Err(), it.close)
		}
	}
}

// anyOf gives the documents that one of some queries has.
func (x *execution) anyOf(queries []query) (*roaring.Bitmap, error) {
	var sets []*roaring.Bitmap
	for _, sub := range queries {
		set, err := x.docs(sub)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	return roaring.FastOr(sets...), nil
}

func (q *disMaxQuery) docs(x *execution) (*roaring.Bitmap, error) { return x.anyOf(q.queries) }

func (q *boostingQuery) docs(x *execution) (*roaring.Bitmap, error) {
	docs, err := x.docs(q.positive)
	if err == nil {
		err = x.check(q.negative)
	}
	return docs, err
}

func (q *lenientQuery) docs(x *execution) (*roaring.Bitmap, error) {
	docs, err := x.docs(q.inner)
	var e *apiError
	if errors.As(err, &e) {
		return roaring.New(), nil
	}
	return docs, err
}

// check reports what is wrong with a query whose documents don't matter.
func (x *execution) check(q query) error {
	it, err := q.build(x)
	if err != nil {
		return err
	}
	return it.close()
}

// atLeast gives the documents that so many of some queries have.
func (x *execution) atLeast(minimum int, queries []query) (*roaring.Bitmap, error) {
	if minimum == 1 {
		return x.anyOf(queries)
	}
	// levels[i] has the documents that i+1 of the queries seen so far have.
	levels := make([]*roaring.Bitmap, minimum)
	for i := range levels {
		levels[i] = roaring.New()
	}
	for _, sub := range queries {
		set, err := x.docs(sub)
		if err != nil {
			return nil, err
		}
		for i := minimum - 1; i > 0; i-- {
			levels[i].Or(roaring.And(levels[i-1], set))
		}
		levels[0].Or(set)
	}
	return levels[minimum-1], nil
}

// docs combines the sets of the clauses.
func (q *boolQuery) docs(x *execution) (*roaring.Bitmap, error) {
	var docs *roaring.Bitmap
	narrow := func(set *roaring.Bitmap) {
		if docs == nil {
			docs = set.Clone()
		} else {
			docs.And(set)
		}
	}
	for _, group := range [][]query{q.filter, q.must} {
		for _, sub := range group {
			set, err := x.docs(sub)
			if err != nil {
				return nil, err
			}
			narrow(set)
		}
	}
	minimum := 0
	if docs == nil && len(q.should) > 0 {
		minimum = 1
	}
	if q.minimum != "" {
		var err error
		if minimum, err = minimumOf(q.minimum, len(q.should)); err != nil {
			return nil, err
		}
	}
	if minimum == 0 {
		for _, sub := range q.should { // a wrong clause is an error all the same
			if err := x.check(sub); err != nil {
				return nil, err
			}
		}
	} else {
		set, err := x.atLeast(minimum, q.should)
		if err != nil {
			return nil, err
		}
		narrow(set)
	}
	if docs == nil {
		all, err := x.live()
		if err != nil {
			return nil, err
		}
		docs = all
	}
	for _, sub := range q.mustNot {
		set, err := x.docs(sub)
		if err != nil {
			return nil, err
		}
		docs.AndNot(set)
	}
	return docs, nil
}
