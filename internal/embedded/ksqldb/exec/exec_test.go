package exec_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec/drive"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// schema of rows with a BIGINT key ID and the value columns A BIGINT, B STRING.
func schema() *types.Schema {
	return &types.Schema{
		Key:   []types.Column{{Name: "ID", Type: types.Bigint}},
		Value: []types.Column{{Name: "A", Type: types.Bigint}, {Name: "B", Type: types.String}},
	}
}

func serde(t testing.TB, name string, isKey bool, cols []types.Column) format.Serde {
	t.Helper()
	s, err := format.New(context.Background(), format.Spec{Format: name, Columns: cols, IsKey: isKey, Topic: "t"}, nil)
	require.NoError(t, err)
	return s
}

func keys(t testing.TB) format.Serde {
	return serde(t, "KAFKA", true, []types.Column{{Name: "ID", Type: types.Bigint}})
}

func source(t testing.TB, topic string, table bool) *exec.SourceStep {
	s := schema()
	return &exec.SourceStep{
		Name: strings.ToUpper(topic), Topic: topic, Table: table, Columns: s, Key: keys(t), Value: serde(t, "JSON", false, s.Value), Store: "Source",
	}
}

func sink(t testing.TB, in exec.Step, cols *types.Schema) *exec.SinkStep {
	return &exec.SinkStep{
		Input: in, Topic: "out", Name: "OUT",
		Key: serde(t, "KAFKA", true, cols.Key), Value: serde(t, "JSON", false, cols.Value),
	}
}

func column(i int) exec.Eval {
	return func(r *types.Row) (types.Value, error) {
		if r.Value == nil {
			return types.Null, nil
		}
		return r.Value[i], nil
	}
}

// records reads lines such as "t 1 {"A":2} @10": topic, key or null, value or
// null, time.
func records(t testing.TB, text string) []exec.InRecord {
	t.Helper()
	var out []exec.InRecord
	for line := range strings.Lines(strings.TrimSpace(text)) {
		f := strings.Fields(line)
		require.Len(t, f, 4, line)
		r := exec.InRecord{Topic: f[0], Headers: []types.Header{{Key: "h", Value: []byte(f[3])}}}
		if f[1] != "null" {
			var k int64
			_, err := fmt.Sscan(f[1], &k)
			require.NoError(t, err)
			r.Key = binary.BigEndian.AppendUint64(nil, uint64(k))
		}
		if f[2] != "null" {
			r.Value = []byte(f[2])
		}
		_, err := fmt.Sscanf(f[3], "@%d", &r.Time)
		require.NoError(t, err)
		out = append(out, r)
	}
	return out
}

// show writes an output the way that records reads inputs, the window of its
// key behind it.
func show(o exec.Output, windowed types.WindowKind) string {
	key, value := "null", "null"
	if o.Key != nil {
		key = fmt.Sprint(int64(binary.BigEndian.Uint64(o.Key)))
	}
	if o.Value != nil {
		value = string(o.Value)
	}
	line := fmt.Sprintf("%s %s @%d", key, value, o.Time)
	if windowed != types.NoWindow {
		_, w, err := format.SplitWindow(o.Key, windowed, 10)
		if err != nil {
			return err.Error()
		}
		line += fmt.Sprintf(" [%d,%d]", w.Start, w.End)
	}
	return line
}

// run feeds records to a query and gives what it writes. It does so once in one
// go and once with the state saved and restored between all records, and expects
// the same of both.
func run(t testing.TB, root exec.Step, windowed types.WindowKind, input string) []string {
	t.Helper()
	whole := feed(t, root, windowed, records(t, input), false)
	require.Equal(t, whole, feed(t, root, windowed, records(t, input), true), "restored state must go on in the same way")
	return whole
}

func feed(t testing.TB, root exec.Step, windowed types.WindowKind, in []exec.InRecord, restart bool) []string {
	t.Helper()
	topology, err := exec.New(root)
	require.NoError(t, err)
	out := []string{}
	calls := drive.Config{Output: func(o exec.Output) { out = append(out, show(o, windowed)) }}
	d, err := drive.New(topology, calls)
	require.NoError(t, err)
	for _, r := range in {
		require.NoError(t, d.Process(r))
		if restart {
			saved, err := d.Save()
			require.NoError(t, err)
			d, err = drive.Resume(topology, saved, calls)
			require.NoError(t, err)
		}
	}
	return out
}

