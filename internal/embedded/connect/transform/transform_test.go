package transform_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
	"github.com/orderflow/orderflow/internal/embedded/connect/transform"
)

func record() *plugin.Record {
	schema := &data.Schema{Type: data.StructType, Name: "s", Fields: []data.Field{
		{Name: "id", Schema: data.Of(data.Int32)}, {Name: "name", Schema: data.OptionalOf(data.String)},
		{Name: "at", Schema: data.Timestamp()}, {Name: "amount", Schema: data.Of(data.Float64)},
	}}
	return &plugin.Record{Topic: "db.s", ValueSchema: schema, Value: &data.Struct{Schema: schema,
		Values: []any{int32(7), "seven", data.SQLTime(time.UnixMilli(1700000000123)), 1.5}}}
}

func apply(t *testing.T, class string, settings map[string]string, r *plugin.Record) (*plugin.Record, error) {
	t.Helper()
	c, ok := transform.Find("org.apache.kafka.connect.transforms." + class)
	require.True(t, ok)
	require.NoError(t, c.Check(settings))
	tr, err := c.New(settings)
	require.NoError(t, err)
	return tr.Apply(r)
}

func TestTransformationsOfStructs(t *testing.T) {
	for name, test := range map[string]struct {
		class    string
		settings map[string]string
		want     string // topic key value
	}{
		"key":       {"ValueToKey", map[string]string{"fields": "id,name"}, "db.s Struct{id=7,name=seven} Struct{id=7,name=seven,at=2023-11-14 22:13:20.123,amount=1.5}"},
		"field":     {"ExtractField$Value", map[string]string{"field": "name"}, "db.s null seven"},
		"cast":      {"Cast$Value", map[string]string{"spec": "id:string, amount:int32, name:boolean, at:int64"}, "db.s null Struct{id=7,name=false,at=1700000000123,amount=1}"},
		"exclude":   {"ReplaceField$Value", map[string]string{"exclude": "at,amount", "renames": "name:title"}, "db.s null Struct{id=7,title=seven}"},
		"include":   {"ReplaceField$Value", map[string]string{"include": "amount"}, "db.s null Struct{amount=1.5}"},
		"insert":    {"InsertField$Value", map[string]string{"topic.field": "t!", "static.field": "x", "static.value": "y"}, "db.s null Struct{id=7,name=seven,at=2023-11-14 22:13:20.123,amount=1.5,t=db.s,x=y}"},
		"route":     {"RegexRouter", map[string]string{"regex": `db\.(.*)`, "replacement": "x-$1"}, "x-s null Struct{id=7,name=seven,at=2023-11-14 22:13:20.123,amount=1.5}"},
		"no route":  {"RegexRouter", map[string]string{"regex": `s`, "replacement": "x"}, "db.s null Struct{id=7,name=seven,at=2023-11-14 22:13:20.123,amount=1.5}"},
		"time text": {"TimestampConverter$Value", map[string]string{"field": "at", "target.type": "string", "format": "yyyy-MM-dd'T'HH:mm:ss.SSS"}, "db.s null Struct{id=7,name=seven,at=2023-11-14T22:13:20.123,amount=1.5}"},
		"time unix": {"TimestampConverter$Value", map[string]string{"field": "at", "target.type": "unix", "unix.precision": "seconds"}, "db.s null Struct{id=7,name=seven,at=1700000000,amount=1.5}"},
		"metadata":  {"SetSchemaMetadata$Value", map[string]string{"schema.name": "a.B", "schema.version": "3"}, "db.s null Struct{id=7,name=seven,at=2023-11-14 22:13:20.123,amount=1.5}"},
	} {
		t.Run(name, func(t *testing.T) {
			in := record()
			got, err := apply(t, test.class, test.settings, in)
			require.NoError(t, err)
			assert.Equal(t, test.want, got.Topic+" "+data.Text(got.Key)+" "+data.Text(got.Value))
			assert.Equal(t, record(), in, "the record given is not changed")
		})
	}
}

func TestTheKeyOfTheCustomersConnectorIsALong(t *testing.T) {
	r := record()
	for _, step := range []struct{ class, name, value string }{{"ValueToKey", "fields", "id"}, {"ExtractField$Key", "field", "id"}, {"Cast$Key", "spec", "int64"}} {
		var err error
		r, err = apply(t, step.class, map[string]string{step.name: step.value}, r)
		require.NoError(t, err)
	}
	assert.Equal(t, int64(7), r.Key)
	assert.Equal(t, data.Int64, r.KeySchema.Type)
}

func TestErrorsAreTheRealOnes(t *testing.T) {
	for name, test := range map[string]struct {
		class    string
		settings map[string]string
		want     string
	}{
		"no such key field": {"ValueToKey", map[string]string{"fields": "nope"}, "Field does not exist: nope"},
		"no such field":     {"ExtractField$Value", map[string]string{"field": "nope"}, "Unknown field: nope"},
		"no number":         {"Cast$Value", map[string]string{"spec": "name:int32"}, "Value (seven) was out of range for requested data type"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := apply(t, test.class, test.settings, record())
			require.ErrorContains(t, err, test.want)
		})
	}
	c, ok := transform.Find("org.apache.kafka.connect.transforms.Cast$Value")
	require.True(t, ok)
	assert.Contains(t, config.Validate(c.Definition, "", nil).Errors(), "Must specify at least one field to cast.")
}

func TestTransformationsWithoutSchemas(t *testing.T) {
	r := &plugin.Record{Topic: "t", Value: &data.Map{Keys: []any{"a", "b"}, Values: []any{int64(1), "x"}}}
	got, err := apply(t, "Cast$Value", map[string]string{"spec": "a:string"}, r)
	require.NoError(t, err)
	got, err = apply(t, "ReplaceField$Value", map[string]string{"renames": "a:z", "exclude": "b"}, got)
	require.NoError(t, err)
	assert.Equal(t, &data.Map{Keys: []any{"z"}, Values: []any{"1"}}, got.Value)
	_, err = apply(t, "SetSchemaMetadata$Value", map[string]string{"schema.name": "x"}, r)
	require.ErrorContains(t, err, "Schema required")
}
