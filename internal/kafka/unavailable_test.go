package kafka_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/kafka"
)

func TestOnlyAnUnreachableRegistryIsUnavailable(t *testing.T) {
	status, body := http.StatusInternalServerError, ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // the client notices when this fails
	}))
	defer srv.Close()
	reg, err := kafka.NewRegistry(kafka.Config{SchemaRegistry: srv.URL})
	require.NoError(t, err)
	var v any
	err = reg.Decode(t.Context(), []byte{0, 0, 0, 0, 7, 1}, &v)
	require.ErrorIs(t, err, kafka.ErrUnavailable)
	status, body = http.StatusNotFound, "<h1>no such page</h1>"
	require.ErrorIs(t, reg.Decode(t.Context(), []byte{0, 0, 0, 0, 7, 1}, &v), kafka.ErrUnavailable, "not the registry answered")
	body = `{"error_code":40403,"message":"Schema not found"}`
	err = reg.Decode(t.Context(), []byte{0, 0, 0, 0, 7, 1}, &v)
	require.ErrorIs(t, err, kafka.ErrUnknownSchema)
	require.NotErrorIs(t, err, kafka.ErrUnavailable)
	require.NotErrorIs(t, reg.Decode(t.Context(), []byte("{}"), &v), kafka.ErrUnavailable)
	body = ""
	for _, id := range [][]byte{{0, 0, 0, 0, 0}, {0, 0x80, 0, 0, 0}} {
		require.ErrorIs(t, reg.Decode(t.Context(), id, &v), kafka.ErrUnknownSchema, "the registry is not asked")
	}
}
