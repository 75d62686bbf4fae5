package search

import (
	index_api "github.com/blevesearch/bleve_index_api"
)

// aggregation is one of a request.
type aggregation interface {
	build(x *execution) (aggregator, error)
}

// aggregator gathers one aggregation on one index.
type aggregator interface {
	collect(doc index_api.IndexInternalID) error
}

func parseAggregations(v *node, _ int) ([]aggregation, *apiError) {
	return nil, unsupported("[aggregations] of a search")
}

func (r *searchRun) renderAggregations() (object, error) { return object{}, nil }
