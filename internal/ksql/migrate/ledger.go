package migrate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/ksql"
)

// ledger is a stream of rows and the table of the latest row per key, both with
// columns of STRING only, kept in ksqlDB.
type ledger struct {
	client        *ksql.Client
	stream, table string
	// streamTopic and tableTopic are the topics' names; "" makes them from
	// ksqlDB's service id and the names above.
	streamTopic, tableTopic string
	replicas                int
	// columns are the names in lower case, the key first.
	columns []string
	// ifMissing makes it no error that stream or table exist.
	ifMissing bool
}

// row has the values of a ledger's columns, the key first.
type row []string

// key returns what the row is about.
func (r row) key() string { return r[0] }

func (l *ledger) selected() string { return strings.ToUpper(strings.Join(l.columns, ", ")) }

// exists reports whether stream and table exist. The stream alone is what is left of a
// create that was cut off, the table alone is an error.
func (l *ledger) exists(ctx context.Context) (bool, error) {
	stream, err := sourceExists(ctx, l.client, l.stream)
	if err != nil {
		return false, err
	}
	table, err := sourceExists(ctx, l.client, l.table)
	if err != nil {
		return false, err
	}
	if table && !stream {
		return false, fmt.Errorf("%s exists, but %s does not: run `migrate destroy` to remove it, or recreate what is missing", l.table, l.stream)
	}
	return table, nil
}

