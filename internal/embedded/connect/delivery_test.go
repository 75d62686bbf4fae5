package connect_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// plainSink are the settings of a sink that takes JSON.
func plainSink(url string) map[string]string {
	return map[string]string{
		"connector.class": "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector", "connection.url": url, "topics": "in",
		"key.ignore": "false", "schema.ignore": "true", "key.converter": "org.apache.kafka.connect.storage.StringConverter",
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false", "retry.backoff.ms": "1",
	}
}

func (s *stack) produceNumbers(from, to int) {
	s.t.Helper()
	for i := from; i < to; i++ {
		record := &kgo.Record{Topic: "in", Key: fmt.Append(nil, "k", i), Value: fmt.Appendf(nil, `{"n":%d}`, i)}
		require.NoError(s.t, s.client.ProduceSync(s.t.Context(), record).FirstErr())
	}
}

func TestTasksShareThePartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		es := newFakeElasticsearch(s)
		_, err := kadm.NewClient(s.client).CreateTopic(t.Context(), 4, 1, nil, "in")
		require.NoError(t, err)
		s.produceNumbers(0, 40)
		config := plainSink(es.URL)
		config["tasks.max"] = "3"
		s.create("sink", config)
		all := func(n int) func() bool {
			return func() bool {
				for i := range n {
					if es.document(fmt.Sprint("in/k", i)) == "" {
						return false
					}
				}
				return true
			}
		}
		s.waitFor("all documents", all(40))
		// Fewer tasks: the partitions of those that end go to those that stay.
		config["tasks.max"] = "1"
		require.Equal(t, http.StatusOK, s.request(http.MethodPut, "/connectors/sink/config", config).status)
		s.produceNumbers(40, 60)
		s.waitFor("the documents after it", all(60))
		for i := range 60 {
			assert.Equal(t, 1, strings.Count(es.bulkText(), fmt.Sprintf(`"_id":"k%d"`, i)), "a clean hand-over sends nothing twice")
		}
	})
}

func TestWhatWasNotWrittenComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		es := newFakeElasticsearch(s)
		s.createTopic("in")
		config := plainSink(es.URL)
		config["max.retries"], config["batch.size"], config["max.in.flight.requests"] = "0", "1", "1"
		s.create("sink", config)
		s.waitRunning("sink")
		es.fail(fault{status: http.StatusOK, body: `{"items":[]}`}, fault{status: http.StatusServiceUnavailable})
		s.produceNumbers(0, 5)
		s.waitFailed("sink")
		<-time.After(time.Second)
		require.Equal(t, http.StatusAccepted, s.request(http.MethodPost, "/connectors/sink/restart?includeTasks=true", nil).status)
		s.waitFor("all documents", func() bool { return es.document("in/k4") != "" })
		for i := range 5 {
			assert.NotEmpty(t, es.document(fmt.Sprint("in/k", i)))
		}
	})
}

func TestAKilledWorkerLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		es := newFakeElasticsearch(s)
		s.createTopic("in")
		s.create("sink", plainSink(es.URL))
		s.waitRunning("sink")
		for n := range 5 {
			s.produceNumbers(n*10, n*10+10)
			<-time.After(time.Duration(n) * 7 * time.Millisecond)
			s.kill()
		}
		// The group waits for the members that died.
		require.Eventually(t, func() bool { return es.document("in/k49") != "" }, 5*time.Minute, time.Second)
		for i := range 50 {
			assert.NotEmpty(t, es.document(fmt.Sprint("in/k", i)))
		}
	})
}

func TestAWriteThatKafkaDoesNotTakeEndsWithAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		s.createTopic("in")
		s.cable.sever()
		began := time.Now()
		res := s.request(http.MethodPost, "/connectors", map[string]any{"name": "sink", "config": map[string]string{"connector.class": "FileStreamSink", "topics": "in", "file": filepath.Join(s.dir, "out.txt")}})
		assert.Equal(t, http.StatusInternalServerError, res.status)
		assert.Contains(t, string(res.body), "no acknowledgement of Kafka within 30s")
		assert.Less(t, time.Since(began), time.Minute)
	})
}

func TestAWorkerThatWaitsForADeadOneStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		es := newFakeElasticsearch(s)
		s.createTopic("in")
		s.create("sink", plainSink(es.URL))
		s.produceNumbers(0, 1)
		s.waitFor("the document", func() bool { return es.document("in/k0") != "" })
		s.kill()
		killed := time.Now()
		<-time.After(2 * time.Second)
		stopping := time.Now()
		require.NoError(t, s.server.Stop())
		assert.Less(t, time.Since(stopping), time.Second)
		s.start()
		s.produceNumbers(1, 2)
		require.Eventually(t, func() bool { return es.document("in/k1") != "" }, time.Minute, 100*time.Millisecond)
		assert.Less(t, time.Since(killed), 11*time.Second, "the dead member's session is waited for, and nothing else")
	})
}
