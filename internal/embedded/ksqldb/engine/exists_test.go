package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A migration that was interrupted is run again from its start.
func TestWhatExistsIsNotMadeAgain(t *testing.T) {
	w := newWorld(t, nil)
	create := "CREATE STREAM IF NOT EXISTS f WITH (KAFKA_TOPIC='f') AS SELECT id, v FROM s;"
	w.exec(createS + create)
	require.Len(t, w.exec(create+create), 2)
	require.Len(t, w.engine.Catalog().Queries(), 1)
	w.produce("s", "a", `{"V":"1"}`)
	w.eventually("f", `a {"V":"1"}`)
}
