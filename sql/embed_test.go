package sql

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestIDsBecomeQuotedLiterals(t *testing.T) {
	got, err := Query(OrdersByID, "o-1", `x') OR ID <> ('`, "${ids}")
	require.NoError(t, err)
	assert.Equal(t, `SELECT ID, CUSTOMERID, STATE, PRODUCT, QUANTITY, PRICE FROM ORDERS_BY_ID WHERE ID IN ('o-1', 'x'') OR ID <> (''', '${ids}');`, got)
}

func TestEveryQueryIsThere(t *testing.T) {
	for name, ids := range map[string][]string{OrdersByID: {"a"}, OrderChanges: nil, PaymentsByID: {"a"}, FraudChanges: nil} {
		text, err := Query(name, ids...)
		require.NoError(t, err)
		assert.Regexp(t, `^SELECT .*;$`, text)
	}
	_, err := Query(OrdersByID)
	require.ErrorContains(t, err, "0 ids")
	_, err = Query(OrderChanges, "x")
	require.ErrorContains(t, err, "1 ids")
	_, err = Query("none")
	require.ErrorContains(t, err, `"none"`)
}
