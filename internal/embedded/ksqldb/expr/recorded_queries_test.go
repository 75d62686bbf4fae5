package expr_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// recordedRow is a record that a real server wrote.
type recordedRow struct {
	Topic     string
	Timestamp *int64
	KeyHex    *string `json:"key_hex"`
	Value     json.RawMessage
	Headers   [][2]string
}

// difference says how a record differs from the recorded one; "" if it doesn't.
func (r recordedRow) difference(got sqltest.Record) string {
	key, gotKey := "null", "null"
	if r.KeyHex != nil {
		key = *r.KeyHex
	}
	if got.Key != nil {
		gotKey = hex.EncodeToString(got.Key)
	}
	switch {
	case key != gotKey:
		return fmt.Sprintf("key %s, recorded %s", gotKey, key)
	case r.Timestamp != nil && *r.Timestamp != got.Time:
		return fmt.Sprintf("time %d, recorded %d", got.Time, *r.Timestamp)
	case !sameJSON(r.Value, got.Value):
		return fmt.Sprintf("value %s, recorded %s", got.Value, r.Value)
	case r.Headers != nil && fmt.Sprint(headersOf(r.Headers)) != fmt.Sprint(got.Headers):
		return fmt.Sprintf("headers %s, recorded %s", got.Headers, r.Headers)
	}
	return ""
}

func headersOf(list [][2]string) []types.Header {
	out := make([]types.Header, len(list))
	for i, h := range list {
		out[i] = types.Header{Key: h[0], Value: []byte(h[1])}
	}
	return out
}

func sameJSON(want json.RawMessage, got []byte) bool {
	if got == nil || string(want) == "null" {
		return got == nil && string(want) == "null"
	}
	return reflect.DeepEqual(plainJSON(want), plainJSON(got))
}

// plainJSON reads JSON. Numbers keep their text, but for those with an exponent:
// Java has more digits than needed for some of them.
func plainJSON(text []byte) any {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return string(text)
	}
	return plainNumbers(v)
}

func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsRune(v.String(), 'E') {
			return f
		}
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	}
	return v
}

// topicDifference says how the content of a topic differs from the recorded one.
func topicDifference(want []recordedRow, e *sqltest.Engine, topic string) string {
	var got []sqltest.Record
	if t := e.Lookup(topic); t != nil {
		got = t.Records
	}
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("record %d is missing: %s", i, want[i].Value)
		case i >= len(want):
			return fmt.Sprintf("record %d is too many: %x %s @%d", i, got[i].Key, got[i].Value, got[i].Time)
		}
		if diff := want[i].difference(got[i]); diff != "" {
			return fmt.Sprintf("record %d: %s", i, diff)
		}
	}
	return ""
}

func newEngine(t *testing.T) *sqltest.Engine {
	t.Helper()
	e, err := sqltest.New(sqltest.Options{})
	require.NoError(t, err)
	return e
}

func execute(e *sqltest.Engine, sql string) error {
	_, err := e.Execute(context.Background(), sql)
	return err
}

func intKey(k int64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(k)) }

// decodeLines reads the lines of a JSON Lines file.
func decodeLines[T any](t *testing.T, path string) []T {
	t.Helper()
	var out []T
	for _, line := range readLines(t, path) {
		var v T
		require.NoError(t, json.Unmarshal(line, &v))
		out = append(out, v)
	}
	return out
}

// recordedInput is a source of the aggregations.
type recordedInput struct {
	Name, Source string
	Rows         []struct {
		Timestamp, ID int64
		Value         json.RawMessage
	}
}

type recordedAggregation struct {
	Statement string
	Emitted   []recordedRow
	Error     *recordedError
}

func replayAggregates(t *testing.T, dir string, c *comparison) {
	inputs := map[string]recordedInput{}
	for _, in := range decodeLines[recordedInput](t, filepath.Join(dir, "aggregate-inputs.jsonl")) {
		inputs[in.Name] = in
	}
	for _, r := range decodeLines[recordedAggregation](t, filepath.Join(dir, "aggregate.jsonl")) {
		from := strings.Fields(r.Statement[strings.Index(r.Statement, "FROM ")+5:])[0]
		c.check(r.Statement, r.replay(t, inputs[from]))
	}
}

func (r *recordedAggregation) replay(t *testing.T, in recordedInput) string {
	kind, columns, _ := strings.Cut(in.Source, " ")
	if kind == "TABLE" {
		columns = strings.Replace(columns, "KEY", "PRIMARY KEY", 1)
	}
	e := newEngine(t)
	require.NoError(t, execute(e, fmt.Sprintf("CREATE %s %s %s WITH (KAFKA_TOPIC='in', PARTITIONS=1, VALUE_FORMAT='JSON');", kind, in.Name, columns)))
	err := execute(e, r.Statement)
	if r.Error != nil {
		if err == nil || err.Error() != r.Error.Message {
			return fmt.Sprintf("error %v, recorded %s", err, r.Error.Message)
		}
		return ""
	}
	if err != nil {
		return "is refused: " + err.Error()
	}
	for _, row := range in.Rows {
		value := []byte(row.Value)
		if string(value) == "null" {
			value = nil
		}
		if err := e.Feed("in", sqltest.Record{Key: intKey(row.ID), Value: value, Time: row.Timestamp}); err != nil {
			require.ErrorContains(t, err, "Numeric field overflow")
			break
		}
	}
	return topicDifference(r.Emitted, e, "ag_out_"+strings.Fields(r.Statement)[2][len("AGO"):])
}

type recordedJoin struct {
	Statement string
	Inputs    []struct {
		Topic     string
		Timestamp int64
		Key       *int64
		Value     json.RawMessage
		Headers   [][2]string
	}
	Emitted []recordedRow
}

