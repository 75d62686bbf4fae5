package parser

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

// withDefaults adds to a tree what Format adds to its text.
func withDefaults(n ast.Node) {
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AliasedSource:
			if n.Alias == nil {
				n.Alias = n.Name
			}
		case *ast.CreateAsSelect:
			emitChanges(n.Query)
		case *ast.InsertInto:
			emitChanges(n.Query)
		}
		return true
	})
}

func emitChanges(q *ast.Query) {
	if q.Emit == ast.EmitUnspecified {
		q.Emit = ast.EmitChanges
	}
}

// requireRoundTrip checks that the formatted text of each statement reads as the
// same tree, and is formatted as the same text again.
func requireRoundTrip(t testing.TB, statements []ast.Statement) {
	t.Helper()
	for _, s := range statements {
		text := ast.Format(s)
		again, err := ParseTest(text)
		require.NoError(t, err, "formatted from %s:\n%s", s.Text(), text)
		require.Len(t, again, 1, text)
		withDefaults(s)
		require.True(t, sameStatement(s, again[0]), "%s\nis not the same as\n%s", s.Text(), text)
		require.Equal(t, text, ast.Format(again[0]))
	}
}

// sameStatement is ast.Same, for which the order of properties does not matter.
func sameStatement(a, b ast.Statement) bool {
	sortProperties(a)
	sortProperties(b)
	return ast.Same(a, b)
}

// corpus returns SQL texts from the folders of recordings and conformance cases.
func corpus(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	add := func(name, sql string) {
		sql = strings.ReplaceAll(sql, "{FORMAT}", "JSON")
		if !strings.HasSuffix(strings.TrimSpace(sql), ";") {
			sql += ";"
		}
		out[name] = sql
	}
	if dir, ok := find("KSQLDB_CONFORMANCE", "ksqldb-conformance"); ok {
		files, err := filepath.Glob(filepath.Join(dir, "*-tests", "*.json"))
		require.NoError(t, err)
		for _, file := range files {
			for _, c := range conformanceCases(t, file) {
				for _, s := range c.Statements {
					add(filepath.Base(file)+": "+c.Name+": "+s, s)
				}
			}
		}
	}
	if dir, ok := find("ORDERFLOW_RECORDED", "recorded"); ok {
		files, err := filepath.Glob(filepath.Join(dir, "pipeline", "*.sql"))
		require.NoError(t, err)
		tried, err := filepath.Glob(filepath.Join(dir, "..", "migrations-tried", "*.sql"))
		require.NoError(t, err)
		for _, file := range append(files, tried...) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			add(file, string(text))
		}
	}
	for _, sql := range samples {
		add(sql, sql)
	}
	return out
}

type conformanceCase struct {
	Name              string
	Statements        []string
	ExpectedException *struct{ Type, Message string }
	ExpectedError     *struct{ Type, Message string }
}

func conformanceCases(t testing.TB, file string) []conformanceCase {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var content struct{ Tests []conformanceCase }
	require.NoError(t, json.Unmarshal(text, &content), file)
	return content.Tests
}

func TestFormatReadsAsTheSameTree(t *testing.T) {
	n := 0
	for name, sql := range corpus(t) {
		statements, err := ParseTest(sql)
		if err != nil {
			continue
		}
		n += len(statements)
		if !t.Run(name, func(t *testing.T) { requireRoundTrip(t, statements) }) {
			break
		}
	}
	assert.NotZero(t, n)
	t.Logf("%d statements", n)
}

// parseFailure returns the message with which the last statement of a case must
// not get past the parser, if that is what the case expects.
func parseFailure(c conformanceCase) (message string, expected bool) {
	e := c.ExpectedException
	if e == nil {
		e = c.ExpectedError
	}
	if e == nil {
		return "", false
	}
	return e.Message, strings.Contains(e.Type, "ParseFailedException") || ours.MatchString(e.Message)
}

func TestConformanceStatements(t *testing.T) {
	dir := folder(t, "KSQLDB_CONFORMANCE", "ksqldb-conformance")
	files, err := filepath.Glob(filepath.Join(dir, "*-tests", "*.json"))
	require.NoError(t, err)
	parsed, refused := 0, 0
	for _, file := range files {
		for _, c := range conformanceCases(t, file) {
			message, fails := parseFailure(c)
			sql := strings.ReplaceAll(strings.Join(c.Statements, "\n"), "{FORMAT}", "JSON")
			if !strings.HasSuffix(strings.TrimSpace(sql), ";") {
				sql += ";"
			}
			_, err := Parse(sql)
			switch {
			case err == nil && fails:
				t.Logf("not refused by the parser: %s: %s: %s", filepath.Base(file), c.Name, message)
			case err == nil:
				parsed++
			case fails:
				refused++
				var e *Error
				require.ErrorAs(t, err, &e)
				message, _, _ = strings.Cut(message, "\nStatement: ")
				if strings.Contains(file, "rest-query") {
					_, err = Parse(c.Statements[len(c.Statements)-1])
					require.ErrorAs(t, err, &e)
				}
				assert.Contains(t, e.Message, message, "%s: %s", filepath.Base(file), c.Name)
			default:
				assert.NoError(t, err, "%s: %s: %s", filepath.Base(file), c.Name, sql)
			}
		}
	}
	t.Logf("%d cases parsed, %d refused as expected", parsed, refused)
}

func sortProperties(s ast.Statement) {
	switch s := s.(type) {
	case *ast.CreateSource:
		s.With = sorted(s.With)
	case *ast.CreateAsSelect:
		s.With = sorted(s.With)
	case *ast.InsertInto:
		s.With = sorted(s.With)
	case *ast.CreateConnector:
		s.With = sorted(s.With)
	case *ast.AssertTopic:
		s.With = sorted(s.With)
	case *ast.AssertSource:
		s.With = sorted(s.With)
	case *ast.Explain:
		if s.Statement != nil {
			sortProperties(s.Statement)
		}
	}
}

func sorted(props []*ast.Property) []*ast.Property {
	props = slices.Clone(props)
	slices.SortStableFunc(props, func(a, b *ast.Property) int { return strings.Compare(a.Name, b.Name) })
	return props
}
