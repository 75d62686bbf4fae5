package jdbc

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// offset is how far a table was read.
type offset struct {
	timestamp    int64
	hasTimestamp bool
	increment    int64
	hasIncrement bool
}

// The names that the real connector gives the parts of an offset.
const (
	incrementingPart = "incrementing"
	timestampPart    = "timestamp"
	nanosPart        = "timestamp_nanos"
)

func (o offset) parts() map[string]any {
	m := map[string]any{}
	if o.hasTimestamp {
		m[timestampPart] = o.timestamp
		m[nanosPart] = int64(0)
	}
	if o.hasIncrement {
		m[incrementingPart] = o.increment
	}
	return m
}

func offsetOf(m map[string]any) offset {
	var o offset
	if n, ok := m[timestampPart].(int64); ok {
		o.timestamp, o.hasTimestamp = n, true
	}
	if n, ok := m[incrementingPart].(int64); ok {
		o.increment, o.hasIncrement = n, true
	}
	return o
}

// querier reads one table, or what a query gives, query by query.
type querier struct {
	db           *database
	table        string // empty where a query is read
	query        string // empty where a table is read
	suffix       string // stands behind every query
	form         form   // what columns become
	topic        string
	mode         string
	incrementing string   // the growing column, empty for none
	timestamps   []string // the columns with the time of the last change
	delay        time.Duration
	from         offset
	last         time.Time // when the last query ended

	columns []column
	types   []sqlType
	schema  *data.Schema
	rows    *sql.Rows
	// pending is a record that waits to know whether the next one has the same
	// timestamp, in timestamp mode.
	pending   *plugin.Record
	pendingAt int64
}

// what names what is read, for errors.
func (q *querier) what() string {
	if q.query != "" {
		return "the query " + q.query
	}
	return "the table " + quote(q.table)
}

func (q *querier) usesTimestamp() bool {
	return q.mode == modeTimestamp || q.mode == modeTimestampIncrementing
}

func (q *querier) usesIncrement() bool {
	return q.mode == modeIncrementing || q.mode == modeTimestampIncrementing
}

func (q *querier) partition() map[string]any {
	if q.query != "" {
		return map[string]any{"query": "query"}
	}
	return map[string]any{"protocol": "1", "table": q.table}
}

// source is what comes before the conditions, and how a column is written in them.
func (q *querier) source() (text string, column func(name string) string) {
	if q.query != "" {
		return q.query, quote
	}
	table := quote(q.table)
	column = func(name string) string { return table + "." + quote(name) }
	list := make([]string, len(q.columns))
	for i, c := range q.columns {
		list[i] = column(c.name)
		if c.declared == "DATE" || c.declared == "DATETIME" || c.declared == "TIMESTAMP" {
			// As an expression it has no declared type, so that the driver leaves
			// texts alone.
			list[i] = "+" + list[i] + " AS " + quote(c.name)
		}
	}
	return "SELECT " + strings.Join(list, ",") + " FROM " + table, column
}

// statement writes the query and its parameters.
func (q *querier) statement(ctx context.Context) (string, []any, error) {
	text, column := q.source()
	var at string
	var until int64
	if q.usesTimestamp() {
		quoted := make([]string, len(q.timestamps))
		for i, name := range q.timestamps {
			quoted[i] = column(name)
		}
		at = quoted[0]
		if len(quoted) > 1 {
			at = "COALESCE(" + strings.Join(quoted, ",") + ")"
		}
		now, err := q.db.now(ctx)
		if err != nil {
			return "", nil, err
		}
		until = now - q.delay.Milliseconds()
	}
	id := column(q.incrementing)
	var args []any
	switch q.mode {
	case modeIncrementing:
		text, args = text+" WHERE "+id+" > ? ORDER BY "+id+" ASC", []any{q.from.increment}
	case modeTimestamp:
		text, args = text+" WHERE "+at+" > ? AND "+at+" < ? ORDER BY "+at+" ASC", []any{q.from.timestamp, until}
	case modeTimestampIncrementing:
		text += " WHERE " + at + " < ? AND ((" + at + " = ? AND " + id + " > ?) OR " + at + " > ?) ORDER BY " + at + "," + id + " ASC"
		args = []any{until, q.from.timestamp, q.from.increment, q.from.timestamp}
	}
	if q.suffix != "" {
		text += " " + q.suffix
	}
	return text, args, nil
}

// begin runs the query.
func (q *querier) begin(ctx context.Context) error {
	if q.query == "" {
		columns, err := q.db.columns(ctx, q.table)
		if err != nil {
			return err
		}
		if len(columns) == 0 {
			return fault.New(fault.SQL, "[SQLITE_ERROR] SQL error or missing database (no such table: %s)", q.table)
		}
		q.columns = columns
	}
	text, args, err := q.statement(ctx)
	if err != nil {
		return err
	}
	if q.query != "" {
		if q.columns, err = q.db.queryColumns(ctx, text); err != nil {
			return err
		}
	}
	rows, err := q.db.db.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	names, err := rows.Columns()
	if err == nil && !slices.EqualFunc(names, q.columns, func(n string, c column) bool { return n == c.name }) {
		err = fmt.Errorf("the columns of %s changed while it was read", q.what())
	}
	if err != nil {
		return joinClose(err, rows)
	}
	q.rows, q.types = rows, nil
	return nil
}

