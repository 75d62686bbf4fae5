package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Inserter writes rows that come as JSON objects into one stream or table.
type Inserter struct {
	engine     *Engine
	source     *catalog.Source
	key, value format.Serde
}

// OpenInserts prepares for rows of a stream or table, whose name is quoted where
// its case matters. The error is an *Error.
func (e *Engine) OpenInserts(ctx context.Context, target string) (*Inserter, error) {
	refuse := func(text string, args ...any) error {
		return &Error{Code: CodeBadStatement, Message: fmt.Sprintf(text, args...), generic: true}
	}
	sess := e.newSession(nil, nil)
	cfg, err := sess.config()
	if err != nil {
		return nil, statementError("", err)
	}
	if !cfg.InsertValuesEnabled {
		return nil, refuse("The server has disabled INSERT INTO ... VALUES functionality. To enable it, restart your ksqlDB server with 'ksql.insert.into.values.enabled'=true")
	}
	name := identifierText(target)
	source, ok := e.Catalog().Source(name)
	switch {
	case !ok:
		return nil, refuse("Cannot insert values into an unknown stream/table: `%s`", name)
	case source.Topic.Window != types.NoWindow:
		return nil, refuse("Cannot insert values into windowed stream/table")
	case e.readOnlyTopic(source.Topic.Name):
		return nil, refuse("Cannot insert values into read-only topic: %s", source.Topic.Name)
	case source.ReadOnly:
		return nil, refuse("Cannot insert values into read-only %s: %s", strings.ToLower(source.Kind.String()), source.Name)
	case len(source.Schema.Header) > 0:
		return nil, refuse("Cannot insert into HEADER columns: %s", source.Schema.Header[0].Name)
	}
	if _, err := e.listTopics(ctx, source.Topic.Name); err != nil {
		return nil, statementError("", fmt.Errorf("asking for topic %s: %w", source.Topic.Name, err))
	}
	in := &Inserter{engine: e, source: source}
	if len(source.Schema.Key) > 0 {
		if in.key, err = format.New(ctx, analyze.KeySpec(source), e.registry); err != nil {
			return nil, statementError("", err)
		}
	}
	if in.value, err = format.New(ctx, analyze.ValueSpec(source), e.registry); err != nil {
		return nil, statementError("", err)
	}
	return in, nil
}

// identifierText is the name that a text means in SQL: in upper case unless it
// is quoted.
func identifierText(text string) string {
	if n := len(text); n >= 2 && (text[0] == '`' || text[0] == '"') && text[n-1] == text[0] {
		quote := text[:1]
		return strings.ReplaceAll(text[1:n-1], quote+quote, quote)
	}
	return strings.ToUpper(text)
}

// errInserts is ksqlDB's answer to a failure that is none of the client's.
const errInserts = "Error in processing inserts. Check server logs for details."

// Insert writes a row, a JSON object. done is called with nil when the broker
// has it, or with an *Error; rows are written in the order of the calls, but done
// may be called from another goroutine. An error that is returned is an *Error
// about the row, and done is not called.
func (in *Inserter) Insert(ctx context.Context, row []byte, done func(error)) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(row, &members); err != nil || members == nil {
		return &Error{Code: CodeBadRequest, Message: "Invalid JSON in inserts stream", cause: err}
	}
	given := make(map[string]json.RawMessage, len(members))
	for name, raw := range members {
		given[identifierText(name)] = raw
	}
	rec := &kgo.Record{Topic: in.source.Topic.Name, Timestamp: time.Now()}
	schema := in.source.Schema
	if in.key != nil {
		key, err := rowValues(schema.Key, given)
		if err != nil {
			return err
		}
		for i, v := range key {
			if v.IsNull() {
				return &Error{Code: CodeBadRequest, Message: "Key field must be specified: " + schema.Key[i].Name}
			}
		}
		if rec.Key, err = in.key.Serialize(nil, key); err != nil {
			return insertFailure(err)
		}
	}
	value, err := rowValues(schema.Value, given)
	if err != nil {
		return err
	}
	if rec.Value, err = in.value.Serialize(nil, value); err != nil {
		return insertFailure(err)
	}
	in.engine.client.Produce(ctx, rec, func(_ *kgo.Record, err error) {
		if err != nil {
			err = insertFailure(err)
		}
		done(err)
	})
	return nil
}

func insertFailure(err error) *Error {
	return &Error{Code: CodeServerError, Message: errInserts, cause: err}
}

func rowValues(columns []types.Column, given map[string]json.RawMessage) ([]types.Value, error) {
	values := make([]types.Value, len(columns))
	for i, c := range columns {
		raw, ok := given[c.Name]
		if !ok {
			continue
		}
		v, err := insertedValue(c.Type, raw)
		if errors.Is(err, errNotCoerced) {
			return nil, &Error{Code: CodeBadRequest, Message: fmt.Sprintf("Can't coerce a field of type %s into type %s", javaClass(raw), c.Type)}
		}
		if err != nil {
			return nil, insertFailure(fmt.Errorf("column %s: %w", c.Name, err))
		}
		values[i] = v
	}
	return values, nil
}

var errNotCoerced = errors.New("the value is not of the column's type")

