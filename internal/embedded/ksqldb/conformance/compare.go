package conformance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// verify compares the topics with the expected outputs, and what exists with
// what should.
func (t *testRun) verify(ctx context.Context) error {
	var topics []string
	expected := map[string][]RecordSpec{}
	for _, o := range t.test.Outputs {
		if !slices.Contains(topics, o.Topic) {
			topics = append(topics, o.Topic)
		}
		expected[o.Topic] = append(expected[o.Topic], o)
	}
	for _, topic := range topics {
		if err := t.verifyTopic(ctx, topic, expected[topic]); err != nil {
			return err
		}
	}
	if t.test.Post != nil {
		return t.verifyPost(ctx)
	}
	return nil
}

func (t *testRun) verifyTopic(ctx context.Context, topic string, expected []RecordSpec) error {
	key, err := t.codec(ctx, topic, true)
	if err != nil {
		return err
	}
	value, err := t.codec(ctx, topic, false)
	if err != nil {
		return err
	}
	var got []sqltest.Record
	if content := t.engine.Lookup(topic); content != nil {
		got = content.Records
	}
	for i, want := range expected {
		if i >= len(got) {
			return fmt.Errorf("topic %s has %d records, expected %d%s%s", topic, len(got), len(expected), missing(want), t.problems())
		}
		if err := t.verifyRecord(key, value, got[i], want); err != nil {
			return fmt.Errorf("topic %s, record %d: %w%s", topic, i, err, t.problems())
		}
	}
	if len(got) > len(expected) {
		extra := got[len(expected)]
		return fmt.Errorf("topic %s has %d records, expected %d; first extra: key %q, value %q, time %d", topic, len(got), len(expected), extra.Key, extra.Value, extra.Time)
	}
	return nil
}

func missing(want RecordSpec) string {
	return fmt.Sprintf("; first missing: key %s, value %s", want.Key, want.Value)
}

// problems tells of the first entry of the processing log.
func (t *testRun) problems() string {
	for _, q := range t.engine.Queries {
		for _, p := range q.Problems {
			return fmt.Sprintf(" (query %s: %s: %s)", q.ID, p.Message, strings.Join(p.Cause, ": "))
		}
	}
	return ""
}

func (t *testRun) verifyRecord(key, value *codec, got sqltest.Record, want RecordSpec) error {
	inner, window, err := format.SplitWindow(got.Key, key.window, key.size)
	if err != nil {
		return err
	}
	if err := compareWindow(window, want.Window); err != nil {
		return err
	}
	if err := key.compare(inner, want.Key); err != nil {
		return fmt.Errorf("key %q: %w", inner, err)
	}
	if err := value.compare(got.Value, want.Value); err != nil {
		return fmt.Errorf("value %q: %w", got.Value, err)
	}
	if want.Timestamp != nil && *want.Timestamp != got.Time && !(t.inserts && *want.Timestamp == 0) {
		return fmt.Errorf("time %d, expected %d (value %q)", got.Time, *want.Timestamp, got.Value)
	}
	headers, err := headersOf(want.Headers)
	if err != nil {
		return err
	}
	same := slices.EqualFunc(headers, got.Headers, func(a, b types.Header) bool {
		return a.Key == b.Key && string(a.Value) == string(b.Value) && (a.Value == nil) == (b.Value == nil)
	})
	if !same {
		return fmt.Errorf("headers %v, expected %v", got.Headers, headers)
	}
	return nil
}

func compareWindow(got types.Window, want *WindowSpec) error {
	if want == nil {
		if got.Kind != types.NoWindow {
			return fmt.Errorf("window [%d, %d], expected none", got.Start, got.End)
		}
		return nil
	}
	kind := types.TimeWindow
	if strings.EqualFold(want.Type, "session") {
		kind = types.SessionWindow
	}
	if got.Kind != kind || got.Start != want.Start || got.End != want.End {
		return fmt.Errorf("window [%d, %d] of kind %d, expected [%d, %d] of type %s", got.Start, got.End, got.Kind, want.Start, want.End, want.Type)
	}
	return nil
}

// compare checks the bytes of a record against what the test expects.
func (c *codec) compare(got []byte, want json.RawMessage) error {
	if isNull(want) {
		if got != nil {
			return fmt.Errorf("expected null")
		}
		return nil
	}
	if got == nil {
		return fmt.Errorf("is null, expected %s", want)
	}
	expected, err := decodeJSON(want)
	if err != nil {
		return err
	}
	if c.format == format.Delimited {
		text, ok := expected.(string)
		if !ok {
			text = string(want)
		}
		if string(got) != text {
			return fmt.Errorf("expected %q", text)
		}
		return nil
	}
	actual, t, err := c.decode(got)
	if err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	return compareValues(actual, expected, t, "$")
}

