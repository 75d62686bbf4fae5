package format_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
)

// wholeEngine is an engine over a broker and the replay's schemas, for the
// statements whose answers formats alone don't give.
type wholeEngine struct {
	*engine.Engine
	admin *kadm.Client
}

func newWholeEngine(t *testing.T, reg registry.Registry) *wholeEngine {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	schemas := httptest.NewServer(serveSchemas(reg))
	t.Cleanup(schemas.Close)
	e, err := engine.Open(t.Context(), engine.Config{Brokers: cluster.ListenAddrs(), SchemaRegistry: schemas.URL, DataDir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return &wholeEngine{Engine: e, admin: kadm.NewClient(client)}
}

// serveSchemas answers what a ksqlDB that reads asks a Schema Registry.
func serveSchemas(reg registry.Registry) http.Handler {
	answer := func(w http.ResponseWriter, s registry.Schema, err error) {
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
			_ = json.NewEncoder(w).Encode(map[string]any{"error_code": 40401, "message": err.Error()})
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"subject": s.Subject, "version": s.Version, "id": s.ID, "schemaType": s.Type, "schema": s.Text,
		})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /subjects/{subject}/versions/{version}", func(w http.ResponseWriter, r *http.Request) {
		s, err := reg.Latest(r.Context(), r.PathValue("subject"))
		answer(w, s, err)
	})
	mux.HandleFunc("GET /schemas/ids/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.PathValue("id"))
		if err == nil {
			var s registry.Schema
			s, err = reg.SchemaByID(r.Context(), id)
			answer(w, s, err)
			return
		}
		answer(w, registry.Schema{}, err)
	})
	return mux
}

// topic makes a topic where it is missing.
func (e *wholeEngine) topic(ctx context.Context, name string) error {
	created, err := e.admin.CreateTopics(ctx, 1, 1, nil, name)
	if err != nil {
		return err
	}
	if err := created.Error(); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return err
	}
	return nil
}

// refusal runs a statement that must be refused and gives the message.
func (e *wholeEngine) refusal(ctx context.Context, sql string) (string, error) {
	request := engine.Request{SQL: sql}
	_, err := e.Execute(ctx, request)
	if selectText.MatchString(sql) {
		_, err = e.Prepare(ctx, request)
	}
	var refused *engine.Error
	if !errors.As(err, &refused) {
		return "", fmt.Errorf("%s: no refusal but %v", sql, err)
	}
	return refused.Message, nil
}

// unknownSource replays a statement about a source whose CREATE was refused: the
// CREATE on the whole engine, which must refuse it too, then the statement.
func (r *readReplay) unknownSource(l readLine) error {
	if r.engine == nil {
		r.engine = newWholeEngine(r.t, r.reg)
	}
	ctx := r.t.Context()
	topic := properties(readCreateText.FindStringSubmatch(r.refused.SQL)[4])["KAFKA_TOPIC"]
	if err := r.engine.topic(ctx, topic); err != nil {
		return err
	}
	for _, line := range []readLine{r.refused, l} {
		got, err := r.engine.refusal(ctx, line.SQL)
		if err != nil {
			return err
		}
		if got != message(line) {
			return fmt.Errorf("%s: error %s, want %s", line.SQL, got, message(line))
		}
	}
	return nil
}