func joinClose(err error, rows *sql.Rows) error {
	if closeErr := rows.Close(); closeErr != nil {
		return fmt.Errorf("%w; %w", err, closeErr)
	}
	return err
}

// end closes the query's rows.
func (q *querier) end() error {
	if q.rows == nil {
		return nil
	}
	rows := q.rows
	q.rows, q.pending = nil, nil
	return rows.Close()
}

// next gives up to n records and whether there may be more of the same query.
func (q *querier) next(n int) ([]*plugin.Record, bool, error) {
	began := q.from
	records, more, err := q.collect(n)
	if err != nil {
		// None of them leaves here, so the next query begins before them.
		q.from = began
	}
	return records, more, err
}

func (q *querier) collect(n int) ([]*plugin.Record, bool, error) {
	var records []*plugin.Record
	for len(records) < n {
		if !q.rows.Next() {
			if err := q.rows.Err(); err != nil {
				return nil, false, err
			}
			if q.pending != nil {
				records = append(records, q.release(q.pendingAt))
			}
			return records, false, nil
		}
		record, err := q.record()
		if err != nil {
			return nil, false, err
		}
		if record != nil {
			records = append(records, record)
		}
	}
	return records, true, nil
}

func (q *querier) record() (*plugin.Record, error) {
	raw := make([]any, len(q.columns))
	targets := make([]any, len(raw))
	for i := range raw {
		targets[i] = &raw[i]
	}
	if err := q.rows.Scan(targets...); err != nil {
		return nil, err
	}
	if q.types == nil {
		if err := q.decideTypes(raw); err != nil {
			return nil, err
		}
	}
	st := data.NewStruct(q.schema)
	for i, c := range q.columns {
		var err error
		if st.Values[i], err = valueOf(q.types[i], c, q.form, q.schema.Fields[i].Schema, raw[i]); err != nil {
			return nil, err
		}
	}
	record := &plugin.Record{Topic: q.topic, ValueSchema: q.schema, Value: st, SourcePartition: q.partition()}
	if q.mode == modeBulk {
		if q.query == "" {
			record.SourcePartition = map[string]any{"table": q.table}
		}
		return record, nil
	}
	at, err := q.offset(raw)
	if err != nil {
		return nil, err
	}
	if q.mode != modeTimestamp {
		q.from = at
		record.SourceOffset = at.parts()
		return record, nil
	}
	// After a crash rows of one timestamp are found again only when the offset
	// is still before it, so all but the last carry the one before.
	var released *plugin.Record
	if q.pending != nil {
		if at.timestamp != q.pendingAt {
			released = q.release(q.pendingAt)
		} else {
			released = q.release(q.from.timestamp)
		}
	}
	q.pending, q.pendingAt = record, at.timestamp
	return released, nil
}

// release gives the pending record, read up to a timestamp.
func (q *querier) release(timestamp int64) *plugin.Record {
	record := q.pending
	q.pending = nil
	q.from = offset{timestamp: timestamp, hasTimestamp: true}
	record.SourceOffset = q.from.parts()
	return record
}

func (q *querier) decideTypes(first []any) error {
	schema := &data.Schema{Type: data.StructType, Name: q.table}
	types := make([]sqlType, len(first))
	for i, c := range q.columns {
		types[i] = typeOf(c.declared, first[i])
		s, err := schemaOf(types[i], c, q.form)
		if err != nil {
			return err
		}
		schema.Fields = append(schema.Fields, data.Field{Name: c.name, Schema: s})
	}
	q.types = types
	if !data.Equal(q.schema, schema) {
		q.schema = schema
	}
	return nil
}

// offset is where a row stands.
func (q *querier) offset(raw []any) (offset, error) {
	var o offset
	if q.usesTimestamp() {
		for _, name := range q.timestamps {
			i := q.index(name)
			if i < 0 {
				return offset{}, notAField(name)
			}
			if raw[i] == nil {
				continue
			}
			ms, err := milliseconds(q.columns[i], q.form.zone, raw[i])
			if err != nil {
				return offset{}, err
			}
			o.timestamp, o.hasTimestamp = ms, true
			break
		}
	}
	if q.usesIncrement() {
		i := q.index(q.incrementing)
		if i < 0 {
			return offset{}, notAField(q.incrementing)
		}
		n, ok := raw[i].(int64)
		if !ok {
			return offset{}, fault.New(fault.Connect, "Invalid type for incrementing column: the column %s has %v, which is not a whole number", quote(q.incrementing), raw[i])
		}
		o.increment, o.hasIncrement = n, true
	}
	return o, nil
}

// notAField is how the real connector misses a column among those of a query.
func notAField(name string) error { return fault.New(fault.Data, "%s is not a valid field name", name) }

func (q *querier) index(name string) int {
	return slices.IndexFunc(q.columns, func(c column) bool { return strings.EqualFold(c.name, name) })
}
