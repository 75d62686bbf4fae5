package exec_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// The tests here compare operators with plain models of what their result is in
// the end, for random inputs.

// event is a record of a topic; a is nil for a record without value.
type event struct {
	topic string
	key   int
	a     *int
	time  int
}

func randomEvents(rng *rand.Rand, n int, nulls bool, topics ...string) []event {
	var out []event
	for range n {
		e := event{topic: topics[rng.IntN(len(topics))], key: rng.IntN(5), time: rng.IntN(1000)}
		if !nulls || rng.IntN(5) > 0 {
			a := rng.IntN(5)
			e.a = &a
		}
		out = append(out, e)
	}
	return out
}

func eventText(events []event) string {
	var b strings.Builder
	for _, e := range events {
		value := "null"
		if e.a != nil {
			value = fmt.Sprintf("{\"A\":%d}", *e.a)
		}
		fmt.Fprintf(&b, "%s %d %s @%d\n", e.topic, e.key, value, e.time)
	}
	return b.String()
}

// finally reads the outputs of a table: the last value of each key and window.
func finally(lines []string) map[string]string {
	table := map[string]string{}
	for _, line := range lines {
		f := strings.Fields(line)
		id := f[0]
		if len(f) > 3 {
			id += f[3]
		}
		table[id] = f[1]
	}
	maps.DeleteFunc(table, func(_, v string) bool { return v == "null" })
	return table
}

func forSeeds(t *testing.T, check func(rng *rand.Rand)) {
	t.Helper()
	for seed := range uint64(30) {
		check(rand.New(rand.NewPCG(seed, 3)))
	}
}

func TestSessionsAreRunsOfNearRows(t *testing.T) {
	forSeeds(t, func(rng *rand.Rand) {
		events := randomEvents(rng, 60, false, "t")
		agg := totals(t, source(t, "t", false), false, &exec.Window{Type: exec.Session, Size: 20, Grace: 5000, Retention: 5020}, false)
		got := finally(run(t, sink(t, agg, agg.Columns), types.SessionWindow, eventText(events)))

		slices.SortStableFunc(events, func(a, b event) int { return a.time - b.time })
		want := map[string]string{}
		for key := range 5 {
			start, end, sum := -1, 0, 0
			flush := func() {
				if start >= 0 {
					want[fmt.Sprintf("%d[%d,%d]", key, start, end)] = fmt.Sprintf("{\"S\":%d}", sum)
				}
			}
			for _, e := range events {
				if e.key != key {
					continue
				}
				if start < 0 || e.time-end > 20 {
					flush()
					start, sum = e.time, 0
				}
				end, sum = e.time, sum+*e.a
			}
			flush()
		}
		require.Equal(t, want, got)
	})
}

func TestHoppingWindowsSumTheirRows(t *testing.T) {
	forSeeds(t, func(rng *rand.Rand) {
		events := randomEvents(rng, 60, false, "t")
		agg := totals(t, source(t, "t", false), false, &exec.Window{Type: exec.Hopping, Size: 10, Advance: 4, Grace: 5000, Retention: 5010}, false)
		got := finally(run(t, sink(t, agg, agg.Columns), types.TimeWindow, eventText(events)))
		sums := map[string]int{}
		for _, e := range events {
			for start := 0; start <= e.time; start += 4 {
				if e.time < start+10 {
					sums[fmt.Sprintf("%d[%d,%d]", e.key, start, start+10)] += *e.a
				}
			}
		}
		want := map[string]string{}
		for id, sum := range sums {
			want[id] = fmt.Sprintf("{\"S\":%d}", sum)
		}
		require.Equal(t, want, got)
	})
}

// rowsOf gives what a table topic holds in the end.
func rowsOf(events []event, topic string) map[int]int {
	rows := map[int]int{}
	for _, e := range events {
		switch {
		case e.topic != topic:
		case e.a == nil:
			delete(rows, e.key)
		default:
			rows[e.key] = *e.a
		}
	}
	return rows
}

func TestGroupsOfATableSumItsPresentRows(t *testing.T) {
	forSeeds(t, func(rng *rand.Rand) {
		events := randomEvents(rng, 80, true, "t")
		agg := totals(t, source(t, "t", true), true, nil, true)
		got := finally(run(t, sink(t, agg, agg.Columns), types.NoWindow, eventText(events)))
		want := map[string]string{}
		for id := range got {
			want[id] = "{\"S\":0}"
		}
		sums := map[int]int{}
		for _, a := range rowsOf(events, "t") {
			sums[a] += a
		}
		for group, sum := range sums {
			want[fmt.Sprint(group)] = fmt.Sprintf("{\"S\":%d}", sum)
		}
		require.Equal(t, want, got)
	})
}

