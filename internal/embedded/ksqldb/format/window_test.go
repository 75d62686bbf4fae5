package format_test

import (
	"encoding/hex"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func TestWindowedKeys(t *testing.T) {
	inner := []byte{0, 0, 0, 0, 0, 0, 0, 7}
	tumbling := types.Window{Kind: types.TimeWindow, Start: 30_000, End: 60_000}
	key := format.AppendWindow(append([]byte{}, inner...), tumbling)
	assert.Equal(t, "00000000000000070000000000007530", hex.EncodeToString(key))
	got, w, err := format.SplitWindow(key, types.TimeWindow, 30_000)
	require.NoError(t, err)
	assert.Equal(t, inner, got)
	assert.Equal(t, tumbling, w)

	session := types.Window{Kind: types.SessionWindow, Start: 1, End: 5}
	key = format.AppendWindow([]byte(`"a"`), session)
	assert.Equal(t, "22612200000000000000050000000000000001", hex.EncodeToString(key))
	got, w, err = format.SplitWindow(key, types.SessionWindow, 0)
	require.NoError(t, err)
	assert.Equal(t, `"a"`, string(got))
	assert.Equal(t, session, w)

	_, w, err = format.SplitWindow(format.AppendWindow(nil, types.Window{Kind: types.TimeWindow, Start: math.MaxInt64 - 5}), types.TimeWindow, 10)
	require.NoError(t, err)
	assert.Equal(t, int64(math.MaxInt64), w.End)

	_, _, err = format.SplitWindow([]byte{1, 2}, types.TimeWindow, 10)
	assert.Error(t, err)
	_, _, err = format.SplitWindow(make([]byte, 15), types.SessionWindow, 10)
	assert.Error(t, err)
	got, w, err = format.SplitWindow(inner, types.NoWindow, 0)
	require.NoError(t, err)
	assert.Equal(t, inner, got)
	assert.Zero(t, w)
}
