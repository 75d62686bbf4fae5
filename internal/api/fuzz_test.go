package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