// joined is the value of a joined row.
func joined(l, r *int) string {
	text, _ := json.Marshal(struct{ L, R *int }{l, r})
	return string(text)
}

func side(rows map[int]int, key int) *int {
	if a, ok := rows[key]; ok {
		return &a
	}
	return nil
}

func TestJoinedTablesHoldTheJoinOfTheirRows(t *testing.T) {
	forSeeds(t, func(rng *rand.Rand) {
		events := randomEvents(rng, 60, true, "l", "r")
		left, right := rowsOf(events, "l"), rowsOf(events, "r")
		for kind, keep := range map[exec.JoinType]func(l, r *int) bool{
			exec.Inner: func(l, r *int) bool { return l != nil && r != nil },
			exec.Left:  func(l, _ *int) bool { return l != nil },
			exec.Right: func(_, r *int) bool { return r != nil },
			exec.Full:  func(l, r *int) bool { return l != nil || r != nil },
		} {
			want := map[string]string{}
			for key := range 5 {
				if l, r := side(left, key), side(right, key); keep(l, r) {
					want[fmt.Sprint(key)] = joined(l, r)
				}
			}
			j := &exec.TableTableJoin{Join: joinOf(t, kind, source(t, "l", true), source(t, "r", true)), LeftStore: "left", RightStore: "right"}
			require.Equal(t, want, finally(run(t, sink(t, j, j.Columns), types.NoWindow, eventText(events))))
		}
	})
}

func TestForeignKeyJoinsHoldTheJoinOfTheirRows(t *testing.T) {
	forSeeds(t, func(rng *rand.Rand) {
		events := randomEvents(rng, 60, true, "l", "r")
		left, right := rowsOf(events, "l"), rowsOf(events, "r")
		for _, kind := range []exec.JoinType{exec.Inner, exec.Left} {
			want := map[string]string{}
			for key, a := range left {
				if r := side(right, a); r != nil || kind == exec.Left {
					want[fmt.Sprint(key)] = joined(&a, r)
				}
			}
			j := foreign(t, kind)
			require.Equal(t, want, finally(run(t, sink(t, j, j.Columns), types.NoWindow, eventText(events))))
		}
	})
}

// Streams joined with grace give every pair of near rows once, and every row
// without partner once, when stream time has gone far enough. The latter holds
// for rows in the order of their times: a row so late that its window has passed
// is padded at once, and joined again should a partner be later still.
func TestJoinedStreamsGiveEveryPairOnce(t *testing.T) {
	forSeeds(t, func(rng *rand.Rand) {
		events := randomEvents(rng, 60, false, "l", "r")
		grace := int64(5000)
		for kind, padded := range map[exec.JoinType][2]bool{exec.Inner: {}, exec.Left: {true, false}, exec.Full: {true, true}} {
			events := slices.Clone(events)
			if kind != exec.Inner {
				slices.SortStableFunc(events, func(a, b event) int { return a.time - b.time })
			}
			want := []string{}
			for i, l := range events {
				met := false
				for j, r := range events {
					if l.topic == r.topic || l.key != r.key {
						continue
					}
					near := r.time >= l.time-10 && r.time <= l.time+5
					if l.topic == "r" {
						near = l.time >= r.time-10 && l.time <= r.time+5
					}
					met = met || near
					if near && l.topic == "l" && i != j {
						want = append(want, fmt.Sprintf("%d %s @%d", l.key, joined(l.a, r.a), max(l.time, r.time)))
					}
				}
				switch {
				case met:
				case l.topic == "l" && padded[0]:
					want = append(want, fmt.Sprintf("%d %s @%d", l.key, joined(l.a, nil), l.time))
				case l.topic == "r" && padded[1]:
					want = append(want, fmt.Sprintf("%d %s @%d", l.key, joined(nil, l.a), l.time))
				}
			}
			got := run(t, streams(t, kind, &grace), types.NoWindow, eventText(events)+"l 99 null @1\nr 99 {\"A\":1} @100000\n")
			slices.Sort(want)
			slices.Sort(got)
			require.Equal(t, want, got)
		}
	})
}
