package runtime

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// scaleVariable holds the number of keys of TestALargeTableStartsAgainAtOnce.
const scaleVariable = "KSQLDB_SCALE_KEYS"

// maxResident is how much memory a process with a large table may take.
const maxResident = 300 << 20

// A table of millions of keys is served again within seconds after a restart, in
// bounded memory. The state is written as the query would have left it.
func TestALargeTableStartsAgainAtOnce(t *testing.T) {
	keys, err := strconv.Atoi(os.Getenv(scaleVariable))
	if err != nil {
		t.Skipf("set %s to a number of keys, such as 5000000", scaleVariable)
	}
	w := newWorld(t)
	q := w.run("CREATE TABLE c WITH (KAFKA_TOPIC='out') AS SELECT id, COUNT(*) AS n, LATEST_BY_OFFSET(v) AS v FROM s GROUP BY id;")
	top := w.topology(q.Plan, q.ID)
	spec := Spec{QueryID: q.ID, Topology: top, OffsetReset: "earliest"}
	dir := t.TempDir()
	rt, stop := w.openRuntime(dir)
	w.produce("in", "first")
	require.NoError(t, rt.Start(t.Context(), spec))
	w.eventually("the query has state", func() bool { return len(w.content("out")) == 1 })
	stop()
	key := func(i int) string { return fmt.Sprintf("order-%09d", i) }
	value := strings.Repeat("v", 60)
	fillTable(t, dir, top.Materialization.Store, top.Materialization.Schema, state.TaskID{Query: q.ID, Sub: top.Materialization.Sub}, keys, key, value)

	began := time.Now()
	rt, _ = w.openRuntime(dir)
	require.NoError(t, rt.Start(t.Context(), spec))
	table, err := rt.Table(q.ID)
	require.NoError(t, err)
	get := func(i int) {
		row, err := table.Get([]types.Value{types.StringValue(key(i))})
		require.NoError(t, err)
		require.NotNil(t, row, key(i))
		require.Equal(t, value, row.Value[1].Str())
	}
	get(keys / 2)
	t.Logf("%d keys: first row %v after the start", keys, time.Since(began))
	require.Less(t, time.Since(began), 10*time.Second)

	took := make([]time.Duration, 100_000)
	for i := range took {
		at := time.Now()
		get(rand.IntN(keys))
		took[i] = time.Since(at)
	}
	slices.Sort(took)
	seen := 0
	at := time.Now()
	require.NoError(t, table.Scan(nil, nil, func(*types.Row) bool { seen++; return true }))
	require.Equal(t, keys+1, seen)
	t.Logf("look-ups: p50 %v, p99 %v, max %v; a scan of all: %v; resident: %d MB",
		took[len(took)/2], took[len(took)*99/100], took[len(took)-1], time.Since(at), resident(t)>>20)
	require.Less(t, resident(t), int64(maxResident))
}

// fillTable writes rows into the stores of a stopped query's tasks.
func fillTable(t *testing.T, dir, store string, schema *types.Schema, id state.TaskID, keys int, key func(int) string, value string) {
	t.Helper()
	db, err := state.OpenDB(state.DiskConfig{Dir: dir})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var columns []*types.Type
	for _, c := range schema.Value {
		columns = append(columns, c.Type)
	}
	partitioner := task.NewPartitioner()
	tasks, stores := make([]*state.TaskState, 4), make([]state.Store, 4)
	for p := range tasks {
		id.Partition = int32(p)
		tasks[p] = db.Task(id)
		stores[p], err = tasks[p].Store(store)
		require.NoError(t, err)
	}
	var row []byte
	for i := range keys {
		k := key(i)
		row = codec.AppendRow(row[:0], int64(i), columns, []types.Value{types.IntValue(1), types.StringValue(value)})
		require.NoError(t, stores[partitioner.Partition([]byte(k), 0, 4)].Put([]byte(k), row))
		if i%10_000 != 9_999 && i != keys-1 {
			continue
		}
		for _, task := range tasks {
			last, err := task.Last()
			require.NoError(t, err)
			require.NoError(t, task.Commit(last))
		}
	}
	for _, task := range tasks {
		require.NoError(t, task.Close())
	}
}

// resident is how much memory the process has.
func resident(t *testing.T) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("the memory of a process is known on Linux only")
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			require.NoError(t, err)
			return kb << 10
		}
	}
	require.Fail(t, "no resident memory in /proc/self/status")
	return 0
}
