package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
)

// shape is a kind of query whose outputs are known but for the interleaving of
// partitions, and how they are compared.
type shape struct {
	sql string
	// live says that records may arrive while the query runs: it reads one topic.
	live bool
	// compare takes from a partition's records what must be the same.
	compare func(records []*kgo.Record) []string
}

// inOrder: each key has the same records in the same order.
func inOrder(records []*kgo.Record) []string {
	return perKey(records, func(r *kgo.Record) string { return fmt.Sprintf("%q %s @%d", r.Key, r.Value, r.Timestamp.UnixMilli()) })
}

// valuesInOrder: each key has the same values in the same order. The times of
// groups depend on how their rows from several partitions interleave.
func valuesInOrder(records []*kgo.Record) []string {
	return perKey(records, func(r *kgo.Record) string { return fmt.Sprintf("%q %s", r.Key, r.Value) })
}

func perKey(records []*kgo.Record, line func(*kgo.Record) string) []string {
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return bytes.Compare(a.Key, b.Key) })
	lines := make([]string, len(records))
	for i, r := range records {
		lines[i] = line(r)
	}
	return lines
}

// asSet: each partition holds the same records.
func asSet(records []*kgo.Record) []string {
	lines := inOrder(records)
	slices.Sort(lines)
	return lines
}

func randomShape(rnd *rand.Rand) shape {
	k := rnd.IntN(5) + 2
	sink := "WITH (KAFKA_TOPIC='out')"
	shapes := []shape{
		{fmt.Sprintf("CREATE STREAM o %s AS SELECT id, UCASE(v) AS v, n * %d AS n FROM s WHERE n %% %d <> 0;", sink, k, k), true, inOrder},
		{fmt.Sprintf("CREATE STREAM o %s AS SELECT id, EXPLODE(ARRAY[v, 'x', CAST(n AS STRING)]) AS e FROM s;", sink), true, inOrder},
		{fmt.Sprintf("CREATE TABLE o %s AS SELECT id, COUNT(*) AS c, SUM(n) AS t FROM s GROUP BY id;", sink), true, inOrder},
		{fmt.Sprintf("CREATE TABLE o %s AS SELECT id, COUNT(*) AS c FROM s WINDOW TUMBLING (SIZE %d SECONDS, GRACE PERIOD 2 SECONDS) GROUP BY id;", sink, k), true, inOrder},
		{fmt.Sprintf("CREATE TABLE o %s AS SELECT id, SUM(n) AS c FROM s WINDOW HOPPING (SIZE %d SECONDS, ADVANCE BY 1 SECONDS, GRACE PERIOD 0 SECONDS) GROUP BY id EMIT FINAL;", sink, k), true, inOrder},
		{fmt.Sprintf("CREATE TABLE o %s AS SELECT id, SUM(n) AS c FROM s WINDOW SESSION (%d SECONDS) GROUP BY id;", sink, k), true, inOrder},
		{fmt.Sprintf("CREATE STREAM o %s AS SELECT s.id AS id, n, w FROM s LEFT JOIN t ON s.id = t.id;", sink), false, inOrder},
		{fmt.Sprintf("CREATE STREAM o %s AS SELECT s.id AS id, n, m FROM s LEFT JOIN s2 WITHIN %d SECONDS GRACE PERIOD 1 SECONDS ON s.id = s2.id;", sink, k), false, inOrder},
		{fmt.Sprintf("CREATE TABLE o %s AS SELECT v, COUNT(*) AS c FROM s GROUP BY v;", sink), true, valuesInOrder},
		{fmt.Sprintf("CREATE TABLE o WITH (KAFKA_TOPIC='out', KEY_FORMAT='JSON') AS SELECT n %% %d AS g, v, COUNT(*) AS c FROM s WINDOW TUMBLING (SIZE 5 SECONDS, GRACE PERIOD 1000 SECONDS) GROUP BY n %% %d, v;", k, k), true, valuesInOrder},
		{fmt.Sprintf("CREATE STREAM o %s AS SELECT * FROM s WHERE n %% %d <> 1 PARTITION BY v;", sink, k), true, asSet},
	}
	return shapes[rnd.IntN(len(shapes))]
}

// input is what a run gets: the same records for every run of a seed.
type input struct{ topics map[string][]*kgo.Record }

func randomInput(rnd *rand.Rand) input {
	in := input{map[string][]*kgo.Record{}}
	millis := int64(1_700_000_000_000)
	for i := range 120 {
		millis += rnd.Int64N(900) + 1
		late := int64(0)
		if rnd.IntN(6) == 0 {
			late = rnd.Int64N(8000)
		}
		topic, value := "in", fmt.Sprintf(`{"V":"%c","N":%d}`, 'a'+rnd.IntN(4), i)
		if rnd.IntN(4) == 0 {
			topic, value = "in2", fmt.Sprintf(`{"W":"w%d","M":%d}`, i, i)
		}
		if rnd.IntN(20) == 0 {
			value = "{broken"
		}
		id := rnd.IntN(8)
		in.topics[topic] = append(in.topics[topic], &kgo.Record{
			Topic: topic, Partition: int32(id % 4), Key: fmt.Appendf(nil, "k%d", id), Value: []byte(value), Timestamp: time.UnixMilli(millis - late),
		})
	}
	return in
}

