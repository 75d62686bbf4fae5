package catalog

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func filled(t *testing.T) *Catalog {
	t.Helper()
	c := New()
	require.NoError(t, c.PutSource(&Source{Name: "S", Topic: plan.Topic{Name: "s"}}, false))
	require.NoError(t, c.PutSource(&Source{Name: "S2", Topic: plan.Topic{Name: "s"}}, false))
	require.NoError(t, c.PutSource(&Source{Name: "AGG", Kind: ast.Table, CreatedBy: "CTAS_AGG_1"}, false))
	c.PutQuery(&Query{ID: "CTAS_AGG_1", Kind: CreateAs, Sources: []string{"S"}, Sink: "AGG"})
	c.PutQuery(&Query{ID: "INSERTQUERY_2", Kind: Insert, Sources: []string{"S"}, Sink: "S2"})
	return c
}

func TestASourceIsDroppedOnlyWhenNothingIsBuiltOnIt(t *testing.T) {
	c := filled(t)

	_, err := c.DropSource("S")
	assert.EqualError(t, err, "Cannot drop S.\nThe following queries read from this source: [INSERTQUERY_2].\nThe following queries write into this source: [].\nYou need to terminate them before dropping S.")
	_, err = c.DropSource("S2")
	assert.EqualError(t, err, "Cannot drop S2.\nThe following queries read from this source: [].\nThe following queries write into this source: [INSERTQUERY_2].\nYou need to terminate them before dropping S2.")

	require.True(t, c.RemoveQuery("insertquery_2"))
	_, err = c.DropSource("S")
	assert.EqualError(t, err, "Cannot drop S.\nThe following streams and/or tables read from this source: [AGG].\nYou need to drop them before dropping S.")

	stopped, err := c.DropSource("AGG")
	require.NoError(t, err)
	require.Len(t, stopped, 1)
	assert.Equal(t, "CTAS_AGG_1", stopped[0].ID)

	_, err = c.DropSource("S")
	require.NoError(t, err)
}

func TestAChangedSnapshotLeavesTheCatalogAsItWas(t *testing.T) {
	c := filled(t)
	copied := c.Snapshot()
	_, err := copied.DropSource("AGG")
	require.NoError(t, err)
	copied.PutType("ADDRESS", types.String)

	assert.NotNil(t, c.Materialized("AGG"))
	assert.Nil(t, copied.Materialized("AGG"))
	assert.Empty(t, c.TypeNames())
	assert.Equal(t, []string{"ADDRESS"}, copied.TypeNames())
	assert.Len(t, c.Queries(), 2)
}

func TestATakenNameIsRefused(t *testing.T) {
	c := filled(t)
	err := c.PutSource(&Source{Name: "AGG"}, false)
	assert.EqualError(t, err, "Cannot add stream 'AGG': A table with the same name already exists")
	require.NoError(t, c.PutSource(&Source{Name: "AGG", Kind: ast.Table}, true))
	assert.Len(t, c.OnTopic("s"), 2)
}
