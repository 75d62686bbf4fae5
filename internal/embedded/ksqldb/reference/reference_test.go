package reference_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/reference"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
)

// TestFeatures runs the example of each feature through parser, analysis and the
// building of its query. Those about the server are only parsed here.
func TestFeatures(t *testing.T) {
	for _, s := range reference.Sections() {
		for _, f := range s.Features {
			t.Run(f.Form, func(t *testing.T) {
				if f.Server {
					_, err := parser.Parse(f.Example)
					require.NoError(t, err)
					return
				}
				e, err := sqltest.New(sqltest.Options{})
				require.NoError(t, err)
				require.NoError(t, e.Check(context.Background(), reference.Setup))
				err = e.Check(context.Background(), f.Example)
				if f.Refusal == "" {
					require.NoError(t, err, f.Example)
					return
				}
				require.ErrorContains(t, err, f.Refusal, f.Example)
			})
		}
	}
}

// TestFormsAreDistinct keeps the document free of repeated lines.
func TestFormsAreDistinct(t *testing.T) {
	for _, s := range reference.Sections() {
		seen := map[string]bool{}
		for _, f := range s.Features {
			assert.False(t, seen[f.Form], "%s: %s is listed twice", s.Title, f.Form)
			seen[f.Form] = true
			assert.True(t, strings.HasSuffix(f.Example, ";"), f.Example)
		}
	}
}

// TestDocumentIsUpToDate compares the committed document with what the tables say
// now.
func TestDocumentIsUpToDate(t *testing.T) {
	const root = "../../../.."
	want, err := reference.Render(root)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(root, reference.Path))
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "%s is out of date: run go generate ./internal/embedded/ksqldb/reference", reference.Path)
}

func TestCheckResult(t *testing.T) {
	results, err := reference.Results()
	require.NoError(t, err)
	require.NotEmpty(t, results)
	r := results[0]
	require.NoError(t, reference.CheckResult(r.Area, r.Matched, r.Total))
	require.NoError(t, reference.CheckResult(r.Area, r.Matched-1, r.Total+1), "another set of cases")
	require.ErrorContains(t, reference.CheckResult(r.Area, r.Matched-1, r.Total), "results.txt")
}