func (w *world) send(client *kgo.Client, records []*kgo.Record) {
	w.t.Helper()
	for _, r := range records {
		copied := *r
		require.NoError(w.t, client.ProduceSync(w.t.Context(), &copied).FirstErr())
	}
}

var errCrash = errors.New("crashed by the test")

// crasher fails tasks at random points, and now and then the whole engine.
type crasher struct {
	mu    sync.Mutex
	rnd   *rand.Rand
	left  int
	dead  atomic.Bool
	fatal chan struct{} // gets one when the engine is to be started anew
}

func (c *crasher) fault(task.Point) (int, error) {
	if c.dead.Load() {
		return 0, errCrash
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 || c.rnd.IntN(8) != 0 {
		return 0, nil
	}
	c.left--
	if c.rnd.IntN(2) == 0 {
		c.dead.Store(true)
		c.fatal <- struct{}{}
	}
	return c.rnd.IntN(4), errCrash
}

// outcome runs a shape over an input and gives what lies in the sink's
// partitions. With crashes, the engine is started anew after each that takes all
// of it.
func outcome(t *testing.T, sh shape, in input, mode OutputMode, rnd *rand.Rand, crashes int, enough func(map[int32][]string) bool) map[int32][]string {
	w := newWorld(t)
	w.run("CREATE STREAM s2 (id STRING KEY, m BIGINT) WITH (KAFKA_TOPIC='in2', VALUE_FORMAT='JSON');")
	w.run("CREATE TABLE t (id STRING PRIMARY KEY, w STRING) WITH (KAFKA_TOPIC='in2', VALUE_FORMAT='JSON');")
	q := w.run(sh.sql)
	top := w.topology(q.Plan, q.ID)
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer client.Close()
	w.send(client, in.topics["in2"])
	first := len(in.topics["in"])
	if sh.live {
		first = rnd.IntN(first)
	}
	w.send(client, in.topics["in"][:first])

	c := &crasher{rnd: rnd, left: crashes, fatal: make(chan struct{}, 1)}
	dir := t.TempDir()
	start := func() func() {
		db, err := state.OpenDB(state.DiskConfig{Dir: dir})
		require.NoError(t, err)
		rt, err := New(Config{Brokers: w.brokers, State: db, ServiceID: "default_", Outputs: mode, RetryBackoff: time.Millisecond, MaxRetryBackoff: time.Millisecond})
		require.NoError(t, err)
		rt.batch, rt.fault = rnd.IntN(12)+1, c.fault
		err = rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: top, OffsetReset: "earliest", Retry: true})
		require.NoError(t, err)
		return func() { rt.Close(); require.NoError(t, db.Close()) }
	}
	stop := start()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		w.send(client, in.topics["in"][first:])
	}()
	partitions := func() map[int32][]string {
		records := map[int32][]*kgo.Record{}
		for _, r := range w.content("out") {
			records[r.Partition] = append(records[r.Partition], r)
		}
		lines := map[int32][]string{}
		for p := range records {
			lines[p] = sh.compare(records[p])
		}
		return lines
	}
	for deadline := time.Now().Add(waitFor); !enough(partitions()) && time.Now().Before(deadline); {
		select {
		case <-c.fatal:
			stop()
			c.dead.Store(false)
			stop = start()
		case <-time.After(5 * time.Millisecond):
		}
	}
	<-sent
	c.mu.Lock()
	c.left = 0
	c.mu.Unlock()
	stop()
	return partitions()
}

func total(lines map[int32][]string) int {
	n := 0
	for _, l := range lines {
		n += len(l)
	}
	return n
}

// However often tasks or the whole engine die, and wherever, the sink holds what
// it would hold without.
func TestCrashesNeitherLoseNorRepeatNorChangeOutputs(t *testing.T) {
	for seed := range uint64(crashSeeds) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		sh, in := randomShape(rnd), randomInput(rnd)
		mode := Sequence
		if seed%3 == 0 {
			mode = Transaction
		}
		t.Run(fmt.Sprintf("%d %s %s", seed, strings.Fields(sh.sql)[1], mode), func(t *testing.T) {
			t.Parallel()
			settled, last := 0, -1
			want := outcome(t, sh, in, Sequence, rand.New(rand.NewPCG(seed, 2)), 0, func(got map[int32][]string) bool {
				if n := total(got); n != last {
					settled, last = 0, n
				}
				settled++
				return settled > 60
			})
			require.NotEmpty(t, want)
			got := outcome(t, sh, in, mode, rand.New(rand.NewPCG(seed, 3)), 10, func(got map[int32][]string) bool { return total(got) >= total(want) })
			require.Equal(t, want, got, "%s", sh.sql)
		})
	}
}

// crashSeeds is how many random queries are tried.
const crashSeeds = 12
