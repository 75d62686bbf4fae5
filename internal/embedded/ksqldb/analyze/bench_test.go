package analyze_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
)

// BenchmarkPull plans the pull query that a GET of an order is.
func BenchmarkPull(b *testing.B) {
	s := newServer(b)
	_, err := s.Execute(context.Background(), `CREATE SOURCE TABLE orders (id STRING PRIMARY KEY, customerid BIGINT, state STRING,
		product STRING, quantity INT, price DOUBLE) WITH (kafka_topic='orders', value_format='AVRO', partitions=4);`)
	require.NoError(b, err)
	a := s.analyzer(b)
	b.ReportAllocs()
	for b.Loop() {
		stmts, err := parser.Parse("SELECT * FROM orders WHERE id = 'order-1';")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.Pull(context.Background(), stmts[0].(*ast.Query)); err != nil {
			b.Fatal(err)
		}
	}
}
