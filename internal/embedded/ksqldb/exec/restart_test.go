package exec_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec/drive"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// randomRecords gives records of both topics with few keys, late times, nulls
// and some damage.
func randomRecords(rng *rand.Rand, n int, topics ...string) string {
	var b strings.Builder
	now := 1000
	for range n {
		key, value := fmt.Sprint(rng.IntN(4)), fmt.Sprintf("{\"A\":%d}", rng.IntN(4))
		switch rng.IntN(12) {
		case 0:
			key = "null"
		case 1, 2:
			value = "null"
		case 3:
			value = "{}"
		case 4:
			value = "bad"
		}
		now += rng.IntN(8)
		at := now
		if rng.IntN(3) == 0 {
			at -= rng.IntN(60)
		}
		if rng.IntN(40) == 0 {
			now += 300
		}
		fmt.Fprintf(&b, "%s %s %s @%d\n", topics[rng.IntN(len(topics))], key, value, at)
	}
	return b.String()
}

func TestRunsCutAtRandomPointsGiveTheSame(t *testing.T) {
	grace := int64(7)
	window := func(w exec.Window) func(t *testing.T) exec.Step {
		return func(t *testing.T) exec.Step {
			agg := totals(t, source(t, "l", false), false, &w, false)
			return sink(t, atLeast(agg, 3, true), agg.Columns)
		}
	}
	for name, c := range map[string]struct {
		root     func(t *testing.T) exec.Step
		windowed types.WindowKind
	}{
		"table groups": {root: func(t *testing.T) exec.Step {
			agg := totals(t, atLeast(source(t, "l", true), 1, true), true, nil, true)
			return sink(t, atLeast(agg, 2, true), agg.Columns)
		}},
		"hopping":  {window(exec.Window{Type: exec.Hopping, Size: 20, Advance: 10, Grace: 15, Retention: 35}), types.TimeWindow},
		"final":    {window(exec.Window{Type: exec.Hopping, Size: 20, Advance: 20, Grace: 15, Retention: 35, Final: true}), types.TimeWindow},
		"sessions": {window(exec.Window{Type: exec.Session, Size: 10, Grace: 20, Retention: 30}), types.SessionWindow},
		"final sessions": {
			window(exec.Window{Type: exec.Session, Size: 10, Grace: 20, Retention: 30, Final: true}), types.SessionWindow,
		},
		"streams":            {root: func(t *testing.T) exec.Step { return streams(t, exec.Full, nil) }},
		"streams with grace": {root: func(t *testing.T) exec.Step { return streams(t, exec.Full, &grace) }},
		"tables": {root: func(t *testing.T) exec.Step {
			j := &exec.TableTableJoin{Join: joinOf(t, exec.Full, source(t, "l", true), source(t, "r", true)), LeftStore: "left", RightStore: "right"}
			return sink(t, atLeast(j, 2, true), j.Columns)
		}},
		"foreign keys": {root: func(t *testing.T) exec.Step {
			j := foreign(t, exec.Left)
			return sink(t, atLeast(j, 2, true), j.Columns)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				rng := rand.New(rand.NewPCG(seed, 1))
				topology, err := exec.New(c.root(t))
				require.NoError(t, err)
				topics := []string{"l"}
				for _, sub := range topology.Subs {
					for _, src := range sub.Sources {
						if src.Topic == "r" {
							topics = append(topics, "r")
						}
					}
				}
				in := records(t, randomRecords(rng, 200, topics...))
				whole := feed(t, c.root(t), c.windowed, in, false)
				require.NotEmpty(t, whole)
				require.Equal(t, whole, cut(t, topology, c.windowed, in, rng), "seed %d", seed)
			}
		})
	}
}

