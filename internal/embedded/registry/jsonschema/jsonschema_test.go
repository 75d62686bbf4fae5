package jsonschema_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/registry/jsonschema"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		`{ "b" : [ 1 , 2.50, 1e5, -0, 1.0E-9, 0.000001 ], "a" : null }`: `{"b":[1,2.50,1E+5,0,1.0E-9,0.000001],"a":null}`,
		`{"a":"\u00e9\u001f\/\t"}`:                                      `{"a":"é\u001F/\t"}`,
		`{"a":1,"b":2,"a":3}`:                                           `{"a":3,"b":2}`,
		"true":                                                          "true",
	} {
		s, err := jsonschema.Parse(in, nil)
		require.NoError(t, err, in)
		assert.Equal(t, want, s.Text())
	}
	s, err := jsonschema.Parse(`{"type":"object","properties":{"b":{},"a":{}}}`, nil)
	require.NoError(t, err)
	assert.Equal(t, `{"properties":{"a":{},"b":{}},"type":"object"}`, s.Normalized())
}

func TestWhatIsNoSchema(t *testing.T) {
	for _, text := range []string{"", "{", `{"a":}`} {
		_, err := jsonschema.Parse(text, nil)
		assert.ErrorIs(t, err, jsonschema.ErrSyntax, text)
	}
	for _, text := range []string{
		`{"type":"objec"}`, `{"type":5}`, `{"properties":[]}`, `{"properties":{"a":{"required":true}}}`, `{"minLength":"5"}`,
		`{"$ref":"#/definitions/none"}`, `{"$ref":"elsewhere.json"}`, `{"multipleOf":0}`, `{"pattern":"("}`, `{"allOf":{}}`, `3`,
	} {
		s, err := jsonschema.Parse(text, nil)
		require.ErrorIs(t, err, jsonschema.ErrSchema, text)
		assert.Equal(t, text, s.Text())
	}
}

func TestIncompatibilities(t *testing.T) {
	const modern = `"$schema":"https://json-schema.org/draft/2020-12/schema",`
	for name, c := range map[string]struct {
		old, new string
		want     []string
	}{
		"same":                      {`{"type":"string"}`, `{"type":"string"}`, nil},
		"everything allowed":        {`{"type":"string"}`, `true`, nil},
		"nothing allowed":           {`false`, `{"type":"string"}`, nil},
		"limits tightened":          {`{"type":"string","maxLength":5}`, `{"type":"string","maxLength":4,"minLength":1,"pattern":"a"}`, []string{"MAX_LENGTH_DECREASED #/maxLength", "MIN_LENGTH_ADDED #/minLength", "PATTERN_ADDED #/pattern"}},
		"exclusive maximum lowered": {`{"type":"number","exclusiveMaximum":2}`, `{"type":"number","exclusiveMaximum":1.5}`, []string{"EXCLUSIVE_MAXIMUM_DECREASED #/exclusiveMaximum"}},
		"multiples":                 {`{"type":"number","multipleOf":0.1}`, `{"type":"number","multipleOf":0.2}`, []string{"MULTIPLE_OF_EXPANDED #/multipleOf"}},
		"type of a list of types":   {`{"type":["string","null"]}`, `{"type":"string"}`, []string{"TYPE_CHANGED #/"}},
		"covered by a pattern": {
			`{"type":"object","patternProperties":{"^n":{"type":"integer"}},"additionalProperties":false}`,
			`{"type":"object","patternProperties":{"^n":{"type":"integer"}},"properties":{"n1":{"type":"string"}},"additionalProperties":false}`,
			[]string{"TYPE_CHANGED #/properties/n1", "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/n1"},
		},
		"a schema that refers to itself": {
			`{"type":"object","properties":{"next":{"$ref":"#"},"v":{"type":"string"}}}`,
			`{"type":"object","properties":{"next":{"$ref":"#"},"v":{"type":"integer"}}}`,
			[]string{"TYPE_CHANGED #/properties/v", "TYPE_CHANGED #/properties/next/properties/v"},
		},
		"one of a combination":  {`{"type":"string"}`, `{"anyOf":[{"type":"string"},{"type":"null"}]}`, nil},
		"combination exchanged": {`{"oneOf":[{"type":"string"},{"type":"null"}]}`, `{"oneOf":[{"type":"integer"},{"type":"null"}]}`, []string{"COMBINED_TYPE_SUBSCHEMAS_CHANGED #/"}},
		"draft 4 id and bounds": {`{"$schema":"http://json-schema.org/draft-04/schema#","type":"number","minimum":1,"exclusiveMinimum":true}`, `{"$schema":"http://json-schema.org/draft-04/schema#","type":"number","minimum":2}`, []string{"MINIMUM_INCREASED #/minimum"}},
		"2020-12 tuples":        {`{` + modern + `"prefixItems":[{"type":"string"}],"items":false}`, `{` + modern + `"prefixItems":[{"type":"integer"}],"items":false}`, []string{"TYPE_CHANGED #/items/0"}},
		"2020-12 dependencies":  {`{` + modern + `"type":"object"}`, `{` + modern + `"type":"object","dependentRequired":{"a":["b"]}}`, []string{"DEPENDENCY_ARRAY_ADDED #/dependencies/a"}},
	} {
		writer, err := jsonschema.Parse(c.old, nil)
		require.NoError(t, err, name)
		reader, err := jsonschema.Parse(c.new, nil)
		require.NoError(t, err, name)
		var got []string
		for _, d := range jsonschema.Incompatibilities(reader, writer) {
			got = append(got, string(d.Kind)+" "+d.Path)
		}
		assert.ElementsMatch(t, c.want, got, name)
	}
}

func TestMessages(t *testing.T) {
	d := jsonschema.Difference{Kind: "MINIMUM_INCREASED", Path: "#/a"}
	assert.Equal(t, `{errorType:"MINIMUM_INCREASED", description:"The value at path '#/a' in the new schema is more than its value in the old schema'}`, d.Message("new", "old"))
}

func TestReferences(t *testing.T) {
	refs := map[string]string{
		"product.json": `{"definitions":{"name":{"type":"string"}},"type":"object","properties":{"name":{"$ref":"#/definitions/name"}}}`,
		"other.json":   `{"$ref":"product.json"}`,
	}
	for _, ref := range []string{"product.json", "product.json#/definitions/name", "other.json", "./product.json"} {
		_, err := jsonschema.Parse(`{"properties":{"p":{"$ref":"`+ref+`"}}}`, refs)
		assert.NoError(t, err, ref)
	}
	_, err := jsonschema.Parse(`{"$id":"http://shop.example/order.json","properties":{"p":{"$ref":"product.json"}}}`, refs)
	require.NoError(t, err)
	_, err = jsonschema.Parse(`{"$id":"http://shop.example/order.json","definitions":{"x":{"$id":"#x","type":"string"}},"properties":{"p":{"$ref":"#x"}}}`, nil)
	require.NoError(t, err)
	_, err = jsonschema.Parse(`{"$ref":"product.json#/definitions/none"}`, refs)
	require.Error(t, err)
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"type":["string","null"],"$ref":"#/definitions/a","definitions":{"a":{"$ref":"#"}}}`, `{"allOf":[{"not":{}}],"items":[true]}`, `[1e400,-0]`, `{"$id":"http://%","$ref":"a#/b~1"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := jsonschema.Parse(text, nil)
		if err != nil {
			return
		}
		again, err := jsonschema.Parse(s.Text(), nil)
		require.NoError(t, err)
		assert.Equal(t, s.Text(), again.Text())
		assert.Empty(t, jsonschema.Incompatibilities(again, s))
	})
}
