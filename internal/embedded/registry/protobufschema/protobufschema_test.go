package protobufschema_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/registry/protobufschema"
)

const everything = `// a comment
syntax = "proto3";
package shop.v1;
import "google/protobuf/timestamp.proto"; import public "p.proto";
option java_package = "x.y";
option (my).deep.name = "v";
enum Kind { option allow_alias = true; A = 0; B = 1 [deprecated = true]; C = 1; reserved 5, 7 to 9, "OLD"; }
message Order {
  reserved 10 to max;
  string id = 1 [json_name = "ID", deprecated = true];
  map< string , Line > lines = 2;
  optional int64 total = 3; /* another */
  repeated Kind kinds = 6;
  google.protobuf.Timestamp at = 7;
  oneof pay { string card = 4; Line other = 5; }
  message Line { int32 n = 1; }
}
extend google.protobuf.FieldOptions { string tag = 50001; }
service S { rpc Get (Order) returns (stream Order) { option idempotency_level = IDEMPOTENT; } }
`

const everythingText = `syntax = "proto3";
package shop.v1;

import "google/protobuf/timestamp.proto";
import public "p.proto";

option java_package = "x.y";
option (my).deep.name = "v";

message Order {
  reserved 10 to max;

  string id = 1 [
    deprecated = true,
    json_name = "ID"
  ];
  map<string, Line> lines = 2;
  optional int64 total = 3;
  repeated Kind kinds = 6;
  google.protobuf.Timestamp at = 7;

  oneof pay {
    string card = 4;
    Line other = 5;
  }

  message Line {
    int32 n = 1;
  }
}
enum Kind {
  reserved 5, 7 to 9, "OLD";
  option allow_alias = true;
  A = 0;
  B = 1 [deprecated = true];
  C = 1;
}

extend google.protobuf.FieldOptions {
  string tag = 50001;
}

service S {
  rpc Get (Order) returns (stream Order) {
    option idempotency_level = IDEMPOTENT;
  };
}
`

var imports = map[string]protobufschema.Import{"p.proto": {Text: `syntax = "proto3"; package shop.v1; message P {}`}}

func parse(t *testing.T, text string) *protobufschema.Schema {
	t.Helper()
	s, err := protobufschema.Parse(text, imports)
	require.NoError(t, err, text)
	return s
}

func TestText(t *testing.T) {
	s := parse(t, everything)
	assert.Equal(t, everythingText, s.Text())
	assert.Equal(t, everythingText, parse(t, s.Text()).Text())
	assert.NotContains(t, s.WithoutExtensions(), "extend ")
	assert.NotContains(t, s.WithoutExtensions(), "(my)")
	assert.Equal(t, []string{"google/protobuf/timestamp.proto", "p.proto"}, s.Imports())
	assert.True(t, s.HasField("card"))
	assert.False(t, s.HasField("n"))
}

func TestDescriptorsComeBackAsTheSameSchema(t *testing.T) {
	s := parse(t, everything)
	serialized, err := s.Serialized()
	require.NoError(t, err)
	back := parse(t, serialized)
	normalized, err := s.Normalized()
	require.NoError(t, err)
	again, err := back.Normalized()
	require.NoError(t, err)
	// Options of one's own have no place in a descriptor that nobody linked.
	assert.Equal(t, parse(t, normalized).WithoutExtensions(), parse(t, again).WithoutExtensions())
	assert.Empty(t, protobufschema.Incompatibilities(back, s))
}

func TestNormalized(t *testing.T) {
	normalized, err := parse(t, `syntax = "proto3"; package a; message B { C y = 2; map<string, C> x = 1; message C {} }`).Normalized()
	require.NoError(t, err)
	assert.Equal(t, `syntax = "proto3";
package a;

message B {
  map<string, .a.B.C> x = 1;
  .a.B.C y = 2;

  message C {}
}
`, normalized)
	_, err = parse(t, `syntax = "proto3"; message B { Nobody y = 2; }`).Normalized()
	assert.EqualError(t, err, "Could not resolve type: Nobody")
}

