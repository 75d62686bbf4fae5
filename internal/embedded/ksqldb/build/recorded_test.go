package build_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// recordings finds the folder of a real server's answers.
func recordings(t *testing.T, area string) string {
	t.Helper()
	root := os.Getenv("ORDERFLOW_RECORDED")
	if root == "" {
		root = "../../../../../shared/recorded"
	}
	dir := filepath.Join(root, area)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no recordings in %s: set ORDERFLOW_RECORDED", dir)
	}
	return dir
}

// readLines decodes the lines of a JSON Lines file.
func readLines[T any](t *testing.T, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var out []T
	s := bufio.NewScanner(f)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		var v T
		require.NoError(t, json.Unmarshal(s.Bytes(), &v))
		out = append(out, v)
	}
	require.NoError(t, s.Err())
	return out
}

// recordedRow is a record that a real server wrote.
type recordedRow struct {
	Timestamp int64           `json:"timestamp"`
	KeyHex    *string         `json:"key_hex"`
	Value     json.RawMessage `json:"value"`
	Headers   [][2]string     `json:"headers"`
}

// matches says how a record differs from what was recorded; "" if it doesn't.
func (r recordedRow) matches(got sqltest.Record) string {
	key := "null"
	if r.KeyHex != nil {
		key = *r.KeyHex
	}
	gotKey := "null"
	if got.Key != nil {
		gotKey = hex.EncodeToString(got.Key)
	}
	if key != gotKey {
		return fmt.Sprintf("key %s, recorded %s", gotKey, key)
	}
	if r.Timestamp != got.Time {
		return fmt.Sprintf("time %d, recorded %d", got.Time, r.Timestamp)
	}
	if !sameJSON(r.Value, got.Value) {
		return fmt.Sprintf("value %s, recorded %s", got.Value, r.Value)
	}
	if r.Headers != nil {
		want := make([]types.Header, len(r.Headers))
		for i, h := range r.Headers {
			want[i] = types.Header{Key: h[0], Value: []byte(h[1])}
		}
		if fmt.Sprint(want) != fmt.Sprint(got.Headers) {
			return fmt.Sprintf("headers %s, recorded %s", got.Headers, want)
		}
	}
	return ""
}

func sameJSON(want json.RawMessage, got []byte) bool {
	if got == nil || string(want) == "null" {
		return got == nil && string(want) == "null"
	}
	return reflect.DeepEqual(decode(want), decode(got))
}

// decode reads JSON. Numbers keep their text, but for those with an exponent:
// Java has more digits than needed for some of them.
func decode(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return string(text)
	}
	return plain(v)
}

func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsRune(v.String(), 'E') {
			return f
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return v
}

// compare says how the content of a topic differs from what was recorded.
func compare(want []recordedRow, got []sqltest.Record) string {
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("record %d is missing: %d @%s %s", i, want[i].Timestamp, *want[i].KeyHex, want[i].Value)
		case i >= len(want):
			return fmt.Sprintf("record %d is too many: %x %s @%d", i, got[i].Key, got[i].Value, got[i].Time)
		}
		if diff := want[i].matches(got[i]); diff != "" {
			return fmt.Sprintf("record %d: %s", i, diff)
		}
	}
	return ""
}

// engine makes an engine with topics that exist beforehand.
func engine(t *testing.T, topics ...string) *sqltest.Engine {
	t.Helper()
	existing := map[string]analyze.Topic{}
	for _, name := range topics {
		existing[name] = analyze.Topic{Partitions: 1, Replicas: 1}
	}
	e, err := sqltest.New(sqltest.Options{Topics: existing})
	require.NoError(t, err)
	return e
}

func run(e *sqltest.Engine, sql string) error {
	_, err := e.Execute(context.Background(), sql)
	return err
}

// content lists the records of a topic.
func content(e *sqltest.Engine, topic string) []sqltest.Record {
	t := e.Lookup(topic)
	if t == nil {
		return nil
	}
	return t.Records
}

func intKey(k int64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(k)) }

