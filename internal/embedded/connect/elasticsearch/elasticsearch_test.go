package elasticsearch_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/elasticsearch"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// fakeClock lets no time pass, and notes the pauses.
type fakeClock struct {
	mu     sync.Mutex
	pauses []time.Duration
}

func (c *fakeClock) Now() time.Time { return time.Unix(0, 0) }

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pauses = append(c.pauses, d)
	return ctx.Err()
}

// sink is a sink task with an Elasticsearch whose bulk requests a test answers.
type sink struct {
	t     *testing.T
	task  plugin.SinkTask
	clock *fakeClock
	url   string

	mu       sync.Mutex
	bulks    []string
	headers  []http.Header
	written  []int64 // offsets
	reported map[int64]string
}

const allWell = `{"took":1,"errors":false,"items":[]}`

// newSink starts a task. answer answers the nth bulk request, from 0 on.
func newSink(t *testing.T, settings map[string]string, answer func(n int, w http.ResponseWriter)) *sink {
	t.Helper()
	s := &sink{t: t, clock: &fakeClock{}, reported: map[int64]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/_bulk") {
			return // every index is there
		}
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body) // an error shows as an empty body
		}
		raw, err := io.ReadAll(body)
		if !assert.NoError(t, err) {
			return
		}
		s.mu.Lock()
		n := len(s.bulks)
		s.bulks, s.headers = append(s.bulks, string(raw)), append(s.headers, r.Header)
		s.mu.Unlock()
		answer(n, w)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	s.start(settings)
	return s
}

func (s *sink) start(settings map[string]string) {
	s.t.Helper()
	all := map[string]string{"connection.url": s.url, "schema.ignore": "true", "retry.backoff.ms": "100", "linger.ms": "0"}
	for k, v := range settings {
		all[k] = v
	}
	require.Empty(s.t, config.Validate(elasticsearch.Connector{}.Definition(), "", all).Errors())
	s.task = elasticsearch.Connector{}.NewSinkTask()
	env := plugin.Environment{Name: "c", Log: slog.New(slog.DiscardHandler), Clock: s.clock,
		Written: func(records ...*plugin.Record) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, r := range records {
				s.written = append(s.written, r.KafkaOffset)
			}
		},
		Report: func(_ context.Context, r *plugin.Record, cause error) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.reported[r.KafkaOffset] = cause.Error()
			return nil
		},
	}
	require.NoError(s.t, s.task.Start(s.t.Context(), env, all))
	s.t.Cleanup(func() { require.NoError(s.t, s.task.Close()) })
}

// record makes a record with a document.
func record(offset int64, key any) *plugin.Record {
	value := &data.Map{}
	value.Put("n", offset)
	return &plugin.Record{Topic: "t", KafkaTopic: "t", KafkaOffset: offset, Key: key, KeySchema: data.Of(data.String), Value: value}
}

func records(n int) []*plugin.Record {
	list := make([]*plugin.Record, n)
	for i := range list {
		list[i] = record(int64(i), fmt.Sprint("k", i))
	}
	return list
}

func (s *sink) sent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bulks)
}

func (s *sink) waitSent(n int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.sent() >= n }, 10*time.Second, time.Millisecond)
}

func TestRefusalsAreTriedAgainWithLongerPauses(t *testing.T) {
	s := newSink(t, nil, func(n int, w http.ResponseWriter) {
		switch n {
		case 0, 1:
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"error":{"type":"es_rejected_execution_exception","reason":"rejected"},"status":429}`)
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3:
			fmt.Fprint(w, "no JSON")
		default:
			fmt.Fprint(w, allWell)
		}
	})
	require.NoError(t, s.task.Put(t.Context(), records(2)))
	require.NoError(t, s.task.Flush(t.Context()))
	assert.Equal(t, 5, s.sent())
	assert.Equal(t, []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond}, s.clock.pauses)
	assert.Equal(t, []int64{0, 1}, s.written)
}

func TestPausesHaveAnEnd(t *testing.T) {
	s := newSink(t, map[string]string{"max.retries": "30", "retry.backoff.ms": "1000"}, func(n int, w http.ResponseWriter) {
		if n < 20 {
			w.WriteHeader(http.StatusServiceUnavailable)
		} else {
			fmt.Fprint(w, allWell)
		}
	})
	require.NoError(t, s.task.Put(t.Context(), records(1)))
	require.NoError(t, s.task.Flush(t.Context()))
	assert.Equal(t, time.Minute, s.clock.pauses[19])
}

func TestASinkGivesUpInTheEnd(t *testing.T) {
	s := newSink(t, map[string]string{"max.retries": "2"}, func(_ int, w http.ResponseWriter) {
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"error":{"type":"es_rejected_execution_exception","reason":"rejected"},"status":429}`)
	})
	require.NoError(t, s.task.Put(t.Context(), records(1)))
	const want = "Failed to execute bulk request due to 'ElasticsearchStatusException[Elasticsearch exception [type=es_rejected_execution_exception, reason=rejected]]' after 3 attempt(s)"
	require.ErrorContains(t, s.task.Flush(t.Context()), want)
	require.ErrorContains(t, s.task.Put(t.Context(), nil), want, "the next call tells it too")
	assert.Equal(t, 3, s.sent())
	assert.Empty(t, s.written)
}