func lines(text string) []string {
	var out []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		out = append(out, strings.TrimSpace(line))
	}
	return out
}

// sum is SUM over BIGINT, without the real one's checks.
type sum struct{}

func (sum) ResultType() *types.Type { return types.Bigint }
func (sum) StateType() *types.Type  { return types.Bigint }
func (sum) Init() types.Value       { return types.IntValue(0) }
func (sum) CanUndo() bool           { return true }
func (sum) Add(s types.Value, args []types.Value, _ int64) (types.Value, error) {
	if args[0].IsNull() {
		return s, nil
	}
	return types.IntValue(s.Int() + args[0].Int()), nil
}
func (sum) Undo(s types.Value, args []types.Value) (types.Value, error) {
	return types.IntValue(s.Int() - args[0].Int()), nil
}
func (sum) Merge(a, b types.Value) (types.Value, error) {
	return types.IntValue(a.Int() + b.Int()), nil
}
func (sum) Result(s types.Value) (types.Value, error) { return s, nil }

// totals groups by key, or by column A when regroup is set, and sums A.
func totals(t testing.TB, in exec.Step, regroup bool, window *exec.Window, undo bool) *exec.AggregateStep {
	cols := &types.Schema{
		Key:   []types.Column{{Name: "ID", Type: types.Bigint}},
		Value: []types.Column{{Name: "S", Type: types.Bigint}},
	}
	s := &exec.AggregateStep{
		Input: in, Columns: cols, Undo: undo, Window: window, Store: "Aggregate", Name: "Aggregate", Key: keys(t),
		Args: []exec.Eval{column(0)}, ArgTypes: []*types.Type{types.Bigint},
		Calls: []exec.AggregateCall{{Function: sum{}, Args: []int{0}}},
		Groups: []exec.Eval{func(r *types.Row) (types.Value, error) {
			if r.Key == nil {
				return types.Null, nil
			}
			return r.Key[0], nil
		}},
	}
	if regroup {
		s.Groups = []exec.Eval{column(0)}
		s.Through = &exec.Repartition{Topic: "internal", Key: keys(t)}
	}
	return s
}

func atLeast(in exec.Step, min int64, changelog bool) *exec.FilterStep {
	return &exec.FilterStep{Input: in, Changelog: changelog, Name: "Where", Predicate: func(r *types.Row) (types.Value, error) {
		v, err := column(0)(r)
		return types.BoolValue(!v.IsNull() && v.Int() >= min), err
	}}
}

