package server_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/reference"
	"github.com/orderflow/orderflow/internal/ksql"
)

// TestServerStatements runs the examples of the statements that only a server
// carries out.
func TestServerStatements(t *testing.T) {
	s := newStack(t)
	s.exec(reference.Setup)
	for _, section := range reference.Sections() {
		for _, f := range section.Features {
			if !f.Server || f.Example == printExample {
				continue
			}
			_, err := s.client.Exec(s.ctx, f.Example, ksql.ExecOptions{})
			if err != nil && connectDecides(f.Example) {
				assert.NotContains(t, err.Error(), "not supported", f.Example)
				continue
			}
			assert.NoError(t, err, f.Example)
		}
	}
}

// printExample goes to the end points of queries, which have tests of their own.
const printExample = "PRINT orders FROM BEGINNING LIMIT 1;"

// connectDecides tells statements whose outcome is up to the Connect cluster, of
// which there is only a part here.
func connectDecides(sql string) bool {
	return sql == "CREATE SINK CONNECTOR IF NOT EXISTS C WITH ('connector.class'='x');"
}

// TestHints shows that users get the parser's hints beside ksqlDB's own texts.
func TestHints(t *testing.T) {
	s := newStack(t)
	s.exec("CREATE STREAM S (K STRING KEY, V INT) WITH (KAFKA_TOPIC='s', PARTITIONS=1, VALUE_FORMAT='JSON');")
	for sql, hint := range map[string]string{
		"CREATE STREAM X AS SELECT * FORM S;":             "FROM",
		"CREATE STREAM X AS SELECT * FROM S EMIT CHANGE;": "CHANGES",
		"INSERT INTO S (K, V) VALUES (‘a’, 1);":           "This is a typographic quote; text stands in straight single quotes (').",
		"INSERT INTO S (K, V) VALUES ('a, 1);":            "never closed with a single quote",
		`INSERT INTO S (K, V) VALUES ("a", 1);`:           "If it is text, it stands in single quotes: 'a'.",
		`CREATE STREAM X AS SELECT * FROM S WHERE K="a";`: "If it is text, it stands in single quotes: 'a'.",
		"CREATE STREAM X AS SELECT `k`, V FROM S;":        "without them it would be K.",
		"CREATE STREAM X AS SELECT K, UPPER(K) FROM S;":   "ksqlDB's name for it is UCASE.",
		"CREATE STREAM X AS SELECT K, FROB(K) FROM S;":    "SHOW FUNCTIONS lists all functions.",
	} {
		_, err := s.client.Exec(s.ctx, sql, ksql.ExecOptions{})
		var refused *ksql.Error
		require.ErrorAs(t, err, &refused, sql)
		assert.Contains(t, refused.Hint, hint, sql)
		assert.NotContains(t, refused.Message, refused.Hint, "ksqlDB's own text stays as it is")
		assert.ErrorContains(t, err, refused.Hint)
	}
	_, err := s.client.Query(s.ctx, "SELECT * FROM S EMIT CHANGE;", nil)
	var refused *ksql.Error
	require.ErrorAs(t, err, &refused)
	assert.Contains(t, refused.Hint, "CHANGES")
}
