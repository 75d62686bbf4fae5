package search

import (
	"errors"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
	index_api "github.com/blevesearch/bleve_index_api"
)

// matchSet has the documents of one index that a request by query is about.
type matchSet struct {
	x    *execution
	docs *roaring.Bitmap
}

// matches finds the documents, at most limit of them when that isn't 0: those that
// were written first.
func (q *byQuery) matches(c *call, found []target, snaps []*snapshot, limit int) ([]matchSet, error) {
	var list []matchSet
	left := limit
	for i, t := range found {
		if limit > 0 && left == 0 {
			break
		}
		m, err := q.matchesIn(c, t, snaps[i], left)
		if err != nil {
			var apiErr *apiError
			if errors.As(err, &apiErr) {
				return nil, failedSearch(t.index, c.srv.nodeID, apiErr)
			}
			return nil, fmt.Errorf("searching index %s: %w", t.name, err)
		}
		left -= int(m.docs.GetCardinality())
		list = append(list, m)
	}
	return list, nil
}

func (q *byQuery) matchesIn(c *call, t target, snap *snapshot, limit int) (matchSet, error) {
	m := matchSet{x: newExecution(c.ctx, t.index, snap, c.srv.cfg.Clock())}
	if window := t.definition().settings.number("max_result_window", defaultWindow); q.batch > window {
		return m, illegalArgument("Batch size is too large, size must be less than or equal to: [%d] but was [%d]. Scroll batch sizes cost as much memory as result windows so they are controlled by the [index.max_result_window] index level setting.", window, q.batch)
	}
	filter, apiErr := t.filterOf()
	if apiErr != nil {
		return m, apiErr
	}
	all := &boolQuery{filter: []query{q.search.query, matchAllQuery{1}}, boost: 1}
	if filter != nil {
		all.filter = append(all.filter, filter)
	}
	if q.search.slice != nil {
		share, err := q.search.slice.docs(m.x)
		if err != nil {
			return m, err
		}
		all.filter = append(all.filter, docsQuery{share})
	}
	var limited query = all
	if first := leastOf(limit, q.search.terminate); first > 0 {
		var err error
		req := *q.search
		req.terminate = first
		run := &searchRun{c: c, req: &req}
		if limited, err = run.firstWritten(&searchPart{x: m.x, target: t}, all); err != nil {
			return m, err
		}
	}
	docs, err := m.x.docs(limited)
	m.docs = docs
	return m, err
}

// leastOf is the smaller of two limits of which 0 is none.
func leastOf(a, b int) int {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// read gives a document as it was when the request began.
func (m *matchSet) read(doc uint64) (match, error) {
	id, err := m.x.snap.reader.ExternalID(index_api.NewIndexInternalID(nil, doc))
	if err != nil {
		return match{}, err
	}
	r, err := m.x.snap.record(id)
	if err != nil {
		return match{}, fmt.Errorf("reading document %s of %s: %w", id, m.x.ix.name, err)
	}
	if r == nil {
		return match{}, fmt.Errorf("reading document %s of %s: the store has none of that id", id, m.x.ix.name)
	}
	return match{ix: m.x.ix, id: id, r: r}, nil
}