// insertedValue makes a value of JSON: numbers widen, and text becomes what JSON
// has no form of its own for.
func insertedValue(t *types.Type, raw json.RawMessage) (types.Value, error) {
	kind := jsonKindOf(raw)
	switch {
	case kind == 'n':
		return types.Null, nil
	case t.Kind == types.KindArray && kind == '[':
		var elements []json.RawMessage
		if err := json.Unmarshal(raw, &elements); err != nil {
			return types.Null, err
		}
		out := make([]types.Value, len(elements))
		for i, e := range elements {
			var err error
			if out[i], err = insertedValue(t.Elem, e); err != nil {
				return types.Null, err
			}
		}
		return types.ArrayValue(out), nil
	case t.Kind == types.KindMap && kind == '{':
		return insertedMap(t, raw)
	case t.Kind == types.KindStruct && kind == '{':
		return insertedStruct(t, raw)
	case kind == '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return types.Null, err
		}
		return insertedText(t, text)
	case kind == 't' || kind == 'f':
		if t.Kind != types.KindBoolean {
			return types.Null, errNotCoerced
		}
		return types.BoolValue(kind == 't'), nil
	case kind == '0':
		return insertedNumber(t, string(raw))
	}
	return types.Null, errNotCoerced
}

func insertedMap(t *types.Type, raw json.RawMessage) (types.Value, error) {
	if t.Key.Kind != types.KindString {
		return types.Null, errNotCoerced
	}
	names, members, err := orderedMembers(raw)
	if err != nil {
		return types.Null, err
	}
	out := types.NewMapBuilder(t.Key, len(names))
	for i, name := range names {
		v, err := insertedValue(t.Elem, members[i])
		if err != nil {
			return types.Null, err
		}
		out.Put(types.StringValue(name), v)
	}
	return out.Value(), nil
}

// insertedStruct takes members by their exact names: unlike columns', their case
// matters.
func insertedStruct(t *types.Type, raw json.RawMessage) (types.Value, error) {
	names, members, err := orderedMembers(raw)
	if err != nil {
		return types.Null, err
	}
	out := make([]types.Value, len(t.Fields))
	for i, name := range names {
		at := t.FieldIndex(name)
		if at < 0 {
			continue
		}
		if out[at], err = insertedValue(t.Fields[at].Type, members[i]); err != nil {
			return types.Null, err
		}
	}
	return types.StructValue(out), nil
}

// orderedMembers are the members of a JSON object as they stand.
func orderedMembers(raw json.RawMessage) (names []string, members []json.RawMessage, err error) {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	if _, err := dec.Token(); err != nil {
		return nil, nil, err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		var member json.RawMessage
		if err := dec.Decode(&member); err != nil {
			return nil, nil, err
		}
		names, members = append(names, name.(string)), append(members, member)
	}
	return names, members, nil
}

func insertedText(t *types.Type, text string) (types.Value, error) {
	var n int64
	var err error
	switch t.Kind {
	case types.KindString:
		return types.StringValue(text), nil
	case types.KindBytes:
		b, err := types.DecodeBase64(text)
		if err != nil {
			return types.Null, errNotCoerced
		}
		return types.BytesValue(b), nil
	case types.KindDecimal:
		d, err := types.ParseDecimal(strings.TrimSpace(text))
		if err != nil {
			return types.Null, errNotCoerced
		}
		return scaled(d, t.Scale)
	case types.KindTimestamp:
		n, err = types.ParseTimestamp(text)
	case types.KindDate:
		n, err = types.ParseDate(text)
	case types.KindTime:
		n, err = types.ParseTime(text)
	default:
		return types.Null, errNotCoerced
	}
	if err != nil {
		return types.Null, errNotCoerced
	}
	return types.IntValue(n), nil
}

func insertedNumber(t *types.Type, text string) (types.Value, error) {
	whole, err := strconv.ParseInt(text, 10, 64)
	isWhole := err == nil
	switch t.Kind {
	case types.KindInteger:
		if isWhole && whole >= math.MinInt32 && whole <= math.MaxInt32 {
			return types.IntValue(whole), nil
		}
	case types.KindBigint:
		if isWhole {
			return types.IntValue(whole), nil
		}
	case types.KindDouble:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return types.DoubleValue(f), nil
		}
	case types.KindDecimal:
		if isWhole {
			return scaled(types.DecimalFromInt(whole), t.Scale)
		}
		// Java has read it as a double before it becomes a decimal.
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			d, err := types.DecimalFromShortest(f)
			if err != nil {
				return types.Null, errNotCoerced
			}
			return scaled(d, t.Scale)
		}
	}
	return types.Null, errNotCoerced
}

// scaled rounds to the scale of a DECIMAL. The precision is not checked, as in
// ksqlDB.
func scaled(d *apd.Decimal, scale int) (types.Value, error) {
	rounded, err := types.RoundHalfUp(d, scale)
	if err != nil {
		return types.Null, err
	}
	return types.DecimalValue(rounded), nil
}

// jsonKindOf is the first character of a JSON value, '0' for all numbers.
func jsonKindOf(raw json.RawMessage) byte {
	c := raw[0]
	if c == '-' || c >= '0' && c <= '9' {
		return '0'
	}
	return c
}

// javaClass is what ksqlDB's messages call the kind of a JSON value.
func javaClass(raw json.RawMessage) string {
	switch jsonKindOf(raw) {
	case '"':
		return "class java.lang.String"
	case 't', 'f':
		return "class java.lang.Boolean"
	case '[':
		return "class io.vertx.core.json.JsonArray"
	case '{':
		return "class io.vertx.core.json.JsonObject"
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	switch {
	case err == nil && n >= math.MinInt32 && n <= math.MaxInt32:
		return "class java.lang.Integer"
	case err == nil:
		return "class java.lang.Long"
	case errors.Is(err, strconv.ErrRange):
		return "class java.math.BigInteger"
	default:
		return "class java.lang.Double"
	}
}
