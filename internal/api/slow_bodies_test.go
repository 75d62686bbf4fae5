package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

// TestSlowBodiesKeepNobodyOut has as many clients as writes may be under way send a
// part of their documents and no more.
func TestSlowBodiesKeepNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newLimitedFixture(t, Limits{Writes: 1})
		answers := make(chan answer, 3)
		var bodies []*io.PipeWriter
		for _, path := range []string{"/v1/orders", "/v1/payments", "/v1/orders:batch"} {
			body, sender := io.Pipe()
			bodies = append(bodies, sender)
			go func() { answers <- f.request(httptest.NewRequestWithContext(t.Context(), "POST", path, body)) }()
			go func() { _, _ = sender.Write([]byte("{")) }() // fails where nobody reads it
		}
		synctest.Wait()
		assert.Equal(t, http.StatusCreated, f.do("POST", "/v1/orders", goodOrder).code)
		for _, sender := range bodies {
			_ = sender.CloseWithError(io.ErrUnexpectedEOF)
			assert.Equal(t, http.StatusBadRequest, (<-answers).code)
		}
	})
}
