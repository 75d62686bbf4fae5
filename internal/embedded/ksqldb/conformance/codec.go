package conformance

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// codec writes and reads one side of a topic's records as ksqlDB's test runner
// does: JSON and DELIMITED as they stand in the test, the others by schema.
type codec struct {
	format string
	spec   format.Spec
	serde  format.Serde
	window types.WindowKind
	size   int64
}

// codec finds how the keys or values of a topic are written: as the first
// stream or table over it says, with the schema that the test registered.
func (t *testRun) codec(ctx context.Context, topic string, isKey bool) (*codec, error) {
	id := fmt.Sprintf("%s/%t", topic, isKey)
	if c, ok := t.codecs[id]; ok {
		return c, nil
	}
	source := t.sourceOn(topic, isKey)
	c := &codec{format: t.declaredFormat(topic, isKey)}
	if source != nil {
		c.spec = analyze.ValueSpec(source)
		if isKey {
			c.spec = analyze.KeySpec(source)
			c.window, c.size = source.Topic.Window, source.Topic.WindowSize.Milliseconds()
		}
		c.format = c.spec.Format
	}
	if c.format == "" {
		c.format = format.JSON
	}
	if source == nil {
		c.spec = format.Spec{Format: c.format, IsKey: isKey, Topic: topic}
	}
	if err := t.bind(ctx, c); err != nil {
		return nil, err
	}
	t.codecs[id] = c
	return c, nil
}

// sourceOn finds a stream or table over a topic, best one with columns on that
// side.
func (t *testRun) sourceOn(topic string, isKey bool) *catalog.Source {
	var found *catalog.Source
	for _, s := range t.engine.Catalog.OnTopic(topic) {
		columns := len(s.Schema.Value)
		if isKey {
			columns = len(s.Schema.Key)
		}
		if found == nil || columns > 0 && (len(found.Schema.Value) == 0 && !isKey || len(found.Schema.Key) == 0 && isKey) {
			found = s
		}
	}
	return found
}

func (t *testRun) declaredFormat(topic string, isKey bool) string {
	for _, spec := range t.test.Topics {
		if spec.Name != topic {
			continue
		}
		f := spec.ValueFormat
		if isKey {
			f = spec.KeyFormat
		}
		if f == "" && !isKey {
			f = spec.Format
		}
		return strings.ToUpper(f)
	}
	if isKey {
		return format.Kafka
	}
	return ""
}

// bind makes the serde of formats that are written by schema.
func (t *testRun) bind(ctx context.Context, c *codec) error {
	switch c.format {
	case format.JSON, format.Delimited, format.None:
		return nil
	}
	spec := c.spec
	if t.foreign[spec.Subject()] {
		if foreign, err := t.foreignSpec(ctx, spec); err == nil {
			spec = foreign
		}
	}
	if len(spec.Columns) == 0 {
		if !format.SupportsInference(spec.Format) {
			return nil
		}
		foreign, err := t.foreignSpec(ctx, spec)
		if err != nil {
			return nil //nolint:nilerr // a side without schema has only nulls
		}
		spec = foreign
	}
	serde, err := format.New(ctx, spec, t.schemas)
	if err != nil {
		return fmt.Errorf("making the format of topic %s: %w", spec.Topic, err)
	}
	c.spec, c.serde = spec, serde
	return nil
}

// foreignSpec describes the latest schema of a subject.
func (t *testRun) foreignSpec(ctx context.Context, spec format.Spec) (format.Spec, error) {
	latest, err := t.schemas.Latest(ctx, spec.Subject())
	if err != nil {
		return spec, err
	}
	asked := spec
	asked.SchemaID = &latest.ID
	found, err := format.Infer(ctx, t.schemas, asked)
	if err != nil && !spec.IsKey && spec.Wrap == nil {
		bare := false
		asked.Wrap = &bare
		found, err = format.Infer(ctx, t.schemas, asked)
	}
	if err != nil {
		return spec, err
	}
	asked.Columns, asked.FullName = found.Columns, found.FullName
	return asked, nil
}

// encode makes the record of an input.
func (t *testRun) encode(ctx context.Context, spec RecordSpec) (sqltest.Record, error) {
	var r sqltest.Record
	if spec.Timestamp != nil {
		r.Time = *spec.Timestamp
	}
	var err error
	if r.Headers, err = headersOf(spec.Headers); err != nil {
		return r, err
	}
	key, err := t.codec(ctx, spec.Topic, true)
	if err != nil {
		return r, err
	}
	value, err := t.codec(ctx, spec.Topic, false)
	if err != nil {
		return r, err
	}
	if r.Key, err = key.encode(spec.Key); err != nil {
		return r, fmt.Errorf("key: %w", err)
	}
	if spec.Window != nil {
		w := types.Window{Kind: types.TimeWindow, Start: spec.Window.Start, End: spec.Window.End}
		if strings.EqualFold(spec.Window.Type, "session") {
			w.Kind = types.SessionWindow
		}
		r.Key = format.AppendWindow(r.Key, w)
	}
	if r.Value, err = value.encode(spec.Value); err != nil {
		return r, fmt.Errorf("value: %w", err)
	}
	return r, nil
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || string(bytes.TrimSpace(raw)) == "null"
}

