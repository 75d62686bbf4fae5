package build_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/build"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
)

// BenchmarkFilterAndProject takes records of ten columns through a persistent
// query, from the bytes of the source to those of the sink.
func BenchmarkFilterAndProject(b *testing.B) {
	const projection = `SELECT ID, UCASE(PRODUCT) AS PRODUCT, QUANTITY * PRICE AS TOTAL, QUANTITY + 1 AS NEXT, STATE, CUSTOMER,
		CASE WHEN QUANTITY > 2 THEN 'many' ELSE 'few' END AS AMOUNT, MADE, NOTE, PAID FROM S WHERE STATE = 'CREATED' AND QUANTITY > 0;`
	for _, name := range []string{"JSON", "AVRO"} {
		b.Run(name, func(b *testing.B) {
			b.Run("computed", func(b *testing.B) { benchmarkQuery(b, name, "CREATE STREAM O AS "+projection, 1) })
			b.Run("as it is", func(b *testing.B) {
				benchmarkQuery(b, name, "CREATE STREAM O AS SELECT * FROM S WHERE QUANTITY > 0;", 1)
			})
			b.Run("filtered out", func(b *testing.B) {
				benchmarkQuery(b, name, "CREATE STREAM O AS SELECT * FROM S WHERE QUANTITY > 99;", 0)
			})
		})
	}
}

// benchmarkQuery runs one record through a query again and again. The query
// writes so many records for it.
func benchmarkQuery(b *testing.B, valueFormat, query string, writes int) {
	ctx := context.Background()
	reg := &registry.Memory{}
	e, err := sqltest.New(sqltest.Options{Registry: reg})
	require.NoError(b, err)
	inserted, err := e.Execute(ctx, `CREATE STREAM S (ID STRING KEY, CUSTOMER BIGINT, STATE STRING, PRODUCT STRING, QUANTITY INT, PRICE DOUBLE,
			AMOUNT DECIMAL(10, 2), MADE TIMESTAMP, PAID BOOLEAN, NOTE STRING) WITH (KAFKA_TOPIC='s', PARTITIONS=1, VALUE_FORMAT='`+valueFormat+`');
		INSERT INTO S VALUES ('order-0001-4711', 123456789, 'CREATED', 'underpants', 3, 5.25, 1234.50, '2024-03-01T12:00:00', true, NULL);`+query)
	require.NoError(b, err)
	functions, err := function.Builtin(function.Options{})
	require.NoError(b, err)
	topology, err := build.Build(ctx, e.Queries[0].Plan, build.Options{ApplicationID: "bench", Functions: functions, Registry: reg})
	require.NoError(b, err)
	emitted := 0
	task, err := topology.Subs[0].NewTask(exec.TaskEnv{
		Stores: state.NewMemory(), Emit: func(exec.Output) { emitted++ }, Problem: func(p exec.ProcessingError) { b.Fatal(p.Message) },
	})
	require.NoError(b, err)
	record := exec.InRecord{Topic: "s", Key: inserted[0].Record.Key, Value: inserted[0].Record.Value, Time: inserted[0].Record.Time}
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		record.Offset++
		rows++
		if err := task.Process(record); err != nil {
			b.Fatal(err)
		}
	}
	require.Equal(b, rows*writes, emitted)
}
