package ksql_test

import (
	"database/sql"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
)

const nestedHeader = "{\"queryId\":\"query_1\",\"columnNames\":[\"CUSTOMER_ID\",\"NAME\",\"TOTAL\",\"SEEN\",\"DAY\",\"ADDRESS\",\"TAGS\",\"COUNTS\",\"BIN\"]," +
	"\"columnTypes\":[\"BIGINT\",\"STRING\",\"DECIMAL(20, 2)\",\"TIMESTAMP\",\"DATE\",\"STRUCT<`CITY` STRING, `Zip,Code` INTEGER, LINES ARRAY<STRING>>\",\"ARRAY<BIGINT>\",\"MAP<STRING, DECIMAL(4, 1)>\",\"ARRAY<BYTES>\"]}\n"

const nestedRow = `[9007199254740993,"Ann",12345678901234567.89,"2026-11-23T03:04:05.678","2026-11-23",{"CITY":"Oslo","Zip,Code":17,"LINES":["a",null]},[9007199254740993,1],{"x":1.5},["AAE="]]` + "\n"

type audited struct {
	Seen time.Time
	Day  time.Time
}

type nested struct {
	audited
	CustomerID int64
	Label      string `ksql:"name"`
	Total      json.Number
	Address    map[string]any
	Tags       []int64
	Counts     map[string]json.Number
	Bin        [][]byte
	Ignored    chan int `ksql:"-"`
}

func TestScanStruct(t *testing.T) {
	server := newFakeServer(t)
	server.stream(nil, nestedHeader, nestedRow, nestedRow)
	rows, err := server.client(t).Query(t.Context(), "SELECT 1;", nil)
	require.NoError(t, err)
	all, err := ksql.Collect[nested](rows)
	require.NoError(t, err)
	require.Len(t, all, 2)
	got := all[1]
	assert.Equal(t, int64(9007199254740993), got.CustomerID)
	assert.Equal(t, "Ann", got.Label)
	assert.Equal(t, json.Number("12345678901234567.89"), got.Total)
	assert.Equal(t, time.Date(2026, 11, 23, 3, 4, 5, 678e6, time.UTC), got.Seen)
	assert.Equal(t, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), got.Day)
	assert.Equal(t, map[string]any{"CITY": "Oslo", "Zip,Code": json.Number("17"), "LINES": []any{"a", nil}}, got.Address)
	assert.Equal(t, []int64{9007199254740993, 1}, got.Tags)
	assert.Equal(t, map[string]json.Number{"x": "1.5"}, got.Counts)
	assert.Equal(t, [][]byte{{0, 1}}, got.Bin)
}

func TestScanNestedStructs(t *testing.T) {
	server := newFakeServer(t)
	server.stream(nil,
		"{\"queryId\":\"query_1\",\"columnNames\":[\"A\"],\"columnTypes\":[\"ARRAY<STRUCT<`CITY` STRING, LINES ARRAY<STRING>, `AT` STRUCT<X DOUBLE, `DAY` DATE>>>\"]}\n",
		`[[{"CITY":"Oslo","LINES":["a",null],"AT":{"X":"NaN","DAY":"2026-01-02"}},null]]`+"\n")
	rows, err := server.client(t).Query(t.Context(), "SELECT 1;", nil)
	require.NoError(t, err)
	type place struct {
		X   float32
		Day time.Time
	}
	type address struct {
		City  string
		Lines []*string
		At    *place
	}
	all, err := ksql.Collect[struct{ A []*address }](rows)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Len(t, all[0].A, 2)
	assert.Nil(t, all[0].A[1])
	first := all[0].A[0]
	assert.Equal(t, "Oslo", first.City)
	assert.Equal(t, "a", *first.Lines[0])
	assert.Nil(t, first.Lines[1])
	assert.NotEqual(t, first.At.X, first.At.X, "NaN")
	assert.Equal(t, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), first.At.Day)
}

func TestScanStructTakesNull(t *testing.T) {
	server := newFakeServer(t)
	server.stream(nil, `{"queryId":"query_1","columnNames":["A","B","C","D"],"columnTypes":["BIGINT","STRING","DOUBLE","ARRAY<INTEGER>"]}`+"\n", "[null,null,null,null]\n")
	rows, err := server.client(t).Query(t.Context(), "SELECT 1;", nil)
	require.NoError(t, err)
	all, err := ksql.Collect[struct {
		A *int64
		B string `ksql:"B,zeronull"`
		C sql.Null[float64]
		D []int `ksql:",zeronull"`
	}](rows)
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Zero(t, all[0])
}

func TestScanStructRefuses(t *testing.T) {
	type both struct{ AB int }
	tests := []struct {
		name, columns, types, row string
		dest                      any
		want                      string
	}{
		{"null", `"A"`, `"BIGINT"`, "null", &struct{ A int64 }{}, "scanning column 1, A BIGINT, into struct { A int64 }.A: the value is NULL"},
		{"another type", `"A"`, `"STRING"`, `"x"`, &struct{ A int64 }{}, `scanning column 1, A STRING, into struct { A int64 }.A: "x" is not a number`},
		{"too large", `"A"`, `"BIGINT"`, "300", &struct{ A int8 }{}, "300 does not fit into 8 bits"},
		{"negative", `"A"`, `"BIGINT"`, "-1", &struct{ A uint }{}, "-1 does not fit into a uint"},
		{"element", `"A"`, `"ARRAY<STRING>"`, `["1",2,null]`, &struct{ A []string }{}, "element 3: the value is NULL"},
		{"member", `"A"`, "\"STRUCT<`B` STRING>\"", `{"B":"x"}`, &struct{ A struct{ B bool } }{}, `member B: "x" is not a boolean`},
		{"no array", `"A"`, `"STRING"`, `"x"`, &struct{ A []string }{}, `"x" is not an ARRAY`},
		{"no struct", `"A"`, `"STRING"`, `"x"`, &struct{ A map[string]string }{}, `"x" is neither a STRUCT nor a MAP`},
		{"no kind", `"A"`, `"STRING"`, `"x"`, &struct{ A chan int }{}, "cannot scan into a *chan int"},
		{"no field", `"A_B","C"`, `"STRING","STRING"`, `"x","y"`, &both{}, "ksql_test.both has no field for C: add one with the tag `ksql:\"C\"`"},
		{"no column", `"A"`, `"STRING"`, `"x"`, &struct {
			A string
			B string `ksql:"NOPE"`
		}{}, "wants NOPE, which is not among A"},
		{"twice", `"A_B","AB"`, `"STRING","STRING"`, `"x","y"`, &both{}, "the field AB of ksql_test.both would get both A_B and AB"},
		{"option", `"A"`, `"STRING"`, `"x"`, &struct {
			A string `ksql:"A,nullzero"`
		}{}, `has the option "nullzero"`},
		{"no struct pointer", `"A"`, `"STRING"`, `"x"`, both{}, "must be a pointer to a struct"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newFakeServer(t)
			server.stream(nil, `{"queryId":"query_1","columnNames":[`+test.columns+`],"columnTypes":[`+test.types+"]}\n", "["+test.row+"]\n")
			rows, err := server.client(t).Query(t.Context(), "SELECT 1;", nil)
			require.NoError(t, err)
			defer rows.Close()
			assert.ErrorContains(t, rows.ScanStruct(test.dest), "call Next first")
			require.True(t, rows.Next())
			assert.ErrorContains(t, rows.ScanStruct(test.dest), test.want)
		})
	}
}
