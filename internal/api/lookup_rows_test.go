package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
)

// A row that is no order, as ksqlDB makes it of a foreign writer's record, is nobody else's business.
func TestARowThatIsNoOrderDoesNotFailOtherLookups(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
		enc := json.NewEncoder(w)
		_ = enc.Encode(map[string]any{"queryId": "q", "columnNames": []string{"ID", "CUSTOMERID", "STATE", "PRODUCT", "QUANTITY", "PRICE"},
			"columnTypes": []string{"STRING", "BIGINT", "STRING", "STRING", "INTEGER", "DOUBLE"}})
		_ = enc.Encode([]any{"bad", nil, "CREATED", nil, nil, nil})
	}))
	defer srv.Close()
	client, err := ksql.New(ksql.Config{URL: srv.URL})
	require.NoError(t, err)
	defer client.Close()
	l := newLookups(ksqlStore{ksqlQueries{client}}.Orders)
	l.running = lookupQueries // until both wait
	var ended sync.WaitGroup
	errs := make([]error, 2)
	for i, id := range []string{"bad", "new"} {
		one, err := l.enqueue(id)
		require.NoError(t, err)
		ended.Go(func() { <-one.done; errs[i] = one.err })
	}
	close(release)
	l.run()
	ended.Wait()
	assert.Error(t, errs[0])
	assert.NoError(t, errs[1])
}

func TestARowThatIsNoPaymentDoesNotFailOtherLookups(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
		enc := json.NewEncoder(w)
		_ = enc.Encode(map[string]any{"queryId": "q", "columnNames": []string{"PAYMENTID", "ORDERID", "CCY", "AMOUNT"},
			"columnTypes": []string{"STRING", "STRING", "STRING", "DOUBLE"}})
		_ = enc.Encode([]any{"bad", nil, nil, nil})
		_ = enc.Encode([]any{"good", "o-1", "EUR", 3})
	}))
	defer srv.Close()
	client, err := ksql.New(ksql.Config{URL: srv.URL})
	require.NoError(t, err)
	defer client.Close()
	found, err := ksqlStore{ksqlQueries{client}}.Payments(t.Context(), "bad", "new", "good")
	var unreadable rowErrors
	require.ErrorAs(t, err, &unreadable)
	assert.Len(t, unreadable, 1)
	assert.Contains(t, unreadable, "bad")
	assert.Contains(t, found, "good")
}