// cut runs records through a topology and goes back to an earlier saved state now
// and then, forgetting what was written since, as after a crash.
func cut(t *testing.T, topology *exec.Topology, windowed types.WindowKind, in []exec.InRecord, rng *rand.Rand) []string {
	t.Helper()
	out := []string{}
	calls := drive.Config{Output: func(o exec.Output) { out = append(out, show(o, windowed)) }}
	d, err := drive.New(topology, calls)
	require.NoError(t, err)
	saved, err := d.Save()
	require.NoError(t, err)
	at, written := 0, 0
	for i := 0; i < len(in); i++ {
		require.NoError(t, d.Process(in[i]))
		switch rng.IntN(10) {
		case 0, 1:
			saved, err = d.Save()
			require.NoError(t, err)
			at, written = i+1, len(out)
		case 2:
			if i-at > 30 {
				continue
			}
			d, err = drive.Resume(topology, saved, calls)
			require.NoError(t, err)
			i, out = at-1, out[:written]
		}
	}
	return out
}

// One partition or many: each key gets the same rows in the same order when a
// record has had all its consequences before the next.
func TestPartitionsDoNotMatter(t *testing.T) {
	for name, root := range map[string]func(t *testing.T) exec.Step{
		"table groups": func(t *testing.T) exec.Step {
			agg := totals(t, source(t, "l", true), true, nil, true)
			return sink(t, atLeast(agg, 2, true), agg.Columns)
		},
		"foreign keys, inner": func(t *testing.T) exec.Step {
			j := foreign(t, exec.Inner)
			return sink(t, j, j.Columns)
		},
		"foreign keys, left": func(t *testing.T) exec.Step {
			j := foreign(t, exec.Left)
			return sink(t, atLeast(j, 2, true), j.Columns)
		},
		"a stream re-keyed and joined": func(t *testing.T) exec.Step {
			left := &exec.RekeyStep{
				Input: source(t, "l", false), Columns: schema(), Keys: []exec.Eval{column(0)}, OfKey: []bool{false},
				Through: &exec.Repartition{Topic: "rekeyed", Key: keys(t)},
			}
			j := &exec.StreamTableJoin{Join: joinOf(t, exec.Left, left, source(t, "r", true)), Store: "right"}
			return sink(t, j, j.Columns)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(10) {
				topics := []string{"l", "r"}
				if name == "table groups" {
					topics = topics[:1]
				}
				in := records(t, randomRecords(rand.New(rand.NewPCG(seed, 2)), 200, topics...))
				one, many := byKey(t, root(t), in, 1), byKey(t, root(t), in, 5)
				require.NotEmpty(t, one)
				require.Equal(t, one, many, "seed %d", seed)
			}
		})
	}
}

func byKey(t *testing.T, root exec.Step, in []exec.InRecord, partitions int32) map[string][]string {
	t.Helper()
	topology, err := exec.New(root)
	require.NoError(t, err)
	out := map[string][]string{}
	d, err := drive.New(topology, drive.Config{Partitions: partitions, Output: func(o exec.Output) {
		out[string(o.Key)] = append(out[string(o.Key)], show(o, types.NoWindow))
	}})
	require.NoError(t, err)
	for _, r := range in {
		require.NoError(t, d.Process(r))
	}
	return out
}

func TestStateOfOtherColumnsIsRefused(t *testing.T) {
	src := source(t, "t", true)
	topology, err := exec.New(sink(t, atLeast(src, 1, true), schema()))
	require.NoError(t, err)
	d, err := drive.New(topology, drive.Config{})
	require.NoError(t, err)
	saved, err := d.Save()
	require.NoError(t, err)

	restart := func(columns ...types.Column) error {
		changed := source(t, "t", true)
		changed.Columns = &types.Schema{Key: schema().Key, Value: columns}
		changed.Value = serde(t, "JSON", false, columns)
		topology, err := exec.New(sink(t, atLeast(changed, 1, true), changed.Columns))
		require.NoError(t, err)
		_, err = drive.Resume(topology, saved, drive.Config{})
		return err
	}
	a, b := schema().Value[0], schema().Value[1]
	require.NoError(t, restart(a, b))
	require.NoError(t, restart(a, b, types.Column{Name: "C", Type: types.Double}))
	require.ErrorContains(t, restart(b, a), "its rows have the columns BIGINT;STRING; and the query needs STRING;BIGINT;: drop the query and create it anew")
}
