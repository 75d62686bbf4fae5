package jdbc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// task reads some of the tables, one after the other.
type task struct {
	env      plugin.Environment
	db       *database
	interval time.Duration
	batch    int
	retries  int64
	failures int64
	// queue has the tables, the one to be read next first.
	queue []*querier
}

// Start looks at the tables' columns.
func (t *task) Start(ctx context.Context, env plugin.Environment, settings map[string]string, offsets plugin.OffsetReader) error {
	s := config.NewSettings(definition, settings)
	t.env, t.interval, t.batch, t.retries = env, s.Milliseconds("poll.interval.ms"), int(s.Number("batch.max.rows")), s.Number("query.retry.attempts")
	db, err := connect(ctx, env, s)
	if err != nil {
		return err
	}
	t.db = db
	tables := config.SplitList(settings[tablesSetting])
	query := s.Text(querySetting)
	if query != "" {
		tables = []string{""}
	}
	if len(tables) == 0 {
		hint := ""
		if ok, err := db.exists(); err == nil && !ok {
			hint = " There is no file " + db.path + "."
		}
		return fault.New(fault.Config, "Task is being killed because it was not assigned a table nor a query to execute. If run in table mode please make sure that the tables exist on the database. If the table does exist on the database, we recommend using the fully qualified table name.%s", hint)
	}
	zone, err := zoneOf(s.Text("db.timezone"))
	if err != nil {
		return fault.New(fault.Config, "Invalid value %s for configuration db.timezone: Invalid time zone identifier", s.Text("db.timezone"))
	}
	form := form{mapping: mappingOf(s), zone: zone, granularity: granularity(strings.ToLower(s.Text("timestamp.granularity")))}
	for _, table := range tables {
		q := &querier{
			db: db, table: unquote(table), query: query, suffix: s.Text("query.suffix"), form: form,
			topic: s.Text("topic.prefix") + unquote(table), mode: s.Text("mode"),
			incrementing: s.Text("incrementing.column.name"), timestamps: s.List("timestamp.column.name"), delay: s.Milliseconds("timestamp.delay.interval.ms"),
		}
		if err := t.prepare(ctx, q, s, offsets); err != nil {
			return err
		}
		t.queue = append(t.queue, q)
	}
	return nil
}

// mappingOf gives how NUMERIC columns become numbers.
func mappingOf(s config.Settings) string {
	switch mapping := strings.ToLower(s.Text("numeric.mapping")); {
	case mapping != "":
		return mapping
	case s.Flag("numeric.precision.mapping"):
		return mappingPrecision
	default:
		return mappingNone
	}
}

// prepare checks the columns that find rows and says where to begin.
func (t *task) prepare(ctx context.Context, q *querier, s config.Settings, offsets plugin.OffsetReader) error {
	if q.query == "" {
		if err := t.describe(ctx, q, s); err != nil {
			return err
		}
	}
	if stored := offsets(q.partition()); stored != nil {
		q.from = offsetOf(stored)
	}
	if q.usesIncrement() && !q.from.hasIncrement {
		q.from.increment = -1
	}
	if q.usesTimestamp() && !q.from.hasTimestamp && s.Given("timestamp.initial") {
		q.from.timestamp = s.Number("timestamp.initial")
		if q.from.timestamp == -1 {
			var err error
			if q.from.timestamp, err = t.db.now(ctx); err != nil {
				return fmt.Errorf("asking the database for the time: %w", err)
			}
		}
	}
	return nil
}

// describe looks at the columns of a table. Those of a query are known when it
// runs.
func (t *task) describe(ctx context.Context, q *querier, s config.Settings) error {
	columns, err := t.db.columns(ctx, q.table)
	if err != nil {
		return fmt.Errorf("looking at the columns of %s: %w", quote(q.table), err)
	}
	q.columns = columns
	if q.usesIncrement() && q.incrementing == "" {
		i := slices.IndexFunc(columns, func(c column) bool { return c.auto })
		if i < 0 {
			return fault.New(fault.Config, "The table %s has no AUTOINCREMENT column: name its growing column with incrementing.column.name", quote(q.table))
		}
		q.incrementing = columns[i].name
	}
	if q.usesTimestamp() && len(q.timestamps) == 0 {
		return fault.New(fault.Config, "Timestamp column(s) must be specified when using mode '%s': set timestamp.column.name", q.mode)
	}
	return checkColumns(q, s.Flag("validate.non.null"))
}

func checkColumns(q *querier, nonNull bool) error {
	if q.usesIncrement() && q.index(q.incrementing) < 0 {
		return fault.New(fault.Config, "Incrementing column: %s does not exist in table '%s'", q.incrementing, quote(q.table))
	}
	nullable := true
	if q.usesTimestamp() {
		for _, name := range q.timestamps {
			i := q.index(name)
			if i < 0 {
				return fault.New(fault.Config, "Timestamp column: %s does not exist in table '%s'", name, quote(q.table))
			}
			nullable = nullable && q.columns[i].nullable
		}
	}
	if !nonNull {
		return nil
	}
	if q.usesIncrement() && q.columns[q.index(q.incrementing)].nullable {
		return fault.New(fault.Connect, "Cannot make incremental queries using incrementing column %s on %s because this column is nullable.", q.incrementing, quote(q.table))
	}
	if q.usesTimestamp() && nullable {
		return fault.New(fault.Connect, "Cannot make incremental queries using timestamp columns %s on %s because all of these columns are nullable.", strings.Join(q.timestamps, ","), quote(q.table))
	}
	return nil
}

// Poll waits until the next table is to be read, and reads a batch.
func (t *task) Poll(ctx context.Context) ([]*plugin.Record, error) {
	q := t.queue[0]
	if q.rows == nil {
		if err := t.wait(ctx, q); err != nil {
			return nil, nil
		}
		if err := q.begin(ctx); err != nil {
			return nil, t.failed(ctx, q, err)
		}
	}
	records, more, err := q.next(t.batch)
	if err != nil {
		return nil, t.failed(ctx, q, err)
	}
	t.failures = 0
	if !more {
		return records, t.requeue(q)
	}
	return records, nil
}

func (t *task) wait(ctx context.Context, q *querier) error {
	if q.last.IsZero() {
		return nil
	}
	pause := t.interval - t.env.Clock.Now().Sub(q.last)
	if pause <= 0 {
		return nil
	}
	return t.env.Clock.Sleep(ctx, pause)
}

// failed decides whether a query is tried again: what the database says may
// pass, what a value is does not.
func (t *task) failed(ctx context.Context, q *querier, err error) error {
	closeErr := t.requeue(q)
	if ctx.Err() != nil {
		return nil
	}
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Class != fault.SQL {
		return err
	}
	t.failures++
	if t.retries >= 0 && t.failures > t.retries {
		return fmt.Errorf("reading %s: %w", q.what(), err)
	}
	t.env.Log.Warn("connect: reading a database failed, trying again", "connector", t.env.Name, "read", q.what(), "pause", t.interval, "error", errors.Join(err, closeErr))
	return nil
}

// requeue ends the query and puts the table behind the others.
func (t *task) requeue(q *querier) error {
	err := q.end()
	q.last = t.env.Clock.Now()
	t.queue = append(t.queue[1:], q)
	return err
}

// Close ends the queries.
func (t *task) Close() error {
	var errs []error
	for _, q := range t.queue {
		errs = append(errs, q.end())
	}
	if t.db != nil {
		errs = append(errs, t.db.close())
	}
	return errors.Join(errs...)
}
