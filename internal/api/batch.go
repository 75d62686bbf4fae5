package api

import (
	"errors"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/orderflow/orderflow/internal/order"
)

const (
	// maxBatchBody bounds the body of a batch, in bytes.
	maxBatchBody = 1 << 20
	// batchWriters bounds how many orders of a batch are taken at the same time.
	batchWriters = 32
)

// batchResult is what became of one order of a batch.
type batchResult struct {
	// Status is what posting the order alone would have been answered with.
	Status  int          `json:"status"`
	Order   *order.Order `json:"order,omitempty"`
	Problem *problem     `json:"problem,omitempty"`
}

// postBatch takes many new orders. A document that breaks the contract keeps the whole
// batch from being taken; otherwise each order has a result of its own.
func (h *handlers) postBatch(w http.ResponseWriter, r *http.Request) error {
	received := h.stages.now()
	orders, err := readBody(w, r, maxBatchBody, order.DecodeOrders)
	if err != nil {
		h.metrics.refused.Inc()
		return err
	}
	results := make([]batchResult, len(orders))
	take := func(i int) {
		o, created, err := h.place(r.Context(), orders[i], received)
		switch {
		case err != nil:
			p := h.problemOf(r, err)
			results[i] = batchResult{Status: p.Status, Problem: p}
		case created:
			results[i] = batchResult{Status: http.StatusCreated, Order: &o}
		default:
			results[i] = batchResult{Status: http.StatusOK, Order: &o}
		}
	}
	// Of those with one id the first counts, as if they had been posted one by one.
	first := map[string]bool{}
	var again []int
	var group errgroup.Group
	group.SetLimit(batchWriters)
	for i, o := range orders {
		if first[o.ID] {
			again = append(again, i)
			continue
		}
		first[o.ID] = true
		group.Go(func() error { take(i); return nil })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, i := range again {
		take(i)
	}
	writeJSON(w, http.StatusOK, map[string]any{"results": results})
	return nil
}

// problemOf turns the error of a request into what its client is told.
func (h *handlers) problemOf(r *http.Request, err error) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case r.Context().Err() != nil:
		return unavailable("The server is stopping.")
	default:
		log := h.log
		var about *orderError
		if errors.As(err, &about) {
			log = log.With("order", about.order)
		}
		log.Warn("a request failed", "method", r.Method, "path", r.URL.EscapedPath(), "error", err)
		return unavailable("Something that this request needs did not answer; try again.")
	}
}