func TestNobodyListens(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	s := newSink(t, map[string]string{"max.retries": "1", "connection.url": gone.URL}, nil)
	err := s.task.Put(t.Context(), records(1))
	require.ErrorContains(t, err, "Failed to check if index t exists due to 'java.util.concurrent.ExecutionException: java.net.ConnectException: Connection refused' after 2 attempt(s)")
}

func TestAnotherNodeAnswers(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	s := newSink(t, nil, func(_ int, w http.ResponseWriter) { fmt.Fprint(w, allWell) })
	s.start(map[string]string{"connection.url": gone.URL + "," + s.url, "connection.username": "elastic", "connection.password": "pa55", "connection.compression": "true"})
	require.NoError(t, s.task.Put(t.Context(), records(1)))
	require.NoError(t, s.task.Flush(t.Context()))
	assert.Equal(t, []int64{0}, s.written)
	assert.Contains(t, s.bulks[0], `{"n":0}`, "packed on the way")
	assert.Equal(t, "Basic ZWxhc3RpYzpwYTU1", s.headers[0].Get("Authorization"))
}

const twoOfThree = `{"took":1,"errors":true,"items":[{"index":{"_id":"k0","status":201}},
	{"index":{"_id":"k1","status":400,"error":{"type":"document_parsing_exception","reason":"failed to parse","caused_by":{"type":"x","reason":"y"}}}},
	{"index":{"_id":"k2","status":409,"error":{"type":"version_conflict_engine_exception","reason":"conflict"}}}]}`

func TestOneDocumentMayBeRefused(t *testing.T) {
	for _, behavior := range []string{"ignore", "warn", "fail"} {
		s := newSink(t, map[string]string{"behavior.on.malformed.documents": behavior}, func(_ int, w http.ResponseWriter) { fmt.Fprint(w, twoOfThree) })
		require.NoError(t, s.task.Put(t.Context(), records(3)))
		err := s.task.Flush(t.Context())
		want := []int64{0, 1, 2}
		if behavior == "fail" {
			require.ErrorContains(t, err, "Indexing record failed. Please check DLQ topic for errors.")
			want = []int64{0, 2}
		} else {
			require.NoError(t, err)
		}
		assert.Equal(t, want, s.written, behavior)
		assert.Equal(t, map[int64]string{1: "Indexing failed: ElasticsearchException[Elasticsearch exception [type=document_parsing_exception, reason=failed to parse]]; nested: ElasticsearchException[Elasticsearch exception [type=x, reason=y]];"}, s.reported)
		assert.Equal(t, 1, s.sent(), "what was refused is not sent again")
	}
}

func TestAnAnswerMustBeAboutAllDocuments(t *testing.T) {
	s := newSink(t, nil, func(_ int, w http.ResponseWriter) { fmt.Fprint(w, twoOfThree) })
	require.NoError(t, s.task.Put(t.Context(), records(2)))
	require.ErrorContains(t, s.task.Flush(t.Context()), "Elasticsearch answered with 3 items to a bulk request of 2")
	assert.Empty(t, s.written)
}

func TestSomeRequestsAreUnderWayAtATime(t *testing.T) {
	release := make(chan struct{})
	s := newSink(t, map[string]string{"batch.size": "1", "max.in.flight.requests": "2"}, func(_ int, w http.ResponseWriter) {
		<-release
		fmt.Fprint(w, allWell)
	})
	require.NoError(t, s.task.Put(t.Context(), records(4)))
	s.waitSent(2)
	assert.Equal(t, 2, s.sent())
	close(release)
	require.NoError(t, s.task.Flush(t.Context()))
	assert.ElementsMatch(t, []int64{0, 1, 2, 3}, s.written)
}