func TestRecordedAggregates(t *testing.T) {
	dir := recordings(t, "functions")
	type input struct {
		Name   string
		Source string
		Rows   []struct {
			Timestamp int64
			ID        int64
			Value     json.RawMessage
		}
	}
	inputs := map[string]input{}
	for _, in := range readLines[input](t, filepath.Join(dir, "aggregate-inputs.jsonl")) {
		inputs[in.Name] = in
	}
	type output struct {
		Statement string
		Emitted   []recordedRow
		Error     *struct{ Message string }
	}
	total, matched := 0, 0
	for _, c := range readLines[output](t, filepath.Join(dir, "aggregate.jsonl")) {
		total++
		from := strings.Fields(c.Statement[strings.Index(c.Statement, "FROM ")+5:])[0]
		in := inputs[from]
		kind, columns, _ := strings.Cut(in.Source, " ")
		e := engine(t)
		if kind == "TABLE" {
			columns = strings.Replace(columns, "KEY", "PRIMARY KEY", 1)
		}
		require.NoError(t, run(e, fmt.Sprintf("CREATE %s %s %s WITH (KAFKA_TOPIC='in', PARTITIONS=1, VALUE_FORMAT='JSON');", kind, from, columns)))
		err := run(e, c.Statement)
		if c.Error != nil || err != nil {
			if c.Error != nil && err != nil && err.Error() == c.Error.Message {
				matched++
			} else if c.Error == nil {
				t.Errorf("%s: %v", c.Statement, err)
			} else {
				t.Errorf("%s: error %v, recorded %s", c.Statement, err, c.Error.Message)
			}
			continue
		}
		for _, r := range in.Rows {
			value := []byte(r.Value)
			if string(value) == "null" {
				value = nil
			}
			if err := e.Feed("in", sqltest.Record{Key: intKey(r.ID), Value: value, Time: r.Timestamp}); err != nil {
				require.ErrorContains(t, err, "Numeric field overflow")
				break
			}
		}
		number := strings.Fields(c.Statement)[2][len("AGO"):]
		if diff := compare(c.Emitted, content(e, "ag_out_"+number)); diff != "" {
			t.Errorf("%s: %s", c.Statement, diff)
			continue
		}
		matched++
	}
	fmt.Printf("recorded/functions/aggregate: %d of %d match\n", matched, total)
}

func TestRecordedJoins(t *testing.T) {
	dir := recordings(t, "functions")
	type joinRun struct {
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
	total, matched := 0, 0
	for _, c := range readLines[joinRun](t, filepath.Join(dir, "joins.jsonl")) {
		total++
		e := engine(t)
		require.NoError(t, run(e, `
			CREATE STREAM JL (ID INT KEY, A STRING) WITH (KAFKA_TOPIC='jl', PARTITIONS=1, VALUE_FORMAT='JSON');
			CREATE STREAM JRR (ID INT KEY, B STRING) WITH (KAFKA_TOPIC='jrr', PARTITIONS=1, VALUE_FORMAT='JSON');
			CREATE TABLE JT (ID INT PRIMARY KEY, C STRING) WITH (KAFKA_TOPIC='jt', PARTITIONS=1, VALUE_FORMAT='JSON');`))
		if err := run(e, c.Statement); err != nil {
			t.Errorf("%s: %v", c.Statement, err)
			continue
		}
		for _, in := range c.Inputs {
			rec := sqltest.Record{Time: in.Timestamp, Value: in.Value}
			if string(in.Value) == "null" {
				rec.Value = nil
			}
			if in.Key != nil {
				rec.Key = intKey(*in.Key)
			}
			for _, h := range in.Headers {
				rec.Headers = append(rec.Headers, types.Header{Key: h[0], Value: []byte(h[1])})
			}
			require.NoError(t, e.Feed(in.Topic, rec))
		}
		sink := strings.ToLower(strings.Replace(strings.Fields(c.Statement)[2], "JO", "jo_", 1))
		if diff := compare(c.Emitted, content(e, sink)); diff != "" {
			t.Errorf("%s: %s", c.Statement, diff)
			continue
		}
		matched++
	}
	fmt.Printf("recorded/functions/joins: %d of %d match\n", matched, total)
}
