package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/order"
)

func batch(orders ...string) string { return `{"orders":[` + strings.Join(orders, ",") + `]}` }

func (f *fixture) batch(body string) []batchResult {
	f.t.Helper()
	a := f.do("POST", "/v1/orders:batch", body)
	require.Equal(f.t, http.StatusOK, a.code, a.body)
	matchesSchema(f.t, "BatchResults", a.body)
	var got struct{ Results []batchResult }
	require.NoError(f.t, json.Unmarshal([]byte(a.body), &got))
	return got.Results
}

func TestBatchTakesEachOrderOnItsOwn(t *testing.T) {
	f := newFixture(t)
	other := goodOrderValue
	other.ID, other.Price = "known", 1
	f.store.put(other)
	again := strings.Replace(goodOrder, "9.5", "9.6", 1)
	results := f.batch(batch(goodOrder, strings.Replace(goodOrder, "o-1", "known", 1), goodOrder, again, strings.Replace(goodOrder, "o-1", "o-2", 1)))
	var statuses []int
	for _, r := range results {
		statuses = append(statuses, r.Status)
	}
	assert.Equal(t, []int{201, 409, 200, 409, 201}, statuses)
	assert.Equal(t, goodOrderValue, *results[0].Order)
	assert.Equal(t, "#/id", results[1].Problem.Errors[0].Pointer)
	assert.Len(t, f.publisher.orders, 2)

	f.publisher.err = errors.New("no broker")
	results = f.batch(batch(goodOrder, strings.Replace(goodOrder, "o-1", "o-3", 1)))
	assert.Equal(t, http.StatusOK, results[0].Status)
	assert.Equal(t, http.StatusServiceUnavailable, results[1].Status)
}

func TestBatchWithAWrongOrderIsNotTaken(t *testing.T) {
	f := newFixture(t)
	p := f.problem(f.do("POST", "/v1/orders:batch", batch(goodOrder, `{}`)), http.StatusBadRequest)
	assert.Contains(t, p.Errors, order.FieldError{Pointer: "#/orders/1/id", Detail: "is missing"})
	f.problem(f.do("POST", "/v1/orders:batch", batch(strings.Repeat(" ", maxBatchBody))), http.StatusRequestEntityTooLarge)
	assert.Empty(t, f.publisher.orders)
	f.problem(f.do("GET", "/v1/orders:batch", ""), http.StatusMethodNotAllowed)
}

func TestLargestBatch(t *testing.T) {
	f := newFixture(t)
	var orders []string
	for i := range order.MaxBatch {
		orders = append(orders, strings.Replace(goodOrder, "o-1", fmt.Sprint("b-", i), 1))
	}
	results := f.batch(batch(orders...))
	require.Len(t, results, order.MaxBatch)
	for i, r := range results {
		require.Equal(t, http.StatusCreated, r.Status)
		require.Equal(t, fmt.Sprint("b-", i), r.Order.ID)
	}
	assert.Len(t, f.publisher.orders, order.MaxBatch)
}
