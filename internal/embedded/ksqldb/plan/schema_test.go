package plan

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func source(table bool) *Source {
	return &Source{Table: table, Columns: &types.Schema{
		Key:   []types.Column{{Name: "ID", Type: types.Integer}},
		Value: []types.Column{{Name: "A", Type: types.String}, {Name: "B", Type: types.Double}},
	}}
}

func named(name string, t *types.Type) Named { return Named{Name: name, Expr: Expr{Type: t}} }

func TestSchemasFollowFromTheInputs(t *testing.T) {
	for _, c := range []struct {
		node Node
		want string
	}{
		{&Filter{Input: source(false)}, "`ID` INTEGER KEY, `A` STRING, `B` DOUBLE"},
		{&Project{Input: source(false), KeyNames: []string{"K"}, Values: []Named{named("C", types.Bigint)}}, "`K` INTEGER KEY, `C` BIGINT"},
		{&FlatMap{Input: source(false), Calls: []TableCall{{Name: "E", Type: types.Date}}}, "`ID` INTEGER KEY, `A` STRING, `B` DOUBLE, `E` DATE"},
		{&Rekey{Input: source(false), Keys: []Named{named("A", types.String)}, Keep: []Named{named("ID", types.Integer)}}, "`A` STRING KEY, `A` STRING, `B` DOUBLE, `ID` INTEGER"},
		{&Aggregate{Input: source(false), Groups: []Named{named("A", types.String)}, Calls: []AggregateCall{{Name: "N", Type: types.Bigint}}}, "`A` STRING KEY, `N` BIGINT"},
		{&StreamTableJoin{Join{LeftInput: source(false), RightInput: source(true), KeyName: "K", LeftNames: []string{"", "L_A", ""}, RightNames: []string{"R_ID", "", "R_B"}}}, "`K` INTEGER KEY, `L_A` STRING, `R_ID` INTEGER, `R_B` DOUBLE"},
		{&ForeignKeyJoin{Join: Join{LeftInput: source(true), RightInput: source(true), LeftNames: []string{"", "A", "B"}, RightNames: []string{"", "", ""}}, KeyNames: []string{"L_ID"}}, "`L_ID` INTEGER KEY, `A` STRING, `B` DOUBLE"},
		{&Sink{Input: source(true)}, "`ID` INTEGER KEY, `A` STRING, `B` DOUBLE"},
	} {
		assert.Equal(t, c.want, c.node.Schema().String(), "%T", c.node)
	}
}

func TestWhatMakesATableAndWhatCarriesWindows(t *testing.T) {
	agg := &Aggregate{Input: source(false), Window: &Window{Type: Session}}
	assert.True(t, agg.Changelog())
	assert.Equal(t, types.SessionWindow, (&Project{Input: agg}).Windowed())
	assert.Equal(t, types.NoWindow, (&Rekey{Input: agg}).Windowed())
	assert.False(t, (&StreamTableJoin{Join{LeftInput: source(false), RightInput: source(true)}}).Changelog())
	assert.True(t, (&TableTableJoin{Join{LeftInput: source(true), RightInput: source(true)}}).Changelog())
	assert.True(t, (&Filter{Input: source(true)}).Changelog())
}

func TestIntervalsIncludeBothEnds(t *testing.T) {
	low, high := int64(1), int64(3)
	assert.True(t, Interval{}.Contains(-5))
	assert.True(t, Interval{Min: &low, Max: &high}.Contains(3))
	assert.False(t, Interval{Min: &low, Max: &high}.Contains(4))
	assert.False(t, Interval{Min: &low}.Contains(0))
}
