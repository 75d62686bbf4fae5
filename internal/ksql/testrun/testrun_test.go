package testrun_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql/testrun"
)

// recorder is an engine that notes what it is given and refuses what has "BAD".
type recorder struct {
	statements *[]string
	properties *[]map[string]string
}

func (r recorder) Execute(_ context.Context, statement string, properties map[string]string) error {
	*r.statements = append(*r.statements, statement)
	*r.properties = append(*r.properties, maps.Clone(properties))
	if strings.Contains(statement, "BAD") {
		return errors.New("it is bad\nreally")
	}
	return nil
}

func (r recorder) SchemaID(_ context.Context, subject string) (int, error) {
	if subject != "orders-value" {
		return 0, errors.New("no such subject")
	}
	return 7, nil
}

type ran struct {
	dir        string
	engines    int
	statements []string
	properties []map[string]string
}

func (r *ran) write(t *testing.T, name, text string) string {
	t.Helper()
	if r.dir == "" {
		r.dir = t.TempDir()
	}
	path := filepath.Join(r.dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func (r *ran) run(t *testing.T, path string, change func(*testrun.Config)) ([]testrun.Result, error) {
	t.Helper()
	now := time.Unix(0, 0)
	config := testrun.Config{
		NewEngine: func(context.Context) (testrun.Engine, error) {
			r.engines++
			return recorder{&r.statements, &r.properties}, nil
		},
		LookupEnv: func(string) (string, bool) { return "", false },
		Now: func() time.Time {
			now = now.Add(time.Second)
			return now
		},
	}
	if change != nil {
		change(&config)
	}
	runner, err := testrun.New(config)
	require.NoError(t, err)
	return runner.RunFile(t.Context(), path)
}

func TestEachTestHasAnEngineOfItsOwnAndEndsAtItsFirstError(t *testing.T) {
	var r ran
	path := r.write(t, "a.sql", "-- About these.\n\n--@test: first\nONE;\n  BAD two;\nTHREE;\n--@test: second\nFOUR;\n")
	results, err := r.run(t, path, nil)
	require.NoError(t, err)
	require.Len(t, results, 2)
	assert.Equal(t, 2, r.engines)
	assert.Equal(t, []string{"\n\n\nONE;", "\n\n\n\n  BAD two;", "\n\n\n\n\n\n\nFOUR;"}, r.statements, "each where it stands in the file")
	var failure *testrun.Failure
	require.ErrorAs(t, results[0].Err, &failure)
	assert.Equal(t, testrun.Failure{File: path, Line: 5, Col: 3, Statement: "BAD two;", Err: failure.Err}, *failure)
	assert.EqualError(t, results[0].Err, path+" line 5:3: BAD two;\nit is bad\nreally")
	assert.Equal(t, testrun.Result{File: path, Name: "second", Line: 7, Took: time.Second}, results[1])
}

func TestExpectedErrors(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"the message":             {"--@expected.message: is bad\nBAD;\nLATER;", ""},
		"a message of two lines":  {`--@expected.message: bad\nreally` + "\nBAD;", ""},
		"any error":               {"--@expected.error: io.confluent.ksql.util.KsqlException\nBAD;", ""},
		"another message":         {"--@expected.message: is worse\nBAD;", "but it was expected to fail with: is worse"},
		"the statement's own":     {"--@expected.message: BAD\nBAD;", "but it was expected to fail with: BAD"},
		"no error":                {"--@expected.message: is bad\nGOOD;", "every statement succeeded, but one was expected to fail with: is bad"},
		"a text without its end":  {"GOOD", "line 2:1: this statement has no end"},
		"a variable without one":  {"GOOD ${x};", "it is not defined"},
		"an unknown file":         {"RUN SCRIPT 'none.sql';", "reading the script"},
		"a file that runs itself": {"RUN SCRIPT 'loop.sql';", "runs itself"},
	} {
		t.Run(name, func(t *testing.T) {
			var r ran
			r.write(t, "loop.sql", "RUN SCRIPT './loop.sql';")
			results, err := r.run(t, r.write(t, "a.sql", "--@test: it\n"+c.text+"\n"), nil)
			require.NoError(t, err)
			require.Len(t, results, 1)
			if c.want == "" {
				assert.NoError(t, results[0].Err)
				return
			}
			assert.ErrorContains(t, results[0].Err, c.want)
		})
	}
}

func TestScriptsBringTheirVariables(t *testing.T) {
	var r ran
	r.write(t, "lib/variables.properties", "id=schema.id:orders-value\nn=1\n")
	r.write(t, "lib/one.sql", "-- A comment.\nSET 'p' = 'q';\nA ${id} ${n};\nrun script '../two.sql';\n")
	r.write(t, "two.sql", "B ${n} ${m};\n")
	r.write(t, "variables.properties", "n=2\nm=3\n")
	path := r.write(t, "a.sql", "--@test: it\nRUN SCRIPT 'lib/one.sql';\nC ${n};\nDEFINE n = '9';\nUNSET 'p';\nD ${n};\n")
	results, err := r.run(t, path, func(c *testrun.Config) { c.Variables = map[string]string{"m": "given"} })
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	var texts []string
	for _, s := range r.statements {
		texts = append(texts, strings.TrimSpace(s))
	}
	assert.Equal(t, []string{"A 7 1;", "B 2 given;", "C 2;", "D 9;"}, texts)
	assert.Equal(t, map[string]string{"p": "q"}, r.properties[2])
	assert.Empty(t, r.properties[3])
}

func TestAFailureInAScriptNamesTheScript(t *testing.T) {
	var r ran
	inner := r.write(t, "lib/one.sql", "\n\nBAD;\n")
	results, err := r.run(t, r.write(t, "a.sql", "--@test: it\nRUN SCRIPT 'lib/one.sql';\n"), nil)
	require.NoError(t, err)
	assert.ErrorContains(t, results[0].Err, inner+" line 3:1: BAD;")
}

func TestFilesThatAreNoTests(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT 1;":                            "line 1: statements come after a line --@test: name",
		"-- Nothing.\n":                        "there is no test",
		"--@test: a\n--@test: a\n":             `line 2: the test of line 1 is also named "a"`,
		"--@test:\n":                           "line 1: expected --@test: and a text",
		"--@test: a\n--@expected.massage: x\n": "line 2: unknown directive --@expected.massage",
		"--@expected.message: x\n":             "line 1: --@expected.message comes after a line --@test: name",
	} {
		var r ran
		_, err := r.run(t, r.write(t, "a.sql", text), nil)
		assert.ErrorContains(t, err, want, text)
	}
	var r ran
	_, err := r.run(t, filepath.Join(t.TempDir(), "none.sql"), nil)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestSelectedTestsOnly(t *testing.T) {
	var r ran
	path := r.write(t, "a.sql", "--@test: one\nA;\n--@test: two\nB;\n")
	results, err := r.run(t, path, func(c *testrun.Config) { c.Select = regexp.MustCompile("tw") })
	require.NoError(t, err)
	require.Len(t, results, 1)
	assert.Equal(t, "two", results[0].Name)
}

func TestATestThatIsCutOffHasNoResult(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var r ran
	path := r.write(t, "a.sql", "--@test: one\nA;\nB;\n")
	runner, err := testrun.New(testrun.Config{NewEngine: func(context.Context) (testrun.Engine, error) {
		cancel()
		return recorder{&r.statements, &r.properties}, nil
	}})
	require.NoError(t, err)
	results, err := runner.RunFile(ctx, path)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, results)
	assert.Empty(t, r.statements)
}

