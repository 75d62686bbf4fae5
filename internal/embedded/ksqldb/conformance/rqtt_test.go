package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	formatregistry "github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/reference"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/server"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/registry"
)

const (
	knownRestPath = "testdata/known_rest_failures.txt"
	// restPatience is how long an answer may take to become the expected one;
	// knownPatience is that of cases that are known to fail.
	restPatience  = 12 * time.Second
	knownPatience = time.Second
)

// RestTest is what an entry of a rest-query-validation-tests file says besides
// what every test says.
type RestTest struct {
	Responses []struct {
		Admin json.RawMessage   `json:"admin"`
		Query []json.RawMessage `json:"query"`
		Proto []json.RawMessage `json:"queryProto"`
	} `json:"responses"`
	ExpectedError *struct {
		Message string `json:"message"`
		Status  int    `json:"status"`
	} `json:"expectedError"`
	InputConditions struct {
		WaitForActivePushQuery bool `json:"waitForActivePushQuery"`
	} `json:"inputConditions"`
	OutputConditions struct {
		VerifyOrder bool `json:"verifyOrder"`
	} `json:"outputConditions"`
}

// TestRQTT runs the rest-query-validation-tests against a server of their own
// each, over HTTP.
func TestRQTT(t *testing.T) {
	path := folder(t, "rest-query-validation-tests")
	cases := load(t, path)
	known, err := LoadKnown(knownRestPath)
	require.NoError(t, err)

	results := make([]error, len(cases))
	var wg sync.WaitGroup
	next := make(chan int)
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				results[i] = runRest(t, cases[i], known)
			}
		})
	}
	for i := range cases {
		next <- i
	}
	close(next)
	wg.Wait()

	passed := 0
	failures := Known{}
	for i, c := range cases {
		if results[i] == nil {
			passed++
		} else {
			failures[c.Key()] = Reason(results[i])
		}
	}
	summary = append(summary, fmt.Sprintf("rqtt: %d of %d passed", passed, len(cases)))
	assert.NoError(t, reference.CheckResult("rqtt", passed, len(cases)))
	if *updateKnown {
		require.NoError(t, failures.Save(knownRestPath))
		return
	}
	for i, c := range cases {
		t.Run(c.Key(), func(t *testing.T) { report(t, c, results[i], known) })
	}
}

// runRest runs a case in all its formats.
func runRest(t *testing.T, c Case, known Known) error {
	patience := restPatience
	if _, ok := known[c.Key()]; ok {
		patience = knownPatience
	}
	variants, err := c.Variants()
	if err != nil {
		return err
	}
	for _, v := range variants {
		name, _, _ := strings.Cut(v.Name, " ")
		text := strings.ReplaceAll(string(c.raw), "{FORMAT}", name)
		var rest RestTest
		if err := json.Unmarshal([]byte(text), &rest); err != nil {
			return err
		}
		s, err := newRestServer(t.Context(), v.Test, patience)
		if err == nil {
			err = s.run(rest)
		}
		s.stop()
		if err != nil {
			return fmt.Errorf("%s: %w", v.Name, err)
		}
	}
	return nil
}

// restServer is a server for one case: a broker, a Schema Registry, and the
// engine behind its REST face.
type restServer struct {
	testRun
	patience time.Duration
	ctx      context.Context
	cancel   context.CancelFunc
	stops    []func()
	kafka    *kgo.Client
	url      string
	// shadow analyzes the same statements, to know how topics are written.
	shadow *sqltest.Engine
}

func (s *restServer) stop() {
	for _, stop := range slices.Backward(s.stops) {
		stop()
	}
	s.cancel()
}

