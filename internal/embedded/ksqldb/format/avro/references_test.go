package avro_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	twmb "github.com/twmb/avro"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/avro"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/connect"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// withReferences has a schema of id 4 that refers to two others, which both refer
// to a third one.
func withReferences() *registry.Memory {
	reg := &registry.Memory{}
	reg.Put("money", 1, registry.Schema{Text: `{"type":"record","name":"Money","namespace":"shop","fields":[{"name":"amount","type":{"type":"bytes","logicalType":"decimal","scale":2}}]}`})
	money := registry.Reference{Name: "shop.Money", Subject: "money", Version: 1}
	reg.Put("product", 2, registry.Schema{Text: `{"type":"record","name":"Product","namespace":"shop","fields":[{"name":"price","type":"Money"}]}`, References: []registry.Reference{money}})
	reg.Put("payment", 3, registry.Schema{Text: `{"type":"record","name":"Payment","namespace":"shop","fields":[{"name":"paid","type":["null","shop.Money"],"default":null}]}`, References: []registry.Reference{money}})
	reg.Put("t-value", 4, registry.Schema{
		Text:       `{"type":"record","name":"Sale","namespace":"sales","fields":[{"name":"N","type":"int"},{"name":"PRODUCT","type":"shop.Product"},{"name":"PAYMENT","type":["null","shop.Payment"],"default":null}]}`,
		References: []registry.Reference{{Name: "shop.Product", Subject: "product", Version: 1}, {Name: "shop.Payment", Subject: "payment", Version: 1}},
	})
	return reg
}

func TestReferences(t *testing.T) {
	reg := withReferences()
	schema, err := reg.SchemaByID(t.Context(), 4)
	require.NoError(t, err)
	text, err := avro.SelfContained(t.Context(), reg, schema)
	require.NoError(t, err)
	translated, err := avro.Translate(text)
	require.NoError(t, err)
	cols, err := connect.Columns(translated, connect.OriginalCase)
	require.NoError(t, err)
	var of []string
	for _, c := range cols {
		of = append(of, c.Name+" "+c.Type.String())
	}
	assert.Equal(t, []string{"N INTEGER", "PRODUCT STRUCT<`price` STRUCT<`amount` DECIMAL(64, 2)>>", "PAYMENT STRUCT<`paid` STRUCT<`amount` DECIMAL(64, 2)>>"}, of)

	payload, err := twmb.MustParse(text).Encode(map[string]any{
		"N": 2, "PRODUCT": map[string]any{"price": map[string]any{"amount": []byte{4, 226}}}, "PAYMENT": nil,
	})
	require.NoError(t, err)
	id := 4
	for name, schemaID := range map[string]*int{"found by the record": nil, "named by the statement": &id} {
		s, err := avro.New(t.Context(), avro.Config{Columns: cols, Topic: "t", FullName: "sales.Sale", SchemaID: schemaID}, reg)
		require.NoError(t, err, name)
		row, err := s.Deserialize(append([]byte{0, 0, 0, 0, 4}, payload...))
		require.NoError(t, err, name)
		require.Len(t, row, 3)
		assert.Equal(t, int64(2), row[0].Int(), name)
		assert.Equal(t, "12.50", row[1].Elems()[0].Elems()[0].Decimal().String(), name)
		assert.True(t, row[2].IsNull(), name)
		if schemaID != nil {
			written, err := s.Serialize(nil, row)
			require.NoError(t, err)
			assert.Equal(t, append([]byte{0, 0, 0, 0, 4}, payload...), written, "written with the schema that has references")
		}
	}
}

func TestReferencesThatAreMissing(t *testing.T) {
	reg := withReferences()
	require.NoError(t, reg.DeleteSubject(t.Context(), "money"))
	id := 4
	_, err := avro.New(context.Background(), avro.Config{Columns: columns("N", types.Integer), Topic: "t", SchemaID: &id}, reg)
	require.ErrorContains(t, err, "fetching the referenced schema shop.Money")
	s, err := avro.New(context.Background(), avro.Config{Columns: columns("N", types.Integer), Topic: "t", FullName: avro.RecordName}, reg)
	require.NoError(t, err)
	_, err = s.Deserialize([]byte{0, 0, 0, 0, 4, 4})
	require.ErrorContains(t, unwrapAll(err), "fetching the referenced schema shop.Money")
}
