package registry_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
)

// server answers the registry's REST paths from a Memory, so that Client and
// Memory can be held to the same behaviour.
func server(t *testing.T, mem *registry.Memory, requests *atomic.Int64) string {
	type body struct {
		Subject    string `json:"subject,omitempty"`
		ID         int    `json:"id,omitempty"`
		Version    int    `json:"version,omitempty"`
		Schema     string `json:"schema,omitempty"`
		SchemaType string `json:"schemaType,omitempty"`
	}
	show := func(w http.ResponseWriter, s registry.Schema, err error) {
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error_code":40401,"message":"Subject not found."}`)
			return
		}
		_ = json.NewEncoder(w).Encode(body{s.Subject, s.ID, s.Version, s.Text, s.Type})
	}
	read := func(r *http.Request) registry.Schema {
		var b body
		_ = json.NewDecoder(r.Body).Decode(&b)
		return registry.Schema{Type: b.SchemaType, Text: b.Schema}
	}
	ctx := context.Background()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /schemas/ids/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, _ := strconv.Atoi(r.PathValue("id"))
		s, err := mem.SchemaByID(ctx, id)
		s.ID = 0
		show(w, s, err)
	})
	mux.HandleFunc("GET /subjects/{subject}/versions/{version}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("version") == "latest" {
			s, err := mem.Latest(ctx, r.PathValue("subject"))
			show(w, s, err)
			return
		}
		version, _ := strconv.Atoi(r.PathValue("version"))
		s, err := mem.Version(ctx, r.PathValue("subject"), version)
		show(w, s, err)
	})
	mux.HandleFunc("POST /subjects/{subject}/versions", func(w http.ResponseWriter, r *http.Request) {
		s := read(r)
		if strings.Contains(s.Text, "incompatible") {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"error_code":409,"message":"Schema being registered is incompatible with an earlier schema"}`)
			return
		}
		id, _ := mem.Register(ctx, r.PathValue("subject"), s)
		_ = json.NewEncoder(w).Encode(body{ID: id})
	})
	mux.HandleFunc("POST /subjects/{subject}", func(w http.ResponseWriter, r *http.Request) {
		s, found, _ := mem.Lookup(ctx, r.PathValue("subject"), read(r))
		var err error
		if !found {
			err = registry.ErrNotFound
		}
		show(w, s, err)
	})
	mux.HandleFunc("DELETE /subjects/{subject}", func(w http.ResponseWriter, r *http.Request) {
		if _, err := mem.Latest(ctx, r.PathValue("subject")); err != nil {
			show(w, registry.Schema{}, err)
			return
		}
		_ = mem.DeleteSubject(ctx, r.PathValue("subject"))
		_, _ = io.WriteString(w, "[1]")
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestRegistries(t *testing.T) {
	var requests atomic.Int64
	client, err := registry.NewClient(server(t, &registry.Memory{}, &requests), nil)
	require.NoError(t, err)
	for name, reg := range map[string]registry.Registry{"Memory": &registry.Memory{}, "Client": client} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			_, err := reg.Latest(ctx, "a-value")
			require.ErrorIs(t, err, registry.ErrNotFound)
			_, err = reg.SchemaByID(ctx, 1)
			require.ErrorIs(t, err, registry.ErrNotFound)
			_, found, err := reg.Lookup(ctx, "a-value", registry.Schema{Text: `"int"`})
			require.NoError(t, err)
			assert.False(t, found)

			id, err := reg.Register(ctx, "a-value", registry.Schema{Text: `"int"`})
			require.NoError(t, err)
			assert.Equal(t, 1, id, "ids begin with 1")
			again, err := reg.Register(ctx, "b-key", registry.Schema{Type: registry.TypeAvro, Text: `"int"`})
			require.NoError(t, err)
			assert.Equal(t, id, again, "the same schema has the same id under any subject")
			other, err := reg.Register(ctx, "a-value", registry.Schema{Type: registry.TypeJSON, Text: `"int"`})
			require.NoError(t, err)
			assert.NotEqual(t, id, other, "the type belongs to the schema")

			latest, err := reg.Latest(ctx, "a-value")
			require.NoError(t, err)
			assert.Equal(t, registry.Schema{ID: other, Subject: "a-value", Version: 2, Type: registry.TypeJSON, Text: `"int"`}, latest)
			first, err := reg.Version(ctx, "a-value", 1)
			require.NoError(t, err)
			assert.Equal(t, id, first.ID)
			got, found, err := reg.Lookup(ctx, "a-value", registry.Schema{Text: `"int"`})
			require.NoError(t, err)
			assert.True(t, found)
			assert.Equal(t, 1, got.Version)
			byID, err := reg.SchemaByID(ctx, id)
			require.NoError(t, err)
			assert.Equal(t, `"int"`, byID.Text)
			assert.Equal(t, registry.TypeAvro, byID.Type)

			require.NoError(t, reg.DeleteSubject(ctx, "a-value"))
			require.NoError(t, reg.DeleteSubject(ctx, "a-value"), "nothing to delete is no error")
			_, err = reg.Latest(ctx, "a-value")
			require.ErrorIs(t, err, registry.ErrNotFound)
		})
	}

	_, err = client.Register(context.Background(), "a-value", registry.Schema{Text: `"incompatible"`})
	require.ErrorIs(t, err, registry.ErrIncompatible)
	before := requests.Load()
	_, err = client.SchemaByID(context.Background(), 1)
	require.NoError(t, err)
	assert.Equal(t, before, requests.Load(), "schemas are fetched once")
}

func TestUnavailableRegistry(t *testing.T) {
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(failing.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, url := range []string{failing.URL, gone.URL} {
		client, err := registry.NewClient(url, nil)
		require.NoError(t, err)
		_, err = client.SchemaByID(context.Background(), 1)
		require.ErrorIs(t, err, registry.ErrUnavailable)
		require.NotErrorIs(t, err, registry.ErrNotFound)
	}
}

func TestMemoryTakesFixedIDs(t *testing.T) {
	var m registry.Memory
	m.Put("a-value", 42, registry.Schema{Text: `"int"`})
	s, err := m.SchemaByID(context.Background(), 42)
	require.NoError(t, err)
	assert.Equal(t, `"int"`, s.Text)
	id, err := m.Register(context.Background(), "b-value", registry.Schema{Text: `"int"`})
	require.NoError(t, err)
	assert.Equal(t, 42, id)
	id, err = m.Register(context.Background(), "c-value", registry.Schema{Text: `"long"`})
	require.NoError(t, err)
	assert.Equal(t, 43, id)
	assert.Equal(t, []string{"a-value", "b-value", "c-value"}, m.Subjects())
}
