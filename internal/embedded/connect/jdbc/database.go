package jdbc

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"modernc.org/sqlite" // the driver too

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

const urlPrefix = "jdbc:sqlite:"

// database reads one SQLite file. While there is no such file it has no tables.
type database struct {
	path string
	db   *sql.DB
}

// connect opens the database that the settings name, and tries as often as they say.
func connect(ctx context.Context, env plugin.Environment, s config.Settings) (*database, error) {
	for attempt := int64(1); ; attempt++ {
		db, err := open(s.Text("connection.url"))
		f, isFault := errors.AsType[*fault.Fault](err)
		// Only what may be there later is worth another try.
		if err == nil || attempt >= s.Number("connection.attempts") || isFault && f.Cause == nil {
			return db, err
		}
		env.Log.Info("connect: a database can't be opened, trying again", "connector", env.Name, "attempt", attempt, "of", s.Number("connection.attempts"), "pause", s.Milliseconds("connection.backoff.ms"), "error", err)
		if env.Clock.Sleep(ctx, s.Milliseconds("connection.backoff.ms")) != nil {
			return nil, err
		}
	}
}

// open takes a JDBC URL. The file need not be there, its folder must be.
func open(jdbcURL string) (*database, error) {
	path, ok := strings.CutPrefix(jdbcURL, urlPrefix)
	if !ok {
		err := fault.New(fault.SQL, "No suitable driver found for %s", jdbcURL)
		return nil, fault.Wrap(fault.Connect, err, "%s: %s", err.Class, err.Message)
	}
	path, _, _ = strings.Cut(path, "?")
	path = strings.TrimPrefix(path, "file:")
	if path == "" || path == ":memory:" {
		return nil, fault.New(fault.Connect, "%s names no file: a database in memory belongs to one process; give the path of a file", jdbcURL)
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); err != nil {
		missing := fault.New(fault.SQL, "path to '%s': '%s' does not exist", path, dir)
		return nil, fault.Wrap(fault.Connect, missing, "%s: %s", missing.Class, missing.Message)
	}
	// A writer's commit must not fail a reader, nor the reader wait for ever.
	query := url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(5000)", "query_only(1)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	db.SetMaxOpenConns(4)
	return &database{path: path, db: db}, nil
}

func (d *database) close() error { return d.db.Close() }

func (d *database) exists() (bool, error) {
	_, err := os.Stat(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// tables lists the tables, or views, by name.
func (d *database) tables(ctx context.Context, types []string) ([]string, error) {
	ok, err := d.exists()
	if err != nil || !ok {
		return nil, err
	}
	rows, err := d.db.QueryContext(ctx, "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("listing the tables of %s: %w", d.path, err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return nil, fmt.Errorf("listing the tables of %s: %w", d.path, err)
		}
		if slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(t, kind) }) {
			names = append(names, name)
		}
	}
	return names, rows.Err()
}

// column is what a table or a query says of one of its columns.
type column struct {
	name      string
	declared  string // the declared type in capitals, without parentheses
	precision int    // the first number in the parentheses, 0 for none
	scale     int    // the second one
	nullable  bool
	auto      bool // AUTOINCREMENT
}

// declare takes the declared type apart.
func (c *column) declare(text string) {
	declared, inner, _ := strings.Cut(strings.ToUpper(text), "(")
	c.declared = strings.TrimSpace(declared)
	inner, _, _ = strings.Cut(inner, ")")
	precision, scale, _ := strings.Cut(inner, ",")
	// What is no number counts as none.
	c.precision, _ = strconv.Atoi(strings.TrimSpace(precision))
	c.scale, _ = strconv.Atoi(strings.TrimSpace(scale))
}

func (d *database) columns(ctx context.Context, table string) ([]column, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT i.name, i.type, i."notnull", i.pk, COALESCE(s.sql, '') FROM pragma_table_xinfo(?) i LEFT JOIN sqlite_schema s ON s.name = ? AND s.type = 'table' WHERE i.hidden <> 1`, table, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []column
	for rows.Next() {
		var c column
		var declared, text string
		var notNull bool
		var pk int
		if err := rows.Scan(&c.name, &declared, &notNull, &pk, &text); err != nil {
			return nil, err
		}
		c.declare(declared)
		c.nullable = !notNull
		c.auto = pk == 1 && c.declared == "INTEGER" && strings.Contains(strings.ToUpper(text), "AUTOINCREMENT")
		list = append(list, c)
	}
	return list, rows.Err()
}

// queryColumns gives the columns of a query. One that is a table's column has
// what the table says of it; any other can be null.
func (d *database) queryColumns(ctx context.Context, text string) ([]column, error) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var infos []sqlite.ColumnInfo
	err = conn.Raw(func(driver any) error {
		c, ok := driver.(interface {
			ColumnInfo(query string) ([]sqlite.ColumnInfo, error)
		})
		if !ok {
			return fmt.Errorf("the SQLite driver %T doesn't tell of columns", driver)
		}
		infos, err = c.ColumnInfo(text)
		return err
	})
	if err != nil {
		return nil, err
	}
	list := make([]column, len(infos))
	for i, info := range infos {
		list[i] = column{name: info.Name, nullable: true}
		list[i].declare(info.DeclType)
		if info.TableName == "" {
			continue
		}
		var notNull bool
		err := conn.QueryRowContext(ctx, `SELECT "notnull" FROM pragma_table_xinfo(?) WHERE name = ?`, info.TableName, info.OriginName).Scan(&notNull)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		list[i].nullable = !notNull
	}
	return list, nil
}

// now is the database's clock in milliseconds since 1970.
func (d *database) now(ctx context.Context) (int64, error) {
	var ms int64
	err := d.db.QueryRowContext(ctx, "SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)").Scan(&ms)
	return ms, err
}
