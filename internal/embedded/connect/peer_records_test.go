//go:build peers

package connect_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/peers"
)

const transforms = "org.apache.kafka.connect.transforms."

// chains are what happens to lines between a file and a topic.
var chains = map[string]map[string]string{
	"plain": {"value.converter": "org.apache.kafka.connect.storage.StringConverter"},
	"json":  {"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "true"},
	"hoist": {"value.converter": "org.apache.kafka.connect.json.JsonConverter", "transforms": "h,s,k,e", "transforms.h.type": transforms + "HoistField$Value", "transforms.h.field": "line",
		"transforms.s.type": transforms + "InsertField$Value", "transforms.s.static.field": "from!", "transforms.s.static.value": "file", "transforms.k.type": transforms + "ValueToKey", "transforms.k.fields": "line", "transforms.e.type": transforms + "ExtractField$Key", "transforms.e.field": "line"},
	"filtered": {"value.converter": "org.apache.kafka.connect.storage.StringConverter", "transforms": "h,d", "transforms.h.type": transforms + "InsertHeader", "transforms.h.header": "n", "transforms.h.value.literal": "[1,2.5]",
		"transforms.d.type": transforms + "Filter", "transforms.d.predicate": "p", "transforms.d.negate": "true", "predicates": "p", "predicates.p.type": transforms + "predicates.HasHeaderKey", "predicates.p.name": "n"},
	"tolerant": {"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false", "errors.tolerance": "all", "transforms": "c", "transforms.c.type": transforms + "Cast$Value", "transforms.c.spec": "int32"},
	"routed":   {"value.converter": "org.apache.kafka.connect.storage.StringConverter", "transforms": "r", "transforms.r.type": transforms + "RegexRouter", "transforms.r.regex": "records-(.*)", "transforms.r.replacement": "records-$1"},
}

// recordsOf gives the n records that a topic has by now. Left out is
// what each side has of its own: the frames of traces, and times after since.
func (s *peerSide) recordsOf(topic string, n int, since time.Time) []string {
	s.t.Helper()
	client := s.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), peerPatience)
	defer cancel()
	var list []string
	for len(list) < n {
		fetches := client.PollFetches(ctx)
		require.NoError(s.t, ctx.Err(), "topic %s of %s has %d of %d records: %v", topic, s.url, len(list), n, list)
		for _, r := range fetches.Records() {
			text := orNull(r.Key) + " " + orNull(r.Value)
			for _, h := range r.Headers {
				value := h.Value
				if strings.HasSuffix(h.Key, "stacktrace") {
					value, _, _ = bytes.Cut(value, []byte("\n"))
				}
				text += " " + h.Key + "=" + orNull(value)
			}
			if r.Timestamp.Before(since) {
				text += fmt.Sprint(" at ", r.Timestamp.UnixMilli())
			}
			list = append(list, text)
		}
	}
	require.Len(s.t, list, n, "topic %s of %s", topic, s.url)
	return list
}

// orNull is text in which every byte can be told, and nothing from no bytes.
func orNull(raw []byte) string {
	if raw == nil {
		return "null"
	}
	return strconv.Quote(string(raw))
}

// TestPeerConnectRecords has both workers bring the same lines into topics and the
// same records into files, by way of transformations and converters.
func TestPeerConnectRecords(t *testing.T) {
	began := time.Now()
	brokers := startBroker(t)
	worker := peers.StartConnect(t, peers.ConnectConfig{Brokers: brokers})
	sides := []restSide{{peerSide{t, worker.URL, brokers}, t.TempDir()}, {startEmbedded(t, nil), t.TempDir()}}
	counts := map[string]int{"tolerant": 2}
	results := make([]map[string][]string, len(sides))
	for i, side := range sides {
		in, out := filepath.Join(side.dir, "in.txt"), filepath.Join(side.dir, "out.txt")
		require.NoError(t, os.WriteFile(in, []byte("one\n12\n\"ü\"\n-7\n"), 0o600))
		for name, chain := range chains {
			side.createTopic("records-" + name)
			config := maps.Clone(chain)
			maps.Copy(config, map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "records-" + name})
			side.create("source-"+name, config)
		}
		side.createTopic("in")
		side.createTopic("dead")
		client := side.client()
		for _, value := range []string{`{"a":1,"b":{"c":"x"}}`, `{"a":null}`, `no JSON`, `[1]`, `{"a":2.50,"t":[true]}`} {
			require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Key: []byte("k"), Value: []byte(value), Timestamp: time.UnixMilli(1700000000000)}).FirstErr())
		}
		client.Close()
		side.create("sink", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "in", "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
			"transforms": "f,i", "transforms.f.type": transforms + "Flatten$Value", "transforms.i.type": transforms + "InsertField$Value", "transforms.i.offset.field": "offset", "transforms.i.timestamp.field": "at",
			"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dead", "errors.deadletterqueue.topic.replication.factor": "1", "errors.deadletterqueue.context.headers.enable": "true"})
		side.waitFile(out, "{a=1, at=1700000000000, offset=0, b.c=x}\n{offset=1, a=null, at=1700000000000}\n{a=2.5, at=1700000000000, t=[true], offset=4}\n")
		results[i] = map[string][]string{"dead letters": side.recordsOf("dead", 2, began)}
		for name := range chains {
			n := 4
			if few, ok := counts[name]; ok {
				n = few
			}
			results[i][name] = side.recordsOf("records-"+name, n, began)
		}
	}
	alike := 0
	for name, want := range results[0] {
		if assert.Equal(t, want, results[1][name], name) {
			alike++
		}
	}
	t.Logf("connect: %d of %d topics alike", alike, len(results[0]))
}
