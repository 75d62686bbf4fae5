package api

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever looks for an order in the log finds the requests that failed it, too.
func TestAFailedRequestIsLoggedWithItsOrder(t *testing.T) {
	for path, tt := range map[string]struct{ method, body, want string }{
		"/v1/orders":                    {http.MethodPost, goodOrder, "order=o-1"},
		"/v1/orders/o-7?timeout=0":      {http.MethodGet, "", "order=o-7"},
		"/v1/orders/o-7/ship?timeout=0": {http.MethodPost, "", "order=o-7"},
		"/v1/orders/o-7/history":        {http.MethodGet, "", "order=o-7"},
		"/v1/payments":                  {http.MethodPost, goodPayment, "order=o-1"},
		"/v1/orders:batch":              {http.MethodPost, batch(goodOrder), "order=o-1"},
	} {
		t.Run(path, func(t *testing.T) {
			var logged bytes.Buffer
			f := newFixture(t)
			f.handlers.log = slog.New(slog.NewTextHandler(&logged, nil))
			f.store.err = errors.New("no ksqlDB")
			f.publisher.err = errors.New("no broker")
			f.do(tt.method, path, tt.body)
			require.Contains(t, logged.String(), "a request failed")
			assert.Contains(t, logged.String(), tt.want)
		})
	}
}
