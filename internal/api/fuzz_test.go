package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/order"
)

// Whatever is posted, the answer is one of the contract's and only what is answered
// 201 is written.
func FuzzPostOrder(f *testing.F) {
	f.Add(goodOrder)
	f.Add(strings.Replace(goodOrder, "o-1", `'; DROP TABLE ORDERS_BY_ID; --`, 1))
	f.Add(`{"id":"a","id":"b"}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		fx := newFixture(t)
		a := fx.do("POST", "/v1/orders", body)
		switch a.code {
		case http.StatusCreated:
			require.Len(t, fx.publisher.orders, 1)
			require.Equal(t, http.StatusOK, fx.do("GET", a.header.Get("Location"), "").code)
			require.Equal(t, http.StatusOK, fx.do("POST", "/v1/orders", body).code)
			require.Len(t, fx.publisher.orders, 1)
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			require.NotEmpty(t, fx.problem(a, a.code).Errors)
			require.Empty(t, fx.publisher.orders)
		default:
			t.Fatalf("answered %d: %s", a.code, a.body)
		}
	})
}

// Of a batch all is written that is answered 201, or nothing when a document is wrong.
func FuzzPostBatch(f *testing.F) {
	f.Add(`{"orders":[` + goodOrder + `,` + goodOrder + `]}`)
	f.Add(`{"orders":[` + goodOrder + `,{}]}`)
	f.Add(`{"orders":[]}`)
	f.Add(`{"orders":{}}`)
	f.Fuzz(func(t *testing.T, body string) {
		fx := newFixture(t)
		a := fx.do("POST", "/v1/orders:batch", body)
		switch a.code {
		case http.StatusOK:
			require.Equal(t, strings.Count(a.body, `{"status":201,`), len(fx.publisher.orders))
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			require.NotEmpty(t, fx.problem(a, a.code).Errors)
			require.Empty(t, fx.publisher.orders)
		default:
			t.Fatalf("answered %d: %s", a.code, a.body)
		}
	})
}

func FuzzPostPayment(f *testing.F) {
	f.Add(goodPayment)
	f.Add(strings.Replace(goodPayment, "EUR", "€", 1))
	f.Add(strings.Replace(goodPayment, "19", "1e400", 1))
	f.Fuzz(func(t *testing.T, body string) {
		fx := newFixture(t)
		a := fx.do("POST", "/v1/payments", body)
		switch a.code {
		case http.StatusCreated:
			require.Len(t, fx.publisher.payments, 1)
			require.Equal(t, http.StatusOK, fx.do("POST", "/v1/payments", body).code)
			require.Len(t, fx.publisher.payments, 1)
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			require.NotEmpty(t, fx.problem(a, a.code).Errors)
			require.Empty(t, fx.publisher.payments)
		default:
			t.Fatalf("answered %d: %s", a.code, a.body)
		}
	})
}

func FuzzPutInventory(f *testing.F) {
	f.Add("JUMPERS", `{"quantity":4}`)
	f.Add("SOCKS", `{"quantity":4}`)
	f.Add("%2e%2e", `{"quantity":-4}`)
	f.Add("JUMPERS", `{"quantity":4e0}`)
	f.Fuzz(func(t *testing.T, product, body string) {
		fx := newFixture(t)
		a := fx.do("PUT", "/v1/inventory/"+url.PathEscape(product), body)
		if a.code == http.StatusOK {
			require.Len(t, fx.publisher.units, 1)
			require.True(t, order.Product(product).Known())
			return
		}
		require.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge}, a.code)
		require.Empty(t, fx.publisher.units)
	})
}

// Whichever id is in an address, nothing breaks and nothing is written.
func FuzzOrderAddresses(f *testing.F) {
	f.Add("o-1", "timeout=0")
	f.Add("..", "timeout=0&timeout=1")
	f.Add("a/b", "")
	f.Add("\x00\xff", "%zz")
	f.Fuzz(func(t *testing.T, id, query string) {
		if strings.TrimLeft(parameter(query, "timeout"), "0+-") != "" {
			t.Skip()
		}
		fx := newFixture(t)
		fx.store.put(goodOrderValue)
		for _, op := range []struct{ method, path string }{{"GET", ""}, {"GET", "/validated"}, {"GET", "/history"}, {"POST", "/ship"}} {
			r := httptest.NewRequestWithContext(t.Context(), op.method, "/v1/orders/x"+op.path, nil)
			r.URL.Path, r.URL.RawPath = "/v1/orders/"+id+op.path, "/v1/orders/"+url.PathEscape(id)+op.path
			r.URL.RawQuery = query + "&timeout=0"
			if id == "stream" {
				t.Skip()
			}
			a := fx.request(r)
			require.Less(t, a.code, 500, "%s %s", r.URL, a.body)
		}
		require.Empty(t, fx.publisher.shipments)
	})
}

// parameter returns the last value of a query's parameter, as the handlers read it.
func parameter(query, name string) string {
	values, _ := url.ParseQuery(query)
	if list := values[name]; len(list) > 0 {
		return list[len(list)-1]
	}
	return ""
}

// Whatever a list is asked for, it is answered or refused.
func FuzzListParameters(f *testing.F) {
	f.Add("customerId=7&state=FAILED&product=JUMPERS&from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00%2B01:00&q=x&limit=5")
	f.Add("cursor=bzE")
	f.Add("q=%ff&limit=1e3")
	f.Fuzz(func(t *testing.T, query string) {
		fx := newFixture(t)
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/orders", nil)
		r.URL.RawQuery = query
		a := fx.request(r)
		require.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, a.code, a.body)
		if a.code == http.StatusOK {
			require.NoError(t, fx.search.query.Validate())
		}
	})
}

// Whatever a client says it received last, it is a position or it is refused.
func FuzzLastEventID(f *testing.F) {
	f.Add("0:17,1:-1,2:4")
	f.Add("0:9223372036854775807")
	f.Add(",:0")
	f.Fuzz(func(t *testing.T, id string) {
		known := positions{0: 5, 1: -1, 2: 7}
		p, err := parsePositions(id, known)
		if err != nil {
			return
		}
		require.Len(t, p, len(known))
		again, err := parsePositions(p.id(), known)
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}

// Whatever is asked for by path and query, nothing breaks.
func FuzzGet(f *testing.F) {
	f.Add("/v1/orders/o-1/validated", "timeout=0")
	f.Add("/fraud", "limit=-1&wait=x")
	f.Add("/v1/orders/o-1/history", "timeout=0")
	f.Add("/v1/customers/-0x1", "")
	f.Add("/v1/orders/%2e%2e%2f", "timeout=%zz")
	f.Fuzz(func(t *testing.T, path, query string) {
		u, err := url.Parse("http://api/" + strings.TrimLeft(path, "/"))
		// Streams do not end.
		if err != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(u.Path, "/stream") {
			t.Skip()
		}
		fx := newFixture(t)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.String(), nil)
		require.NoError(t, err)
		req.URL.RawQuery = query
		// Waiting is tested elsewhere.
		if v := req.URL.Query(); v.Has("wait") || !v.Has("timeout") {
			req.URL.RawQuery = "timeout=0"
		}
		if strings.TrimLeft(req.URL.Query().Get("timeout"), "0") != "" {
			t.Skip()
		}
		a := fx.request(req)
		require.Less(t, a.code, 500, "%s %s", req.URL, a.body)
	})
}

// The parameters of the fraud listing that do not wait.
func FuzzFraudParameters(f *testing.F) {
	f.Add("10", "0")
	f.Add("-1", "1e1")
	f.Fuzz(func(t *testing.T, limit, wait string) {
		if strings.TrimLeft(wait, "0+-") != "" {
			wait = "x" + wait
		}
		fx := newFixture(t)
		r := httptest.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("/fraud?limit=%s&wait=%s", url.QueryEscape(limit), url.QueryEscape(wait)), nil)
		require.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, fx.request(r).code)
	})
}
