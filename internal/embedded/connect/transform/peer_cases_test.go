//go:build peers

package transform_test

import (
	"fmt"
	"testing"
)

const (
	transformsPrefix = "org.apache.kafka.connect.transforms."
	predicatesPrefix = transformsPrefix + "predicates."
	jsonClass        = "org.apache.kafka.connect.json.JsonConverter"
	stringClass      = "org.apache.kafka.connect.storage.StringConverter"
	simpleHeader     = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
)

func jsonOf(schemas bool, more ...string) classOf {
	c := classOf{jsonClass, map[string]string{"schemas.enable": "false"}}
	if schemas {
		c.Config["schemas.enable"] = "true"
	}
	for i := 0; i < len(more); i += 2 {
		c.Config[more[i]] = more[i+1]
	}
	return c
}

var textOf = classOf{stringClass, map[string]string{}}

// sample is a value as bytes with the converter that reads it.
type sample struct {
	name  string
	raw   []byte
	class classOf
}

func envelope(schema, payload string) []byte {
	return []byte(`{"schema":` + schema + `,"payload":` + payload + `}`)
}

const wideSchema = `{"type":"struct","name":"a.Wide","version":3,"doc":"wide","parameters":{"p":"q"},"optional":false,"fields":[
{"field":"i8","type":"int8","optional":false},{"field":"i16","type":"int16","optional":true},{"field":"i32","type":"int32","doc":"d","optional":false},
{"field":"i64","type":"int64","optional":false},{"field":"f32","type":"float","optional":false},{"field":"f64","type":"double","optional":false},
{"field":"b","type":"boolean","optional":false},{"field":"s","type":"string","optional":false},{"field":"raw","type":"bytes","optional":false},
{"field":"dec","type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},"optional":true},
{"field":"date","type":"int32","name":"org.apache.kafka.connect.data.Date","version":1,"optional":true},
{"field":"time","type":"int32","name":"org.apache.kafka.connect.data.Time","version":1,"optional":true},
{"field":"ts","type":"int64","name":"org.apache.kafka.connect.data.Timestamp","version":1,"optional":false},
{"field":"list","type":"array","items":{"type":"int32","optional":false},"optional":true},
{"field":"none","type":"string","optional":true},{"field":"def","type":"string","optional":true,"default":"dflt"},
{"field":"num","type":"int32","optional":false,"default":42}]}`

const wideValue = `{"i8":-7,"i16":300,"i32":70000,"i64":9007199254740993,"f32":1.5,"f64":-2.25e10,"b":true,"s":"text 12","raw":"AQID",
"dec":"MDk=","date":19675,"time":3723004,"ts":1700000000123,"list":[1,2,3],"none":null,"def":null,"num":5}`

const nestedSchema = `{"type":"struct","name":"Outer","optional":false,"fields":[
{"field":"id","type":"int32","optional":false},
{"field":"in","type":"struct","name":"In","optional":true,"fields":[
 {"field":"x","type":"int64","optional":false},{"field":"y.z","type":"string","optional":true,"default":"why"},
 {"field":"deep","type":"struct","optional":false,"fields":[{"field":"q","type":"boolean","optional":true}]}]}]}`

