package ksql_test

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
)

// failing makes a handler of failures that come before answer does.
func failing(failures int, fail, answer http.HandlerFunc) (http.HandlerFunc, *atomic.Int32) {
	var asked atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		if int(asked.Add(1)) <= failures {
			fail(w, r)
			return
		}
		answer(w, r)
	}, &asked
}

func unavailable(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "the proxy is restarting", http.StatusBadGateway)
}

func dropped(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// cut sends the beginning of an answer.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"que`)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
		_, _ = io.WriteString(w, body)
	}
}

var quick = ksql.Retry{Pause: time.Millisecond, MaxPause: 2 * time.Millisecond}

func TestCallsThatChangeNothingAreTriedAgain(t *testing.T) {
	calls := []struct {
		name, path, answer string
		call               func(context.Context, *ksql.Client) error
	}{
		{"info", "/info", `{"KsqlServerInfo":{"version":"7.9.0"}}`, func(ctx context.Context, c *ksql.Client) error {
			_, err := c.Info(ctx)
			return err
		}},
		{"health", "/healthcheck", `{"isHealthy":true}`, func(ctx context.Context, c *ksql.Client) error {
			_, err := c.Health(ctx)
			return err
		}},
		{"command", "/status/", `{"status":"SUCCESS"}`, func(ctx context.Context, c *ksql.Client) error {
			_, err := c.CommandStatus(ctx, "stream/A/create")
			return err
		}},
		{"show", "/ksql", `[]`, func(ctx context.Context, c *ksql.Client) error {
			_, err := c.Exec(ctx, "-- all\nSHOW STREAMS; describe x;", ksql.ExecOptions{})
			return err
		}},
		{"query", "/query-stream", `{"queryId":"query_1","columnNames":[],"columnTypes":[]}`, func(ctx context.Context, c *ksql.Client) error {
			rows, err := c.Query(ctx, "SELECT 1;", nil)
			if err == nil {
				return rows.Close()
			}
			return err
		}},
	}
	for _, call := range calls {
		for name, fail := range map[string]http.HandlerFunc{"refused": unavailable, "dropped": dropped, "cut": cut} {
			t.Run(call.name+" "+name, func(t *testing.T) {
				server := newFakeServer(t)
				handler, asked := failing(2, fail, text(call.answer))
				server.mux.HandleFunc(call.path, handler)
				client, err := ksql.New(ksql.Config{URL: server.URL, Retry: quick})
				require.NoError(t, err)
				defer client.Close()
				require.NoError(t, call.call(t.Context(), client))
				assert.Equal(t, int32(3), asked.Load())

				// net/http itself tries once more on a connection that was used before.
				client, err = ksql.New(ksql.Config{URL: server.URL, Retry: quick})
				require.NoError(t, err)
				defer client.Close()
				asked.Store(-1000)
				assert.Error(t, call.call(t.Context(), client))
				assert.Equal(t, int32(-997), asked.Load(), "it stops after three")
			})
		}
	}
}

func TestWhatChangesSomethingIsSentOnce(t *testing.T) {
	for _, sql := range []string{"DROP STREAM a;", "SHOW STREAMS; INSERT INTO a VALUES (1);", "SHOW 'half", "TERMINATE ALL;"} {
		server := newFakeServer(t)
		handler, asked := failing(1, dropped, text("[]"))
		server.mux.HandleFunc("/ksql", handler)
		client, err := ksql.New(ksql.Config{URL: server.URL, Retry: quick})
		require.NoError(t, err)
		_, err = client.Exec(t.Context(), sql, ksql.ExecOptions{})
		var lost *ksql.ConnectionError
		require.ErrorAs(t, err, &lost)
		assert.Equal(t, server.URL, lost.URL)
		assert.Equal(t, int32(1), asked.Load(), sql)
		client.Close()
	}
}

func TestARefusalIsNotTriedAgain(t *testing.T) {
	server := newFakeServer(t)
	handler, asked := failing(9, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }, nil)
	server.mux.HandleFunc("/ksql", handler)
	_, err := server.client(t).Exec(t.Context(), "SHOW STREAMS;", ksql.ExecOptions{})
	require.Error(t, err)
	assert.Equal(t, int32(1), asked.Load())
}

func TestTryingAgainEndsWithTheContext(t *testing.T) {
	server := newFakeServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	handler, asked := failing(9, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		unavailable(w, r)
	}, nil)
	server.mux.HandleFunc("/info", handler)
	client, err := ksql.New(ksql.Config{URL: server.URL, Retry: ksql.Retry{Attempts: 5, Pause: time.Hour}})
	require.NoError(t, err)
	defer client.Close()
	_, err = client.Info(ctx)
	require.Error(t, err)
	assert.Equal(t, int32(1), asked.Load())
}
