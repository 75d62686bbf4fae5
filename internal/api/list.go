package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
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

// foundJSON is an order that was found, with the time of its latest record.
type foundJSON struct {
	order.Order
	UpdatedAt time.Time `json:"updatedAt,omitzero"`
}

type pageJSON struct {
	// Total is how many orders match, on all pages.
	Total  int64       `json:"total"`
	Orders []foundJSON `json:"orders"`
	// Next is the cursor of the next page; empty on the last.
	Next string `json:"next,omitempty"`
}

var listParameters = []string{"customerId", "state", "product", "from", "to", "q", "limit", "cursor"}

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
	answer := pageJSON{Total: page.Total, Orders: []foundJSON{}}
	for _, o := range page.Orders {
		answer.Orders = append(answer.Orders, foundJSON(o))
	}
	if len(answer.Orders) > limit {
		answer.Orders = answer.Orders[:limit]
		answer.Next = base64.RawURLEncoding.EncodeToString([]byte(answer.Orders[limit-1].ID))
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// timeParam reads a moment (RFC 3339), the zero time when there is none.
func timeParam(params url.Values, name string) (time.Time, error) {
	if !params.Has(name) {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, params.Get(name))
	if err != nil {
		return t, newProblem(http.StatusBadRequest, fmt.Sprintf("The parameter %s must be a time such as 2026-01-31T08:00:00Z (with + written as %%2B).", name))
	}
	return t, nil
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
	if params.Has("customerId") {
		id, err := strconv.ParseInt(params.Get("customerId"), 10, 64)
		if err != nil {
			return q, newProblem(http.StatusBadRequest, "The parameter customerId must be a whole number of 64 bits.")
		}
		q.CustomerID = &id
	}
	q.State, q.Product = order.State(params.Get("state")), order.Product(params.Get("product"))
	if params.Has("state") && !slices.Contains(order.States, q.State) {
		return q, newProblem(http.StatusBadRequest, fmt.Sprintf("The parameter state must be one of %v.", order.States))
	}
	if params.Has("product") && !q.Product.Known() {
		return q, newProblem(http.StatusBadRequest, fmt.Sprintf("The parameter product must be one of %v.", order.Products))
	}
	if q.Since, err = timeParam(params, "from"); err != nil {
		return q, err
	}
	if q.Before, err = timeParam(params, "to"); err != nil {
		return q, err
	}
	q.Text = params.Get("q")
	if len(q.Text) > maxSearchText || !utf8.ValidString(q.Text) {
		return q, newProblem(http.StatusBadRequest, fmt.Sprintf("The parameter q must be UTF-8 of at most %d bytes.", maxSearchText))
	}
	if params.Has("cursor") {
		after, err := base64.RawURLEncoding.DecodeString(params.Get("cursor"))
		if err != nil || len(after) > order.MaxIDBytes || len(after) == 0 {
			return q, newProblem(http.StatusBadRequest, "The parameter cursor is not what a former answer had as next.")
		}
		// Whatever it is, the page begins with the ids after it.
		q.After = strings.ToValidUTF8(string(after), "\uFFFD")
	}
	return q, nil
}
