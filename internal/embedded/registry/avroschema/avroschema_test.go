package avroschema_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/registry/avroschema"
)

func TestText(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"primitive":           {`{"type":"long"}`, `"long"`},
		"logical type":        {`{"logicalType":"date","type":"int"}`, `{"type":"int","logicalType":"date"}`},
		"order of attributes": {`{"fields":[{"type":{"type":"int"},"name":"a"}],"name":"R","type":"record"}`, `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`},
		"namespace in name":   {`{"type":"fixed","name":"a.b.F","size":4}`, `{"type":"fixed","name":"F","namespace":"a.b","size":4}`},
		"inherited namespace": {`{"type":"record","name":"a.R","fields":[{"name":"x","type":{"type":"enum","name":"E","symbols":["A"],"default":"A"}},{"name":"y","type":"a.E"}]}`,
			`{"type":"record","name":"R","namespace":"a","fields":[{"name":"x","type":{"type":"enum","name":"E","symbols":["A"],"default":"A"}},{"name":"y","type":"E"}]}`},
		"recursive": {`{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"],"default":null}]}`, `{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"],"default":null}]}`},
		"defaults":  {`{"type":"record","name":"R","fields":[{"name":"a","type":"double","default":1e3},{"name":"b","type":"float","default":"0.5"},{"name":"c","type":"double","default":1E-10},{"name":"d","type":"long","default":9007199254740993}]}`, `{"type":"record","name":"R","fields":[{"name":"a","type":"double","default":1000.0},{"name":"b","type":"float","default":0.5},{"name":"c","type":"double","default":1.0E-10},{"name":"d","type":"long","default":9007199254740993}]}`},
		"order, aliases": {`{"type":"record","name":"n.R","aliases":["n.Q","m.P"],"fields":[{"name":"a","aliases":["b"],"order":"ignore","type":"int","doc":"d","p":[1,{"q":null}]}]}`,
			`{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"int","doc":"d","order":"ignore","aliases":["b"],"p":[1,{"q":null}]}],"aliases":["Q","m.P"]}`},
		"text": {`{"type":"record","name":"R","doc":"a\u0001\"\\ü<\n","fields":[]}`, `{"type":"record","name":"R","doc":"a\u0001\"\\ü<\n","fields":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := avroschema.Parse(c.in)
			require.NoError(t, err)
			assert.Equal(t, c.want, s.Text())
		})
	}
}

func TestNormalizedSortsProperties(t *testing.T) {
	s, err := avroschema.Parse(`{"type":"string","b":1,"a":{"y":1,"x":2}}`)
	require.NoError(t, err)
	assert.Equal(t, `{"type":"string","b":1,"a":{"y":1,"x":2}}`, s.Text())
	assert.Equal(t, `{"type":"string","a":{"y":1,"x":2},"b":1}`, s.Normalized())
}

func TestReferences(t *testing.T) {
	level, err := avroschema.Parse(`{"type":"enum","name":"o.Level","symbols":["gold"]}`)
	require.NoError(t, err)
	const text = `{"type":"record","name":"R","namespace":"o","fields":[{"name":"l","type":"Level"}]}`
	_, err = avroschema.Parse(text)
	require.ErrorContains(t, err, `"Level" is not a defined name`)
	s, err := avroschema.Parse(text, level)
	require.NoError(t, err)
	assert.Equal(t, text, s.Text(level))
	assert.Equal(t, `{"type":"record","name":"R","namespace":"o","fields":[{"name":"l","type":{"type":"enum","name":"Level","symbols":["gold"]}}]}`, s.Text())
}

func TestParseRefuses(t *testing.T) {
	for in, want := range map[string]string{
		``:                                       "JsonParseException",
		`{"type":"int"} x`:                       "JsonParseException",
		`"nothing"`:                              `Undefined name: "nothing"`,
		`1`:                                      "Schema not yet supported: 1",
		`{}`:                                     "No type: {}",
		`{"type":"record"}`:                      "No name in schema",
		`{"type":"enum","name":"E"}`:             "Enum has no symbols",
		`{"type":"map"}`:                         "Map has no values type",
		`[["int"]]`:                              "Nested union",
		`["int",{"type":"int"}]`:                 "Duplicate in union:int",
		`{"type":"fixed","name":"a-b"}`:          "Illegal character in: a-b",
		`{"type":"fixed","name":"f","size":1.5}`: "Invalid or no size",
		`{"type":"enum","name":"E","symbols":["A"],"default":"B"}`:                                         "The Enum Default: B",
		`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"R","size":1}}]}`: "Can't redefine: R",
		`{"type":"record","name":"R","fields":[{"type":"int"}]}`:                                           "No field name",
		`{"type":"record","name":"R","fields":[{"name":"a"}]}`:                                             "No field type",
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","aliases":"b"}]}`:                  "aliases not an array",
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","order":"up"}]}`:                   "Order.UP",
	} {
		_, err := avroschema.Parse(in)
		if assert.ErrorContains(t, err, want, in) {
			assert.True(t, avroschema.IsParseError(err))
		}
	}
}