func newRestServer(ctx context.Context, test Test, patience time.Duration) (*restServer, error) {
	s := &restServer{patience: patience, testRun: testRun{test: test, foreign: map[string]bool{}, registered: map[string]bool{}, codecs: map[string]*codec{}}}
	s.ctx, s.cancel = context.WithTimeout(ctx, 4*restPatience)
	quiet := slog.New(slog.DiscardHandler)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(1))
	if err != nil {
		return s, err
	}
	s.stops = append(s.stops, cluster.Close)
	reg, err := registry.New(registry.Config{Addr: "127.0.0.1:0", Brokers: cluster.ListenAddrs(), Logger: quiet})
	if err != nil {
		return s, err
	}
	if err := reg.Start(s.ctx); err != nil {
		return s, err
	}
	s.stops = append(s.stops, func() { _ = reg.Stop() })
	if s.kafka, err = kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.AllowAutoTopicCreation()); err != nil {
		return s, err
	}
	s.stops = append(s.stops, s.kafka.Close)
	client, err := formatregistry.NewClient("http://"+reg.Addr(), nil)
	if err != nil {
		return s, err
	}
	s.schemas = importer{client, "http://" + reg.Addr()}
	dir, err := os.MkdirTemp("", "rqtt")
	if err != nil {
		return s, err
	}
	s.stops = append(s.stops, func() { _ = os.RemoveAll(dir) })
	srv, err := server.New(server.Config{Listen: "127.0.0.1:0", Config: engine.Config{
		Brokers: cluster.ListenAddrs(), SchemaRegistry: "http://" + reg.Addr(), DataDir: dir, Logger: quiet,
		Properties: map[string]string{
			"ksql.streams.auto.offset.reset": "earliest", "ksql.streams.cache.max.bytes.buffering": "0", "ksql.streams.commit.interval.ms": "10",
			"ksql.query.push.v2.enabled": "true", "ksql.query.push.v2.registry.installed": "true",
		},
	}})
	if err != nil {
		return s, err
	}
	if err := srv.Start(s.ctx); err != nil {
		return s, err
	}
	s.stops = append(s.stops, func() { _ = srv.Stop() })
	s.url = "http://" + srv.Addr()
	return s, s.prepare()
}

// importer is a Schema Registry that takes schemas with given ids, in its mode
// for imports.
type importer struct {
	*formatregistry.Client
	url string
}

func (i importer) Put(subject string, id int, schema formatregistry.Schema) {
	i.send(http.MethodPut, "/mode/"+subject+"?force=true", map[string]any{"mode": "IMPORT"})
	references := []map[string]any{}
	for _, r := range schema.References {
		references = append(references, map[string]any{"name": r.Name, "subject": r.Subject, "version": r.Version})
	}
	i.send(http.MethodPost, "/subjects/"+subject+"/versions", map[string]any{
		"schema": schema.Text, "schemaType": schema.Type, "id": id, "version": 1, "references": references,
	})
	i.send(http.MethodPut, "/mode/"+subject, map[string]any{"mode": "READWRITE"})
}

// send leaves errors to the case: a schema that is missing fails it.
func (i importer) send(method, path string, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		return
	}
	req, err := http.NewRequest(method, i.url+path, bytes.NewReader(data))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
	}
}

// prepare makes the topics that the statements and inputs name.
func (s *restServer) prepare() error {
	names := map[string]int32{}
	own := map[string]bool{} // topics that a statement makes with its own numbers
	for _, sql := range s.test.Statements {
		if isCreateAs.MatchString(sql) {
			continue
		}
		for _, m := range topicOfCreate.FindAllStringSubmatch(sql, -1) {
			if strings.Contains(strings.ToUpper(sql), "PARTITIONS") {
				own[m[1]] = true
				continue
			}
			names[m[1]] = defaultPartitions
		}
	}
	for _, in := range s.test.Inputs {
		if _, ok := names[in.Topic]; !ok && !own[in.Topic] {
			names[in.Topic] = defaultPartitions
		}
	}
	topics := map[string]analyze.Topic{}
	for _, spec := range s.test.Topics {
		names[spec.Name] = int32(max(spec.Partitions, 1))
	}
	admin := kadm.NewClient(s.kafka)
	for name, partitions := range names {
		if s.isSink(name) {
			continue
		}
		topics[name] = analyze.Topic{Partitions: int(partitions), Replicas: 1}
		if _, err := admin.CreateTopic(s.ctx, partitions, 1, nil, name); err != nil {
			return err
		}
	}
	for _, spec := range s.test.Topics {
		if err := s.register(s.schemas, spec); err != nil {
			return err
		}
	}
	var err error
	s.shadow, err = sqltest.New(sqltest.Options{Topics: topics, MissingPartitions: 1})
	if err == nil {
		s.engine = s.shadow
	}
	return err
}

// isSink reports whether a CREATE … AS SELECT of the test makes the topic.
func (s *restServer) isSink(topic string) bool {
	made := regexp.MustCompile(`(?i)^\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:STREAM|TABLE)\s+` + regexp.QuoteMeta(topic) + `\b.*\bAS\s+SELECT`)
	return slices.ContainsFunc(s.test.Statements, made.MatchString)
}

var isSelect = regexp.MustCompile(`(?i)^\s*SELECT\b`)

// statusError is an answer other than 200.
type statusError struct {
	status int
	body   string
}

