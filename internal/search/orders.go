package search

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/orderflow/orderflow/internal/order"
)

// OrdersIndex has one document per order, in its latest state.
const OrdersIndex = "orders.v1"

// MaxResults is how deep a search can page: Elasticsearch's max_result_window.
const MaxResults = 10000

// Query says which orders are looked for. Empty fields don't narrow it.
type Query struct {
	// Text is looked for in all fields, as words.
	Text string
	// CustomerID, State and Product must be the same. A nil customer is any.
	CustomerID *int64
	State      order.State
	Product    order.Product
	// Since and Before bound the time of the order's latest record: at Since or later, and
	// earlier than Before, to the millisecond. The zero time does not bound.
	Since, Before time.Time
	// From and Size choose a page, in orders; together at most MaxResults.
	From, Size int
	// After is the id after which the page begins, at any depth; From must be 0 then.
	// Empty begins with the first order.
	After string
}

// Validate reports what can't be asked for.
func (q Query) Validate() error {
	if q.From < 0 || q.Size < 0 || q.From+q.Size > MaxResults {
		return fmt.Errorf("searching orders: from %d and size %d must be at least 0 and at most %d together", q.From, q.Size, MaxResults)
	}
	if q.After != "" && q.From != 0 {
		return fmt.Errorf("searching orders: a page begins after %q or at %d, not both", q.After, q.From)
	}
	return nil
}

// Page is a part of the orders that were found, by id.
type Page struct {
	// Total is how many orders match.
	Total  int64
	Orders []Order
}

// Order is an order in its latest state.
type Order struct {
	order.Order
	// UpdatedAt is the time of its latest record; zero when the document has none.
	UpdatedAt time.Time
}

// UnmarshalJSON reads a document as the connector writes it: the record's time is in
// milliseconds since 1970.
func (o *Order) UnmarshalJSON(data []byte) error {
	var doc struct {
		UpdatedAt *int64 `json:"updatedAt"`
	}
	if err := json.Unmarshal(data, &o.Order); err != nil {
		return err
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	if doc.UpdatedAt != nil {
		o.UpdatedAt = time.UnixMilli(*doc.UpdatedAt).UTC()
	}
	return nil
}

type clause map[string]any

// body is the request.
func (q Query) body() ([]byte, error) {
	filters := []clause{}
	term := func(field string, value any) {
		filters = append(filters, clause{"term": clause{field: value}})
	}
	if q.CustomerID != nil {
		term("customerId", *q.CustomerID)
	}
	if q.State != "" {
		term("state", q.State)
	}
	if q.Product != "" {
		term("product", q.Product)
	}
	if span := q.span(); len(span) > 0 {
		filters = append(filters, clause{"range": clause{"updatedAt": span}})
	}
	if q.Text != "" {
		filters = append(filters, clause{"multi_match": clause{"query": q.Text, "lenient": true}})
	}
	request := clause{
		"query": clause{"bool": clause{"filter": filters}},
		"sort":  []clause{{"id": clause{"order": "asc"}}},
		"from":  q.From, "size": q.Size, "track_total_hits": true,
	}
	if q.After != "" {
		request["search_after"] = []string{q.After}
	}
	return json.Marshal(request)
}

// span says in Elasticsearch's words which times are meant. Numbers mean the same to an
// index that was made before its template knew the field, and holds it as a long.
func (q Query) span() clause {
	span := clause{}
	if !q.Since.IsZero() {
		span["gte"] = q.Since.UnixMilli()
	}
	if !q.Before.IsZero() {
		span["lt"] = q.Before.UnixMilli()
	}
	return span
}

// Orders looks for orders. An index that doesn't exist yet is an error that
// IsNotFound knows.
func (c *Client) Orders(ctx context.Context, q Query) (Page, error) {
	if err := q.Validate(); err != nil {
		return Page{}, err
	}
	body, err := q.body()
	if err != nil {
		return Page{}, fmt.Errorf("encoding a search: %w", err)
	}
	var answer struct {
		Hits struct {
			Total struct {
				Value int64 `json:"value"`
			} `json:"total"`
			Hits []struct {
				Source Order `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	res, err := c.es.Search(c.es.Search.WithContext(ctx), c.es.Search.WithIndex(OrdersIndex), c.es.Search.WithBody(bytes.NewReader(body)))
	if err := c.read(res, err, &answer); err != nil {
		return Page{}, fmt.Errorf("searching orders: %w", err)
	}
	page := Page{Total: answer.Hits.Total.Value, Orders: []Order{}}
	for _, h := range answer.Hits.Hits {
		page.Orders = append(page.Orders, h.Source)
	}
	return page, nil
}
