// Package jdbc is the JDBC source connector for SQLite: it reads tables, and
// finds their new and changed rows by columns that grow, as Confluent's
// JdbcSourceConnector does on SQLite.
//
// Invariants: a row is read in the order of the columns that find it, and the
// offset of its record says exactly where to go on. What a column becomes is
// decided by its declared type and the first row of a query, as the real driver
// does. The database file is never written and never created.
package jdbc

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// The modes of finding rows.
const (
	modeBulk                  = "bulk"
	modeIncrementing          = "incrementing"
	modeTimestamp             = "timestamp"
	modeTimestampIncrementing = "timestamp+incrementing"
)

var modes = []string{"", modeBulk, modeTimestamp, modeIncrementing, modeTimestampIncrementing}

// The settings that a connector adds to those of its tasks.
const (
	tablesSetting  = "tables"
	fetchedSetting = "tables.fetched"
	querySetting   = "query"
)

const taskClass = "io.confluent.connect.jdbc.source.JdbcSourceTask"

// unlessMode hides a setting that no mode with one of these words uses.
func unlessMode(words ...string) func(map[string]string) bool {
	return func(settings map[string]string) bool {
		mode := settings["mode"]
		return mode != "" && !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(mode, w) })
	}
}

// Connector is the class of JDBC source connectors.
type Connector struct{}

// Class is the Java class it stands for.
func (Connector) Class() string { return "io.confluent.connect.jdbc.JdbcSourceConnector" }

// Version is the version of the class it stands for.
func (Connector) Version() string { return "10.8.4" }

// Kind says that it is a source.
func (Connector) Kind() plugin.Kind { return plugin.Source }

// Definition lists its settings.
func (Connector) Definition() *config.Definition { return definition }

// Validate wants a mode.
func (Connector) Validate(_ context.Context, _ plugin.Environment, settings map[string]string, values *config.Values) error {
	mode := settings["mode"]
	if !slices.Contains(modes, mode) {
		return fault.New(fault.Config, "Invalid value %s for configuration mode: String must be one of: %s", mode, strings.Join(modes, ", "))
	}
	if mode == "" {
		for _, name := range []string{"incrementing.column.name", "timestamp.column.name", "timestamp.initial", "validate.non.null"} {
			values.AddError(name, "Query mode must be specified")
		}
	}
	return nil
}

// NewSourceTask makes a task.
func (Connector) NewSourceTask() plugin.SourceTask { return &task{} }

// Open looks for the tables to read.
func (Connector) Open(ctx context.Context, env plugin.Environment, settings map[string]string) (plugin.Instance, error) {
	s := config.NewSettings(definition, settings)
	filters := len(s.List("table.whitelist")) + len(s.List("table.blacklist"))
	if s.Text(querySetting) != "" && filters > 0 {
		return nil, fault.New(fault.Connect, "query may not be combined with whole-table copying settings.")
	}
	if len(s.List("table.whitelist")) > 0 && len(s.List("table.blacklist")) > 0 {
		return nil, fault.New(fault.Connect, "table.whitelist and table.blacklist are exclusive.")
	}
	db, err := connect(ctx, env, s)
	if err != nil {
		return nil, err
	}
	var tables []string
	if s.Text(querySetting) == "" {
		within, cancel := context.WithTimeout(ctx, max(s.Milliseconds("table.monitoring.startup.polling.limit.ms"), time.Millisecond))
		defer cancel()
		if tables, err = selectTables(within, db, s); err != nil {
			return nil, errors.Join(err, db.close())
		}
	}
	i := &instance{db: db, settings: settings, parsed: s, env: env, tables: tables, changed: make(chan struct{}, 1), done: make(chan struct{})}
	watchCtx, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	go i.watch(watchCtx)
	return i, nil
}

// instance is a running connector; it looks for new tables now and then.
type instance struct {
	db       *database
	settings map[string]string
	parsed   config.Settings
	env      plugin.Environment
	tables   []string
	changed  chan struct{}
	cancel   context.CancelFunc
	done     chan struct{}
}

// TaskConfigs shares the tables out.
func (i *instance) TaskConfigs(ctx context.Context, most int) ([]map[string]string, error) {
	if i.parsed.Text(querySetting) != "" {
		task := map[string]string{tablesSetting: "", fetchedSetting: "true", "task.class": taskClass}
		maps.Copy(task, i.settings)
		return []map[string]string{task}, nil
	}
	tables, err := selectTables(ctx, i.db, i.parsed)
	if err != nil {
		return nil, err
	}
	count := max(1, min(most, len(tables)))
	tasks := make([]map[string]string, count)
	next := 0
	for n := range tasks {
		size := len(tables) / count
		if n < len(tables)%count {
			size++
		}
		quoted := make([]string, size)
		for k := range quoted {
			quoted[k] = quote(tables[next+k])
		}
		next += size
		task := map[string]string{tablesSetting: strings.Join(quoted, ","), fetchedSetting: "true", "task.class": taskClass}
		maps.Copy(task, i.settings)
		tasks[n] = task
	}
	return tasks, nil
}

// Changed tells when tables came or went.
func (i *instance) Changed() <-chan struct{} { return i.changed }

func (i *instance) watch(ctx context.Context) {
	defer close(i.done)
	interval := max(i.parsed.Milliseconds("table.poll.interval.ms"), time.Millisecond)
	for i.env.Clock.Sleep(ctx, interval) == nil {
		if i.parsed.Text(querySetting) != "" {
			continue
		}
		tables, err := selectTables(ctx, i.db, i.parsed)
		if err != nil {
			if ctx.Err() == nil {
				i.env.Log.Warn("connect: looking for tables", "connector", i.env.Name, "error", err)
			}
			continue
		}
		if slices.Equal(tables, i.tables) {
			continue
		}
		i.tables = tables
		select {
		case i.changed <- struct{}{}:
		default:
		}
	}
}

// Close ends the watch.
func (i *instance) Close() error {
	i.cancel()
	<-i.done
	return i.db.close()
}

// selectTables lists the tables that the settings ask for, sorted.
func selectTables(ctx context.Context, db *database, s config.Settings) ([]string, error) {
	all, err := db.tables(ctx, s.List("table.types"))
	if err != nil {
		return nil, err
	}
	white, black := s.List("table.whitelist"), s.List("table.blacklist")
	return slices.DeleteFunc(all, func(table string) bool {
		return len(white) > 0 && !slices.Contains(white, table) || slices.Contains(black, table)
	}), nil
}

// quote writes an identifier for a statement.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// unquote reads what quote wrote, and plain names.
func unquote(name string) string {
	if len(name) >= 2 && name[0] == '"' && name[len(name)-1] == '"' {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return name
}
