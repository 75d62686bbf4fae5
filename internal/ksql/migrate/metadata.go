package migrate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/ksql"
)

// Names and values that ksql-migrations uses.
const (
	// EventsStream is the stream with every change of a migration's state.
	EventsStream = "MIGRATION_EVENTS"
	// VersionsTable is the table with the latest state of each version.
	VersionsTable = "MIGRATION_SCHEMA_VERSIONS"

	currentKey  = "CURRENT"
	noneVersion = "<none>"
	noReason    = "N/A"
)

// State is how far a migration is.
type State string

// The states. Pending is that of a file of which ksqlDB knows nothing.
const (
	Pending  State = "PENDING"
	Running  State = "RUNNING"
	Migrated State = "MIGRATED"
	Failed   State = "ERROR"
)

// record is a row of the versions table.
type record struct {
	version     string
	name        string
	state       State
	checksum    string
	startedOn   string // milliseconds since 1970
	completedOn string
	previous    string
	errorReason string
}

const recordColumns = "VERSION_KEY, VERSION, NAME, STATE, CHECKSUM, STARTED_ON, COMPLETED_ON, PREVIOUS, ERROR_REASON"

func (r *record) scan(rows *ksql.Rows, key *string) error {
	var state string
	if err := rows.Scan(key, &r.version, &r.name, &state, &r.checksum, &r.startedOn, &r.completedOn, &r.previous, &r.errorReason); err != nil {
		return err
	}
	r.state = State(state)
	return nil
}

// metadata keeps in ksqlDB what was applied.
type metadata struct {
	client   *ksql.Client
	replicas int
}

// initialized reports whether stream and table exist. One without the other is
// an error.
func (m *metadata) initialized(ctx context.Context) (bool, error) {
	stream, err := m.exists(ctx, EventsStream)
	if err != nil {
		return false, err
	}
	table, err := m.exists(ctx, VersionsTable)
	if err != nil {
		return false, err
	}
	if stream != table {
		there, missing := EventsStream, VersionsTable
		if table {
			there, missing = missing, there
		}
		return false, fmt.Errorf("%s exists, but %s does not: run `migrate destroy` to remove it, or recreate what is missing", there, missing)
	}
	return stream, nil
}

func (m *metadata) exists(ctx context.Context, source string) (bool, error) {
	_, err := m.client.Describe(ctx, source)
	switch {
	case err == nil:
		return true, nil
	case isUnknownSource(err, source):
		return false, nil
	}
	return false, err
}

func isUnknownSource(err error, source string) bool {
	var e *ksql.Error
	return errors.As(err, &e) && e.Code == ksql.CodeBadStatement &&
		strings.Contains(e.Message, "Could not find STREAM/TABLE '"+source+"'")
}

// initialize creates stream and table as ksql-migrations does.
func (m *metadata) initialize(ctx context.Context) error {
	info, err := m.client.Info(ctx)
	if err != nil {
		return err
	}
	topic := func(source string) string { return ksql.Quote(info.ServiceID + "ksql_" + source) }
	statements := []struct{ source, text string }{
		{EventsStream, fmt.Sprintf(`CREATE STREAM %s (
  version_key  STRING KEY,
  version      STRING,
  name         STRING,
  state        STRING,
  checksum     STRING,
  started_on   STRING,
  completed_on STRING,
  previous     STRING,
  error_reason STRING
) WITH (KAFKA_TOPIC=%s, VALUE_FORMAT='JSON', PARTITIONS=1, REPLICAS=%d);`, EventsStream, topic(EventsStream), m.replicas)},
		{VersionsTable, fmt.Sprintf(`CREATE TABLE %s WITH (KAFKA_TOPIC=%s) AS
  SELECT version_key,
    LATEST_BY_OFFSET(version) AS version,
    LATEST_BY_OFFSET(name) AS name,
    LATEST_BY_OFFSET(state) AS state,
    LATEST_BY_OFFSET(checksum) AS checksum,
    LATEST_BY_OFFSET(started_on) AS started_on,
    LATEST_BY_OFFSET(completed_on) AS completed_on,
    LATEST_BY_OFFSET(previous) AS previous,
    LATEST_BY_OFFSET(error_reason) AS error_reason
  FROM %s
  GROUP BY version_key;`, VersionsTable, topic(VersionsTable), EventsStream)},
	}
	for _, statement := range statements {
		// By default the table would miss events that come before its query reads.
		properties := map[string]any{"auto.offset.reset": "earliest"}
		if err := execute(ctx, m.client, statement.text, properties); err != nil {
			return fmt.Errorf("creating %s: %w", statement.source, err)
		}
	}
	return nil
}

// execute runs one statement and waits until the server is done with it.
func execute(ctx context.Context, client *ksql.Client, text string, properties map[string]any) error {
	entities, err := client.Exec(ctx, text, ksql.ExecOptions{Properties: properties})
	if err != nil {
		return err
	}
	for _, entity := range entities {
		if _, err := client.WaitCommand(ctx, entity); err != nil {
			return err
		}
	}
	return nil
}

