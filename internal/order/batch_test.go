package order

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func orderJSON(id string) string {
	return fmt.Sprintf(`{"id":%q,"customerId":1,"state":"CREATED","product":"JUMPERS","quantity":2,"price":9.5}`, id)
}

func TestDecodeOrders(t *testing.T) {
	orders, err := DecodeOrders(strings.NewReader(`{"orders":[` + orderJSON("a") + `,` + orderJSON("b") + `]}`))
	require.NoError(t, err)
	require.Len(t, orders, 2)
	assert.Equal(t, Order{ID: "b", CustomerID: 1, State: Created, Product: Jumpers, Quantity: 2, Price: 9.5}, orders[1])
}

func TestDecodeOrdersPointsAtTheWrongOne(t *testing.T) {
	wrong := strings.Replace(orderJSON("b"), `"quantity":2`, `"quantity":"2"`, 1)
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"a field":    {`{"orders":[` + orderJSON("a") + `,` + wrong + `]}`, []string{"#/orders/1/quantity"}},
		"no object":  {`{"orders":[1,[]]}`, []string{"#/orders/0", "#/orders/1"}},
		"none":       {`{"orders":[]}`, []string{"#/orders"}},
		"no array":   {`{"orders":{}}`, []string{"#/orders"}},
		"missing":    {`{}`, []string{"#/orders"}},
		"other":      {`{"orders":[` + orderJSON("a") + `],"x":1}`, []string{"#/x"}},
		"too many":   {`{"orders":[` + strings.Repeat("1,", MaxBatch) + `1]}`, []string{"#/orders"}},
		"bare array": {`[` + orderJSON("a") + `]`, []string{"#"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeOrders(strings.NewReader(c.body))
			var invalid *InvalidError
			require.ErrorAs(t, err, &invalid)
			var got []string
			for _, e := range invalid.Errors {
				got = append(got, e.Pointer)
			}
			assert.Equal(t, c.want, got)
		})
	}
	_, err := DecodeOrders(strings.NewReader(`{"orders":[` + strings.Repeat("1,", MaxBatch-1) + `1]}`))
	var invalid *InvalidError
	require.ErrorAs(t, err, &invalid)
	assert.Len(t, invalid.Errors, maxBatchErrors)
}

func FuzzDecodeOrders(f *testing.F) {
	f.Add(`{"orders":[` + orderJSON("a") + `]}`)
	f.Add(`{"orders":[{},null]}`)
	f.Fuzz(func(t *testing.T, body string) {
		orders, err := DecodeOrders(strings.NewReader(body))
		if err != nil {
			var invalid *InvalidError
			require.ErrorAs(t, err, &invalid)
			require.NotEmpty(t, invalid.Errors)
			return
		}
		require.NotEmpty(t, orders)
		for _, o := range orders {
			require.Equal(t, Created, o.State)
			require.NotEmpty(t, o.ID)
		}
	})
}
