package populate

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/order"
)

// fakeAPI takes what the rules allow and decides at once: an order for less than one
// unit fails.
type fakeAPI struct {
	mu       sync.Mutex
	orders   map[string]order.Order
	payments map[string]order.Payment
	stock    map[string]string
	shipped  int
	busy     int // how many requests are still answered 503
}

func newFakeAPI(t *testing.T) (*fakeAPI, string) {
	t.Helper()
	f := &fakeAPI{orders: map[string]order.Order{}, payments: map[string]order.Payment{}, stock: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/orders", func(w http.ResponseWriter, r *http.Request) {
		o, err := order.DecodeOrder(r.Body)
		_, known := f.orders[o.ID]
		switch {
		case err != nil:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"title":"Bad Request","errors":[{"pointer":"#/x","detail":"is wrong"}]}`)
		case known:
			w.WriteHeader(http.StatusOK)
		default:
			f.orders[o.ID] = o
			w.WriteHeader(http.StatusCreated)
		}
	})
	mux.HandleFunc("GET /v1/orders/{id}/validated", func(w http.ResponseWriter, r *http.Request) {
		o := f.orders[r.PathValue("id")]
		o.State = order.Validated
		if o.Quantity < 1 {
			o.State = order.Failed
		}
		assert.NoError(t, json.NewEncoder(w).Encode(o))
	})
	mux.HandleFunc("POST /v1/orders/{id}/ship", func(http.ResponseWriter, *http.Request) { f.shipped++ })
	mux.HandleFunc("POST /v1/payments", func(w http.ResponseWriter, r *http.Request) {
		p, err := order.DecodePayment(r.Body)
		assert.NoError(t, err)
		assert.Contains(t, f.orders, p.OrderID)
		f.payments[p.ID] = p
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("PUT /v1/inventory/{product}", func(w http.ResponseWriter, r *http.Request) {
		f.stock[r.PathValue("product")] = "set"
		fmt.Fprintf(w, `{"product":%q,"warehouse":5,"reserved":2,"available":3}`, r.PathValue("product"))
	})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.busy > 0 {
			f.busy--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return f, srv.URL
}

func config(api string) Config {
	cfg := Default(api)
	cfg.Seed, cfg.Orders, cfg.Rate, cfg.BadShare = 7, 300, 0, 0.3
	return cfg
}

func TestRunPostsEverythingAndSumsUp(t *testing.T) {
	api, url := newFakeAPI(t)
	api.busy = 1
	s, err := Run(t.Context(), config(url))
	require.NoError(t, err)
	assert.Equal(t, 300, s.Accepted+s.Refused)
	assert.Len(t, api.orders, s.Accepted)
	assert.Len(t, api.payments, s.Payments)
	assert.Len(t, api.stock, len(order.Products))
	assert.Equal(t, api.shipped, s.Shipped)
	assert.Equal(t, s.Accepted, s.Validated+s.Failed)
	for name, n := range map[string]int{"refused": s.Refused, "payments": s.Payments, "failed": s.Failed, "shipped": s.Shipped} {
		assert.Positive(t, n, name)
	}
	assert.Zero(t, s.Errors+s.Known+s.Undecided)
	assert.LessOrEqual(t, s.Latency(0.5), s.Latency(0.99))
	assert.Contains(t, s.String(), "(seed 7)")

	again, err := Run(t.Context(), config(url))
	require.NoError(t, err)
	assert.Equal(t, s.Accepted, again.Known, "the same seed posts the same")
	assert.Zero(t, again.Accepted)
}

func TestBurstsAreOneCustomersOrdersInARow(t *testing.T) {
	cfg := config("http://x")
	cfg.BurstShare, cfg.BadShare = 0.1, 0
	cfg.setDefaults()
	g := newGenerator(cfg)
	run, longest, last := 0, 0, int64(0)
	for range 300 {
		o := g.next().order
		assert.GreaterOrEqual(t, o.CustomerID, int64(1))
		assert.LessOrEqual(t, o.CustomerID, int64(10))
		if o.CustomerID != last {
			run = 0
		}
		run, last = run+1, o.CustomerID
		longest = max(longest, run)
	}
	assert.GreaterOrEqual(t, longest, burstSize)
}

func TestEndlessRunEndsWithItsContext(t *testing.T) {
	api, url := newFakeAPI(t)
	cfg := config(url)
	cfg.Orders, cfg.Rate = 0, 500
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan Summary, 1)
	go func() {
		s, err := Run(ctx, cfg)
		assert.NoError(t, err)
		done <- s
	}()
	require.Eventually(t, func() bool {
		api.mu.Lock()
		defer api.mu.Unlock()
		return len(api.orders) >= 5
	}, 10*time.Second, time.Millisecond)
	cancel()
	s := <-done
	assert.GreaterOrEqual(t, s.Accepted, 1)
	assert.Zero(t, s.Errors)
}

func TestWrongConfigurationsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"address": func(c *Config) { c.API = "" },
		"share":   func(c *Config) { c.BadShare = 1.5 },
		"rate":    func(c *Config) { c.Rate = -1 },
		"wait":    func(c *Config) { c.DecisionTimeout = time.Hour },
	} {
		cfg := config("http://x")
		change(&cfg)
		_, err := Run(t.Context(), cfg)
		require.ErrorContains(t, err, "populating: the", name)
	}
}

func TestClientTellsWhatTheAPISaid(t *testing.T) {
	_, url := newFakeAPI(t)
	err := NewClient(url+"/", nil).PostDocument(t.Context(), []byte("{}"))
	require.EqualError(t, err, "the API answered 400 Bad Request #/x is wrong.")
	stock, err := NewClient(url, nil).SetStock(t.Context(), order.Jumpers, 5)
	require.NoError(t, err)
	assert.Equal(t, Stock{Product: "JUMPERS", Warehouse: 5, Reserved: 2, Available: 3}, stock)
	_, err = NewClient(url, nil).PostOrder(t.Context(), order.Order{ID: "x"})
	var no *APIError
	require.ErrorAs(t, err, &no)
	assert.Equal(t, http.StatusBadRequest, no.Status)
}
