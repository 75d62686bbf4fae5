//go:build peers

package transform_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

const convertersPrefix = "org.apache.kafka.connect.converters."

func plainOf(class string) classOf { return classOf{convertersPrefix + class, map[string]string{}} }

// outputs are converters that write what another one has read.
var outputs = []struct {
	name  string
	class classOf
}{
	{"json", jsonOf(true)}, {"loose", jsonOf(false)}, {"numeric", jsonOf(false, "decimal.format", "NUMERIC")}, {"nulls", jsonOf(true, "replace.null.with.default", "false")},
	{"string", textOf}, {"bytes", plainOf("ByteArrayConverter")}, {"short", plainOf("ShortConverter")}, {"integer", plainOf("IntegerConverter")}, {"long", plainOf("LongConverter")},
	{"float", plainOf("FloatConverter")}, {"double", plainOf("DoubleConverter")}, {"boolean", plainOf("BooleanConverter")},
}

func field(schema string) string {
	return `{"type":"struct","optional":false,"fields":[` + strings.Replace(schema, "{", `{"field":"f",`, 1) + `]}`
}

// oddSamples are values that are not as their schema says, and schemas that are none.
func oddSamples() []sample {
	var list []sample
	values := []string{`null`, `true`, `1`, `300`, `-1.5`, `1e3`, `1e400`, `12345678901234567890`, `"text"`, `"12"`, `"AQID"`, `"A"`, `[]`, `[1]`, `[null]`, `{}`, `{"a":1}`, `[["a",1]]`, `[[1,2]]`, `[[1,2,3]]`, `1.0`, `99999999999`, `0.1`, `{"f":1}`}
	for _, schema := range []string{
		`{"type":"int8","optional":false}`, `{"type":"int16","optional":true}`, `{"type":"int32"}`, `{"type":"int64","optional":true,"default":7}`, `{"type":"float"}`, `{"type":"double","optional":true}`, `{"type":"boolean"}`, `{"type":"string"}`,
		`{"type":"string","optional":true}`, `{"type":"bytes"}`, `{"type":"bytes","optional":true}`, `{"type":"array","items":{"type":"int32"}}`, `{"type":"array","items":{"type":"string","optional":true},"optional":true}`, `{"type":"map","keys":{"type":"string"},"values":{"type":"int32"}}`, `{"type":"map","keys":{"type":"int32"},"values":{"type":"int32"}}`, `{"type":"map","keys":{"type":"string","optional":true},"values":{"type":"int32","optional":true}}`,
		`{"type":"int32","name":"org.apache.kafka.connect.data.Date"}`, `{"type":"int32","name":"org.apache.kafka.connect.data.Time"}`, `{"type":"int64","name":"org.apache.kafka.connect.data.Timestamp"}`, `{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"1"}}`,
		`{"type":"struct","fields":[{"field":"a","type":"int32","optional":true}]}`, `{"type":"struct","fields":[]}`,
	} {
		for _, v := range values {
			list = append(list, sample{schema + " of " + v, envelope(schema, v), jsonOf(true)})
			if v != `{"f":1}` {
				list = append(list, sample{"field " + schema + " of " + v, envelope(field(schema), `{"f":`+v+`}`), jsonOf(true)})
			}
		}
	}
	for _, schema := range []string{
		`1`, `"string"`, `{}`, `{"type":1}`, `{"type":"other"}`, `{"type":"INT32"}`, `{"type":"int32","optional":"true"}`, `{"type":"int32","version":"1"}`, `{"type":"int32","version":1.5}`, `{"type":"int32","version":3}`, `{"type":"int32","doc":5}`, `{"type":"int32","name":5}`, `{"type":"int32","parameters":{"a":1}}`, `{"type":"int32","parameters":[]}`, `{"type":"int32","parameters":{"b":"2","a":"1"}}`,
		`{"type":"int32","default":"x"}`, `{"type":"int32","default":5}`, `{"type":"int32","optional":true,"default":null}`, `{"type":"int32","default":null}`, `{"type":"array"}`, `{"type":"array","items":null}`, `{"type":"map"}`, `{"type":"map","keys":{"type":"string"}}`, `{"type":"struct"}`, `{"type":"struct","fields":{}}`, `{"type":"struct","fields":[1]}`, `{"type":"struct","fields":[{"type":"int32"}]}`, `{"type":"struct","fields":[{"field":"a"}]}`,
		`{"type":"struct","fields":[{"field":"a","type":"int32","optional":true},{"field":"a","type":"int32","optional":true}]}`, `{"type":"float32"}`, `{"type":"int32","optional":true,"field":"x","extra":1}`,
	} {
		list = append(list, sample{"schema " + schema, envelope(schema, `1`), jsonOf(true)})
	}
	for _, raw := range []string{`{"schema":null,"payload":1,"more":2}`, `{"schema":null}`, `{"payload":1,"schema":{"type":"int32"}}`, `[]`, `{} {}`, `1 2`, `{"schema":null,"payload":{"b":1,"a":[1.50,1e2,-0.0]}} x`} {
		list = append(list, sample{"envelope " + raw, []byte(raw), jsonOf(true)}, sample{"plain " + raw, []byte(raw), jsonOf(false)})
	}
	for _, raw := range []string{"", "\x00", "\x01", "\x02", "\x00\x01", "\x00\x00\x01\x02", "\x80\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x07", "\x3f\xf8\x00\x00\x00\x00\x00\x00", "\x00\x01\x02"} {
		for _, class := range []string{"ShortConverter", "IntegerConverter", "LongConverter", "FloatConverter", "DoubleConverter", "BooleanConverter", "ByteArrayConverter"} {
			list = append(list, sample{class + " " + base64.StdEncoding.EncodeToString([]byte(raw)), []byte(raw), plainOf(class)})
		}
	}
	for _, class := range []string{"ShortConverter", "BooleanConverter", "ByteArrayConverter"} {
		list = append(list, sample{class + " null", nil, plainOf(class)})
	}
	for _, d := range []struct{ scale, raw string }{{"0", "AA=="}, {"-3", "BQ=="}, {"10", "BQ=="}, {"3", "////"}, {"20", "AQIDBAUGBwg="}, {"6", "AQ=="}, {"7", "AQ=="}} {
		list = append(list, sample{"decimal " + d.scale, envelope(`{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"`+d.scale+`"},"optional":false}`, `"`+d.raw+`"`), jsonOf(true)})
	}
	return list
}