func TestReports(t *testing.T) {
	var r ran
	path := r.write(t, "a.sql", "--@test: good & <fine>\nA;\n--@test: broken\nBAD;\n")
	results, err := r.run(t, path, nil)
	require.NoError(t, err)
	assert.Equal(t, 1, testrun.Failed(results))
	var text bytes.Buffer
	require.NoError(t, testrun.Print(&text, results))
	assert.Equal(t, "ok   "+path+":1 good & <fine> (1s)\nFAIL "+path+":3 broken (1s)\n     "+
		path+" line 4:1: BAD;\n     it is bad\n     really\n2 tests, 1 failed, 2s\n", text.String())

	var junit bytes.Buffer
	require.NoError(t, testrun.WriteJUnit(&junit, results))
	var read struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string `xml:"name,attr"`
				Time    string `xml:"time,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
					Text    string `xml:",chardata"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	require.NoError(t, xml.Unmarshal(junit.Bytes(), &read))
	assert.Equal(t, []int{2, 1, 1}, []int{read.Tests, read.Failures, len(read.Suites)})
	assert.Equal(t, path, read.Suites[0].Name)
	assert.Equal(t, "good & <fine>", read.Suites[0].Cases[0].Name)
	assert.Equal(t, "1.000", read.Suites[0].Cases[0].Time)
	assert.Nil(t, read.Suites[0].Cases[0].Failure)
	assert.Equal(t, "it is bad", read.Suites[0].Cases[1].Failure.Message)
	assert.Contains(t, read.Suites[0].Cases[1].Failure.Text, "line 4:1: BAD;")
}

