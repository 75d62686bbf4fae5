package exec_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec/drive"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// table runs a query that keeps its table, and gives readers of it.
func table(t *testing.T, root exec.Step, input string) (*exec.Materialization, *drive.Driver) {
	t.Helper()
	topology, err := exec.New(root)
	require.NoError(t, err)
	d, err := drive.New(topology, drive.Config{})
	require.NoError(t, err)
	for _, r := range records(t, input) {
		require.NoError(t, d.Process(r))
	}
	_, err = d.Save()
	require.NoError(t, err)
	return topology.Materialization, d
}

func rowText(r *types.Row) string {
	text := fmt.Sprintf("%d=%d @%d", r.Key[0].Int(), r.Value[0].Int(), r.Time)
	if r.Window.Kind != types.NoWindow {
		text += fmt.Sprintf(" [%d,%d]", r.Window.Start, r.Window.End)
	}
	return text
}

func collect(rows *[]string) func(*types.Row) bool {
	return func(r *types.Row) bool {
		*rows = append(*rows, rowText(r))
		return true
	}
}

func id(k int64) []types.Value { return []types.Value{types.IntValue(k)} }

func TestTablesAnswerByKeyAndRange(t *testing.T) {
	src := source(t, "t", true)
	m, d := table(t, &exec.MaterializeStep{Input: src, Columns: src.Columns, Store: "Materialized", Key: keys(t)},
		"t 3 {\"A\":30} @1\nt 1 {\"A\":10} @2\nt 2 {\"A\":20} @3\nt 1 {\"A\":11} @4\nt 2 null @5\nt 9 {\"A\":90} @6")
	stores := d.Stores(m.Sub, 0)
	row, err := m.Get(stores, id(1))
	require.NoError(t, err)
	require.Equal(t, "1=11 @4", rowText(row))
	row, err = m.Get(stores, id(2))
	require.NoError(t, err)
	require.Nil(t, row)

	var all, some []string
	require.NoError(t, m.Scan(stores, nil, nil, collect(&all)))
	require.Equal(t, []string{"1=11 @4", "3=30 @1", "9=90 @6"}, all)
	require.NoError(t, m.Scan(stores, id(2), id(9), collect(&some)))
	require.Equal(t, []string{"3=30 @1"}, some)
}

func TestWindowedTablesAnswerByKeyUntilTheirRetentionEnds(t *testing.T) {
	agg := totals(t, source(t, "t", false), false, &exec.Window{Type: exec.Hopping, Size: 10, Advance: 10, Grace: 20, Retention: 30}, false)
	s := sink(t, agg, agg.Columns)
	s.Materialize = &exec.MaterializeStep{Columns: agg.Columns, Store: "Materialized", Key: keys(t), Window: types.TimeWindow, WindowSize: 10, Retention: 30}
	input := "t 1 {\"A\":1} @1\nt 1 {\"A\":2} @12\nt 2 {\"A\":3} @13\nt 1 {\"A\":4} @14\nt 1 {\"A\":5} @25"
	m, d := table(t, s, input)
	var one, all []string
	require.NoError(t, m.Windows(d.Stores(m.Sub, 0), id(1), collect(&one)))
	require.Equal(t, []string{"1=1 @1 [0,10]", "1=6 @14 [10,20]", "1=5 @25 [20,30]"}, one)
	require.NoError(t, m.Scan(d.Stores(m.Sub, 0), nil, nil, collect(&all)))
	require.Equal(t, append(one, "2=3 @13 [10,20]"), all)

	m, d = table(t, s, input+"\nt 3 {\"A\":1} @40")
	one = nil
	require.NoError(t, m.Windows(d.Stores(m.Sub, 0), id(1), collect(&one)))
	require.Equal(t, []string{"1=5 @25 [20,30]"}, one)
}

func TestSessionTablesAnswerByKey(t *testing.T) {
	agg := totals(t, source(t, "t", false), false, &exec.Window{Type: exec.Session, Size: 10, Grace: 100, Retention: 110}, false)
	s := sink(t, agg, agg.Columns)
	s.Materialize = &exec.MaterializeStep{Columns: agg.Columns, Store: "Materialized", Key: keys(t), Window: types.SessionWindow, Retention: 110}
	m, d := table(t, s, "t 1 {\"A\":1} @1\nt 1 {\"A\":2} @9\nt 1 {\"A\":4} @50\nt 2 {\"A\":3} @13")
	var one []string
	require.NoError(t, m.Windows(d.Stores(m.Sub, 0), id(1), collect(&one)))
	require.Equal(t, []string{"1=3 @9 [1,9]", "1=4 @50 [50,50]"}, one)
}
