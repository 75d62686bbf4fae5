package connect_test

import (
	"fmt"
	"testing"
	"time"
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
