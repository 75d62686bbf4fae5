package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql/testrun"
)

const migrationTests = "../../migrations/tests"

// TestMigrationsDoWhatTheirTestsSay runs this repository's own SQL tests.
func TestMigrationsDoWhatTheirTestsSay(t *testing.T) {
	definition, err := testDefinition("", false)
	require.NoError(t, err)
	runner, err := testrun.New(testrun.Config{NewEngine: func(context.Context) (testrun.Engine, error) { return newTestEngine(definition) }})
	require.NoError(t, err)
	files, err := testFiles([]string{migrationTests})
	require.NoError(t, err)
	for _, file := range files {
		results, err := runner.RunFile(t.Context(), file)
		require.NoError(t, err)
		for _, r := range results {
			t.Run(filepath.Base(file)+"/"+r.Name, func(t *testing.T) { assert.NoError(t, r.Err) })
		}
	}
}

func runTestCommand(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	noEnv := func(string) (string, bool) { return "", false }
	code = run(t.Context(), append([]string{"test"}, args...), &out, &errs, noEnv)
	return code, out.String(), errs.String()
}

func TestTestCommandReports(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.sql")
	require.NoError(t, os.WriteFile(path, []byte(`--@test: right
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT id, v * ${by} AS d FROM s;
INSERT INTO s (id, v, ROWTIME) VALUES (1, 2, 10);
INSERT INTO s (id, v) VALUES (2, 3);
ASSERT VALUES o (id, d, ROWTIME) VALUES (1, 4, 10);
ASSERT VALUES o (id, d, ROWTIME) VALUES (2, 6, 10);
--@test: wrong
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
INSERT INTO s (id, v) VALUES (1, 2);
ASSERT VALUES s (id, v) VALUES (1, 3);
`), 0o644))
	junit := filepath.Join(dir, "report.xml")
	code, out, errs := runTestCommand(t, dir, "-d", "by=2", "--no-schemas", "--junit", junit)
	assert.Equal(t, 1, code)
	assert.Equal(t, "orderflow: 1 of 2 tests failed\n", errs)
	assert.Contains(t, out, "ok   "+path+":1 right")
	assert.Contains(t, out, "FAIL "+path+":8 wrong")
	assert.Contains(t, out, path+" line 11:1: ASSERT VALUES s (id, v) VALUES (1, 3);\n"+
		"     Expected record does not match actual. In record 1 of topic s:\n"+
		"       ID is 1\n       V is 2, expected 3\n2 tests, 1 failed")
	report, err := os.ReadFile(junit)
	require.NoError(t, err)
	assert.Contains(t, string(report), `<testsuites tests="2" failures="1"`)

	code, out, errs = runTestCommand(t, path, "-d", "by=2", "--run", "RIGHT")
	assert.Equal(t, 0, code, errs)
	assert.Contains(t, out, "1 tests, 0 failed")
}

func TestTestCommandRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.sql")
	require.NoError(t, os.WriteFile(path, []byte("--@test: a\nSET 'x' = 'y';\n"), 0o644))
	for want, args := range map[string][]string{
		"requires at least 1 arg":   {},
		"no such file":              {filepath.Join(dir, "none.sql")},
		"has no .sql files":         {t.TempDir()},
		"reading --run":             {path, "--run", "("},
		"no test has a name":        {path, "--run", "b"},
		"reading --define":          {path, "-d", "x"},
		"writing the JUnit report:": {path, "--junit", filepath.Join(dir, "none", "report.xml")},
	} {
		code, _, errs := runTestCommand(t, args...)
		assert.Equal(t, 1, code, want)
		assert.Contains(t, errs, want)
	}
}
