package conformance

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/reference"
)

var (
	updateKnown = flag.Bool("update-known", false, "rewrite the list of known failures from this run")
	only        = flag.String("case", "", "run only cases whose key contains this text")
)

const (
	knownPath     = "testdata/known_failures.txt"
	defaultFolder = "../../../../../shared/ksqldb-conformance"
)

// folder is where the cases are; the test is skipped without them.
func folder(t *testing.T, sub string) string {
	t.Helper()
	root := os.Getenv("KSQLDB_CONFORMANCE")
	if root == "" {
		root = defaultFolder
	}
	path := filepath.Join(root, sub)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no cases at %s: set KSQLDB_CONFORMANCE to the folder that has %s", path, sub)
	}
	return path
}

// summary are the lines that the tests close with, whatever their outcome.
var summary []string

func TestMain(m *testing.M) {
	code := m.Run()
	for _, line := range summary {
		fmt.Println(line)
	}
	os.Exit(code)
}

// load reads the cases of a folder, those that are asked for.
func load(t *testing.T, path string) []Case {
	t.Helper()
	cases, err := Load(path)
	require.NoError(t, err)
	return slices.DeleteFunc(cases, func(c Case) bool { return !strings.Contains(c.Key(), *only) })
}

// TestQTT runs the query-validation-tests. A case that fails must be on the list
// of known failures, and one on the list must fail.
func TestQTT(t *testing.T) {
	path := folder(t, "query-validation-tests")
	cases := load(t, path)
	known, err := LoadKnown(knownPath)
	require.NoError(t, err)
	functions, err := TestFunctions()
	require.NoError(t, err)
	runner := &Runner{Functions: functions, Limit: 20 * time.Second}

	results := make([]error, len(cases))
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				results[i] = runner.Run(cases[i])
			}
		})
	}
	for i := range cases {
		next <- i
	}
	close(next)
	wg.Wait()

	passed, language, languagePassed := 0, 0, 0
	failures := Known{}
	for i, c := range cases {
		if c.IsLanguage() {
			language++
		}
		if results[i] == nil {
			passed++
			if c.IsLanguage() {
				languagePassed++
			}
		} else {
			failures[c.Key()] = Reason(results[i])
			if reason, ok := known[c.Key()]; ok {
				failures[c.Key()] = reason
			}
		}
	}
	summary = append(summary,
		fmt.Sprintf("qtt: %d of %d passed", passed, len(cases)),
		fmt.Sprintf("qtt-language: %d of %d passed", languagePassed, language))
	if *updateKnown {
		require.NoError(t, failures.Save(knownPath))
		return
	}
	assert.NoError(t, reference.CheckResult("qtt", passed, len(cases)))
	assert.NoError(t, reference.CheckResult("qtt-language", languagePassed, language))
	for i, c := range cases {
		t.Run(c.Key(), func(t *testing.T) { report(t, c, results[i], known) })
	}
}

// report fails for a new failure and for a case that passes against the list.
func report(t *testing.T, c Case, err error, known Known) {
	reason, isKnown := known[c.Key()]
	switch {
	case err == nil && isKnown:
		t.Errorf("passes, but is on the list of known failures (%s): take it off with -update-known", reason)
	case err != nil && !isKnown:
		t.Error(err)
		var p *PanicError
		if errors.As(err, &p) && testing.Verbose() {
			t.Log(p.Stack)
		}
	}
}