func FuzzFiles(f *testing.F) {
	f.Add("--@test: a\nRUN SCRIPT 'a.sql';\nA ${x};")
	f.Add("--@test: a\n--@expected.message: b\n'x")
	f.Fuzz(func(t *testing.T, text string) {
		var r ran
		_, _ = r.run(t, r.write(t, "a.sql", text), nil)
	})
}

// odd is an engine that skips, fails by itself, and counts how often it is closed.
type odd struct {
	recorder
	closed *int
	close  error
}

func (o odd) Execute(_ context.Context, statement string, _ map[string]string) error {
	switch {
	case strings.Contains(statement, "CLOCK"):
		return &testrun.Skip{Reason: "it needs another clock"}
	case strings.Contains(statement, "BROKEN"):
		return &testrun.Undecided{Err: errors.New("is bad")}
	}
	return nil
}

func (o odd) Close(ctx context.Context) error {
	*o.closed++
	return errors.Join(o.close, ctx.Err())
}

func TestAnEngineMaySkipAndIsClosed(t *testing.T) {
	var r ran
	path := r.write(t, "a.sql", "--@test: runs\nGOOD;\n--@test: skips\n--@expected.message: is bad\nCLOCK;\nGOOD;\n--@test: breaks\n--@expected.message: is bad\nBROKEN;\n")
	closed := 0
	results, err := r.run(t, path, func(c *testrun.Config) {
		c.NewEngine = func(context.Context) (testrun.Engine, error) { return odd{closed: &closed}, nil }
	})
	require.NoError(t, err)
	require.Len(t, results, 3)
	assert.Equal(t, 3, closed)
	assert.Equal(t, testrun.Result{File: path, Name: "skips", Line: 3, Took: time.Second, Skipped: "it needs another clock"}, results[1])
	require.ErrorContains(t, results[2].Err, "is bad", "an engine's own failure is not the one that is expected")
	var text, junit bytes.Buffer
	require.NoError(t, testrun.Print(&text, results))
	assert.Contains(t, text.String(), "skip "+path+":3 skips (1s)\n     it needs another clock\n")
	assert.Contains(t, text.String(), "3 tests, 1 failed, 1 skipped, 3s")
	require.NoError(t, testrun.WriteJUnit(&junit, results))
	assert.Contains(t, junit.String(), `<skipped message="it needs another clock"></skipped>`)
	assert.Contains(t, junit.String(), `failures="1" errors="0" skipped="1"`)

	ctx, cancel := context.WithCancel(t.Context())
	runner, err := testrun.New(testrun.Config{NewEngine: func(context.Context) (testrun.Engine, error) {
		cancel()
		return odd{closed: &closed}, nil
	}})
	require.NoError(t, err)
	_, err = runner.RunFile(ctx, path)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 4, closed, "also when it is cut off")

	results, err = r.run(t, path, func(c *testrun.Config) {
		c.NewEngine = func(context.Context) (testrun.Engine, error) {
			return odd{closed: &closed, close: errors.New("it does not go")}, nil
		}
	})
	require.NoError(t, err)
	require.ErrorContains(t, results[0].Err, "cleaning up after the test: it does not go")
}
