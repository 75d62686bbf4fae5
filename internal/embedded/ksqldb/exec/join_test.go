package exec_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// joinOf joins l and r, both with the columns A and B, and shows A of both.
func joinOf(t testing.TB, kind exec.JoinType, left, right exec.Step) exec.Join {
	return exec.Join{
		Type: kind, Left: left, Right: right, Key: keys(t), Name: "Join",
		LeftPick: []int{1}, RightPick: []int{1},
		Columns: &types.Schema{
			Key:   []types.Column{{Name: "ID", Type: types.Bigint}},
			Value: []types.Column{{Name: "L", Type: types.Bigint}, {Name: "R", Type: types.Bigint}},
		},
	}
}

func streams(t testing.TB, kind exec.JoinType, grace *int64) exec.Step {
	j := &exec.StreamStreamJoin{
		Join: joinOf(t, kind, source(t, "l", false), source(t, "r", false)), Before: 10, After: 5, Grace: grace,
		LeftStore: "this", RightStore: "other", OuterStore: "outer",
	}
	return sink(t, j, j.Columns)
}

func TestStreamStreamJoin(t *testing.T) {
	grace := int64(5)
	for name, c := range map[string]struct {
		root    exec.Step
		in, out string
	}{
		"inner: right from before to after, both ends included": {
			root: streams(t, exec.Inner, nil),
			in:   "r 1 {\"A\":1} @9\nr 1 {\"A\":2} @10\nl 1 {\"A\":3} @20\nr 1 {\"A\":4} @25\nr 1 {\"A\":5} @26\nr 2 {\"A\":6} @20\nl 1 null @20\nl null {\"A\":1} @20",
			out:  "1 {\"L\":3,\"R\":2} @20\n1 {\"L\":3,\"R\":4} @25",
		},
		"left without grace pads at once and joins again": {
			root: streams(t, exec.Left, nil),
			in:   "l 1 {\"A\":3} @20\nr 1 {\"A\":4} @25\nl null {\"A\":7} @26\nr null {\"A\":7} @26",
			out:  "1 {\"L\":3,\"R\":null} @20\n1 {\"L\":3,\"R\":4} @25\nnull {\"L\":7,\"R\":null} @26",
		},
		"left with grace pads when the window has closed": {
			root: streams(t, exec.Left, &grace),
			in:   "l 1 {\"A\":1} @20\nl 2 {\"A\":2} @20\nr 1 {\"A\":4} @25\nl 3 {\"A\":3} @30\nl 3 {\"A\":4} @31\nl 4 {\"A\":5} @20\nr 9 {\"A\":9} @100",
			out:  "1 {\"L\":1,\"R\":4} @25\n2 {\"L\":2,\"R\":null} @20\n4 {\"L\":5,\"R\":null} @20\n3 {\"L\":3,\"R\":null} @30\n3 {\"L\":4,\"R\":null} @31",
		},
		"full with grace pads both sides": {
			root: streams(t, exec.Full, &grace),
			in:   "l 1 {\"A\":1} @20\nr 2 {\"A\":2} @20\nl 9 {\"A\":9} @50\nr null {\"A\":3} @50",
			out:  "2 {\"L\":null,\"R\":2} @20\n1 {\"L\":1,\"R\":null} @20\nnull {\"L\":null,\"R\":3} @50",
		},
		"rows leave their side's store by that side's own time": {
			root: streams(t, exec.Inner, &grace),
			in:   "l 1 {\"A\":1} @20\nr 9 {\"A\":1} @500\nr 1 {\"A\":2} @20\nl 9 {\"A\":9} @40\nr 1 {\"A\":3} @20",
			out:  "1 {\"L\":1,\"R\":2} @20",
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, lines(c.out), run(t, c.root, types.NoWindow, c.in))
		})
	}
}

func TestStreamTableJoin(t *testing.T) {
	root := func(kind exec.JoinType) exec.Step {
		j := &exec.StreamTableJoin{Join: joinOf(t, kind, source(t, "l", false), source(t, "r", true)), Store: "right"}
		return sink(t, j, j.Columns)
	}
	in := "l 1 {\"A\":1} @5\nr 1 {\"A\":10} @9\nl 1 {\"A\":2} @6\nr 1 null @10\nl 1 {\"A\":3} @7\nl null {\"A\":4} @8\nl 1 null @9"
	require.Equal(t, lines("1 {\"L\":2,\"R\":10} @6"), run(t, root(exec.Inner), types.NoWindow, in))
	require.Equal(t,
		lines("1 {\"L\":1,\"R\":null} @5\n1 {\"L\":2,\"R\":10} @6\n1 {\"L\":3,\"R\":null} @7\nnull {\"L\":4,\"R\":null} @8"),
		run(t, root(exec.Left), types.NoWindow, in))
}

func TestTableTableJoin(t *testing.T) {
	in := "l 1 {\"A\":1} @5\nr 1 {\"A\":2} @3\nl 1 {\"A\":3} @4\nr 1 null @6\nl 1 null @7\nr 1 {\"A\":4} @8\nr 1 null @9"
	for name, c := range map[string]struct {
		kind exec.JoinType
		out  string
	}{
		"inner": {exec.Inner, "1 {\"L\":1,\"R\":2} @5\n1 {\"L\":3,\"R\":2} @4\n1 null @6"},
		"left":  {exec.Left, "1 {\"L\":1,\"R\":null} @5\n1 {\"L\":1,\"R\":2} @5\n1 {\"L\":3,\"R\":2} @4\n1 {\"L\":3,\"R\":null} @6\n1 null @7"},
		"right": {exec.Right, "1 {\"L\":1,\"R\":2} @5\n1 {\"L\":3,\"R\":2} @4\n1 null @6\n1 {\"L\":null,\"R\":4} @8\n1 null @9"},
		"full": {exec.Full, "1 {\"L\":1,\"R\":null} @5\n1 {\"L\":1,\"R\":2} @5\n1 {\"L\":3,\"R\":2} @4\n1 {\"L\":3,\"R\":null} @6\n1 null @7\n" +
			"1 {\"L\":null,\"R\":4} @8\n1 null @9"},
	} {
		t.Run(name, func(t *testing.T) {
			j := &exec.TableTableJoin{Join: joinOf(t, c.kind, source(t, "l", true), source(t, "r", true)), LeftStore: "left", RightStore: "right"}
			require.Equal(t, lines(c.out), run(t, sink(t, j, j.Columns), types.NoWindow, in))
		})
	}
}

