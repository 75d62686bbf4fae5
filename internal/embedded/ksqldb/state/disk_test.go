package state

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func openDB(t *testing.T, dir string) *DB {
	t.Helper()
	db, err := OpenDB(DiskConfig{Dir: dir})
	require.NoError(t, err)
	return db
}

func content(t *testing.T, stores Stores, name string) []string {
	t.Helper()
	store, err := stores.Store(name)
	require.NoError(t, err)
	var got []string
	require.NoError(t, store.Scan(nil, nil, func(k, v []byte) bool {
		got = append(got, string(k)+"="+string(v))
		return true
	}))
	return got
}

func TestOnlyCommittedStateSurvives(t *testing.T) {
	dir := t.TempDir()
	id := TaskID{Query: "CTAS_X_1", Sub: 1, Partition: 3}
	db := openDB(t, dir)
	task := db.Task(id)
	store, err := task.Store("rows")
	require.NoError(t, err)
	require.NoError(t, store.Put([]byte("a"), []byte("1")))
	require.NoError(t, store.Put([]byte("b"), []byte("2")))
	commit := &Commit{
		Positions: map[string]int64{"orders.v1": 7, "customers": 3},
		TopicIDs:  map[string][16]byte{"orders.v1": {1, 2, 15: 16}},
		NextSeq:   9,
		Bounds:    []Bound{{Topic: "out", Partition: 2, Offset: 40}},
		Outbox: []Pending{{Seq: 8, Topic: "out", Partition: 2, Key: []byte{}, Value: nil, Time: -1,
			Headers: []types.Header{{Key: "h", Value: []byte("x")}}}},
	}
	require.NoError(t, task.Commit(commit))
	require.NoError(t, store.Put([]byte("c"), []byte("3")))
	require.NoError(t, store.Delete([]byte("a")))
	require.Equal(t, []string{"b=2", "c=3"}, content(t, task, "rows"))
	require.Equal(t, []string{"a=1", "b=2"}, content(t, db.Committed(id), "rows"))
	require.NoError(t, task.Close())
	require.NoError(t, db.Close())

	db = openDB(t, dir)
	task = db.Task(id)
	last, err := task.Last()
	require.NoError(t, err)
	require.Equal(t, commit, last)
	require.Equal(t, []string{"a=1", "b=2"}, content(t, task, "rows"))
	require.NoError(t, task.Close())
	require.NoError(t, db.Close())
}

func TestTasksAndStoresDoNotSeeEachOther(t *testing.T) {
	db := openDB(t, t.TempDir())
	for _, query := range []string{"Q_1", "Q_10"} {
		for partition := range int32(2) {
			task := db.Task(TaskID{Query: query, Partition: partition})
			for _, name := range []string{"s", "s2"} {
				store, err := task.Store(name)
				require.NoError(t, err)
				require.NoError(t, store.Put([]byte("k"), fmt.Appendf(nil, "%s/%d/%s", query, partition, name)))
				require.NoError(t, store.Put([]byte{0xff}, []byte("high")))
			}
			require.NoError(t, task.Commit(&Commit{Positions: map[string]int64{}}))
			require.NoError(t, task.Close())
		}
	}
	require.Equal(t, []string{"k=Q_1/1/s", "\xff=high"}, content(t, db.Committed(TaskID{Query: "Q_1", Partition: 1}), "s"))
	queries, err := db.Queries()
	require.NoError(t, err)
	require.Equal(t, []string{"Q_1", "Q_10"}, queries)

	require.NoError(t, db.DropQuery("Q_1"))
	queries, err = db.Queries()
	require.NoError(t, err)
	require.Equal(t, []string{"Q_10"}, queries)
	require.Equal(t, []string{"k=Q_10/0/s2", "\xff=high"}, content(t, db.Committed(TaskID{Query: "Q_10"}), "s2"))
	require.NoError(t, db.Close())
}

func TestScansKeepToTheirBounds(t *testing.T) {
	db := openDB(t, t.TempDir())
	task := db.Task(TaskID{Query: "Q"})
	store, err := task.Store("s")
	require.NoError(t, err)
	memory, err := NewMemory().Store("s")
	require.NoError(t, err)
	for _, s := range []Store{store, memory} {
		for _, k := range []string{"a", "b", "ba", "c"} {
			require.NoError(t, s.Put([]byte(k), nil))
		}
	}
	for _, bounds := range [][2][]byte{{nil, nil}, {[]byte("b"), nil}, {nil, []byte("b")}, {[]byte("b"), []byte("c")}, {[]byte("x"), nil}} {
		var onDisk, inMemory, descending []string
		require.NoError(t, store.Scan(bounds[0], bounds[1], func(k, _ []byte) bool { onDisk = append(onDisk, string(k)); return true }))
		require.NoError(t, memory.Scan(bounds[0], bounds[1], func(k, _ []byte) bool { inMemory = append(inMemory, string(k)); return true }))
		require.Equal(t, inMemory, onDisk, "%q", bounds)
		require.NoError(t, store.ScanDescending(bounds[0], bounds[1], func(k, _ []byte) bool {
			descending = append([]string{string(k)}, descending...)
			return true
		}))
		require.Equal(t, inMemory, descending, "%q", bounds)
	}
	require.NoError(t, task.Close())
	require.NoError(t, db.Close())
}

func TestReadersCannotWrite(t *testing.T) {
	db := openDB(t, t.TempDir())
	store, err := db.Committed(TaskID{Query: "Q"}).Store("s")
	require.NoError(t, err)
	require.Error(t, store.Put([]byte("k"), nil))
	require.Error(t, store.Delete([]byte("k")))
	require.NoError(t, db.Close())
}

func TestACommitOfTheFirstVersionIsRead(t *testing.T) {
	first := []byte{1, 1, 1, 't', 14, 5, 0, 0}
	c, err := parseCommit(first)
	require.NoError(t, err)
	require.Equal(t, &Commit{Positions: map[string]int64{"t": 7}, NextSeq: 5}, c)
	first[0] = commitVersion + 1
	_, err = parseCommit(first)
	require.ErrorContains(t, err, "its version is not between 1 and 2")
}

func FuzzParseCommit(f *testing.F) {
	f.Add((&Commit{Positions: map[string]int64{"t": 1}, NextSeq: 3, Outbox: []Pending{{Topic: "o", Key: []byte("k")}}}).append(nil))
	f.Add(append([]byte{1}, (&Commit{Positions: map[string]int64{"t": 1}}).append(nil)[1:]...))
	f.Add((&Commit{Positions: map[string]int64{"t": 1}, TopicIDs: map[string][16]byte{"t": {7}}}).append(nil))
	f.Add([]byte{commitVersion, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseCommit(data)
		if err != nil {
			return
		}
		again, err := parseCommit(c.append(nil))
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}

func TestAVersionThatWasCutOffIsWrittenAgain(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "format"), nil, 0o600))
	for range 2 {
		db, err := OpenDB(DiskConfig{Dir: dir, Sync: true})
		require.NoError(t, err)
		require.NoError(t, db.Close())
	}
	content, err := os.ReadFile(filepath.Join(dir, "format"))
	require.NoError(t, err)
	require.Equal(t, "1\n", string(content))
}