var samples = []sample{
	{"wide", envelope(wideSchema, wideValue), jsonOf(true)},
	{"nested", envelope(nestedSchema, `{"id":1,"in":{"x":2,"y.z":null,"deep":{"q":true}}}`), jsonOf(true)},
	{"nested-null", envelope(nestedSchema, `{"id":1,"in":null}`), jsonOf(true)},
	{"maps", envelope(`{"type":"struct","optional":true,"fields":[{"field":"m","type":"map","keys":{"type":"string","optional":false},"values":{"type":"int64","optional":true},"optional":false},
{"field":"n","type":"map","keys":{"type":"int32","optional":false},"values":{"type":"string","optional":false},"optional":false},{"field":"s","type":"string","optional":false}]}`,
		`{"m":{"b":1,"a":null},"n":[[1,"x"],[2,"y"]],"s":"t"}`), jsonOf(true)},
	{"null-struct", envelope(`{"type":"struct","optional":true,"fields":[{"field":"s","type":"string","optional":false}]}`, `null`), jsonOf(true)},
	{"int", envelope(`{"type":"int32","optional":false}`, `77`), jsonOf(true)},
	{"long-optional", envelope(`{"type":"int64","optional":true,"default":5}`, `1700000000123`), jsonOf(true)},
	{"long-null-default", envelope(`{"type":"int64","optional":true,"default":5}`, `null`), jsonOf(true)},
	{"text", envelope(`{"type":"string","optional":false}`, `"2023-11-14 22:13:20"`), jsonOf(true)},
	{"text-null", envelope(`{"type":"string","optional":true}`, `null`), jsonOf(true)},
	{"true", envelope(`{"type":"boolean","optional":false}`, `true`), jsonOf(true)},
	{"double", envelope(`{"type":"double","optional":false}`, `3.99`), jsonOf(true)},
	{"bytes", envelope(`{"type":"bytes","optional":false}`, `"AQID"`), jsonOf(true)},
	{"timestamp", envelope(`{"type":"int64","name":"org.apache.kafka.connect.data.Timestamp","version":1,"optional":true}`, `1700000000123`), jsonOf(true)},
	{"date", envelope(`{"type":"int32","name":"org.apache.kafka.connect.data.Date","version":1,"optional":false}`, `19675`), jsonOf(true)},
	{"time", envelope(`{"type":"int32","name":"org.apache.kafka.connect.data.Time","version":1,"optional":false}`, `3723004`), jsonOf(true)},
	{"decimal", envelope(`{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},"optional":false}`, `"MDk="`), jsonOf(true)},
	{"array", envelope(`{"type":"array","items":{"type":"string","optional":true},"optional":false}`, `["a",null,"b"]`), jsonOf(true)},
	{"map", envelope(`{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"int32","optional":false},"optional":false}`, `{"s":1,"t":2}`), jsonOf(true)},
	{"no-schema-null", envelope(`null`, `null`), jsonOf(true)},
	{"tombstone", nil, jsonOf(true)},
	{"loose", []byte(`{"s":"text 12","i32":70000,"f64":1.5,"b":false,"none":null,"ts":1700000000123,"list":[1,"x",null],"in":{"x":1,"deep":{"q":[{"k":1}]}},"big":12345678901234567890,"when":"2023-11-14 22:13:20","raw":"AQID","num":"12","i64":-1,"f32":2e3}`), jsonOf(false)},
	{"loose-small", []byte(`{"s":"x","id":7}`), jsonOf(false)},
	{"loose-text", []byte(`"just text"`), jsonOf(false)},
	{"loose-number", []byte(`1700000000`), jsonOf(false)},
	{"loose-real", []byte(`1.25`), jsonOf(false)},
	{"loose-bool", []byte(`true`), jsonOf(false)},
	{"loose-list", []byte(`[1,2]`), jsonOf(false)},
	{"loose-null", []byte(`null`), jsonOf(false)},
	{"loose-tombstone", nil, jsonOf(false)},
	{"string", []byte("2023-11-14 22:13:20"), textOf},
	{"string-number", []byte("12"), textOf},
	{"string-empty", []byte(""), textOf},
	{"string-tombstone", nil, textOf},
}

