package server

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProblemsOfJSONAreToldWithTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		``:                       "No content to map due to end-of-input",
		"\n {\"a\" 1}":           "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 2, column: 8]",
		`{"a":1,}`:               "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
		`{"a":`:                  "Unexpected end-of-input within/between Object entries",
		`{"a":"b`:                "Unexpected end-of-input: was expecting closing quote for a string value",
		`[1 2]`:                  "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries",
		`{"a":"\q"}`:             "Unrecognized character escape 'q' (code 113)",
		"{\"a\":\"\x01\"}":       "Illegal unquoted character ((CTRL-CHAR, code 1))",
		`{"a":01}`:               "Invalid numeric value: Leading zeroes not allowed",
		`{"a":-}`:                "Expected digit (0-9) to follow minus sign",
		"{\"a\":\"\xff\"}":       "Invalid UTF-8 start byte 0xff",
		`{"a":truth}`:            "Unrecognized token 'truth'",
		`<html>`:                 "Unexpected character ('<' (code 60)): expected a valid value",
		`{"a":"\ud83d\ude00\u12`: "Unexpected end-of-input in character escape sequence",
	} {
		_, err := parseJSON([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
	v, err := parseJSON([]byte(` {"a":"\u00e9\ud83d\ude00\n","a":[1,-2.5e3,true,null]} rest`))
	require.NoError(t, err)
	assert.Equal(t, jsonArray, v.member("a").kind, "the last of several counts")
	assert.Len(t, v.member("a").members, 4)
	assert.Nil(t, v.member("b"))
}

func TestMembersOfTheWrongKindAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{"ksql":{}}`:                      "Cannot deserialize value of type `java.lang.String` from Object value (token `JsonToken.START_OBJECT`)",
		`{"streamsProperties":"x"}`:        "Cannot construct instance of `java.util.LinkedHashMap` (although at least one Creator exists): no String-argument constructor/factory method to deserialize from String value ('x')",
		`{"streamsProperties":true}`:       "from Boolean value (token `JsonToken.VALUE_TRUE`)",
		`{"commandSequenceNumber":[]}`:     "Cannot deserialize value of type `java.lang.Long` from Array value (token `JsonToken.START_ARRAY`)",
		`{"commandSequenceNumber":1e9999}`: "",
		`{"sessionVariables":{"a":{}}}`:    `"a" must be a text, a number or a boolean`,
		`"text"`:                           "Cannot construct instance of `io.confluent.ksql.rest.entity.KsqlRequest`",
	} {
		b, failed := parseBody([]byte(text), entityKsql)
		if failed == nil {
			_, failed = b.request("ksql", "streamsProperties")
		}
		if want == "" {
			assert.Nil(t, failed, text)
			continue
		}
		require.NotNil(t, failed, text)
		assert.Contains(t, failed.Message, want)
	}
}

// FuzzParseJSON requires that what JSON is, is read as such, and all else refused.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"ksql":"SHOW STREAMS;","streamsProperties":{"a":1}}`, `[1,2.5,-3e7,null,true,"\u00e9"]`, `{"a`, "\xff", `{"a":"\ud800x"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := parseJSON(data)
		if err != nil {
			if utf8.Valid(data) && json.Valid(data) && bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) < maxJSONDepth {
				t.Fatalf("%q is JSON: %s", data, err)
			}
			return
		}
		if !json.Valid(v.raw) {
			t.Fatalf("%q is no JSON", v.raw)
		}
		if v.kind == jsonString && utf8.Valid(data) {
			var text string
			require.NoError(t, json.Unmarshal(v.raw, &text))
			assert.Equal(t, text, v.text)
		}
	})
}