// The filter above the join deletes only what has passed, so joins have to know
// what their results replace.
func TestJoinedTablesBelowAFilter(t *testing.T) {
	j := &exec.TableTableJoin{Join: joinOf(t, exec.Left, source(t, "l", true), source(t, "r", true)), LeftStore: "left", RightStore: "right"}
	require.Equal(t, lines("1 {\"L\":5,\"R\":2} @6\n1 null @7"),
		run(t, sink(t, atLeast(j, 5, true), j.Columns), types.NoWindow,
			"l 1 {\"A\":1} @5\nr 1 {\"A\":2} @5\nl 1 {\"A\":5} @6\nl 1 {\"A\":4} @7\nl 1 null @8"))
	fk := foreign(t, exec.Inner)
	require.Equal(t, lines("1 {\"L\":7,\"R\":2} @6\n1 null @7"),
		run(t, sink(t, atLeast(fk, 7, true), fk.Columns), types.NoWindow,
			"r 5 {\"A\":1} @4\nr 7 {\"A\":2} @4\nl 1 {\"A\":5} @5\nl 1 {\"A\":7} @6\nl 1 {\"A\":5} @7\nl 1 null @8"))
}

func foreign(t testing.TB, kind exec.JoinType) *exec.ForeignKeyJoin {
	return &exec.ForeignKeyJoin{
		Join: joinOf(t, kind, source(t, "l", true), source(t, "r", true)), ForeignKey: column(0), ForeignKeySerde: keys(t),
		Subscriptions: "subscriptions", Responses: "responses",
		LeftStore: "left", RightStore: "right", SubscriptionStore: "subs", ResultStore: "results",
	}
}

func TestForeignKeyJoin(t *testing.T) {
	in := "l 1 {\"A\":7} @5\nl 2 {\"A\":7} @6\nr 7 {\"A\":70} @3\nl 1 {\"A\":8} @8\nr 8 {\"A\":80} @9\nl 2 {} @10\nr 8 null @11\nl 1 null @12\nl 3 {\"A\":7} @1"
	for name, c := range map[string]struct {
		kind exec.JoinType
		out  string
	}{
		"inner": {exec.Inner, "1 {\"L\":7,\"R\":70} @3\n2 {\"L\":7,\"R\":70} @3\n1 null @8\n1 {\"L\":8,\"R\":80} @9\n2 null @10\n1 null @11\n1 null @12\n3 {\"L\":7,\"R\":70} @3"},
		"left": {exec.Left, "1 {\"L\":7,\"R\":null} @5\n2 {\"L\":7,\"R\":null} @6\n1 {\"L\":7,\"R\":70} @3\n2 {\"L\":7,\"R\":70} @3\n" +
			"1 {\"L\":8,\"R\":null} @8\n1 {\"L\":8,\"R\":80} @9\n2 {\"L\":null,\"R\":null} @10\n1 {\"L\":8,\"R\":null} @11\n1 null @12\n3 {\"L\":7,\"R\":70} @3"},
	} {
		t.Run(name, func(t *testing.T) {
			j := foreign(t, c.kind)
			require.Equal(t, lines(c.out), run(t, sink(t, j, j.Columns), types.NoWindow, in))
		})
	}
}

func TestSubTopologiesOfAJoin(t *testing.T) {
	left := &exec.RekeyStep{
		Input: source(t, "l", false), Columns: schema(), Keys: []exec.Eval{column(0)}, OfKey: []bool{false},
		Through: &exec.Repartition{Topic: "app-Join-left-repartition", Key: keys(t)},
	}
	j := &exec.StreamTableJoin{Join: joinOf(t, exec.Inner, left, source(t, "r", true)), Store: "right"}
	topology, err := exec.New(sink(t, j, j.Columns))
	require.NoError(t, err)
	require.Len(t, topology.Subs, 2)
	require.Equal(t, []string{"app-Join-left-repartition"}, topology.Subs[0].Writes)
	require.Equal(t, []string{"out"}, topology.Subs[1].Writes)
	require.Equal(t, [][]string{{"app-Join-left-repartition", "r"}}, topology.Subs[1].CoPartitioned)
	require.Equal(t, []exec.StoreInfo{{Name: "right"}}, topology.Subs[1].Stores)

	counts, err := topology.PartitionCounts(map[string]int32{"l": 7, "r": 4})
	require.NoError(t, err)
	require.Equal(t, map[string]int32{"app-Join-left-repartition": 4}, counts)

	direct := &exec.StreamTableJoin{Join: joinOf(t, exec.Inner, source(t, "l", false), source(t, "r", true)), Store: "right"}
	topology, err = exec.New(sink(t, direct, direct.Columns))
	require.NoError(t, err)
	require.Len(t, topology.Subs, 1)
	_, err = topology.PartitionCounts(map[string]int32{"l": 7, "r": 4})
	require.ErrorContains(t, err, "topic l has 7 partitions and topic r has 4")
}