func (c *codec) encode(raw json.RawMessage) ([]byte, error) {
	if isNull(raw) {
		return nil, nil
	}
	switch c.format {
	case format.None:
		return nil, nil
	case format.JSON:
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			return nil, err
		}
		return b.Bytes(), nil
	case format.Delimited:
		var text string
		if json.Unmarshal(raw, &text) == nil {
			return []byte(text), nil
		}
		return raw, nil
	}
	v, err := decodeJSON(raw)
	if err != nil {
		return nil, err
	}
	if c.serde == nil {
		return rawScalar(v)
	}
	values, err := c.values(v)
	if err != nil {
		return nil, err
	}
	return c.serde.Serialize(nil, values)
}

// rawScalar writes a key of a topic that no stream or table describes.
func rawScalar(v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return []byte(v), nil
	case json.Number:
		return []byte(v.String()), nil
	default:
		return nil, fmt.Errorf("nothing says how to write %v", v)
	}
}

// values sorts a JSON value into the columns.
func (c *codec) values(v any) ([]types.Value, error) {
	columns := c.spec.Columns
	object, isObject := v.(map[string]any)
	if len(columns) == 1 && (!isObject || c.spec.Unwrapped() || columns[0].Type.Kind == types.KindStruct && lookup(object, columns[0].Name) == nil) {
		one, err := toValue(columns[0].Type, v)
		return []types.Value{one}, err
	}
	if !isObject {
		return nil, fmt.Errorf("%v is no object", v)
	}
	out := make([]types.Value, len(columns))
	for i, col := range columns {
		member := lookup(object, col.Name)
		if member == nil {
			continue
		}
		var err error
		if out[i], err = toValue(col.Type, *member); err != nil {
			return nil, fmt.Errorf("column %s: %w", col.Name, err)
		}
	}
	return out, nil
}

// lookup finds a member by its name, or else without regard to case.
func lookup(object map[string]any, name string) *any {
	if v, ok := object[name]; ok {
		return &v
	}
	for k, v := range object {
		if strings.EqualFold(k, name) {
			return &v
		}
	}
	return nil
}

func decodeJSON(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// toValue turns a JSON value into a SQL value.
func toValue(t *types.Type, v any) (types.Value, error) {
	if v == nil {
		return types.Null, nil
	}
	switch t.Kind {
	case types.KindArray:
		list, ok := v.([]any)
		if !ok {
			return types.Null, fmt.Errorf("%v is no array", v)
		}
		out := make([]types.Value, len(list))
		for i, e := range list {
			var err error
			if out[i], err = toValue(t.Elem, e); err != nil {
				return types.Null, err
			}
		}
		return types.ArrayValue(out), nil
	case types.KindMap:
		object, ok := v.(map[string]any)
		if !ok {
			return types.Null, fmt.Errorf("%v is no object", v)
		}
		m := &types.MapValue{}
		for _, k := range sortedKeys(object) {
			key, err := toScalar(t.Key, k)
			if err != nil {
				return types.Null, err
			}
			e, err := toValue(t.Elem, object[k])
			if err != nil {
				return types.Null, err
			}
			m.Keys, m.Values = append(m.Keys, key), append(m.Values, e)
		}
		return types.MapOfValues(m), nil
	case types.KindStruct:
		object, ok := v.(map[string]any)
		if !ok {
			return types.Null, fmt.Errorf("%v is no object", v)
		}
		out := make([]types.Value, len(t.Fields))
		for i, f := range t.Fields {
			member := lookup(object, f.Name)
			if member == nil {
				continue
			}
			var err error
			if out[i], err = toValue(f.Type, *member); err != nil {
				return types.Null, err
			}
		}
		return types.StructValue(out), nil
	default:
		return toScalar(t, v)
	}
}

func toScalar(t *types.Type, v any) (types.Value, error) {
	if b, ok := v.(bool); ok {
		if t.Kind == types.KindBoolean {
			return types.BoolValue(b), nil
		}
		return toScalar(t, strconv.FormatBool(b))
	}
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	default:
		return types.Null, fmt.Errorf("%v is no %s", v, t)
	}
	switch t.Kind {
	case types.KindString:
		return types.StringValue(text), nil
	case types.KindBytes:
		b, err := base64.StdEncoding.DecodeString(text)
		return types.BytesValue(b), err
	case types.KindDouble:
		f, err := strconv.ParseFloat(text, 64)
		return types.DoubleValue(f), err
	case types.KindDecimal:
		d, err := types.ParseDecimal(text)
		if err != nil {
			return types.Null, err
		}
		fitted, err := types.FitDecimal(d, t.Precision, t.Scale)
		return types.DecimalValue(fitted), err
	case types.KindBoolean:
		b, err := strconv.ParseBool(text)
		return types.BoolValue(b), err
	default:
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			f, ferr := strconv.ParseFloat(text, 64)
			if ferr != nil {
				return types.Null, err
			}
			i = int64(f)
		}
		return types.IntValue(i), nil
	}
}
