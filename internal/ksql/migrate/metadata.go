package migrate

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Names and values that ksql-migrations uses.
const (
	// EventsStream is the stream with every change of a migration's state,
	// unless Metadata names another.
	EventsStream = "MIGRATION_EVENTS"
	// VersionsTable is the table with the latest state of each version, unless
	// Metadata names another.
	VersionsTable = "MIGRATION_SCHEMA_VERSIONS"

	currentKey  = "CURRENT"
	noneVersion = "<none>"
	noReason    = "N/A"
)

// ownPrefix begins the names of the stream and the table that keep what
// ksql-migrations has no place for.
const ownPrefix = "ORDERFLOW_"

// State is how far a migration is.
type State string

// The states. Pending is that of a file of which ksqlDB knows nothing, or that
// was undone.
const (
	Pending  State = "PENDING"
	Running  State = "RUNNING"
	Migrated State = "MIGRATED"
	Failed   State = "ERROR"
)

// Metadata names what keeps the states, as ksql-migrations' properties do. The
// zero Metadata means that tool's defaults.
type Metadata struct {
	// Stream and Table are names without quotes.
	Stream, Table string
	// StreamTopic and TableTopic are the topics' names; "" makes them from
	// ksqlDB's service id and the names above.
	StreamTopic, TableTopic string
	// Replicas is the replication factor of the topics. 0 means 1.
	Replicas int
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (m Metadata) withDefaults() (Metadata, error) {
	if m.Stream == "" {
		m.Stream = EventsStream
	}
	if m.Table == "" {
		m.Table = VersionsTable
	}
	if m.Replicas == 0 {
		m.Replicas = 1
	}
	m.Stream, m.Table = strings.ToUpper(m.Stream), strings.ToUpper(m.Table)
	for _, name := range []string{m.Stream, m.Table} {
		if !plainName.MatchString(name) {
			return m, fmt.Errorf("%q cannot be the name of the metadata's stream or table: use letters, digits and underscores", name)
		}
	}
	if m.Stream == m.Table {
		return m, fmt.Errorf("the metadata's stream and table are both named %s", m.Stream)
	}
	if m.Replicas < 0 {
		return m, fmt.Errorf("the metadata's topics cannot have %d replicas", m.Replicas)
	}
	return m, nil
}

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

var recordColumns = []string{"version_key", "version", "name", "state", "checksum", "started_on", "completed_on", "previous", "error_reason"}

func (r record) row(key string) row {
	return row{key, r.version, r.name, string(r.state), r.checksum, r.startedOn, r.completedOn, r.previous, r.errorReason}
}

func recordOf(r row) record {
	return record{version: r[1], name: r[2], state: State(r[3]), checksum: r[4], startedOn: r[5], completedOn: r[6], previous: r[7], errorReason: r[8]}
}

// metadata keeps in ksqlDB what was applied.
type metadata struct{ ledger }

// readRecords returns the records of these keys that exist.
func (m *metadata) readRecords(ctx context.Context, keys []string) (map[string]record, error) {
	rows, err := m.read(ctx, keys)
	if err != nil {
		return nil, err
	}
	records := map[string]record{}
	for key, r := range rows {
		records[key] = recordOf(r)
	}
	return records, nil
}

// note adds the events that make r the state of its version and the current one.
func (m *metadata) note(ctx context.Context, r record) error {
	if err := m.write(ctx, r.row(currentKey), r.row(r.version)); err != nil {
		return fmt.Errorf("noting that version %s is %s: %w", r.version, r.state, err)
	}
	return nil
}

// await waits until the table shows r.
func (m *metadata) await(ctx context.Context, r record) error {
	if err := m.confirm(ctx, r.row(currentKey), r.row(r.version)); err != nil {
		return fmt.Errorf("waiting until %s shows version %s: %w", m.table, r.version, err)
	}
	return nil
}

// timeOf reads a time as the table has it; the zero time when there is none.
func timeOf(milliseconds string) time.Time {
	n, err := strconv.ParseInt(milliseconds, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

func milliseconds(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