// sided are transformations with a $Key and a $Value class, and their settings.
var sided = []struct {
	class    string
	settings [][]string
}{
	{"Cast", [][]string{
		{"spec", "int8"}, {"spec", "int32"}, {"spec", "int64"}, {"spec", "float32"}, {"spec", "float64"}, {"spec", "boolean"}, {"spec", "string"}, {"spec", "bytes"},
		{"spec", "s:int32"}, {"spec", "i32:int8,i64:int32,f64:int64,b:int16"}, {"spec", "i8:float32,i16:float64,i32:string,i64:string,f32:string,f64:string,b:string"},
		{"spec", "raw:string"}, {"spec", "raw:int32"}, {"spec", "dec:string"}, {"spec", "dec:float64"}, {"spec", "date:string,time:string,ts:string"}, {"spec", "date:int64,time:int64,ts:float64"},
		{"spec", "def:int32"}, {"spec", "num:string"}, {"spec", "num:string", "replace.null.with.default", "false"}, {"spec", "def:string", "replace.null.with.default", "false"},
		{"spec", "list:string"}, {"spec", "in:string"}, {"spec", "nope:string"}, {"spec", "none:int32"}, {"spec", "s : string , i32 :int64"}, {"spec", "num:int8,s:boolean"},
		{"spec", ""}, {}, {"spec", "a:b:c"}, {"spec", "a:strange"}, {"spec", "int8,int16"}, {"spec", "INT8"}, {"spec", "a:struct"}, {"spec", "s:string,s:int8"}, {"spec", "m:string"},
		{"spec", "int8", "replace.null.with.default", "maybe"},
	}},
	{"ExtractField", [][]string{
		{"field", "s"}, {"field", "in"}, {"field", "nope"}, {"field", "def"}, {"field", "def", "replace.null.with.default", "false"}, {"field", "none"},
		{"field", "in.x", "field.syntax.version", "V2"}, {"field", "in.x"}, {"field", "in.`y.z`", "field.syntax.version", "V2"}, {"field", "in.`y.z`", "field.syntax.version", "V2", "replace.null.with.default", "false"},
		{"field", "in.deep.q", "field.syntax.version", "V2"}, {"field", "in.deep.nope", "field.syntax.version", "V2"}, {"field", "s.x", "field.syntax.version", "V2"},
		{"field", "in.`y", "field.syntax.version", "V2"}, {"field", "in.`y`z", "field.syntax.version", "V2"}, {"field", "`in`.x", "field.syntax.version", "v2"}, {"field", "x", "field.syntax.version", "V3"}, {}, {"field", ""},
		{"field", "in.", "field.syntax.version", "V2"},
	}},
	{"Flatten", [][]string{{}, {"delimiter", "_"}, {"delimiter", ""}, {"delimiter", "->"}}},
	{"HeaderFrom", [][]string{
		{"fields", "s,i32", "headers", "hs,hi", "operation", "move"}, {"fields", "s,i32", "headers", "hs,hi", "operation", "copy"}, {"fields", "s", "headers", "a,b", "operation", "copy"},
		{"fields", "nope", "headers", "x", "operation", "copy"}, {"fields", "nope", "headers", "x", "operation", "move"}, {"fields", "def", "headers", "x", "operation", "move", "replace.null.with.default", "false"},
		{"fields", "def", "headers", "x", "operation", "move"}, {"fields", "ts,date,time,dec,raw,list", "headers", "a,b,c,d,e,f", "operation", "copy"}, {"fields", "in", "headers", "x", "operation", "copy"},
		{"fields", "", "headers", "x", "operation", "copy"}, {"fields", "s", "headers", "x", "operation", "steal"}, {"headers", "x", "operation", "copy"}, {"fields", "s,s", "headers", "x,y", "operation", "move"},
		{"fields", "list,none,b,f64", "headers", "l,n,b,f", "operation", "move"}, {"fields", "id", "headers", "h", "operation", "Move"},
	}},
	{"HoistField", [][]string{{"field", "x"}, {"field", ""}, {}}},
	{"InsertField", [][]string{
		{"topic.field", "t"}, {"topic.field", "t!"}, {"topic.field", "t?"}, {"partition.field", "p"}, {"partition.field", "p!"}, {"offset.field", "o"}, {"offset.field", "o!"},
		{"timestamp.field", "when"}, {"timestamp.field", "when!"}, {"static.field", "st", "static.value", "v"}, {"static.field", "st!", "static.value", "v"}, {},
		{"static.value", "v"}, {"topic.field", "s"}, {"topic.field", "t", "partition.field", "p", "timestamp.field", "w", "static.field", "z", "static.value", ""},
		{"topic.field", "t", "replace.null.with.default", "false"}, {"topic.field", "!"}, {"topic.field", ""},
	}},
	{"MaskField", [][]string{
		{"fields", "s"}, {"fields", "i8,i16,i32,i64,f32,f64,b,s"}, {"fields", "dec,date,time,ts"}, {"fields", "list"}, {"fields", "raw"}, {"fields", "in"}, {"fields", "nope"}, {"fields", "none,def"},
		{"fields", "none,def", "replace.null.with.default", "false"}, {"fields", "s,i32", "replacement", "5"}, {"fields", "i8", "replacement", "300"}, {"fields", "f64,f32", "replacement", "1.5"}, {"fields", "i32", "replacement", "x"},
		{"fields", "i32", "replacement", "1.5"}, {"fields", "i64", "replacement", "1e2"}, {"fields", "f64", "replacement", "abc"}, {"fields", "dec", "replacement", "1.25"}, {"fields", "dec", "replacement", "x"}, {"fields", "b", "replacement", "true"}, {"fields", "ts", "replacement", "1"}, {"fields", "list", "replacement", "1"},
		{"fields", "m"}, {"fields", "n,s"}, {"fields", ""}, {}, {"fields", "s", "replacement", ""}, {"fields", "s", "replacement", " "}, {"fields", "num", "replacement", "0x10"}, {"fields", "s,num", "replacement", "+7"},
	}},
	{"ReplaceField", [][]string{
		{"exclude", "s"}, {"include", "s,i32"}, {"include", "nope"}, {"exclude", "s", "include", "s,i32"}, {"renames", "s:title,i32:n"}, {"renames", "s:title", "include", "s"}, {"renames", "a"}, {"renames", "a:b:c"}, {"renames", ":b"}, {"renames", "a:"},
		{}, {"exclude", "def,none", "replace.null.with.default", "false"}, {"include", "def", "replace.null.with.default", "false"}, {"include", "def"}, {"blacklist", "s"}, {"whitelist", "s"}, {"blacklist", "s", "exclude", "i32"}, {"renames", "s:i32"}, {"renames", "s:x,i32:x"}, {"renames", "i32:s,s:i32"}, {"exclude", " s , i32 "},
	}},
	{"SetSchemaMetadata", [][]string{
		{"schema.name", "x.Y"}, {"schema.version", "9"}, {"schema.name", "x", "schema.version", "1"}, {}, {"schema.version", "one"}, {"schema.name", "x", "replace.null.with.default", "false"},
	}},
	{"TimestampConverter", [][]string{
		{"target.type", "string", "format", "yyyy-MM-dd HH:mm:ss"}, {"target.type", "unix", "format", "yyyy-MM-dd HH:mm:ss"}, {"target.type", "Date", "format", "yyyy-MM-dd HH:mm:ss"}, {"target.type", "Time", "format", "yyyy-MM-dd HH:mm:ss"}, {"target.type", "Timestamp", "format", "yyyy-MM-dd HH:mm:ss"},
		{"target.type", "string"}, {"target.type", "other"}, {}, {"target.type", "unix", "format", "bad"}, {"target.type", "unix", "unix.precision", "weeks"},
		{"target.type", "string", "format", "yyyy", "field", "ts"}, {"target.type", "unix", "field", "ts"}, {"target.type", "unix", "unix.precision", "seconds", "field", "ts"}, {"target.type", "unix", "unix.precision", "microseconds", "field", "ts"}, {"target.type", "unix", "unix.precision", "nanoseconds", "field", "ts"},
		{"target.type", "Date", "field", "ts"}, {"target.type", "Time", "field", "ts"}, {"target.type", "Timestamp", "field", "date"}, {"target.type", "Timestamp", "field", "time"}, {"target.type", "Timestamp", "field", "i64", "unix.precision", "seconds"},
		{"target.type", "Timestamp", "field", "s"}, {"target.type", "Timestamp", "field", "s", "format", "yyyy"}, {"target.type", "Timestamp", "field", "i32"}, {"target.type", "Timestamp", "field", "b"}, {"target.type", "Timestamp", "field", "nope"}, {"target.type", "unix", "field", "none"}, {"target.type", "unix", "field", "def", "format", "yyyy"},
		{"target.type", "Timestamp", "field", "when", "format", "yyyy-MM-dd HH:mm:ss"}, {"target.type", "Timestamp", "field", "when", "format", "yyyy-MM-dd"}, {"target.type", "unix", "field", "when", "format", "yyyy-MM-dd HH:mm:ss", "unix.precision", "seconds"},
		{"target.type", "Timestamp", "field", "ts", "unix.precision", "seconds"}, {"target.type", "Timestamp", "unix.precision", "seconds"}, {"target.type", "Timestamp", "unix.precision", "nanoseconds"}, {"target.type", "Timestamp", "field", "none", "replace.null.with.default", "false"},
		{"target.type", "string", "field", "ts", "format", "EEE, dd MMM yyyy HH:mm:ss.SSS zzz"}, {"target.type", "string", "field", "ts", "format", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"}, {"target.type", "string", "field", "ts", "format", "d/M/yy h:mm a 'o''clock'"}, {"target.type", "string", "field", "ts", "format", "D w W u F k K Z G"},
		{"target.type", "string", "field", "ts", "format", "y YYYY MMMM EEEE HHH S SS SSSS XX X"}, {"target.type", "string", "field", "ts", "format", "yyyy 'open"}, {"target.type", "string", "field", "ts", "format", " "}, {"target.type", "string", "field", "date", "format", "yyyyMMdd"}, {"target.type", "string", "field", "time", "format", "HHmmss"},
	}},
}

// plain are transformations of whole records.
var plain = []struct {
	class    string
	settings [][]string
}{
	{"DropHeaders", [][]string{{"headers", "h1"}, {"headers", "h1,h2,nope"}, {"headers", ""}, {}}},
	{"Filter", [][]string{{}}},
	{"InsertHeader", [][]string{
		{"header", "n", "value.literal", "text"}, {"header", "n", "value.literal", "12"}, {"header", "n", "value.literal", "1.50"}, {"header", "n", "value.literal", "true"}, {"header", "n", "value.literal", "null"}, {"header", "n", "value.literal", "[1,2]"}, {"header", "n", "value.literal", `{"a":1,"b":2}`},
		{"header", "n", "value.literal", "2023-11-14T22:13:20.123Z"}, {"header", "n", "value.literal", "2023-11-14"}, {"header", "n", "value.literal", ""}, {"header", "", "value.literal", "x"}, {"header", "n"}, {}, {"header", "n", "value.literal", "1e400"}, {"header", "n", "value.literal", "300"}, {"header", "n", "value.literal", "NaN"},
	}},
	{"RegexRouter", [][]string{
		{"regex", "db-(.*)", "replacement", "x_$1"}, {"regex", "(\\w+)-(\\w+)", "replacement", "$2-$1"}, {"regex", "other", "replacement", "x"}, {"regex", ".*", "replacement", "a"}, {"regex", "(", "replacement", "x"}, {"regex", "db", "replacement", "x"}, {"regex", "(?<n>db)-.*", "replacement", "${n}!"}, {"regex", "db-(.*)", "replacement", "\\$1"}, {"regex", "db-(.*)", "replacement", "$3"}, {"regex", "db-(.*)", "replacement", "a$"}, {"regex", "(?=d).*", "replacement", "look"}, {"regex", "(.*)", "replacement", ""}, {"regex", "([a-z]+)+-.*", "replacement", "$1$0"}, {"regex", "x"}, {},
	}},
	{"TimestampRouter", [][]string{{}, {"topic.format", "${timestamp}/${topic}"}, {"timestamp.format", "yyyy-MM"}, {"topic.format", "fix"}, {"timestamp.format", "bad pattern"}, {"topic.format", "${topic}-${topic}$", "timestamp.format", "HH'h'"}, {"timestamp.format", "YYYY-ww"}}},
	{"ValueToKey", [][]string{{"fields", "s"}, {"fields", "s,i32"}, {"fields", "nope"}, {"fields", "def,none"}, {"fields", "def", "replace.null.with.default", "false"}, {"fields", ""}, {}, {"fields", "id,in"}, {"fields", "s,s"}}},
}

func settingsOf(pairs []string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// newCase is a record with headers on its way through one transformation.
func newCase(name string, sink bool, steps ...stepOf) *recordCase {
	c := &recordCase{
		name: name, Steps: steps, Sink: sink, Topic: "db-table", Timestamp: new(int64(1700000000123)),
		Key: []byte("k1"), Value: []byte("v1"), KeyIn: textOf, ValueIn: textOf, KeyOut: jsonOf(true), ValueOut: jsonOf(true),
		Headers: []headerOf{{"h1", []byte("one")}, {"h2", []byte("2")}, {"h1", []byte("[1,2.5]")}}, Header: classOf{simpleHeader, map[string]string{}}, HeaderOut: jsonOf(true),
	}
	if sink {
		c.Partition, c.Offset = new(int32(3)), 42
	}
	return c
}

func allCases() []*recordCase {
	var cases []*recordCase
	for _, s := range samples {
		for _, of := range sided {
			for i, pairs := range of.settings {
				for _, side := range []string{"$Value", "$Key"} {
					sink := (i+len(cases))%2 == 0
					c := newCase(of.class+side+" "+joined(pairs)+" on "+s.name, sink, stepOf{classOf: classOf{transformsPrefix + of.class + side, settingsOf(pairs)}})
					if side == "$Key" {
						c.Key, c.KeyIn = s.raw, s.class
					} else {
						c.Value, c.ValueIn = s.raw, s.class
					}
					cases = append(cases, c)
				}
			}
		}
		for _, of := range plain {
			for i, pairs := range of.settings {
				c := newCase(of.class+" "+joined(pairs)+" on "+s.name, (i+len(cases))%2 == 0, stepOf{classOf: classOf{transformsPrefix + of.class, settingsOf(pairs)}})
				c.Value, c.ValueIn = s.raw, s.class
				cases = append(cases, c)
			}
		}
	}
	return cases
}

func joined(pairs []string) string {
	text := ""
	for i := 0; i < len(pairs); i += 2 {
		text += "[" + pairs[i] + "=" + pairs[i+1] + "]"
	}
	return text
}

// predicates decide in chains of which the last step always applies.
var predicates = []classOf{
	{predicatesPrefix + "TopicNameMatches", settingsOf([]string{"pattern", "db-.*"})}, {predicatesPrefix + "TopicNameMatches", settingsOf([]string{"pattern", "table"})},
	{predicatesPrefix + "TopicNameMatches", settingsOf([]string{"pattern", "(?i)DB-(?=t)[a-z]+"})}, {predicatesPrefix + "TopicNameMatches", settingsOf([]string{"pattern", ""})}, {predicatesPrefix + "TopicNameMatches", settingsOf([]string{"pattern", "["})}, {predicatesPrefix + "TopicNameMatches", nil},
	{predicatesPrefix + "HasHeaderKey", settingsOf([]string{"name", "h1"})}, {predicatesPrefix + "HasHeaderKey", settingsOf([]string{"name", "H1"})}, {predicatesPrefix + "HasHeaderKey", settingsOf([]string{"name", ""})}, {predicatesPrefix + "HasHeaderKey", nil},
	{predicatesPrefix + "RecordIsTombstone", settingsOf(nil)},
}

func predicateCases() []*recordCase {
	var cases []*recordCase
	for _, s := range samples {
		for i, p := range predicates {
			if p.Config == nil {
				p.Config = map[string]string{}
			}
			for _, negate := range []bool{false, true} {
				for name, first := range map[string]classOf{
					"Filter": {transformsPrefix + "Filter", settingsOf(nil)}, "RegexRouter": {transformsPrefix + "RegexRouter", settingsOf([]string{"regex", ".*", "replacement", "x"})},
					"HoistField": {transformsPrefix + "HoistField$Value", settingsOf([]string{"field", "in"})},
				} {
					c := newCase(fmt.Sprintf("predicates %d %t %s on %s", i, negate, name, s.name), i%2 == 0,
						stepOf{classOf: first, Predicate: &p, Negate: negate},
						stepOf{classOf: classOf{transformsPrefix + "InsertHeader", settingsOf([]string{"header", "last", "value.literal", "1"})}})
					c.Value, c.ValueIn = s.raw, s.class
					cases = append(cases, c)
				}
			}
		}
	}
	return cases
}

func TestPeerPredicates(t *testing.T) { compareCases(t, "predicates", predicateCases(), nil) }

// TestPeerTransformations does the same with records in the real transformations and
// in ours.
func TestPeerTransformations(t *testing.T) {
	const digits = "before Java 19 a float's text could have more digits than it needs"
	compareCases(t, "transformations", allCases(), map[string]string{
		"Cast$Value [spec=float32] on long-optional": digits, "Cast$Key [spec=float32] on long-optional": digits,
	})
}
