package jsonsr_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/connect"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/jsonsr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
)

func TestReferences(t *testing.T) {
	reg := &registry.Memory{}
	money := `{"$id":"https://shop.example/types/money.json","type":"object","properties":{"amount":{"$ref":"#/definitions/amount"}},"definitions":{"amount":{"type":"number"}}}`
	product := `{"$id":"https://shop.example/product.json","type":"object","properties":{"name":{"type":"string"},"price":{"$ref":"types/money.json"}},"definitions":{"tags":{"type":"array","items":{"type":"string"}}}}`
	reg.Put("money", 1, registry.Schema{Type: registry.TypeJSON, Text: money})
	reg.Put("product", 2, registry.Schema{Type: registry.TypeJSON, Text: product, References: []registry.Reference{{Name: "https://shop.example/types/money.json", Subject: "money", Version: 1}}})
	named := []registry.Reference{{Name: "product.json", Subject: "product", Version: 1}}
	const productType = "STRUCT<`price` STRUCT<`amount` DOUBLE>, `name` STRING>"
	for _, c := range []struct{ name, id, ref, want, wrong string }{
		{name: "by the name of the reference", ref: "product.json", want: productType},
		{name: "by the other's address", ref: "https://shop.example/product.json", want: productType},
		{name: "relative to its own address", id: "https://shop.example/sale.json", ref: "product.json", want: productType},
		{name: "into the other", ref: "product.json#/definitions/tags", want: "ARRAY<STRING>"},
		{name: "by its own address", id: "https://shop.example/sale.json", ref: "sale.json#/definitions/own", want: "BIGINT"},
		{name: "by what it refers to by way of another", ref: "https://shop.example/types/money.json", want: "STRUCT<`amount` DOUBLE>"},
		{name: "to what it does not have", ref: "product.json#/definitions/none", wrong: "product.json#/definitions/none, which it doesn't have"},
		{name: "to what is no reference", ref: "other.json", wrong: "other.json, which is none of the references"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := `{"$id":"` + c.id + `","type":"object","properties":{"V":{"$ref":"` + c.ref + `"}},"definitions":{"own":{"type":"integer"}}}`
			schema, err := jsonsr.Translate(t.Context(), reg, registry.Schema{Type: registry.TypeJSON, Text: text, References: named})
			if c.wrong != "" {
				require.ErrorContains(t, err, c.wrong)
				return
			}
			require.NoError(t, err)
			cols, err := connect.Columns(schema, connect.OriginalCase)
			require.NoError(t, err)
			require.Len(t, cols, 1)
			assert.Equal(t, c.want, cols[0].Type.String())
		})
	}
}
