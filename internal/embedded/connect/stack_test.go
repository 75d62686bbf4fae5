package connect_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	_ "modernc.org/sqlite"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/connect"
	"github.com/orderflow/orderflow/internal/embedded/registry"
)

// patience is how long a test waits for what happens in the background.
const patience = 10 * time.Second

// stack is a worker with what it needs.
type stack struct {
	t        testing.TB
	broker   *broker.Broker
	registry *registry.Registry
	server   *connect.Server
	client   *kgo.Client
	network  *network
	cable    *cable        // the running worker's
	flush    time.Duration // the worker's interval of offsets
	http     *http.Client
	sr       *sr.Client
	dir      string
	// registryURL is the address of the registry.
	registryURL string
}

func testLogger() *slog.Logger {
	if os.Getenv("CONNECT_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

func newStack(t testing.TB) *stack { return newStackThatFlushes(t, 0) }

// newStackThatFlushes is one whose worker writes offsets so often.
func newStackThatFlushes(t testing.TB, flush time.Duration) *stack {
	t.Helper()
	return newStackWith(t, flush, broker.Config{})
}

// newStackOnDisk is one whose broker keeps its records on a disk with so much space.
func newStackOnDisk(t testing.TB, free func(dir string) (int64, error)) *stack {
	t.Helper()
	return newStackWith(t, 0, broker.Config{DataDir: t.TempDir(), FreeSpace: free})
}

func newStackWith(t testing.TB, flush time.Duration, kafka broker.Config) *stack {
	t.Helper()
	ctx := context.Background()
	s := &stack{t: t, dir: t.TempDir(), network: newNetwork(), flush: flush}
	s.http = &http.Client{Transport: &http.Transport{DialContext: s.network.Dial}}
	t.Cleanup(s.http.CloseIdleConnections)
	var err error
	kafka.Addr, kafka.Listen, kafka.Logger = "127.0.0.1:0", s.network.Listen, testLogger()
	s.broker, err = broker.New(kafka)
	require.NoError(t, err)
	require.NoError(t, s.broker.Start(ctx))
	t.Cleanup(func() { require.NoError(t, s.broker.Stop()) })
	s.registry, err = registry.New(registry.Config{Brokers: []string{s.broker.Addr()}, KafkaOptions: s.kafka(), Logger: testLogger()})
	require.NoError(t, err)
	require.NoError(t, s.registry.Load(ctx))
	t.Cleanup(func() { require.NoError(t, s.registry.Stop()) })
	s.registryURL = s.serve(s.registry.Handler())
	s.client, err = kgo.NewClient(append(s.kafka(), kgo.SeedBrokers(s.broker.Addr()), kgo.MetadataMinAge(50*time.Millisecond))...)
	require.NoError(t, err)
	t.Cleanup(s.client.Close)
	s.sr, err = sr.NewClient(sr.URLs(s.registryURL), sr.HTTPClient(s.http))
	require.NoError(t, err)
	s.start()
	t.Cleanup(func() { require.NoError(t, s.server.Stop()) })
	return s
}

// kafka are the options of every Kafka client.
func (s *stack) kafka() []kgo.Opt { return []kgo.Opt{kgo.Dialer(s.network.Dial)} }

// serve answers HTTP requests on an address of its own and gives its URL.
func (s *stack) serve(h http.Handler) string {
	s.t.Helper()
	ln, err := s.network.Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	server := &http.Server{Handler: h}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	s.t.Cleanup(func() {
		require.NoError(s.t, server.Close())
		require.ErrorIs(s.t, <-ended, http.ErrServerClosed)
	})
	return "http://" + ln.Addr().String()
}

// start brings up a worker that knows nothing but its topics.
func (s *stack) start() {
	s.t.Helper()
	s.cable = &cable{dial: s.network.Dial}
	var err error
	s.server, err = connect.New(connect.Config{Addr: "127.0.0.1:0", Brokers: []string{s.broker.Addr()}, SchemaRegistry: s.registryURL,
		KafkaOptions: []kgo.Opt{kgo.Dialer(s.cable.Dial)}, Listen: s.network.Listen, Dial: s.cable.Dial,
		EnvAllowlist: "ORDERFLOW_TEST_.+", AllowedPaths: []string{s.dir}, OffsetFlushInterval: s.flush, Logger: testLogger()})
	require.NoError(s.t, err)
	require.NoError(s.t, s.server.Start(context.Background()))
}

func (s *stack) restart() {
	s.t.Helper()
	require.NoError(s.t, s.server.Stop())
	s.start()
}

// kill ends the worker without letting it write anything, and starts another.
func (s *stack) kill() {
	s.t.Helper()
	s.cable.sever()
	s.restart()
}

func (s *stack) createTopic(name string) {
	s.t.Helper()
	_, err := kadm.NewClient(s.client).CreateTopic(context.Background(), 1, 1, nil, name)
	require.NoError(s.t, err)
}

type response struct {
	status int
	header http.Header
	body   []byte
}

func (r response) decode(t testing.TB, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(r.body, v), "%s", r.body)
}

func (s *stack) request(method, path string, body any) response {
	s.t.Helper()
	var reader io.Reader
	if body != nil {
		raw, ok := body.([]byte)
		if !ok {
			var err error
			raw, err = json.Marshal(body)
			require.NoError(s.t, err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, "http://"+s.server.Addr()+path, reader)
	require.NoError(s.t, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := s.http.Do(req)
	require.NoError(s.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	return response{res.StatusCode, res.Header, raw}
}

func (s *stack) create(name string, config map[string]string) {
	s.t.Helper()
	res := s.request(http.MethodPost, "/connectors", map[string]any{"name": name, "config": config})
	require.Equal(s.t, http.StatusCreated, res.status, "%s", res.body)
}

type statusAnswer struct {
	Connector struct{ State, Trace string }
	Tasks     []struct {
		ID           int
		State, Trace string
	}
}

func (s *stack) status(name string) statusAnswer {
	var answer statusAnswer
	if res := s.request(http.MethodGet, "/connectors/"+url.PathEscape(name)+"/status", nil); res.status == http.StatusOK {
		res.decode(s.t, &answer)
	}
	return answer
}

// waitFor waits for a condition.
func (s *stack) waitFor(what string, condition func() bool) {
	s.t.Helper()
	require.Eventually(s.t, condition, patience, 2*time.Millisecond, what)
}

func (s *stack) waitRunning(name string) {
	s.t.Helper()
	var last statusAnswer
	deadline := time.Now().Add(patience)
	s.waitFor(name+" runs", func() bool {
		last = s.status(name)
		if time.Now().After(deadline.Add(-time.Second)) {
			s.t.Logf("status of %s: %+v", name, last)
		}
		return last.Connector.State == "RUNNING" && len(last.Tasks) > 0 && last.Tasks[0].State == "RUNNING"
	})
}

func (s *stack) waitFailed(name string) statusAnswer {
	s.t.Helper()
	var last statusAnswer
	s.waitFor(name+" fails", func() bool {
		last = s.status(name)
		return last.Connector.State == "FAILED" || len(last.Tasks) > 0 && last.Tasks[0].State == "FAILED"
	})
	return last
}

// records waits for n records of a topic's only partition, from an offset on.
func (s *stack) records(topic string, from, n int) []*kgo.Record {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	consumer, err := kgo.NewClient(append(s.kafka(), kgo.SeedBrokers(s.broker.Addr()), kgo.MetadataMinAge(20*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(int64(from))}}))...)
	require.NoError(s.t, err)
	defer consumer.Close()
	var list []*kgo.Record
	for len(list) < n {
		fetches := consumer.PollFetches(ctx)
		require.NoError(s.t, ctx.Err(), "topic %s has %d of %d records", topic, len(list), n)
		list = append(list, fetches.Records()...)
	}
	return list
}

func (s *stack) end(topic string) int64 {
	s.t.Helper()
	ends, err := kadm.NewClient(s.client).ListEndOffsets(context.Background(), topic)
	require.NoError(s.t, err)
	o, ok := ends.Lookup(topic, 0)
	if !ok || o.Err != nil {
		return 0
	}
	return o.Offset
}

// database opens a SQLite file as another process would.
func (s *stack) database(name string) *sql.DB {
	s.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, name)+"?_pragma=busy_timeout(5000)")
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, db.Close()) })
	return db
}

func (s *stack) exec(db *sql.DB, statements ...string) {
	s.t.Helper()
	tx, err := db.Begin()
	require.NoError(s.t, err)
	for _, text := range statements {
		_, err := tx.Exec(text)
		require.NoError(s.t, err, text)
	}
	require.NoError(s.t, tx.Commit())
}

func (s *stack) jdbcURL(name string) string { return "jdbc:sqlite:" + filepath.Join(s.dir, name) }

// schemaText reads a schema of the repository.
func schemaText(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../../schemas", name))
	require.NoError(t, err)
	return strings.TrimSpace(string(raw))
}

func timeOf(ms int64) time.Time { return time.UnixMilli(ms) }