// headerTexts are texts that a header's value may look like.
var headerTexts = []string{
	"", " ", "text", "1", "127", "128", "-129", "40000", "3000000000", "9223372036854775807", "9223372036854775808", "1.0", "1.5", "0.5", "-0.25", "1e3", "1e39", "1e400", "1e-400", "0", "-0", "+5", "1_000", "0x10", "1f", "12 ", " 12", "12 34", "12:34", "12,34",
	"true", "false", "TRUE", "true ", " true", "truex", "true}", "null", "null ", "[null]", "[]", "[ ]", "[1,2,3]", "[1, 300, 70000]", "[1,2.5]", `["a","b"]`, `["a",1]`, "[a]", "[true,false]", "[1,null]", "[1,,2]", "[1,]", "[1", "[1]x", "[[1],[2]]", `["2023-11-14"]`, `[2023-11-14T22:13:20.123Z]`,
	"{}", `{"a":1}`, `{"a":1,"b":2.5}`, `{"a":1,"b":"x"}`, `{1:2}`, `{"a":null}`, `{a:1}`, `{"a"}`, `{"a":1`, `{"a":1}x`, `{"a":{"b":[1]}}`, `{"a":1 "b":2}`, `{null:1}`, `{,}`,
	"2023-11-14", "22:13:20.123Z", "2023-11-14T22:13:20.123Z", `22\:13\:20.123Z`, "2023-11-14T22:13:20Z", "2023-13-14", `"quoted"`, `"a\"b"`, `["a\\b"]`, `["a\"b"]`, "ü", "NaN", "-", "+", ".", "1.", ".5", "-.5", "1e", "--1", "{[1]:2}", `[" "]`, `["1"]`, `[1.5,"x"]`, "[1,true]",
}

func converterCases() []*recordCase {
	var cases []*recordCase
	for _, s := range append(oddSamples(), samples...) {
		for _, out := range outputs {
			if len(cases) > 0 && strings.Contains(s.name, " of ") && out.name != "json" && out.name != "string" {
				continue // what is read is the point
			}
			c := newCase("converters "+s.name+" as "+out.name, true)
			c.Headers, c.Value, c.ValueIn, c.ValueOut = nil, s.raw, s.class, out.class
			cases = append(cases, c)
		}
	}
	for _, text := range headerTexts {
		for _, out := range []struct {
			name  string
			class classOf
		}{{"json", jsonOf(true)}, {"simple", classOf{simpleHeader, map[string]string{}}}, {"string", textOf}} {
			c := newCase(fmt.Sprintf("headers %q as %s", text, out.name), true)
			c.Headers, c.HeaderOut = []headerOf{{"h", []byte(text)}}, out.class
			cases = append(cases, c)
		}
	}
	return cases
}

// TestPeerConverters reads and writes values with the real converters and with ours.
func TestPeerConverters(t *testing.T) {
	const digits = "before Java 19 a float's text could have more digits than it needs"
	const order = "a schema's parameters have no order in ours"
	const range64 = "years beyond what Java's calendar has wrap around differently"
	compareCases(t, "converters", converterCases(), map[string]string{
		`converters {"type":"float"} of 99999999999 as json`: digits, `converters {"type":"float"} of 99999999999 as string`: digits,
		`converters field {"type":"float"} of 99999999999 as json`: digits, `converters field {"type":"float"} of 99999999999 as string`: digits,
		`converters {"type":"int64","name":"org.apache.kafka.connect.data.Timestamp"} of 12345678901234567890 as string`:       range64,
		`converters field {"type":"int64","name":"org.apache.kafka.connect.data.Timestamp"} of 12345678901234567890 as string`: range64,
		`converters schema {"type":"int32","parameters":{"b":"2","a":"1"}} as json`:                                            order,
		`converters schema {"type":"int32","parameters":{"b":"2","a":"1"}} as nulls`:                                           order,
	})
}