func sourceExists(ctx context.Context, client *ksql.Client, source string) (bool, error) {
	_, err := client.Describe(ctx, source)
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

// create makes stream and table, or what is missing of them.
func (l *ledger) create(ctx context.Context) error {
	streamTopic, tableTopic := l.streamTopic, l.tableTopic
	if streamTopic == "" || tableTopic == "" {
		info, err := l.client.Info(ctx)
		if err != nil {
			return err
		}
		if streamTopic == "" {
			streamTopic = info.ServiceID + "ksql_" + l.stream
		}
		if tableTopic == "" {
			tableTopic = info.ServiceID + "ksql_" + l.table
		}
	}
	condition := ""
	if l.ifMissing {
		condition = "IF NOT EXISTS "
	}
	columns := []string{l.columns[0] + " STRING KEY"}
	latest := []string{l.columns[0]}
	for _, column := range l.columns[1:] {
		columns = append(columns, column+" STRING")
		latest = append(latest, fmt.Sprintf("LATEST_BY_OFFSET(%s) AS %s", column, column))
	}
	statements := []struct{ source, text string }{
		{l.stream, fmt.Sprintf("CREATE STREAM %s%s (\n  %s\n) WITH (KAFKA_TOPIC=%s, VALUE_FORMAT='JSON', PARTITIONS=1, REPLICAS=%d);",
			condition, l.stream, strings.Join(columns, ",\n  "), ksql.Quote(streamTopic), l.replicas)},
		{l.table, fmt.Sprintf("CREATE TABLE %s%s WITH (KAFKA_TOPIC=%s) AS\n  SELECT %s\n  FROM %s\n  GROUP BY %s;",
			condition, l.table, ksql.Quote(tableTopic), strings.Join(latest, ",\n    "), l.stream, l.columns[0])},
	}
	for _, statement := range statements {
		// By default the table would miss rows that come before its query reads.
		properties := map[string]any{"auto.offset.reset": "earliest"}
		err := retry(ctx, ksql.IsTransient, func() error {
			_, err := execute(ctx, l.client, statement.text, properties)
			if err == nil {
				return nil
			}
			// It may be there already: the answer was lost, or an earlier create was cut off.
			if there, existsErr := sourceExists(ctx, l.client, statement.source); existsErr == nil && there {
				return nil
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("creating %s: %w", statement.source, err)
		}
	}
	return nil
}

// outcome is what a statement has brought.
type outcome struct {
	queries  []string // ids of the queries that it started
	warnings []string
}

// execute runs one statement, if the lock is still held, and waits until the server
// is done with it.
func execute(ctx context.Context, client *ksql.Client, text string, properties map[string]any) (outcome, error) {
	var done outcome
	if err := passFence(ctx); err != nil {
		return done, err
	}
	entities, err := client.Exec(ctx, text, ksql.ExecOptions{Properties: properties})
	if err != nil {
		return done, err
	}
	for _, entity := range entities {
		done.warnings = append(done.warnings, entity.Warnings...)
		status, err := client.WaitCommand(ctx, entity)
		if err != nil {
			return done, err
		}
		if status.QueryID != "" {
			done.queries = append(done.queries, status.QueryID)
		}
	}
	return done, nil
}

// read returns the rows of these keys that exist.
func (l *ledger) read(ctx context.Context, keys []string) (map[string]row, error) {
	if len(keys) == 0 {
		return map[string]row{}, nil
	}
	quoted := make([]string, len(keys))
	for i, key := range keys {
		quoted[i] = ksql.Quote(key)
	}
	sql := fmt.Sprintf("SELECT %s FROM %s WHERE %s IN (%s);", l.selected(), l.table, strings.ToUpper(l.columns[0]), strings.Join(quoted, ", "))
	var rows map[string]row
	err := retry(ctx, isUnavailable, func() (err error) {
		rows, err = l.query(ctx, sql)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", l.table, err)
	}
	return rows, nil
}

func (l *ledger) query(ctx context.Context, sql string) (map[string]row, error) {
	answer, err := l.client.Query(ctx, sql, nil)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	rows := map[string]row{}
	for answer.Next() {
		values := make([]*string, len(l.columns))
		dest := make([]any, len(values))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := answer.Scan(dest...); err != nil {
			return nil, err
		}
		r := make(row, len(values))
		for i, value := range values {
			if value != nil {
				r[i] = *value
			}
		}
		rows[r.key()] = r
	}
	return rows, answer.Err()
}

// write adds rows. They may come to stand in the stream twice when the
// connection is lost, which leaves the table as it is.
func (l *ledger) write(ctx context.Context, rows ...row) error {
	var sql strings.Builder
	for _, r := range rows {
		values := make([]string, len(r))
		for i := range r {
			values[i] = ksql.Quote(r[i])
		}
		fmt.Fprintf(&sql, "INSERT INTO %s (%s) VALUES (%s);\n", l.stream, l.selected(), strings.Join(values, ", "))
	}
	return retry(ctx, ksql.IsTransient, func() error {
		_, err := execute(ctx, l.client, sql.String(), nil)
		return err
	})
}

var errNotVisible = errors.New("the table does not show it yet")

// writeAgainAfter is how long a table may show other rows than the last ones.
const writeAgainAfter = time.Second

// confirm waits until the table shows these rows, so that whoever reads it next,
// this program or another, knows of them. It writes them again when the table goes on
// to show others: a migrator that had lost its lock without knowing may have written
// after this one.
func (l *ledger) confirm(ctx context.Context, rows ...row) error {
	keys := make([]string, len(rows))
	for i, r := range rows {
		keys[i] = r.key()
	}
	notYet := func(err error) bool { return errors.Is(err, errNotVisible) }
	written := time.Now()
	return retry(ctx, notYet, func() error {
		shown, err := l.read(ctx, keys)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if slices.Equal(shown[r.key()], r) {
				continue
			}
			if time.Since(written) >= writeAgainAfter {
				if err := l.write(ctx, rows...); err != nil {
					return err
				}
				written = time.Now()
			}
			return fmt.Errorf("%w: its row is %q instead of %q", errNotVisible, shown[r.key()], r)
		}
		return nil
	})
}

// drop removes stream, table and their topics, and says what it removed.
func (l *ledger) drop(ctx context.Context) ([]string, error) {
	var removed []string
	table, err := l.client.Describe(ctx, l.table)
	switch {
	case err == nil:
		for _, query := range table.WriteQueries {
			if _, err := execute(ctx, l.client, "TERMINATE "+query.ID+";", nil); err != nil {
				return removed, fmt.Errorf("ending the query %s: %w", query.ID, err)
			}
		}
		if _, err := execute(ctx, l.client, "DROP TABLE "+l.table+" DELETE TOPIC;", nil); err != nil {
			return removed, fmt.Errorf("dropping %s: %w", l.table, err)
		}
		removed = append(removed, l.table)
	case !isUnknownSource(err, l.table):
		return removed, err
	}
	stream, err := sourceExists(ctx, l.client, l.stream)
	if err != nil || !stream {
		return removed, err
	}
	if _, err := execute(ctx, l.client, "DROP STREAM "+l.stream+" DELETE TOPIC;", nil); err != nil {
		return removed, fmt.Errorf("dropping %s: %w", l.stream, err)
	}
	return append(removed, l.stream), nil
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