func TestIncompatibilities(t *testing.T) {
	const head, tail = `{"type":"record","name":"n.R","fields":[`, `]}`
	for name, c := range map[string]struct {
		reader, writer string
		want           []avroschema.Incompatibility
	}{
		"same":             {`"int"`, `"int"`, nil},
		"promotion":        {`"double"`, `"int"`, nil},
		"demotion":         {`"int"`, `"long"`, []avroschema.Incompatibility{{Kind: avroschema.TypeMismatch, Path: "/", Info: "reader type: INT not compatible with writer type: LONG"}}},
		"wider union":      {`["null","int"]`, `"int"`, nil},
		"writer's union":   {`"int"`, `["null","int"]`, []avroschema.Incompatibility{{Kind: avroschema.TypeMismatch, Path: "/", Info: "reader type: INT not compatible with writer type: NULL"}}},
		"narrower union":   {`["null"]`, `["null","int"]`, []avroschema.Incompatibility{{Kind: avroschema.MissingUnionBranch, Path: "/1", Info: "reader union lacking writer type: INT"}}},
		"new field":        {head + `{"name":"a","type":"int"}` + tail, head + tail, []avroschema.Incompatibility{{Kind: avroschema.MissingDefault, Path: "/fields/0", Info: "a"}}},
		"with default":     {head + `{"name":"a","type":"int","default":1}` + tail, head + tail, nil},
		"alias":            {head + `{"name":"a","type":"int","aliases":["b"]}` + tail, head + `{"name":"b","type":"int"}` + tail, nil},
		"name":             {`{"type":"fixed","name":"a.F","size":1}`, `{"type":"fixed","name":"a.G","size":2}`, []avroschema.Incompatibility{{Kind: avroschema.NameMismatch, Path: "/name", Info: "expected: a.G"}, {Kind: avroschema.FixedSizeMismatch, Path: "/size", Info: "expected: 2, found: 1"}}},
		"namespace only":   {`{"type":"fixed","name":"a.F","size":1}`, `{"type":"fixed","name":"b.F","size":1}`, nil},
		"symbols":          {`{"type":"enum","name":"E","symbols":["A"]}`, `{"type":"enum","name":"E","symbols":["C","B","A"]}`, []avroschema.Incompatibility{{Kind: avroschema.MissingEnumSymbols, Path: "/symbols", Info: "[B, C]"}}},
		"enum default":     {`{"type":"enum","name":"E","symbols":["A"],"default":"A"}`, `{"type":"enum","name":"E","symbols":["B"]}`, nil},
		"deep in a map":    {`{"type":"map","values":{"type":"array","items":"int"}}`, `{"type":"map","values":{"type":"array","items":"string"}}`, []avroschema.Incompatibility{{Kind: avroschema.TypeMismatch, Path: "/values/items", Info: "reader type: INT not compatible with writer type: STRING"}}},
		"recursive, equal": {`{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}`, `{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			reader, err := avroschema.Parse(c.reader)
			require.NoError(t, err)
			writer, err := avroschema.Parse(c.writer)
			require.NoError(t, err)
			assert.Equal(t, c.want, avroschema.Incompatibilities(reader, writer))
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"type":"record","name":"a.R","doc":"d","fields":[{"name":"x","type":["null",{"type":"enum","name":"E","symbols":["A"]}],"default":null,"p":1.50},{"name":"y","type":"E","order":"descending"}],"aliases":["Q"]}`)
	f.Add(`{"type":"array","items":{"type":"map","values":{"type":"fixed","name":"F","size":3}}}`)
	f.Add(`[{"type":"error","name":"X","fields":[]},"string"]`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := avroschema.Parse(text)
		if err != nil {
			require.True(t, avroschema.IsParseError(err))
			return
		}
		written := s.Text()
		again, err := avroschema.Parse(written)
		require.NoError(t, err, written)
		require.Equal(t, written, again.Text())
		require.Equal(t, s.Normalized(), again.Normalized())
		require.Empty(t, avroschema.Incompatibilities(s, again))
		require.Empty(t, avroschema.Incompatibilities(again, s))
	})
}