func TestWhatIsNoSchema(t *testing.T) {
	for text, message := range map[string]string{
		`syntax = "proto3"; message {`:                    "Syntax error in :1:28: expected a word",
		"message A {\n  string a = 1;\n}":                 "Syntax error in :2:3: unexpected label: string",
		`syntax = "proto3"; message A { string a = x; }`:  "Syntax error in :1:44: expected an integer but was x",
		`syntax = "proto3"; message A { string 1a = 1; }`: "Syntax error in :1:38: field and constant names cannot start with a digit",
		`syntax = "proto9";`:                              "Syntax error in :1:1: unexpected syntax: proto9",
		`message A { /* `:                                 "Syntax error in :1:15: unterminated comment",
		`syntax = "proto3"; message A {} message A {}`:    "Syntax error in :1:33: A is already defined",
	} {
		_, err := protobufschema.Parse(text, nil)
		assert.EqualError(t, err, message, text)
	}
}

func TestIncompatibilities(t *testing.T) {
	message := func(body string) string { return "syntax = \"proto3\"; package t; message R { " + body + " }" }
	for name, c := range map[string]struct {
		old, new string
		want     []string
	}{
		"number to text":          {message("int32 a = 1;"), message("string a = 1;"), []string{"FIELD_SCALAR_KIND_CHANGED #/R/1"}},
		"field to map":            {message("int32 a = 1;"), message("map<string, int32> a = 1;"), []string{"FIELD_KIND_CHANGED #/R/1"}},
		"number to list":          {message("optional int32 a = 1;"), message("repeated int32 a = 1;"), []string{"FIELD_NUMERIC_LABEL_CHANGED #/R/1"}},
		"enum to number":          {message("enum E { A = 0; } E a = 1;"), message("int64 a = 1;"), nil},
		"removed from oneof":      {message("oneof o { int32 a = 1; int32 b = 2; }"), message("oneof o { int32 a = 1; }"), []string{"ONEOF_FIELD_REMOVED #/R/o/2"}},
		"into a oneof that was":   {message("int32 a = 1; oneof o { int32 b = 2; }"), message("oneof o { int32 a = 1; int32 b = 2; }"), []string{"FIELD_MOVED_TO_EXISTING_ONEOF #/R/o"}},
		"package":                 {message("int32 a = 1;"), `syntax = "proto3"; package u; message R { int32 a = 1; }`, []string{"PACKAGE_CHANGED #/"}},
		"message of another name": {message("message N {} message M {} N a = 1;"), message("message N {} message M {} M a = 1;"), []string{"FIELD_NAMED_TYPE_CHANGED #/R/1"}},
		"required":                {`message R { }`, `message R { required int32 a = 1; }`, []string{"REQUIRED_FIELD_ADDED #/R/1"}},
		"not required any more":   {`message R { required int32 a = 1; }`, `message R { }`, []string{"REQUIRED_FIELD_REMOVED #/R/1"}},
		"recursive":               {message("R r = 1; int32 a = 2;"), message("R r = 1; string a = 2;"), []string{"FIELD_SCALAR_KIND_CHANGED #/R/2"}},
	} {
		var got []string
		for _, d := range protobufschema.Incompatibilities(parse(t, c.new), parse(t, c.old)) {
			got = append(got, string(d.Kind)+" "+d.Path)
		}
		assert.ElementsMatch(t, c.want, got, name)
	}
}

func TestImportedTypesAreCompared(t *testing.T) {
	with := func(version int, imported string) *protobufschema.Schema {
		s, err := protobufschema.Parse(`syntax = "proto3"; import "p.proto"; message R { P p = 1; }`, map[string]protobufschema.Import{
			"p.proto": {Text: `syntax = "proto3"; message P { ` + imported + ` a = 1; }`, Origin: protobufschema.Origin{Subject: "p", Version: version}},
		})
		require.NoError(t, err)
		return s
	}
	assert.Empty(t, protobufschema.Incompatibilities(with(2, "int64"), with(1, "int32")))
	assert.Equal(t, []protobufschema.Difference{{Kind: "FIELD_SCALAR_KIND_CHANGED", Path: "#/P/1"}, {Kind: "FIELD_NAMED_TYPE_CHANGED", Path: "#/R/1"}},
		protobufschema.Incompatibilities(with(2, "string"), with(1, "int32")))
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{everything, `message A { optional group G = 1 { optional int32 a = 2 [default = -3]; } extensions 5, 7 to max [(x) = {a: [1, 2] b {c: "d"}}]; }`, `option (a).(b.c).d = {x: 1, y: inf};`, "enum E { A = 0x1F; }"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := protobufschema.Parse(text, nil)
		if err != nil {
			return
		}
		if _, err := s.Normalized(); err != nil {
			return
		}
		_, _ = s.Serialized() // refused where a name is no UTF-8
		assert.Empty(t, protobufschema.Incompatibilities(s, s))
	})
}
