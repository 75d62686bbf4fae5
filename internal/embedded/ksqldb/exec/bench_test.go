package exec

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// rowSource feeds decoded rows to the steps above it.
type rowSource struct {
	columns *types.Schema
	down    operator
}

func (s *rowSource) schema() *types.Schema { return s.columns }

func (s *rowSource) plumb(a *assembly, _ bool) (*pipe, error) {
	return &pipe{sub: a.draft(), wire: func(_ *Task, down operator) error {
		s.down = down
		return nil
	}}, nil
}

var benchColumns = &types.Schema{
	Key:   []types.Column{{Name: "ID", Type: types.Bigint}},
	Value: []types.Column{{Name: "A", Type: types.Bigint}, {Name: "B", Type: types.String}},
}

func benchTask(b *testing.B, root Step) *Task {
	b.Helper()
	topology, err := New(&OutputStep{Input: root})
	require.NoError(b, err)
	task, err := topology.Subs[0].NewTask(TaskEnv{Stores: state.NewMemory(), Emit: func(Output) {}})
	require.NoError(b, err)
	return task
}

func benchKey(b *testing.B) format.Serde {
	b.Helper()
	s, err := format.New(context.Background(), format.Spec{Format: "KAFKA", Columns: benchColumns.Key, IsKey: true}, nil)
	require.NoError(b, err)
	return s
}

// feedRows sends b.N rows with keys below spread, step milliseconds apart.
func feedRows(b *testing.B, src *rowSource, spread, step int64) {
	b.Helper()
	c := change{row: types.Row{Key: make([]types.Value, 1), Value: []types.Value{types.IntValue(1), types.StringValue("text")}}}
	i := int64(0)
	b.ReportAllocs()
	started := cpuTime(b)
	defer func() { b.ReportMetric(float64(i)/(cpuTime(b)-started).Seconds(), "rows/cpu-s") }()
	for b.Loop() {
		c.row.Key[0] = types.IntValue(i * 7919 % spread)
		c.row.Time = i * step
		if err := src.down.process(&c); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// cpuTime is what the process has used of the processor: unlike the clock, it is
// the same on a busy machine.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// benchEvals compiles expressions over benchColumns.
func benchEvals(b *testing.B, texts ...string) []Eval {
	b.Helper()
	functions, err := function.Builtin(function.Options{})
	require.NoError(b, err)
	c := &expr.Compiler{Registry: functions}
	var evals []Eval
	for _, text := range texts {
		stmts, err := parser.Parse("SELECT " + text + " FROM S EMIT CHANGES;")
		require.NoError(b, err)
		compiled, err := c.Compile(stmts[0].(*ast.Query).Select[0].(*ast.SingleColumn).Expr, expr.ScopeOf(benchColumns, false))
		require.NoError(b, err)
		evals = append(evals, compiled.Eval)
	}
	return evals
}

func BenchmarkFilterProject(b *testing.B) {
	src := &rowSource{columns: benchColumns}
	evals := benchEvals(b, "A > 0 AND B <> 'other'", "A * 2 + 1", "B", "CASE WHEN A > 5 THEN 'many' ELSE 'few' END")
	benchTask(b, &ProjectStep{
		Input: &FilterStep{Input: src, Predicate: evals[0]}, Values: evals[1:],
		Columns: &types.Schema{Key: benchColumns.Key, Value: []types.Column{
			{Name: "X", Type: types.Bigint}, {Name: "B", Type: types.String}, {Name: "C", Type: types.String},
		}},
	})
	feedRows(b, src, 1000, 1)
}

type benchSum struct{}

func (benchSum) StateType() *types.Type { return types.Bigint }
func (benchSum) Init() types.Value      { return types.IntValue(0) }
func (benchSum) Add(s types.Value, args []types.Value, _ int64) (types.Value, error) {
	return types.IntValue(s.Int() + args[0].Int()), nil
}
func (benchSum) Undo(s types.Value, args []types.Value) (types.Value, error) {
	return types.IntValue(s.Int() - args[0].Int()), nil
}
func (benchSum) Merge(x, y types.Value) (types.Value, error) {
	return types.IntValue(x.Int() + y.Int()), nil
}
func (benchSum) Result(s types.Value) (types.Value, error) { return s, nil }

func benchAggregate(b *testing.B, src *rowSource, w *Window) *AggregateStep {
	return &AggregateStep{
		Input: src, Window: w, Key: benchKey(b), Store: "Aggregate",
		Columns: &types.Schema{Key: benchColumns.Key, Value: []types.Column{{Name: "S", Type: types.Bigint}}},
		Groups:  []Eval{func(r *types.Row) (types.Value, error) { return r.Key[0], nil }},
		Args:    []Eval{func(r *types.Row) (types.Value, error) { return r.Value[0], nil }}, ArgTypes: []*types.Type{types.Bigint},
		Calls: []AggregateCall{{Function: benchSum{}, Args: []int{0}}},
	}
}

func BenchmarkTumblingSum100kKeys(b *testing.B) {
	src := &rowSource{columns: benchColumns}
	benchTask(b, benchAggregate(b, src, &Window{Type: Hopping, Size: 30_000, Advance: 30_000, Grace: 60_000, Retention: 90_000}))
	feedRows(b, src, 100_000, 1)
}

func BenchmarkSessionSum(b *testing.B) {
	src := &rowSource{columns: benchColumns}
	benchTask(b, benchAggregate(b, src, &Window{Type: Session, Size: 3_600_000, Grace: 82_800_000, Retention: 86_400_000}))
	feedRows(b, src, 10_000, 10)
}

func BenchmarkStreamTableJoin(b *testing.B) {
	stream, table := &rowSource{columns: benchColumns}, &rowSource{columns: benchColumns}
	benchTask(b, &StreamTableJoin{Store: "right", Join: Join{
		Type: Left, Left: stream, Right: table, Key: benchKey(b), LeftPick: []int{1, 2}, RightPick: []int{1, 2},
		Columns: &types.Schema{Key: benchColumns.Key, Value: append(append([]types.Column{}, benchColumns.Value...), benchColumns.Value...)},
	}})
	c := change{row: types.Row{Key: make([]types.Value, 1), Value: []types.Value{types.IntValue(1), types.StringValue("text")}}}
	for i := range int64(1000) {
		c.row.Key[0] = types.IntValue(i)
		require.NoError(b, table.down.process(&c))
	}
	feedRows(b, stream, 1000, 1)
}
