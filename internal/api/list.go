package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/search"
)

const (
	defaultPage = 20
	maxPage     = 1000
	// maxSearchText bounds the parameter q, in bytes.
	maxSearchText = 1000
)

// Search finds orders; see search.Client.
type Search interface {
	Orders(ctx context.Context, q search.Query) (search.Page, error)
}

type pageJSON struct {
	// Total is how many orders match, on all pages.
	Total  int64         `json:"total"`
	Orders []order.Order `json:"orders"`
	// Next is the cursor of the next page; empty on the last.
	Next string `json:"next,omitempty"`
}

var listParameters = []string{"customerId", "state", "product", "q", "limit", "cursor"}

// listOrders finds orders by their latest states, in the order of their ids.
func (h *handlers) listOrders(w http.ResponseWriter, r *http.Request) error {
	query, err := listQuery(r)
	if err != nil {
		return err
	}
	if h.search == nil {
		return unavailable("This instance knows no Elasticsearch to search in.")
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	limit := query.Size
	// One more tells whether there is another page.
	query.Size++
	page, err := h.search.Orders(ctx, query)
	// Before the first order there is no index.
	if err != nil && !search.IsNotFound(err) {
		return err
	}
	answer := pageJSON{Total: page.Total, Orders: append([]order.Order{}, page.Orders...)}
	if len(answer.Orders) > limit {
		answer.Orders = answer.Orders[:limit]
		answer.Next = base64.RawURLEncoding.EncodeToString([]byte(answer.Orders[limit-1].ID))
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

func listQuery(r *http.Request) (q search.Query, err error) {
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, newProblem(http.StatusBadRequest, "The parameters are not escaped correctly: "+err.Error())
	}
	for name := range params {
		// A filter that is misspelled would find too much.
		if !slices.Contains(listParameters, name) {
			return q, newProblem(http.StatusBadRequest, fmt.Sprintf("There is no parameter %q; there are %v.", name, listParameters))
		}
	}
	if q.Size, err = intParam(r, "limit", defaultPage, 1, maxPage); err != nil {
		return q, err
	}
	if text := params.Get("customerId"); text != "" {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return q, newProblem(http.StatusBadRequest, "The parameter customerId must be a whole number of 64 bits.")
		}
		q.CustomerID = &id
	}
	q.State, q.Product = order.State(params.Get("state")), order.Product(params.Get("product"))
	if q.State != "" && !slices.Contains(order.States, q.State) {
		return q, newProblem(http.StatusBadRequest, fmt.Sprintf("The parameter state must be one of %v.", order.States))
	}
	if q.Product != "" && !q.Product.Known() {
		return q, newProblem(http.StatusBadRequest, fmt.Sprintf("The parameter product must be one of %v.", order.Products))
	}
	q.Text = params.Get("q")
	if len(q.Text) > maxSearchText || !utf8.ValidString(q.Text) {
		return q, newProblem(http.StatusBadRequest, fmt.Sprintf("The parameter q must be UTF-8 of at most %d bytes.", maxSearchText))
	}
	if cursor := params.Get("cursor"); cursor != "" {
		after, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil || len(after) > order.MaxIDBytes || !utf8.Valid(after) {
			return q, newProblem(http.StatusBadRequest, "The parameter cursor is not what a former answer had as next.")
		}
		q.After = string(after)
	}
	return q, nil
}