func TestStatelessSteps(t *testing.T) {
	for name, c := range map[string]struct {
		root        exec.Step
		in, out     string
		wantedFails int64
	}{
		"a stream keeps rows without value or key": {
			root: sink(t, source(t, "t", false), schema()),
			in:   "t 1 {\"A\":1} @1\nt null {\"A\":2} @2\nt 3 null @3",
			out:  "1 {\"A\":1,\"B\":null} @1\nnull {\"A\":2,\"B\":null} @2\n3 null @3",
		},
		"a filter drops rows without value": {
			root: sink(t, atLeast(source(t, "t", false), 2, false), schema()),
			in:   "t 1 {\"A\":1} @1\nt 1 {\"A\":2} @2\nt 1 null @3",
			out:  "1 {\"A\":2,\"B\":null} @2",
		},
		"a filtered table deletes what has passed before": {
			root:        sink(t, atLeast(source(t, "t", true), 2, true), schema()),
			in:          "t 1 {\"A\":1} @1\nt 1 {\"A\":2} @2\nt 1 {\"A\":1} @3\nt 1 null @4\nt 2 {\"A\":5} @5\nt 2 null @6\nt null {\"A\":9} @7",
			out:         "1 {\"A\":2,\"B\":null} @2\n1 null @3\n2 {\"A\":5,\"B\":null} @5\n2 null @6",
			wantedFails: 1,
		},
		"bad data is a problem and skips the record": {
			root: sink(t, source(t, "t", false), schema()),
			in:   "t 1 {\"A\":\"x\"} @1\nt 1 {\"A\":2} @2", out: "1 {\"A\":2,\"B\":null} @2",
			wantedFails: 1,
		},
		"a failing column is null": {
			root: sink(t, &exec.ProjectStep{Input: source(t, "t", false), Columns: schema(), Values: []exec.Eval{
				func(*types.Row) (types.Value, error) { return types.Null, fmt.Errorf("no") }, column(1),
			}}, schema()),
			in: "t 1 {\"A\":2,\"B\":\"b\"} @2", out: "1 {\"A\":null,\"B\":\"b\"} @2",
			wantedFails: 1,
		},
		"a new key of NULL is no key, and a row without value has none": {
			root: sink(t, &exec.RekeyStep{Input: source(t, "t", false), Columns: schema(), Keys: []exec.Eval{column(0)}, OfKey: []bool{false}}, schema()),
			in:   "t 1 {\"A\":2} @1\nt 1 {\"B\":\"x\"} @2\nt 1 null @3",
			out:  "2 {\"A\":2,\"B\":null} @1\nnull {\"A\":null,\"B\":\"x\"} @2\nnull null @3",
		},
		"a repartitioned row arrives with its time": {
			root: sink(t, &exec.RekeyStep{
				Input: source(t, "t", false), Columns: schema(), Keys: []exec.Eval{column(0)}, OfKey: []bool{false},
				Through: &exec.Repartition{Topic: "internal", Key: keys(t)},
			}, schema()),
			in:  "t 1 {\"A\":2} @1\nt 1 null @3",
			out: "2 {\"A\":2,\"B\":null} @1\nnull null @3",
		},
		"a flat map pads the shorter results": {
			root: sink(t, &exec.FlatMapStep{
				Input:   &exec.ProjectStep{Input: source(t, "t", false), Columns: &types.Schema{Key: schema().Key}},
				Columns: schema(),
				Calls: []func(*types.Row) ([]types.Value, error){
					func(*types.Row) ([]types.Value, error) {
						return []types.Value{types.IntValue(1), types.IntValue(2)}, nil
					},
					func(*types.Row) ([]types.Value, error) { return []types.Value{types.StringValue("x")}, nil },
				},
			}, schema()),
			in: "t 1 {} @1", out: "1 {\"A\":1,\"B\":\"x\"} @1\n1 {\"A\":2,\"B\":null} @1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, lines(c.out), run(t, c.root, types.NoWindow, c.in))
			topology, err := exec.New(c.root)
			require.NoError(t, err)
			d, err := drive.New(topology, drive.Config{})
			require.NoError(t, err)
			for _, r := range records(t, c.in) {
				require.NoError(t, d.Process(r))
			}
			require.Equal(t, c.wantedFails, d.Metrics().Problems.Load())
		})
	}
}

