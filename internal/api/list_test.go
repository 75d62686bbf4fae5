package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/search"
)

func (f *fixture) list(query string) pageJSON {
	f.t.Helper()
	a := f.do("GET", "/v1/orders?"+query, "")
	require.Equal(f.t, http.StatusOK, a.code, a.body)
	matchesSchema(f.t, "OrderPage", a.body)
	var page pageJSON
	require.NoError(f.t, json.Unmarshal([]byte(a.body), &page))
	return page
}

func TestListAsksForWhatTheParametersSay(t *testing.T) {
	f := newFixture(t)
	customer := int64(-7)
	f.list("customerId=-7&state=FAILED&product=JUMPERS&q=o-1+x&limit=5")
	assert.Equal(t, search.Query{CustomerID: &customer, State: order.Failed, Product: order.Jumpers, Text: "o-1 x", Size: 6}, f.search.query)
	f.list("")
	assert.Equal(t, search.Query{Size: defaultPage + 1}, f.search.query)
	f.list("from=2026-01-02T03:04:05.678Z&to=2026-01-02T03:04:05%2B01:00")
	assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), f.search.query.Since.UTC())
	assert.Equal(t, time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC), f.search.query.Before.UTC())
}

func TestListGoesOnWithItsCursor(t *testing.T) {
	f := newFixture(t)
	second := goodOrderValue
	second.ID = "ö/2"
	third := goodOrderValue
	third.ID = "z"
	at := time.UnixMilli(1700000000123).UTC()
	f.search.page = search.Page{Total: 9, Orders: []search.Order{{Order: goodOrderValue, UpdatedAt: at}, {Order: second}, {Order: third}}}
	page := f.list("limit=2")
	assert.Equal(t, []foundJSON{{goodOrderValue, at}, {Order: second}}, page.Orders)
	assert.EqualValues(t, 9, page.Total)
	require.NotEmpty(t, page.Next)
	f.search.page = search.Page{Total: 9, Orders: []search.Order{{Order: third}}}
	last := f.list("limit=2&cursor=" + page.Next)
	assert.Equal(t, "ö/2", f.search.query.After)
	assert.Empty(t, last.Next)
}

func TestListRefusesWhatItDoesNotKnow(t *testing.T) {
	f := newFixture(t)
	for _, query := range []string{
		"limit=0", "limit=1001", "customerId=x", "customerId=9223372036854775808", "state=created", "product=SOCKS",
		"cursor=%25", "cursor=", "cursor=_", "state=", "product=", "customerId=", "from=", "to=", "customer=1", "from=yesterday", "to=2026-01-02", "to=12", "q=%ff", "q=" + strings.Repeat("x", maxSearchText+1), "q=%zz",
	} {
		f.problem(f.do("GET", "/v1/orders?"+query, ""), http.StatusBadRequest)
	}
	f.search.err = errors.New("away")
	f.problem(f.do("GET", "/v1/orders", ""), http.StatusServiceUnavailable)
	f.search.err = &search.Error{Status: http.StatusNotFound, Type: "index_not_found_exception"}
	assert.Empty(t, f.list("").Orders, "before the first order there is no index")
	f.handlers.search = nil
	f.problem(f.do("GET", "/v1/orders", ""), http.StatusServiceUnavailable)
}
