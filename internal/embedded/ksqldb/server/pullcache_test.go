package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What is remembered of a pull query must never show: the same text gives the same
// rows, or error, as one that is planned anew. A property keeps a request from being
// answered by what is remembered.
func TestPullQueriesGiveTheSameWhateverWasAskedBefore(t *testing.T) {
	s := newStack(t)
	for _, sql := range []string{
		"CREATE STREAM texts (k STRING KEY, a INT, b STRING) WITH (KAFKA_TOPIC='texts', VALUE_FORMAT='JSON', PARTITIONS=2);",
		"CREATE STREAM numbers (k BIGINT KEY, a INT, b STRING) WITH (KAFKA_TOPIC='numbers', VALUE_FORMAT='JSON', KEY_FORMAT='JSON', PARTITIONS=2);",
		"SET 'auto.offset.reset'='earliest'; CREATE TABLE by_text AS SELECT k, COUNT(*) AS n, LATEST_BY_OFFSET(a) AS a, LATEST_BY_OFFSET(b) AS b FROM texts GROUP BY k;",
		"SET 'auto.offset.reset'='earliest'; CREATE TABLE by_number AS SELECT k, COUNT(*) AS n, LATEST_BY_OFFSET(a) AS a, LATEST_BY_OFFSET(b) AS b FROM numbers GROUP BY k;",
		"SET 'auto.offset.reset'='earliest'; CREATE TABLE by_window AS SELECT k, COUNT(*) AS n FROM texts WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY k;",
	} {
		s.exec(sql)
	}
	for i := range 20 {
		value := fmt.Appendf(nil, `{"A":%d,"B":"%d"}`, i, i)
		for topic, k := range map[string]string{"texts": fmt.Sprintf("%d", i), "numbers": fmt.Sprintf("%d", i)} {
			require.NoError(t, s.kafka.ProduceSync(s.ctx, &kgo.Record{Topic: topic, Key: []byte(k), Value: value}).FirstErr())
		}
	}
	for _, table := range []string{"by_text", "by_number", "by_window"} {
		require.Eventually(t, func() bool { return len(s.rows("SELECT * FROM "+table+";")) == 20 }, patience, 5*time.Millisecond, table)
	}
	ask := func(sql string, properties map[string]string) string {
		rows, err := s.client.Query(s.ctx, sql, properties)
		if err != nil {
			return err.Error()
		}
		defer rows.Close()
		var lines []string
		for rows.Next() {
			lines = append(lines, fmt.Sprint(rows.Values()))
		}
		return fmt.Sprint(rows.Columns(), lines, rows.Err())
	}
	planned := map[string]string{"ksql.query.pull.table.scan.enabled": "true"}
	found := 0
	for _, template := range []string{
		"SELECT * FROM by_text WHERE k = '#';",
		"select n , k from by_text where '#'=k",
		"SELECT n + 1 AS m, b FROM by_text WHERE k = '#' LIMIT 1;",
		"SELECT * FROM by_text WHERE k = '#' AND n = 1;",
		"SELECT * FROM by_text WHERE b = '#';",
		"SELECT * FROM by_text WHERE k > '#';",
		"SELECT *, '#' AS x FROM by_text;",
		"SELECT '#' AS x, n FROM by_text WHERE k = b;",
		"SELECT * FROM by_text WHERE k = '#' -- it's",
		"SELECT * FROM by_text WHERE k = '#' /* 1 */;",
		"SELECT * FROM by_text WHERE k LIKE '#';",
		"SELECT * FROM by_text WHERE k IN ('#');",
		"SELECT * FROM by_text WHERE NOT k = '#';",
		"SELECT * FROM by_text WHERE k = '#' OR k = '4';",
		"SELECT * FROM by_text WHERE k = #;",
		"SELECT * FROM by_number WHERE k = #;",
		"SELECT * FROM by_number WHERE # = k;",
		"SELECT * FROM by_number WHERE k = -#;",
		"SELECT * FROM by_number WHERE k = # + 1;",
		"SELECT * FROM by_number WHERE k = #.0;",
		"SELECT * FROM by_number WHERE k = 1#;",
		"SELECT * FROM by_number WHERE k = '#';",
		"SELECT * FROM by_number WHERE a = #;",
		"SELECT * FROM by_number WHERE k = # AND a = #;",
		"SELECT * FROM by_number LIMIT #;",
		"SELECT * FROM by_number WHERE k = 3 LIMIT #;",
		"SELECT * FROM by_number WHERE k <= #;",
		"SELECT a# FROM by_number WHERE k = 3;",
		"SELECT * FROM by_window WHERE k = '#';",
		"SELECT * FROM by_window WHERE k = '#' AND WINDOWSTART > 0;",
	} {
		for _, key := range []string{"1", "2", "3", "99", "007", "12345678901", "", "x", "é", "'", "''", "1'", "a\nb", "1 OR 1=1", "1 -- "} {
			sql := strings.ReplaceAll(template, "#", key)
			got, again, want := ask(sql, nil), ask(sql, nil), ask(sql, planned)
			assert.Equal(t, want, got, sql)
			assert.Equal(t, want, again, sql)
			if strings.Contains(want, "[[") {
				found++
			}
		}
	}
	require.Greater(t, found, 50)

	s.exec("DROP TABLE by_number; CREATE TABLE by_number AS SELECT k, COUNT(*) AS n, LATEST_BY_OFFSET(b) AS z FROM numbers GROUP BY k;")
	for _, key := range []string{"1", "2"} {
		sql := "SELECT * FROM by_number WHERE k = " + key + ";"
		require.Equal(t, ask(sql, planned), ask(sql, nil), "what was remembered of a table that is gone is forgotten")
	}
}