func replayJoins(t *testing.T, dir string, c *comparison) {
	for _, r := range decodeLines[recordedJoin](t, filepath.Join(dir, "joins.jsonl")) {
		c.check(r.Statement, r.replay(t))
	}
}

func (r *recordedJoin) replay(t *testing.T) string {
	e := newEngine(t)
	require.NoError(t, execute(e, `
		CREATE STREAM JL (ID INT KEY, A STRING) WITH (KAFKA_TOPIC='jl', PARTITIONS=1, VALUE_FORMAT='JSON');
		CREATE STREAM JRR (ID INT KEY, B STRING) WITH (KAFKA_TOPIC='jrr', PARTITIONS=1, VALUE_FORMAT='JSON');
		CREATE TABLE JT (ID INT PRIMARY KEY, C STRING) WITH (KAFKA_TOPIC='jt', PARTITIONS=1, VALUE_FORMAT='JSON');`))
	if err := execute(e, r.Statement); err != nil {
		return "is refused: " + err.Error()
	}
	for _, in := range r.Inputs {
		rec := sqltest.Record{Time: in.Timestamp, Value: in.Value, Headers: headersOf(in.Headers)}
		if string(in.Value) == "null" {
			rec.Value = nil
		}
		if in.Key != nil {
			rec.Key = intKey(*in.Key)
		}
		require.NoError(t, e.Feed(in.Topic, rec))
	}
	return topicDifference(r.Emitted, e, strings.ToLower(strings.Replace(strings.Fields(r.Statement)[2], "JO", "jo_", 1)))
}

// recordedStatement is a statement with its answer, or, without SQL, a record of
// the sink of the statement before it.
type recordedStatement struct {
	SQL    string
	Status int
	Answer string
	recordedRow
}

func replayStatements(t *testing.T, dir, columns string, rows []json.RawMessage, c *comparison) {
	statements := decodeLines[recordedStatement](t, filepath.Join(dir, "statements.jsonl"))
	for i, s := range statements {
		if s.SQL == "" {
			continue
		}
		var written []recordedRow
		for _, next := range statements[i+1:] {
			if next.SQL != "" {
				break
			}
			written = append(written, next.recordedRow)
		}
		e := newEngine(t)
		require.NoError(t, execute(e, "CREATE STREAM FS ("+columns+`) WITH (KAFKA_TOPIC='fs', PARTITIONS=1, VALUE_FORMAT='JSON');
			CREATE TABLE FT0 (`+strings.Replace(columns, "KEY", "PRIMARY KEY", 1)+`) WITH (KAFKA_TOPIC='ft', PARTITIONS=1, VALUE_FORMAT='JSON');
			CREATE TABLE FT AS SELECT * FROM FT0;`))
		if strings.HasPrefix(s.SQL, "CREATE") {
			c.check(s.SQL, s.replayCreate(t, e, rows, written))
			continue
		}
		feedRows(t, e, rows)
		answer, err := e.Select(context.Background(), s.SQL)
		c.check(s.SQL, s.compare(answer, err))
	}
}

func feedRows(t *testing.T, e *sqltest.Engine, rows []json.RawMessage) {
	for i, raw := range rows {
		var row map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &row))
		k, err := strconv.ParseInt(string(row["K"]), 10, 32)
		require.NoError(t, err)
		for _, topic := range []string{"fs", "ft"} {
			require.NoError(t, e.Feed(topic, sqltest.Record{Key: intKey(k), Value: raw, Time: int64(i)}))
		}
	}
}

func (s *recordedStatement) replayCreate(t *testing.T, e *sqltest.Engine, rows []json.RawMessage, written []recordedRow) string {
	err := execute(e, s.SQL)
	if s.Status != 200 {
		return s.compare(sqltest.Answer{}, err)
	}
	if err != nil {
		return "is refused: " + err.Error()
	}
	feedRows(t, e, rows)
	return topicDifference(written, e, strings.Fields(s.SQL)[2])
}

func (s *recordedStatement) compare(got sqltest.Answer, err error) string {
	if s.Status != 200 {
		var refusal struct{ Message string }
		if json.Unmarshal([]byte(s.Answer), &refusal) != nil {
			refusal.Message = s.Answer
		}
		switch {
		case err == nil:
			return "is accepted; ksqlDB: " + refusal.Message
		case !sameRefusal(err.Error(), refusal.Message):
			return "is refused with " + err.Error() + "; ksqlDB: " + refusal.Message
		}
		return ""
	}
	if err != nil {
		return "is refused: " + err.Error()
	}
	var lines []struct {
		Header *struct{ Schema string }
		Row    *struct{ Columns []json.RawMessage }
	}
	if err := json.Unmarshal([]byte(s.Answer), &lines); err != nil {
		return err.Error()
	}
	n := 0
	for _, line := range lines {
		switch {
		case line.Header != nil:
			schema := types.Schema{Value: got.Columns}
			if want := strings.Replace(line.Header.Schema, " KEY", "", 1); schema.String() != want {
				return "has columns " + schema.String() + ", recorded " + want
			}
		case line.Row != nil && n >= len(got.Rows):
			return fmt.Sprintf("row %d is missing", n)
		case line.Row != nil:
			for i, cell := range line.Row.Columns {
				if v := got.Rows[n][i]; !shows(got.Columns[i].Type, v, plainJSON(cell)) {
					return fmt.Sprintf("row %d: %s, recorded %s", n, types.Text(got.Columns[i].Type, v), cell)
				}
			}
			n++
		}
	}
	if n != len(got.Rows) {
		return fmt.Sprintf("has %d rows, recorded %d", len(got.Rows), n)
	}
	return ""
}
