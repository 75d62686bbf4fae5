package api

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/orderflow/orderflow/internal/order"
)

// A client may have heard from another instance that its order is validated before
// this one knows of it.
func TestShipWaitsForWhatOtherInstancesKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		done := make(chan answer, 1)
		go func() { done <- f.do("POST", "/v1/orders/o-1/ship", "") }()
		synctest.Wait()
		f.handlers.watch.tell(inState(goodOrderValue, order.Created))
		synctest.Wait()
		assert.Empty(t, done)
		f.handlers.watch.tell(inState(goodOrderValue, order.Validated))
		assert.Equal(t, http.StatusOK, (<-done).code)
		assert.Len(t, f.publisher.shipments, 1)
	})
}
