package server_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/server"
	"github.com/orderflow/orderflow/internal/embedded/registry"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/internal/topics"
	"github.com/orderflow/orderflow/migrations"
	"github.com/orderflow/orderflow/schemas"
)

// patience bounds every wait of the tests.
const patience = time.Minute

// stack is a broker, a Schema Registry and a ksqlDB over them.
type stack struct {
	t        testing.TB
	began    time.Time
	ctx      context.Context
	brokers  []string
	registry string
	connect  string
	dataDir  string
	// properties are server-wide settings of the next start.
	properties map[string]string
	slowClient time.Duration
	server     *server.Server
	client     *ksql.Client
	kafka      *kgo.Client
	avro       *kafka.Registry
	encoders   map[string]*kafka.Encoder
}

func newStack(t testing.TB) *stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	t.Cleanup(cancel)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	reg, err := registry.New(registry.Config{Addr: "127.0.0.1:0", Brokers: cluster.ListenAddrs(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, reg.Start(ctx))
	t.Cleanup(func() { require.NoError(t, reg.Stop()) })
	s := &stack{
		t: t, ctx: ctx, began: time.Now(), connect: newConnect(t), brokers: cluster.ListenAddrs(), registry: "http://" + reg.Addr(), dataDir: t.TempDir(),
		encoders: map[string]*kafka.Encoder{},
	}
	cfg := kafka.Config{Brokers: s.brokers, SchemaRegistry: s.registry}
	s.kafka, err = kafka.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(s.kafka.Close)
	s.avro, err = kafka.NewRegistry(cfg)
	require.NoError(t, err)
	s.start()
	return s
}

// newConnect is a Connect cluster without connectors.
func newConnect(t testing.TB) string {
	notFound := func(w http.ResponseWriter, message string) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"error_code":404,"message":%q}`, message)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /connectors", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
	mux.HandleFunc("GET /connectors/{name}/status", func(w http.ResponseWriter, r *http.Request) {
		notFound(w, "No status found for connector "+r.PathValue("name"))
	})
	mux.HandleFunc("DELETE /connectors/{name}", func(w http.ResponseWriter, r *http.Request) {
		notFound(w, "Connector "+r.PathValue("name")+" not found")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func (s *stack) start() {
	s.t.Helper()
	var err error
	s.server, err = server.New(server.Config{Listen: "127.0.0.1:0", Config: engine.Config{
		Brokers: s.brokers, SchemaRegistry: s.registry, Connect: s.connect, DataDir: s.dataDir, Properties: s.properties, SlowClient: s.slowClient, Logger: slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}})
	require.NoError(s.t, err)
	require.NoError(s.t, s.server.Start(s.ctx))
	running := s.server
	s.t.Cleanup(func() { require.NoError(s.t, running.Stop()) })
	s.client, err = ksql.New(ksql.Config{URL: "http://" + s.server.Addr()})
	require.NoError(s.t, err)
	s.t.Cleanup(s.client.Close)
}

// applyTopics makes the topics and schemas of the project.
func (s *stack) applyTopics() {
	s.t.Helper()
	definition, err := topics.Load(schemas.Files)
	require.NoError(s.t, err)
	_, err = topics.Apply(s.ctx, definition, topics.Cluster{Kafka: kadm.NewClient(s.kafka), Registry: s.avro.Client()})
	require.NoError(s.t, err)
}

// migrate applies the project's migrations.
func (s *stack) migrate() migrate.Report {
	s.t.Helper()
	m, err := migrate.New(migrate.Config{Client: s.client, FS: migrations.FS, Resolver: s.avro.LatestID})
	require.NoError(s.t, err)
	report, err := m.Apply(s.ctx, migrate.ApplyOptions{All: true})
	require.NoError(s.t, err)
	return report
}

// exec runs statements.
func (s *stack) exec(sql string) []ksql.Entity {
	s.t.Helper()
	entities, err := s.client.Exec(s.ctx, sql, ksql.ExecOptions{})
	require.NoError(s.t, err, sql)
	return entities
}

// rows gives the answer of a query that ends by itself.
func (s *stack) rows(sql string) [][]any {
	s.t.Helper()
	rows, err := s.client.Query(s.ctx, sql, nil)
	require.NoError(s.t, err, sql)
	defer rows.Close()
	var all [][]any
	for rows.Next() {
		all = append(all, append([]any(nil), rows.Values()...))
	}
	require.NoError(s.t, rows.Err(), sql)
	return all
}

// now is the time of all records: one within a window of 30 seconds, however
// long a test takes.
func (s *stack) now() time.Time { return s.began.Truncate(30 * time.Second).Add(time.Second) }

// produce writes a record whose value is Avro by the schema of the topic.
func (s *stack) produce(topic string, key []byte, at time.Time, value map[string]any) {
	s.t.Helper()
	encoder, ok := s.encoders[topic]
	if !ok {
		var err error
		encoder, err = s.avro.Encoder(s.ctx, topic+"-value")
		require.NoError(s.t, err)
		s.encoders[topic] = encoder
	}
	data, err := encoder.Encode(value)
	require.NoError(s.t, err)
	rec := &kgo.Record{Topic: topic, Key: key, Value: data, Timestamp: at}
	require.NoError(s.t, s.kafka.ProduceSync(s.ctx, rec).FirstErr())
}

func (s *stack) order(id string, customer int64, quantity int, price float64) {
	s.t.Helper()
	s.produce("orders.v1", []byte(id), s.now(), map[string]any{
		"id": id, "customerId": customer, "state": "CREATED", "product": "JUMPERS", "quantity": quantity, "price": price,
	})
}

func (s *stack) check(order, kind, result string) {
	s.t.Helper()
	s.produce("order-validations.v1", []byte(order), s.now(), map[string]any{
		"orderId": order, "checkType": kind, "validationResult": result,
	})
}

func (s *stack) customer(id int64, first, last, level string) {
	s.t.Helper()
	s.produce("customers", binary.BigEndian.AppendUint64(nil, uint64(id)), s.now(), map[string]any{
		"id": id, "firstName": first, "lastName": last, "email": first + "@example.org", "address": "1 Way", "level": level,
	})
}

// read gives a topic's records from its beginning until enough says so.
func (s *stack) read(topic string, enough func([]*kgo.Record) bool) []*kgo.Record {
	s.t.Helper()
	consumer, err := kgo.NewClient(kgo.SeedBrokers(s.brokers...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(50*time.Millisecond))
	require.NoError(s.t, err)
	defer consumer.Close()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	var records []*kgo.Record
	for !enough(records) {
		fetches := consumer.PollFetches(ctx)
		require.NoError(s.t, ctx.Err(), "topic %s has %d records", topic, len(records))
		records = append(records, fetches.Records()...)
	}
	return records
}
