package sql

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestIDsBecomeQuotedLiterals(t *testing.T) {
	got, err := Query(OrdersByID, "o-1", `x') OR ID <> ('`, "${ids}")
	require.NoError(t, err)
	assert.Equal(t, `SELECT ID, CUSTOMERID, STATE, PRODUCT, QUANTITY, PRICE FROM ORDER_STATES WHERE ID IN ('o-1', 'x'') OR ID <> (''', '${ids}');`, got)
}

func TestEveryQueryIsThere(t *testing.T) {
	for name, ids := range map[string][]string{OrdersByID: {"a"}, OrderChanges: nil, PaymentsByID: {"a"}, FraudChanges: nil, OrderCreated: {"a"}} {
		text, err := Query(name, ids...)
		require.NoError(t, err)
		assert.Regexp(t, `^SELECT .*;$`, text)
	}
	_, err := Query(OrdersByID)
	require.ErrorContains(t, err, "orders_by_id")
	_, err = Query(OrderChanges, "x")
	require.ErrorContains(t, err, "order_changes")
	_, err = Query(CustomerByID, "x")
	require.ErrorContains(t, err, "customer_by_id")
	_, err = QueryNumber(OrdersByID, 1)
	require.ErrorContains(t, err, "orders_by_id")
	text, err := QueryNumber(CustomerByID, -5)
	require.NoError(t, err)
	assert.Contains(t, text, "WHERE CUSTOMERID = -5;")
	_, err = Query("none")
	require.ErrorContains(t, err, `"none"`)
}
