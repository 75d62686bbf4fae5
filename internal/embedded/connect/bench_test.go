package connect_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// BenchmarkRowsToATopic measures how many rows a second go from a table to a topic.
func BenchmarkRowsToATopic(b *testing.B) {
	const rows = 200_000
	for _, format := range []string{"json", "avro"} {
		for _, batch := range []string{"100", "5000"} {
			b.Run(fmt.Sprintf("%s/batch.max.rows=%s", format, batch), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					s := newStack(b)
					s.exec(s.database("t.db"),
						"CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL, price REAL NOT NULL)",
						fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d) INSERT INTO t SELECT i, 'customer ' || i, i * 0.5 FROM n", rows))
					config := map[string]string{
						"connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector", "connection.url": s.jdbcURL("t.db"), "mode": "incrementing",
						"incrementing.column.name": "id", "table.whitelist": "t", "topic.prefix": "x-", "batch.max.rows": batch,
					}
					if format == "json" {
						config["value.converter"], config["value.converter.schemas.enable"] = "org.apache.kafka.connect.json.JsonConverter", "false"
					}
					b.StartTimer()
					began := time.Now()
					s.create("c", config)
					var look looking
					for s.end("x-t") < rows {
						if time.Since(began) > time.Minute {
							b.Fatalf("after a minute %d of %d rows are there", s.end("x-t"), rows)
						}
						look.again()
					}
					b.ReportMetric(rows/time.Since(began).Seconds(), "rows/s")
				}
			})
		}
	}
}

// BenchmarkTopicToIndex measures how many documents a second go from a topic to an
// Elasticsearch that only answers.
func BenchmarkTopicToIndex(b *testing.B) {
	const documents = 200_000
	for _, partitions := range []int32{1, 4} {
		b.Run(fmt.Sprintf("partitions=%d", partitions), func(b *testing.B) {
			s := newStack(b)
			schema := avro.MustParse(orderSchema)
			registered, err := s.sr.CreateSchema(b.Context(), "orders-value", sr.Schema{Schema: orderSchema})
			require.NoError(b, err)
			_, err = kadm.NewClient(s.client).CreateTopic(b.Context(), partitions, 1, nil, "orders")
			require.NoError(b, err)
			for i := range documents {
				value := binary.BigEndian.AppendUint32([]byte{0}, uint32(registered.ID))
				value, err = schema.AppendEncode(value, map[string]any{"id": fmt.Sprint("order-", i), "customerId": int64(i), "state": "CREATED", "product": "JUMPERS", "quantity": 3, "price": 9.5})
				require.NoError(b, err)
				s.client.Produce(b.Context(), &kgo.Record{Topic: "orders", Key: fmt.Append(nil, "order-", i), Value: value}, nil)
			}
			require.NoError(b, s.client.Flush(b.Context()))
			var index atomic.Int64
			null := s.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				raw, err := io.ReadAll(r.Body)
				if err != nil {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				index.Add(int64(bytes.Count(raw, []byte{'\n'})) / 2)
				io.WriteString(w, `{"took":1,"errors":false,"items":[]}`) //nolint:errcheck // the sink will tell
			}))
			for n := 0; b.Loop(); n++ {
				index.Store(0)
				began := time.Now()
				name := fmt.Sprint("sink-", n)
				s.create(name, map[string]string{
					"connector.class": "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector", "connection.url": null, "topics": "orders",
					"key.ignore": "false", "schema.ignore": "true", "key.converter": "org.apache.kafka.connect.storage.StringConverter",
				})
				var look looking
				for index.Load() < documents {
					if time.Since(began) > time.Minute {
						b.Fatalf("after a minute %d of %d documents are there", index.Load(), documents)
					}
					look.again()
				}
				b.ReportMetric(documents/time.Since(began).Seconds(), "documents/s")
				require.Equal(b, http.StatusNoContent, s.request(http.MethodDelete, "/connectors/"+name, nil).status)
			}
		})
	}
}
