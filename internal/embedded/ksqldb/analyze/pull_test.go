package analyze_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const pullSources = `
CREATE STREAM s (id BIGINT KEY, name STRING, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE TABLE by_id AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;
CREATE TABLE by_name AS SELECT name, COUNT(*) AS n FROM s GROUP BY name;
CREATE TABLE by_both WITH (key_format='JSON') AS SELECT id, name, COUNT(*) AS n FROM s GROUP BY id, name;
CREATE TABLE windows AS SELECT name, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY name;
CREATE TABLE sessions AS SELECT name, COUNT(*) AS n FROM s WINDOW SESSION (10 SECONDS) GROUP BY name;
`

func (s *server) analyzer(t testing.TB) *analyze.Analyzer {
	t.Helper()
	config, err := analyze.ConfigFrom(s.Properties())
	require.NoError(t, err)
	return &analyze.Analyzer{Catalog: s.Catalog, Functions: s.functions, Registry: s.Registry(), Topics: s, Config: config, QueryNumber: 1}
}

func parseQuery(t *testing.T, sql string) *ast.Query {
	t.Helper()
	stmts, err := parser.Parse(sql)
	require.NoError(t, err)
	return stmts[0].(*ast.Query)
}

func pull(t *testing.T, s *server, sql string) *plan.Pull {
	t.Helper()
	r, err := s.analyzer(t).Pull(context.Background(), parseQuery(t, sql))
	require.NoError(t, err)
	require.NotNil(t, r.Table, "a pull query on a table")
	return r.Table
}

// keysOf shows the keys that a pull query looks up.
func keysOf(p *plan.Pull) [][]string {
	var out [][]string
	for _, l := range p.Lookups {
		if l.Key == nil {
			continue
		}
		var key []string
		for i, v := range l.Key {
			key = append(key, types.Text(p.Schema.Key[i].Type, v))
		}
		out = append(out, key)
	}
	return out
}

func TestPullQueriesLookUpTheKeysThatWhereNames(t *testing.T) {
	s := newServer(t)
	_, err := s.Execute(context.Background(), pullSources)
	require.NoError(t, err)
	for _, c := range []struct {
		sql  string
		keys [][]string
		scan bool
	}{
		{"SELECT * FROM by_id;", nil, true},
		{"SELECT * FROM by_id WHERE id = 7;", [][]string{{"7"}}, false},
		{"SELECT * FROM by_id WHERE 7 = id AND n > 1;", [][]string{{"7"}}, false},
		{"SELECT * FROM by_id WHERE id = 7 OR id = 8;", [][]string{{"7"}, {"8"}}, false},
		{"SELECT * FROM by_id WHERE id IN (1, 2, 1 + 2);", [][]string{{"1"}, {"2"}, {"3"}}, false},
		{"SELECT * FROM by_id WHERE id = 7 OR n > 1;", nil, true},
		{"SELECT * FROM by_id WHERE id > 7;", nil, true},
		{"SELECT * FROM by_id WHERE n = 7;", nil, true},
		{"SELECT * FROM by_both WHERE name = 'a' AND id = 1;", [][]string{{"1", "a"}}, false},
		{"SELECT * FROM by_both WHERE id = 1;", nil, true},
		{"SELECT * FROM by_both WHERE id IN (1, 2) AND name IN ('a', 'b');", [][]string{{"1", "a"}, {"1", "b"}, {"2", "a"}, {"2", "b"}}, false},
		{"SELECT * FROM sessions WHERE name = 'a';", [][]string{{"a"}}, false},
	} {
		p := pull(t, s, c.sql)
		assert.Equal(t, c.keys, keysOf(p), c.sql)
		assert.Equal(t, c.scan, p.Scan, c.sql)
	}
	assert.True(t, pull(t, s, "SELECT * FROM sessions;").Nothing, "session tables are not scanned")
}

func TestPullQueriesBoundScansAndWindows(t *testing.T) {
	s := newServer(t)
	_, err := s.Execute(context.Background(), pullSources)
	require.NoError(t, err)

	p := pull(t, s, "SELECT * FROM by_name WHERE name >= 'b' AND name < 'd';")
	require.Len(t, p.Lookups, 1)
	assert.Equal(t, "b", p.Lookups[0].From[0].Str())
	assert.Equal(t, "d", p.Lookups[0].To[0].Str())

	p = pull(t, s, "SELECT * FROM windows WHERE name = 'a' AND windowstart >= '1970-01-01T00:00:10' AND windowend < 60000;")
	require.Len(t, p.Lookups, 1)
	l := p.Lookups[0]
	assert.True(t, l.Start.Contains(10_000) && !l.Start.Contains(9_999))
	assert.True(t, l.End.Contains(59_999) && !l.End.Contains(60_000))
}

func TestPullQueriesMarkKeysOfTheAnswer(t *testing.T) {
	s := newServer(t)
	_, err := s.Execute(context.Background(), pullSources)
	require.NoError(t, err)
	p := pull(t, s, "SELECT name, windowstart, windowend, rowtime, n, name AS k FROM windows LIMIT 3;")
	var names []string
	var keys []bool
	for _, c := range p.Columns {
		names = append(names, c.Name)
		keys = append(keys, c.Key)
	}
	assert.Equal(t, []string{"NAME", "WINDOWSTART", "WINDOWEND", "ROWTIME", "N", "K"}, names)
	assert.Equal(t, []bool{true, true, true, false, false, false}, keys)
	require.NotNil(t, p.Limit)
	assert.Equal(t, 3, *p.Limit)
}

func TestPushQueriesSayWhereTheirColumnsComeFrom(t *testing.T) {
	s := newServer(t)
	_, err := s.Execute(context.Background(), pullSources)
	require.NoError(t, err)
	q, err := s.analyzer(t).Push(context.Background(), parseQuery(t, "SELECT n, name, windowstart AS ws, n + 1 AS m FROM windows EMIT CHANGES LIMIT 2;"))
	require.NoError(t, err)
	assert.Equal(t, []plan.OutputColumn{
		{Name: "N", Type: types.Bigint, From: plan.FromValue, Index: 0},
		{Name: "NAME", Type: types.String, From: plan.FromKey, Index: 0},
		{Name: "WS", Type: types.Bigint, From: plan.FromWindowStart},
		{Name: "M", Type: types.Bigint, From: plan.FromValue, Index: 1},
	}, q.Output.Columns)
	assert.Equal(t, 2, *q.Output.Limit)
}
