package build_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/ksql/testrun"
)

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	runner, err := testrun.New(testrun.Config{NewEngine: func(context.Context) (testrun.Engine, error) { return sqltest.NewSession(sqltest.Options{}) }})
	require.NoError(t, err)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			results, err := runner.RunFile(t.Context(), f)
			require.NoError(t, err)
			for _, r := range results {
				t.Run(r.Name, func(t *testing.T) { assert.NoError(t, r.Err) })
			}
		})
	}
}