// read returns the rows of these keys that exist.
func (m *metadata) read(ctx context.Context, keys []string) (map[string]record, error) {
	if len(keys) == 0 {
		return map[string]record{}, nil
	}
	quoted := make([]string, len(keys))
	for i, key := range keys {
		quoted[i] = ksql.Quote(key)
	}
	sql := fmt.Sprintf("SELECT %s FROM %s WHERE VERSION_KEY IN (%s);", recordColumns, VersionsTable, strings.Join(quoted, ", "))
	var records map[string]record
	err := retry(ctx, isUnavailable, func() error {
		var err error
		records, err = m.query(ctx, sql)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", VersionsTable, err)
	}
	return records, nil
}

func (m *metadata) query(ctx context.Context, sql string) (map[string]record, error) {
	rows, err := m.client.Query(ctx, sql, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	records := map[string]record{}
	for rows.Next() {
		var key string
		var r record
		if err := r.scan(rows, &key); err != nil {
			return nil, err
		}
		records[key] = r
	}
	return records, rows.Err()
}

// write adds the events that make r the state of its version and the current one.
func (m *metadata) write(ctx context.Context, r record) error {
	var sql strings.Builder
	for _, key := range []string{currentKey, r.version} {
		values := []string{key, r.version, r.name, string(r.state), r.checksum, r.startedOn, r.completedOn, r.previous, r.errorReason}
		for i := range values {
			values[i] = ksql.Quote(values[i])
		}
		fmt.Fprintf(&sql, "INSERT INTO %s (%s) VALUES (%s);\n", EventsStream, recordColumns, strings.Join(values, ", "))
	}
	if err := execute(ctx, m.client, sql.String(), nil); err != nil {
		return fmt.Errorf("noting that version %s is %s: %w", r.version, r.state, err)
	}
	return nil
}

var errNotVisible = errors.New("the table does not show it yet")

// confirm waits until the table shows r, so that whoever reads it next, this
// program or another, knows of r.
func (m *metadata) confirm(ctx context.Context, r record) error {
	notYet := func(err error) bool { return errors.Is(err, errNotVisible) }
	err := retry(ctx, notYet, func() error {
		records, err := m.read(ctx, []string{currentKey, r.version})
		if err != nil {
			return err
		}
		if records[currentKey] != r || records[r.version] != r {
			return errNotVisible
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("waiting until %s shows version %s: %w", VersionsTable, r.version, err)
	}
	return nil
}

// destroy removes stream, table and their topics, and says what it removed.
func (m *metadata) destroy(ctx context.Context) ([]string, error) {
	var removed []string
	table, err := m.client.Describe(ctx, VersionsTable)
	switch {
	case err == nil:
		for _, query := range table.WriteQueries {
			if err := execute(ctx, m.client, "TERMINATE "+query.ID+";", nil); err != nil {
				return removed, fmt.Errorf("ending the query %s: %w", query.ID, err)
			}
		}
		if err := execute(ctx, m.client, "DROP TABLE "+VersionsTable+" DELETE TOPIC;", nil); err != nil {
			return removed, fmt.Errorf("dropping %s: %w", VersionsTable, err)
		}
		removed = append(removed, VersionsTable)
	case !isUnknownSource(err, VersionsTable):
		return removed, err
	}
	stream, err := m.exists(ctx, EventsStream)
	if err != nil || !stream {
		return removed, err
	}
	if err := execute(ctx, m.client, "DROP STREAM "+EventsStream+" DELETE TOPIC;", nil); err != nil {
		return removed, fmt.Errorf("dropping %s: %w", EventsStream, err)
	}
	return append(removed, EventsStream), nil
}

// How long something that is about to work is tried again.
const (
	retryFor   = 15 * time.Second
	firstPause = time.Millisecond
	mostPause  = 100 * time.Millisecond
)

// retry calls f until it returns an error that again does not accept, or none.
func retry(ctx context.Context, again func(error) bool, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, retryFor)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		err := f()
		if err == nil || !again(err) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}

// isUnavailable reports whether err says that the table's query has not come
// up yet, so that it cannot be asked.
func isUnavailable(err error) bool {
	var e *ksql.Error
	if !errors.As(err, &e) {
		return false
	}
	if ksql.IsNotReady(err) {
		return true
	}
	for _, text := range []string{"may be restarting", "exceed max allowed lag", "not available", "Try again later"} {
		if strings.Contains(e.Message, text) {
			return true
		}
	}
	return e.HTTPStatus == http.StatusServiceUnavailable
}

// timeOf reads a time as the table has it; the zero time when there is none.
func timeOf(milliseconds string) time.Time {
	n, err := strconv.ParseInt(milliseconds, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}
