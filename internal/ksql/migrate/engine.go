package migrate

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

// Engine carries out statements in memory, as ksqlDB would, and tells what they
// have come to.
type Engine interface {
	// Execute runs one statement with the properties that SET gave it.
	Execute(ctx context.Context, statement string, properties map[string]string) error
	// Source returns the stream or table of exactly that name, and whether there
	// is one.
	Source(name string) (Source, bool)
	// Sources returns all of them by name.
	Sources() []Source
	// Queries returns the persistent queries in the order in which they were
	// started.
	Queries() []Query
	// Types returns the definitions of the custom types by their names.
	Types() map[string]string
	// Topics returns the numbers of partitions by the topics' names.
	Topics() map[string]int
	// Explain draws the steps of a query, and reports whether there is one of
	// that id.
	Explain(queryID string) (string, bool)
	// Normalize returns statements in one form, so that those which come to the
	// same are equal: without what servers find out themselves (the topic's
	// partitions, replicas, retention and cleanup).
	Normalize(statements string) (string, error)
}

// Source is a stream or table.
type Source struct {
	Name string
	// Kind is STREAM or TABLE.
	Kind    string
	Columns []Column
	Topic   string
	// Partitions is the number of those of the topic, 0 when it is not known.
	Partitions             int
	KeyFormat, ValueFormat string
	// Window is TUMBLING, HOPPING, SESSION or "".
	Window string
	// Timestamp is the column that gives the records' times, "" for none.
	Timestamp string
	// Statement is what made it, statements that altered it behind.
	Statement string
	// Query is the id of the query that was made together with it, "" for none.
	Query string
}

// Column is one of a source.
type Column struct {
	Name string
	// Type is written as DESCRIBE has it.
	Type string
	// Role is KEY, HEADER or "".
	Role string
}

// String returns the column as SQL has it, its name unquoted.
func (c Column) String() string { return strings.TrimSpace(c.Name + " " + c.Type + " " + c.Role) }

func columnList(columns []Column) string {
	texts := make([]string, len(columns))
	for i, column := range columns {
		texts[i] = column.String()
	}
	return strings.Join(texts, ", ")
}

// Query is a persistent query.
type Query struct {
	ID string
	// Sink is what it writes; for that of a source table, the table.
	Sink string
	// Sources are the streams and tables that it reads.
	Sources []string
	// Insert reports that INSERT INTO made it.
	Insert    bool
	Statement string
	// Properties are those that its statement was given.
	Properties map[string]string
}

// Difference is one thing in which two states of a source or query differ.
type Difference struct {
	// Of is what differs: columns, topic, statement, ...
	Of string `json:"of"`
	// Expected is what the migrations, or what was there before, say; Actual is
	// what is there now.
	Expected string `json:"expected"`
	Actual   string `json:"actual"`
	// Diff is a unified diff of the two, for texts of several lines.
	Diff string `json:"diff,omitempty"`
}

// differences compares sources, but for the texts of their statements.
func (s Source) differences(actual Source) []Difference {
	var all []Difference
	for _, part := range []struct{ of, expected, actual string }{
		{"kind", s.Kind, actual.Kind},
		{"columns", columnList(s.Columns), columnList(actual.Columns)},
		{"topic", s.Topic, actual.Topic},
		{"key format", s.keyFormat(), actual.keyFormat()},
		{"value format", s.ValueFormat, actual.ValueFormat},
		{"window", s.Window, actual.Window},
		{"timestamp", s.Timestamp, actual.Timestamp},
	} {
		if part.expected != part.actual {
			all = append(all, Difference{Of: part.of, Expected: part.expected, Actual: part.actual})
		}
	}
	if s.Topic == actual.Topic && s.Partitions != actual.Partitions && s.Partitions > 0 && actual.Partitions > 0 {
		all = append(all, Difference{Of: "partitions", Expected: strconv.Itoa(s.Partitions), Actual: strconv.Itoa(actual.Partitions)})
	}
	return all
}

// keyFormat is NONE for a source without keys, of which servers say now this, now
// what is their default.
func (s Source) keyFormat() string {
	if slices.ContainsFunc(s.Columns, func(c Column) bool { return c.Role == "KEY" }) {
		return s.KeyFormat
	}
	return "NONE"
}

// columnChanges says which columns come, go or change, in a few words.
func columnChanges(before, after []Column) []string {
	find := func(columns []Column, name string) int {
		return slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
	}
	var changes []string
	for _, was := range before {
		if at := find(after, was.Name); at < 0 {
			changes = append(changes, fmt.Sprintf("column %s goes", was))
		} else if is := after[at]; is != was {
			changes = append(changes, fmt.Sprintf("column %s becomes %s", was, is))
		}
	}
	for _, is := range after {
		if find(before, is.Name) < 0 {
			changes = append(changes, fmt.Sprintf("column %s comes", is))
		}
	}
	if len(changes) == 0 && !slices.Equal(before, after) {
		changes = append(changes, "its columns come in another order")
	}
	return changes
}

// sourceOf is what DESCRIBE says, as an Engine would have it.
func sourceOf(description ksql.SourceDescription, topics map[string]int) Source {
	source := Source{
		Name: description.Name, Kind: description.Type, Topic: description.Topic, Partitions: topics[description.Topic],
		KeyFormat: description.KeyFormat, ValueFormat: description.ValueFormat, Window: description.WindowType,
		Timestamp: description.Timestamp, Statement: description.Statement,
	}
	for _, field := range description.Fields {
		source.Columns = append(source.Columns, Column{field.Name, field.Schema.String(), field.Type})
	}
	return source
}