func TestAggregates(t *testing.T) {
	grouped := func(root *exec.AggregateStep) exec.Step { return sink(t, root, root.Columns) }
	for name, c := range map[string]struct {
		root     exec.Step
		windowed types.WindowKind
		in, out  string
	}{
		"every row gives a result, at the largest time of its group": {
			root: grouped(totals(t, source(t, "t", false), false, nil, false)),
			in:   "t 1 {\"A\":1} @5\nt 2 {\"A\":1} @6\nt 1 {\"A\":2} @3\nt 1 null @7\nt null {\"A\":2} @8\nt 1 {\"B\":\"x\"} @9",
			out:  "1 {\"S\":1} @5\n2 {\"S\":1} @6\n1 {\"S\":3} @5\n1 {\"S\":3} @9",
		},
		"a table's row leaves its old group before it enters the new one": {
			root: grouped(totals(t, source(t, "t", true), true, nil, true)),
			in:   "t 1 {\"A\":3} @1\nt 2 {\"A\":3} @2\nt 1 {\"A\":4} @3\nt 2 {\"A\":3} @4\nt 2 null @5\nt 3 null @6",
			out:  "3 {\"S\":3} @1\n3 {\"S\":6} @2\n3 {\"S\":3} @3\n4 {\"S\":4} @3\n3 {\"S\":3} @4\n3 {\"S\":0} @5",
		},
		"having deletes what has passed before": {
			root: func() exec.Step {
				agg := totals(t, source(t, "t", false), false, nil, false)
				return sink(t, &exec.FilterStep{Input: agg, Changelog: true, Predicate: func(r *types.Row) (types.Value, error) {
					return types.BoolValue(r.Value[0].Int() == 2), nil
				}}, agg.Columns)
			}(),
			in:  "t 1 {\"A\":1} @1\nt 1 {\"A\":1} @2\nt 1 {\"A\":1} @3\nt 1 {\"A\":1} @4",
			out: "1 {\"S\":2} @2\n1 null @3",
		},
		"hopping windows come in the order of their start and drop late rows": {
			root:     grouped(totals(t, source(t, "t", false), false, &exec.Window{Type: exec.Hopping, Size: 10, Advance: 5, Grace: 5, Retention: 15}, false)),
			windowed: types.TimeWindow,
			in:       "t 1 {\"A\":1} @7\nt 1 {\"A\":2} @4\nt 1 {\"A\":5} @18\nt 1 {\"A\":7} @6",
			out: "1 {\"S\":1} @7 [0,10]\n1 {\"S\":1} @7 [5,15]\n1 {\"S\":3} @7 [0,10]\n" +
				"1 {\"S\":5} @18 [10,20]\n1 {\"S\":5} @18 [15,25]\n1 {\"S\":8} @7 [5,15]",
		},
		"sessions delete what they extend and join": {
			root:     grouped(totals(t, source(t, "t", false), false, &exec.Window{Type: exec.Session, Size: 10, Grace: 100, Retention: 110}, false)),
			windowed: types.SessionWindow,
			in:       "t 1 {\"A\":1} @10\nt 1 {\"A\":2} @10\nt 1 {\"A\":4} @30\nt 1 {\"A\":8} @20\nt 1 {\"A\":16} @25\nt 1 {\"A\":1} @200\nt 1 {\"A\":1} @89\nt 1 {\"A\":1} @90",
			out: "1 {\"S\":1} @10 [10,10]\n1 {\"S\":3} @10 [10,10]\n1 {\"S\":4} @30 [30,30]\n" +
				"1 null @10 [10,10]\n1 null @30 [30,30]\n1 {\"S\":15} @30 [10,30]\n" +
				"1 null @30 [10,30]\n1 {\"S\":31} @30 [10,30]\n1 {\"S\":1} @200 [200,200]\n1 {\"S\":1} @90 [90,90]",
		},
		"final windows come once, when stream time has passed them": {
			root:     grouped(totals(t, source(t, "t", false), false, &exec.Window{Type: exec.Hopping, Size: 10, Advance: 10, Grace: 5, Retention: 15, Final: true}, false)),
			windowed: types.TimeWindow,
			in:       "t 2 {\"A\":1} @1\nt 1 {\"A\":2} @2\nt 1 {\"A\":4} @9\nt 1 {\"A\":8} @14\nt 9 {\"A\":1} @15\nt 9 {\"A\":1} @16",
			out:      "1 {\"S\":6} @9 [0,10]\n2 {\"S\":1} @1 [0,10]",
		},
		"final sessions come once": {
			root:     grouped(totals(t, source(t, "t", false), false, &exec.Window{Type: exec.Session, Size: 10, Grace: 0, Retention: 10, Final: true}, false)),
			windowed: types.SessionWindow,
			in:       "t 1 {\"A\":1} @1\nt 1 {\"A\":2} @5\nt 2 {\"A\":4} @15\nt 2 {\"A\":8} @16\nt 2 {\"A\":1} @90",
			out:      "1 {\"S\":3} @5 [1,5]\n2 {\"S\":12} @16 [15,16]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, lines(c.out), run(t, c.root, c.windowed, c.in))
		})
	}
}
