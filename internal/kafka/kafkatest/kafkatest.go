// Package kafkatest gives tests a Kafka cluster and a Schema Registry within the
// process. Both are empty at the start and end with the test. Only tests import it.
package kafkatest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
)

// Start runs a cluster with the given topics, of partitions partitions each, and a
// registry with the given schemas, by subject. The config leads to both.
func Start(t testing.TB, partitions int32, topics []string, schemas map[string]string) kafka.Config {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topics...))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	reg := &registry{subjects: schemas, ids: map[string]int{}}
	srv := httptest.NewServer(reg)
	t.Cleanup(srv.Close)
	return kafka.Config{Brokers: cluster.ListenAddrs(), SchemaRegistry: srv.URL, ClientID: "test"}
}

// registry answers what clients that only read need, each subject with one version.
type registry struct {
	subjects map[string]string

	mu  sync.Mutex
	ids map[string]int // by schema text; guarded by mu
}

func (r *registry) id(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids[text] == 0 {
		r.ids[text] = len(r.ids) + 1
	}
	return r.ids[text]
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var answer any
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	switch {
	case len(parts) == 4 && parts[0] == "subjects" && r.subjects[parts[1]] != "":
		text := r.subjects[parts[1]]
		answer = map[string]any{"subject": parts[1], "version": 1, "id": r.id(text), "schema": text}
	case len(parts) == 3 && parts[0] == "schemas":
		for _, text := range r.subjects {
			if strconv.Itoa(r.id(text)) == parts[2] {
				answer = map[string]any{"schema": text}
			}
		}
	}
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	if answer == nil {
		w.WriteHeader(http.StatusNotFound)
		code := 40401
		if parts[0] == "schemas" {
			code = 40403
		}
		answer = map[string]any{"error_code": code, "message": fmt.Sprintf("nothing at %s", req.URL.Path)}
	}
	// The client is gone when this fails; the test sees that by itself.
	_ = json.NewEncoder(w).Encode(answer)
}

// Produce writes records one after the other and fills in their offsets.
func Produce(t testing.TB, cfg kafka.Config, records ...*kgo.Record) {
	t.Helper()
	client, err := kafka.NewClient(cfg)
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())
}

// Consume reads a topic from its start until done says that it has seen enough, and
// returns all records in the order in which they came.
func Consume(t testing.TB, cfg kafka.Config, topic string, done func([]*kgo.Record) bool) []*kgo.Record {
	t.Helper()
	client, err := kafka.NewClient(cfg, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	var all []*kgo.Record
	for !done(all) {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, t.Context().Err())
		require.Empty(t, fetches.Errors())
		all = append(all, fetches.Records()...)
	}
	return all
}

// Encode writes v with the schema of a subject.
func Encode(t testing.TB, cfg kafka.Config, subject string, v any) []byte {
	t.Helper()
	reg, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	enc, err := reg.Encoder(t.Context(), subject)
	require.NoError(t, err)
	value, err := enc.Encode(v)
	require.NoError(t, err)
	return value
}
