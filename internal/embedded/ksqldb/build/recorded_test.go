package build_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
)

// recordings finds the folder of a real server's answers.
func recordings(t *testing.T, area string) string {
	t.Helper()
	root := os.Getenv("ORDERFLOW_RECORDED")
	if root == "" {
		root = "../../../../../shared/recorded"
	}
	dir := filepath.Join(root, area)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no recordings in %s: set ORDERFLOW_RECORDED", dir)
	}
	return dir
}

// engine makes an engine with topics that exist beforehand.
func engine(t *testing.T, topics ...string) *sqltest.Engine {
	t.Helper()
	existing := map[string]analyze.Topic{}
	for _, name := range topics {
		existing[name] = analyze.Topic{Partitions: 1, Replicas: 1}
	}
	e, err := sqltest.New(sqltest.Options{Topics: existing})
	require.NoError(t, err)
	return e
}

func run(e *sqltest.Engine, sql string) error {
	_, err := e.Execute(context.Background(), sql)
	return err
}

// content lists the records of a topic.
func content(e *sqltest.Engine, topic string) []sqltest.Record {
	t := e.Lookup(topic)
	if t == nil {
		return nil
	}
	return t.Records
}
