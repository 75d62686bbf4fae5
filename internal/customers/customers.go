// Package customers makes the customers database, the SQLite file that the JDBC
// source connector reads.
//
// Invariants: the schema and the seed rows are those of sql/customers.sql; rows that
// are there are never changed; a seeded database is complete or not there.
package customers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver

	ordersql "github.com/orderflow/orderflow/sql"
)

// seedMark begins the part of sql/customers.sql that has the rows.
const seedMark = "-- Seed rows."

// Open opens a customers database and makes the schema where it is missing. With
// seed it puts the seed rows into a table that has no rows. The caller closes it.
func Open(ctx context.Context, path string, seed bool) (*sql.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of %s: %w", path, err)
	}
	schema, rows, ok := strings.Cut(ordersql.Customers, seedMark)
	if !ok {
		return nil, fmt.Errorf("reading customers.sql: the line %q is missing", seedMark)
	}
	// Readers go on while a row is written, also those of other processes.
	query := url.Values{"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	if err := prepare(ctx, db, schema, rows, seed); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing %s: %w", path, err), db.Close())
	}
	return db, nil
}

// Prepare makes a customers database as Open does, and closes it.
func Prepare(ctx context.Context, path string, seed bool) error {
	db, err := Open(ctx, path, seed)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", path, err)
	}
	return nil
}

func prepare(ctx context.Context, db *sql.DB, schema, rows string, seed bool) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fill(ctx, tx, schema, rows, seed); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func fill(ctx context.Context, tx *sql.Tx, schema, rows string, seed bool) error {
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	var count int
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM customers").Scan(&count); err != nil {
		return err
	}
	if !seed || count > 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, seedMark+rows)
	return err
}
