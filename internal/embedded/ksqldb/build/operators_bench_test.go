package build_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/build"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
)

// BenchmarkOperators runs queries with state from record bytes to record bytes.
func BenchmarkOperators(b *testing.B) {
	for _, format := range []string{"JSON", "AVRO"} {
		for _, c := range []struct {
			name, query string
			keys, step  int64
		}{
			{"join", "CREATE STREAM O AS SELECT S.ID AS ID, A, B, W FROM S LEFT JOIN T ON S.ID = T.ID;", 1000, 1},
			{"tumbling count", "CREATE TABLE O AS SELECT ID, COUNT(*) AS N FROM S WINDOW TUMBLING (SIZE 30 SECONDS, RETENTION 90 SECONDS, GRACE PERIOD 60 SECONDS) GROUP BY ID;", 100_000, 1},
			{"session sum", "CREATE TABLE O AS SELECT ID, SUM(A) AS N FROM S WINDOW SESSION (1 HOUR) GROUP BY ID;", 10_000, 10},
		} {
			b.Run(c.name+"/"+format, func(b *testing.B) { benchmarkKeys(b, format, c.query, c.keys, c.step) })
		}
	}
}

func benchmarkKeys(b *testing.B, format, query string, keys, step int64) {
	ctx := context.Background()
	reg := &registry.Memory{}
	e, err := sqltest.New(sqltest.Options{Registry: reg})
	require.NoError(b, err)
	with := func(topic string) string {
		return fmt.Sprintf(" WITH (KAFKA_TOPIC='%s', PARTITIONS=1, KEY_FORMAT='KAFKA', VALUE_FORMAT='%s');", topic, format)
	}
	inserted, err := e.Execute(ctx, strings.Join([]string{
		"CREATE STREAM S (ID BIGINT KEY, A BIGINT, B STRING)" + with("s"),
		"CREATE TABLE T (ID BIGINT PRIMARY KEY, W STRING)" + with("t"),
		"INSERT INTO S VALUES (1, 1, 'text'); INSERT INTO T VALUES (1, 'wide');", query,
	}, ""))
	require.NoError(b, err)
	functions, err := function.Builtin(function.Options{})
	require.NoError(b, err)
	topology, err := build.Build(ctx, e.Queries[0].Plan, build.Options{ApplicationID: "bench", Functions: functions, Registry: reg})
	require.NoError(b, err)
	task, err := topology.Subs[0].NewTask(exec.TaskEnv{
		Stores: state.NewMemory(), Emit: func(exec.Output) {}, Problem: func(p exec.ProcessingError) { b.Fatal(p.Message) },
	})
	require.NoError(b, err)
	key := make([]byte, 8)
	send := func(r exec.InRecord, id int64) {
		for i := range key {
			key[i] = byte(id >> (56 - 8*i))
		}
		r.Key = key
		if err := task.Process(r); err != nil {
			b.Fatal(err)
		}
	}
	stream, table := inserted[0].Record, inserted[1].Record
	if len(topology.Subs[0].Sources) == 2 {
		for id := range keys {
			send(exec.InRecord{Topic: "t", Value: table.Value}, id)
		}
	}
	b.ReportAllocs()
	rows, started := int64(0), processorTime(b)
	for b.Loop() {
		send(exec.InRecord{Topic: "s", Value: stream.Value, Offset: rows, Time: 1_700_000_000_000 + rows*step}, rows*7919%keys)
		rows++
	}
	b.ReportMetric(float64(rows)/(processorTime(b)-started).Seconds(), "rows/cpu-s")
}

// processorTime is what the process has used of the processor: unlike the clock,
// it is the same on a busy machine.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