func TestUpdatesStayInOrder(t *testing.T) {
	var mu sync.Mutex
	underWay, most := 0, 0
	s := newSink(t, map[string]string{"batch.size": "1", "write.method": "upsert"}, func(_ int, w http.ResponseWriter) {
		mu.Lock()
		underWay++
		most = max(most, underWay)
		mu.Unlock()
		fmt.Fprint(w, allWell)
		mu.Lock()
		underWay--
		mu.Unlock()
	})
	require.NoError(t, s.task.Put(t.Context(), records(20)))
	require.NoError(t, s.task.Flush(t.Context()))
	assert.Equal(t, 1, most)
	for i, text := range s.bulks {
		assert.Contains(t, text, fmt.Sprintf(`"_id":"k%d"`, i))
	}
}

func TestTheBufferIsBounded(t *testing.T) {
	release := make(chan struct{})
	s := newSink(t, map[string]string{"batch.size": "1", "max.in.flight.requests": "1", "max.buffered.records": "2", "flush.timeout.ms": "1000"}, func(_ int, w http.ResponseWriter) {
		<-release
		fmt.Fprint(w, allWell)
	})
	t.Cleanup(func() { close(release) })
	require.ErrorContains(t, s.task.Put(t.Context(), records(3)), "Could not make space in the internal buffer fast enough. Consider increasing flush.timeout.ms or max.buffered.records.")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.task.Flush(ctx), context.Canceled)
}

func TestBatchesHaveASize(t *testing.T) {
	count := func(s *sink) (sizes []int) {
		for _, text := range s.bulks {
			sizes = append(sizes, strings.Count(text, `{"index"`))
		}
		return sizes
	}
	well := func(_ int, w http.ResponseWriter) { fmt.Fprint(w, allWell) }
	for _, test := range []struct {
		settings map[string]string
		want     []int
	}{
		{map[string]string{"batch.size": "2"}, []int{2, 2, 1}},
		{map[string]string{"bulk.size.bytes": "200"}, []int{2, 2, 1}},
		{map[string]string{"bulk.size.bytes": "1"}, []int{1, 1, 1, 1, 1}},
		{map[string]string{"bulk.size.bytes": "-1"}, []int{5}},
		{map[string]string{"flush.synchronously": "true"}, []int{5}},
	} {
		test.settings["max.in.flight.requests"] = "1"
		s := newSink(t, test.settings, well)
		require.NoError(t, s.task.Put(t.Context(), records(5)))
		if test.settings["flush.synchronously"] == "true" {
			assert.Len(t, s.written, 5, "nothing is under way after a put")
		}
		require.NoError(t, s.task.Flush(t.Context()))
		assert.Equal(t, test.want, count(s), "%v", test.settings)
	}
}

func TestRecordsThatBecomeNoDocument(t *testing.T) {
	scalar := record(0, "k")
	scalar.Value = "text"
	for _, drop := range []string{"true", "false"} {
		s := newSink(t, map[string]string{"drop.invalid.message": drop}, func(_ int, w http.ResponseWriter) { fmt.Fprint(w, allWell) })
		err := s.task.Put(t.Context(), []*plugin.Record{scalar, record(1, nil), record(2, "k")})
		if drop == "false" {
			require.ErrorContains(t, err, "a document needs an object")
			continue
		}
		require.NoError(t, err)
		require.NoError(t, s.task.Flush(t.Context()))
		assert.ElementsMatch(t, []int64{0, 1, 2}, s.written, "what is dropped is done with")
		assert.Len(t, s.reported, 2)
	}
}

func TestAVersionMayComeFromAHeader(t *testing.T) {
	s := newSink(t, map[string]string{"external.version.header": "v", "key.ignore": "false"}, func(_ int, w http.ResponseWriter) { fmt.Fprint(w, allWell) })
	r := record(3, "k")
	r.Headers = []plugin.Header{{Key: "v", Value: int64(7)}, {Key: "v", Value: int64(9)}}
	require.NoError(t, s.task.Put(t.Context(), []*plugin.Record{r}))
	require.NoError(t, s.task.Flush(t.Context()))
	assert.Equal(t, `{"index":{"_index":"t","_id":"k","version":9,"version_type":"external"}}`+"\n"+`{"n":3}`+"\n", s.bulks[0])
	r.Headers = []plugin.Header{{Key: "v", Value: "x"}}
	require.ErrorContains(t, s.task.Put(t.Context(), []*plugin.Record{r}), "a version is a whole number")
}

func TestAnAnswerMustComeInTime(t *testing.T) {
	release := make(chan struct{})
	s := newSink(t, map[string]string{"read.timeout.ms": "50", "max.retries": "0"}, func(int, http.ResponseWriter) { <-release })
	t.Cleanup(func() { close(release) })
	require.NoError(t, s.task.Put(t.Context(), records(1)))
	require.ErrorContains(t, s.task.Flush(t.Context()), "Failed to execute bulk request")
}