// decode reads bytes as a JSON value, with its type where it is known.
func (c *codec) decode(got []byte) (any, *types.Type, error) {
	var t *types.Type
	if len(c.spec.Columns) > 0 {
		fields := make([]types.Field, len(c.spec.Columns))
		for i, col := range c.spec.Columns {
			fields[i] = types.Field{Name: col.Name, Type: col.Type}
		}
		t = types.StructOf(fields...)
		if c.spec.Unwrapped() || c.format == format.Kafka {
			t = c.spec.Columns[0].Type
		}
	}
	if c.format == format.JSON || c.serde == nil {
		if c.serde == nil && c.format != format.JSON {
			return string(got), t, nil
		}
		v, err := decodeJSON(got)
		return v, t, err
	}
	values, err := c.serde.Deserialize(got)
	if err != nil {
		return nil, nil, err
	}
	if t.Kind != types.KindStruct || c.spec.Unwrapped() {
		return fromValue(c.spec.Columns[0].Type, values[0]), c.spec.Columns[0].Type, nil
	}
	return fromValue(t, types.StructValue(values)), t, nil
}

// fromValue turns a SQL value into a JSON value.
func fromValue(t *types.Type, v types.Value) any {
	if v.IsNull() {
		return nil
	}
	switch t.Kind {
	case types.KindBoolean:
		return v.Bool()
	case types.KindString:
		return v.Str()
	case types.KindBytes:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case types.KindDouble:
		return json.Number(string(types.AppendDouble(nil, v.Double())))
	case types.KindDecimal:
		return json.Number(types.DecimalText(v.Decimal()))
	case types.KindArray:
		out := make([]any, len(v.Elems()))
		for i, e := range v.Elems() {
			out[i] = fromValue(t.Elem, e)
		}
		return out
	case types.KindMap:
		out := map[string]any{}
		m := v.Map()
		for i, k := range m.Keys {
			out[types.Text(t.Key, k)] = fromValue(t.Elem, m.Values[i])
		}
		return out
	case types.KindStruct:
		out := map[string]any{}
		for i, e := range v.Elems() {
			out[t.Fields[i].Name] = fromValue(t.Fields[i].Type, e)
		}
		return out
	default:
		return json.Number(strconv.FormatInt(v.Int(), 10))
	}
}

// compareValues compares JSON values by the rules of ksqlDB's test runner.
func compareValues(got, want any, t *types.Type, path string) error {
	fail := func() error { return fmt.Errorf("%s is %v, expected %v", path, show(got), show(want)) }
	if want == nil || got == nil {
		if want == nil && got == nil {
			return nil
		}
		return fail()
	}
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return fail()
		}
		return compareObjects(object, want, t, path)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fail()
		}
		var elem *types.Type
		if t != nil && t.Kind == types.KindArray {
			elem = t.Elem
		}
		for i := range want {
			if err := compareValues(list[i], want[i], elem, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	case bool:
		if got != want {
			return fail()
		}
		return nil
	}
	return compareScalars(got, want, t, fail)
}

func compareObjects(got, want map[string]any, t *types.Type, path string) error {
	if len(got) != len(want) {
		return fmt.Errorf("%s is %v, expected %v", path, show(got), show(want))
	}
	for _, name := range sortedKeys(want) {
		v, ok := got[name]
		actual := name
		if !ok && want[name] == nil {
			continue
		}
		if !ok {
			actual = strings.ToUpper(name)
			v, ok = got[actual]
		}
		if !ok {
			return fmt.Errorf("%s has no member %s", path, name)
		}
		var member *types.Type
		if t != nil && t.Kind == types.KindStruct {
			if i := t.FieldIndex(actual); i >= 0 {
				member = t.Fields[i].Type
			}
		} else if t != nil && t.Kind == types.KindMap {
			member = t.Elem
		}
		if err := compareValues(v, want[name], member, path+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func compareScalars(got, want any, t *types.Type, fail func() error) error {
	gotText, gotNumber := scalarText(got)
	wantText, wantNumber := scalarText(want)
	if gotText == wantText && (gotNumber == wantNumber || t == nil || t.Kind != types.KindString) {
		return nil
	}
	if !gotNumber || !wantNumber && (t == nil || t.Kind != types.KindDecimal && t.Kind != types.KindDouble) {
		return fail()
	}
	a, errA := strconv.ParseFloat(gotText, 64)
	b, errB := strconv.ParseFloat(wantText, 64)
	if errA != nil || errB != nil {
		return fail()
	}
	// Decimals lost their scale where the cases were written down, and doubles
	// may differ in their last digits.
	exact := t != nil && t.Kind != types.KindDouble && t.Kind != types.KindDecimal
	if a == b || !exact && math.Abs(a-b) < 1e-6 {
		return nil
	}
	return fail()
}

func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case json.Number:
		return v.String(), true
	case string:
		return v, false
	default:
		return fmt.Sprint(v), false
	}
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