func (e *statusError) Error() string { return fmt.Sprintf("%d: %s", e.status, e.body) }

func (s *restServer) run(rest RestTest) error {
	err := s.answers(rest)
	if rest.ExpectedError == nil {
		if err != nil {
			return err
		}
		return s.verifyOutputs()
	}
	var status *statusError
	if !errors.As(err, &status) {
		return fmt.Errorf("no error answer but %w, expected: %s", errOrNothing(err), rest.ExpectedError.Message)
	}
	var fault struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(status.body), &fault); err != nil {
		return fmt.Errorf("reading error answer %s: %w", status.body, err)
	}
	if want := rest.ExpectedError; want.Status != 0 && want.Status != status.status || !strings.Contains(fault.Message, want.Message) {
		return fmt.Errorf("error %d %q, expected %d %q", status.status, fault.Message, want.Status, want.Message)
	}
	return nil
}

func errOrNothing(err error) error {
	if err == nil {
		return errors.New("success")
	}
	return err
}

// answers sends the statements and compares what comes back.
func (s *restServer) answers(rest RestTest) error {
	var wantAdmin []json.RawMessage
	var wantQueries [][]json.RawMessage
	for _, r := range rest.Responses {
		switch {
		case r.Admin != nil:
			wantAdmin = append(wantAdmin, r.Admin)
		case r.Query != nil:
			wantQueries = append(wantQueries, r.Query)
		case r.Proto != nil:
			wantQueries = append(wantQueries, nil)
		}
	}
	var admin []any
	var queries []string
	for _, sql := range s.test.Statements {
		if isSelect.MatchString(sql) {
			queries = append(queries, sql)
			continue
		}
		body, err := s.post("/ksql", sql)
		if err != nil {
			return err
		}
		var entities []any
		if err := decode(body, &entities); err != nil {
			return err
		}
		admin = append(admin, entities...)
		_, _ = s.shadow.Execute(s.ctx, sql)
	}
	for i, want := range wantAdmin {
		if i >= len(admin) {
			return fmt.Errorf("%d admin answers, expected %d", len(admin), len(wantAdmin))
		}
		if err := s.subset(admin[i], want, ""); err != nil {
			return fmt.Errorf("admin answer %d: %w", i, err)
		}
	}
	if rest.InputConditions.WaitForActivePushQuery {
		return s.push(queries, wantQueries)
	}
	if err := s.produce(); err != nil {
		return err
	}
	for i, sql := range queries {
		var want []json.RawMessage
		if i < len(wantQueries) {
			want = wantQueries[i]
		}
		if err := s.query(sql, want, rest.OutputConditions.VerifyOrder); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// push starts a push query before the inputs are written.
func (s *restServer) push(queries []string, want [][]json.RawMessage) error {
	type answer struct {
		body string
		err  error
	}
	done := make(chan answer, 1)
	started := make(chan struct{})
	go func() {
		body, err := s.stream("/query", queries[0], func() { close(started) })
		done <- answer{body, err}
	}()
	select {
	case <-started:
	case a := <-done:
		return errOrNothing(a.err)
	case <-time.After(s.patience):
		return errors.New("the push query did not start")
	}
	if err := s.produce(); err != nil {
		return err
	}
	select {
	case a := <-done:
		if a.err != nil {
			return a.err
		}
		return s.compareRows(a.body, want[0], queries[0], false)
	case <-time.After(s.patience):
		return errors.New("the push query did not end")
	}
}

func (s *restServer) produce() error {
	for i, in := range s.test.Inputs {
		rec, err := s.encode(s.ctx, in)
		if err != nil {
			return fmt.Errorf("writing input %d: %w", i, err)
		}
		out := &kgo.Record{Topic: in.Topic, Key: rec.Key, Value: rec.Value, Timestamp: time.UnixMilli(rec.Time)}
		for _, h := range rec.Headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		if err := s.kafka.ProduceSync(s.ctx, out).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// query sends a SELECT until the answer is the expected one: rows may still be
// on their way.
func (s *restServer) query(sql string, want []json.RawMessage, ordered bool) error {
	deadline := time.Now().Add(s.patience)
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		body, err := s.post("/query", sql)
		if err == nil && want != nil {
			err = s.compareRows(body, want, sql, ordered)
		}
		var status *statusError
		if err == nil || time.Now().After(deadline) || errors.As(err, &status) {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			return err
		}
	}
}

func (s *restServer) post(path, sql string) (string, error) {
	return s.stream(path, sql, nil)
}

// stream sends a statement and reads the answer; started is called once the
// first bytes are there.
func (s *restServer) stream(path, sql string, started func()) (string, error) {
	body, err := json.Marshal(map[string]any{"ksql": sql, "streamsProperties": s.test.Properties})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/vnd.ksql.v1+json")
	req.Header.Set("Accept", "application/vnd.ksql.v1+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var all bytes.Buffer
	buf := make([]byte, 4096)
	for {
		n, err := resp.Body.Read(buf)
		all.Write(buf[:n])
		if n > 0 && started != nil {
			started()
			started = nil
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
	}
	if resp.StatusCode != http.StatusOK {
		return "", &statusError{resp.StatusCode, all.String()}
	}
	return all.String(), nil
}

func decode(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

// compareRows compares the elements of a query's answer.
func (s *restServer) compareRows(body string, want []json.RawMessage, sql string, ordered bool) error {
	var got []any
	if err := decode(body, &got); err != nil {
		return fmt.Errorf("reading %s: %w", body, err)
	}
	if len(got) != len(want) {
		return fmt.Errorf("answer has %d elements, expected %d: %s", len(got), len(want), body)
	}
	left := slices.Clone(got)
	for i, w := range want {
		if ordered {
			if err := s.subset(got[i], w, sql); err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
			continue
		}
		at := slices.IndexFunc(left, func(g any) bool { return s.subset(g, w, sql) == nil })
		if at < 0 {
			return fmt.Errorf("element %s is missing in %s", w, body)
		}
		left = slices.Delete(left, at, at+1)
	}
	return nil
}

// subset requires that got has everything that want has.
func (s *restServer) subset(got any, want json.RawMessage, sql string) error {
	expected, err := decodeJSON(want)
	if err != nil {
		return err
	}
	return subsetOf(got, expected, sql, "$")
}

func subsetOf(got, want any, sql, path string) error {
	object, ok := want.(map[string]any)
	if !ok {
		if text, isText := want.(string); isText {
			want = strings.ReplaceAll(text, "{STATEMENT}", sql)
		}
		return compareValues(got, want, nil, path)
	}
	actual, ok := got.(map[string]any)
	if !ok {
		return fmt.Errorf("%s is %s, expected %s", path, show(got), show(want))
	}
	for _, name := range sortedKeys(object) {
		plain, operator, _ := strings.Cut(name, "|")
		if strings.EqualFold(operator, "starts_with") {
			text, _ := actual[plain].(string)
			if !strings.HasPrefix(text, strings.ReplaceAll(fmt.Sprint(object[name]), "{STATEMENT}", sql)) {
				return fmt.Errorf("%s.%s is %q, expected it to start with %q", path, plain, text, object[name])
			}
			continue
		}
		if err := subsetOf(actual[plain], object[name], sql, path+"."+plain); err != nil {
			return err
		}
	}
	return nil
}

// verifyOutputs reads the topics of the expected outputs and compares them.
func (s *restServer) verifyOutputs() error {
	expected := map[string][]RecordSpec{}
	for _, o := range s.test.Outputs {
		expected[o.Topic] = append(expected[o.Topic], o)
	}
	for topic, want := range expected {
		var err error
		deadline := time.Now().Add(s.patience)
		for ok := true; ok; ok = err != nil && time.Now().Before(deadline) {
			var records []sqltest.Record
			if records, err = s.read(topic, len(want)); err == nil {
				err = s.compareTopic(topic, records, want)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// read gives the first n records of a topic.
func (s *restServer) read(topic string, n int) ([]sqltest.Record, error) {
	client, err := kgo.NewClient(append(s.kafka.Opts(), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(s.ctx, s.patience/2)
	defer cancel()
	var out []sqltest.Record
	for len(out) < n {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("topic %s has %d records, expected %d", topic, len(out), n)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			out = append(out, sqltest.Record{Key: r.Key, Value: r.Value, Time: r.Timestamp.UnixMilli()})
		})
	}
	return out, nil
}

func (s *restServer) compareTopic(topic string, got []sqltest.Record, want []RecordSpec) error {
	key, err := s.codec(s.ctx, topic, true)
	if err != nil {
		return err
	}
	value, err := s.codec(s.ctx, topic, false)
	if err != nil {
		return err
	}
	for i, w := range want {
		if err := s.verifyRecord(key, value, got[i], w); err != nil {
			return fmt.Errorf("topic %s, record %d: %w", topic, i, err)
		}
	}
	return nil
}
