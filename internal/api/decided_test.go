package api

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/orderflow/orderflow/internal/order"
)

// A CREATED record that was written after the decision does not hide it.
func TestALateRepetitionDoesNotHideTheDecision(t *testing.T) {
	all := func(fraud order.Result) map[order.CheckType]order.Result {
		return map[order.CheckType]order.Result{order.InventoryCheck: order.Pass, order.FraudCheck: fraud, order.OrderDetailsCheck: order.Pass}
	}
	for name, tt := range map[string]struct {
		checks  map[order.CheckType]order.Result
		status  int
		state   string
		shipped int
	}{
		"validated":   {all(order.Pass), http.StatusOK, "VALIDATED", http.StatusOK},
		"failed":      {all(order.Fail), http.StatusOK, "FAILED", http.StatusConflict},
		"not decided": {map[order.CheckType]order.Result{order.FraudCheck: order.Pass}, http.StatusAccepted, "CREATED", http.StatusConflict},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.store.put(inState(goodOrderValue, order.Created))
				f.store.checks = tt.checks
				a := f.do("GET", "/v1/orders/o-1/validated?timeout=10", "")
				assert.Equal(t, tt.status, a.code)
				assert.Contains(t, a.body, tt.state)
				assert.Equal(t, tt.shipped, f.do("POST", "/v1/orders/o-1/ship", "").code)
			})
		})
	}
}
