package migrate

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

// DriftKind says how server and migrations differ.
type DriftKind string

// The kinds of drift.
const (
	// DriftMissing is what an applied migration made, but is not on the server.
	DriftMissing DriftKind = "missing"
	// DriftUnknown is what is on the server, but no applied migration made.
	DriftUnknown DriftKind = "unknown"
	// DriftDifferent is what both have, but not alike.
	DriftDifferent DriftKind = "different"
)

// Drift is one difference between what the applied migrations made and what
// stands on the server.
type Drift struct {
	Kind DriftKind `json:"kind"`
	// What is STREAM, TABLE, TYPE, CONNECTOR or QUERY.
	What string `json:"what"`
	// Name is that of the thing; of a query that is missing, what it would do.
	Name string `json:"name"`
	// File is the migration that made it, "" for DriftUnknown.
	File string `json:"file,omitempty"`
	// Differences say how they differ, for DriftDifferent.
	Differences []Difference `json:"differences,omitempty"`
	// Statement is what makes the thing: the migrations' for DriftMissing, the
	// server's for DriftUnknown; "" where it is not known.
	Statement string `json:"statement,omitempty"`
}

// DriftReport is what Drift has found.
type DriftReport struct {
	Drifts []Drift `json:"drift"`
	// NotCompared says what was compared by its name only, and why.
	NotCompared []string `json:"notCompared"`
}

// processingLog is the stream that servers make for their own log.
const processingLog = "KSQL_PROCESSING_LOG"

// made is something that a migration made.
type made struct {
	kind  string
	file  string
	query bool // it has a query of its own
	// partitions says that the statement has a number of partitions, so that it may
	// have made the topic.
	partitions bool
}

// expected is what the applied migrations come to.
type expected struct {
	things  map[string]made     // by kind and name, see key
	inserts map[string][]string // files of the INSERT queries, by sink
	// ended says that a migration ended queries; paused, that one paused some last.
	ended, paused bool
}

// Drift compares what the applied migrations made with what stands on the
// server: names and kinds and, as far as Config.NewEngine's engine can tell,
// columns, topics, formats, windows, types, the statements of sources and queries,
// and queries' properties. Queries that do not run are differences too. Connectors
// are looked at only when a migration made one.
func (m *Migrator) Drift(ctx context.Context) (DriftReport, error) {
	report := DriftReport{Drifts: []Drift{}, NotCompared: []string{}}
	files, err := Load(m.fsys)
	if err != nil {
		return report, err
	}
	h, err := m.history(ctx, files)
	if err != nil {
		return report, err
	}
	if err := m.mustBeInitialized(h); err != nil {
		return report, err
	}
	applied, err := m.appliedFiles(ctx, h, files)
	if err != nil {
		return report, err
	}
	planned, err := m.prepareFiles(ctx, applied)
	if err != nil {
		return report, fmt.Errorf("reading what was applied: %w", err)
	}
	s, err := m.readServer(ctx)
	if err != nil {
		return report, fmt.Errorf("reading what stands on the server: %w", err)
	}
	running, err := m.client.DescribeQueries(ctx)
	if err != nil {
		return report, fmt.Errorf("reading what stands on the server: %w", err)
	}
	c := comparison{want: expect(planned), server: s, queries: m.persistent(running), report: &report}
	if err := m.remake(ctx, &c, planned); err != nil {
		return report, err
	}
	c.compareSources()
	c.compareTypes()
	c.compareQueries()
	if err := m.compareConnectors(ctx, &c); err != nil {
		return report, err
	}
	slices.SortStableFunc(report.Drifts, func(a, b Drift) int {
		return strings.Compare(string(a.Kind)+" "+a.What+" "+a.Name, string(b.Kind)+" "+b.What+" "+b.Name)
	})
	return report, nil
}

// persistent returns the persistent queries that are not those of the metadata.
func (m *Migrator) persistent(queries []ksql.QueryDescription) []ksql.QueryDescription {
	return slices.DeleteFunc(queries, func(q ksql.QueryDescription) bool {
		return q.QueryType != "PERSISTENT" || slices.ContainsFunc(q.Sinks, m.isOwn)
	})
}

// appliedFiles returns the files of the applied versions, oldest first, as they
// were when they were applied.
func (m *Migrator) appliedFiles(ctx context.Context, h history, files []File) ([]File, error) {
	texts := map[string]string{}
	there, err := m.journal.exists(ctx)
	if err == nil && there {
		keys := make([]string, len(h.applied))
		for i, version := range h.applied {
			keys[i] = strconv.Itoa(version)
		}
		texts, err = m.journal.texts(ctx, keys)
	}
	if err != nil {
		return nil, err
	}
	var applied []File
	for _, version := range slices.Backward(h.applied) {
		key := strconv.Itoa(version)
		at := slices.IndexFunc(files, func(f File) bool { return f.Version == version })
		text, known := texts[key]
		known = known && checksumOf(text) == h.records[key].checksum
		switch {
		case at < 0 && !known:
			return nil, fmt.Errorf("version %d (%s) was applied, but its file is missing: put it back", version, h.records[key].name)
		case at < 0:
			applied = append(applied, File{Version: version, Name: h.records[key].name, Path: fmt.Sprintf("version %d", version), Content: text})
		case known:
			file := files[at]
			file.Content = text
			applied = append(applied, file)
		default:
			applied = append(applied, files[at])
		}
	}
	return applied, nil
}

var partitionsPart = regexp.MustCompile(`(?i)[(,]\s*PARTITIONS\s*=`)

func key(kind, name string) string { return kind + " " + name }

// plainKind is what a kind of effect counts as: SOURCE TABLE is a TABLE.
func plainKind(kind string) string { return kind[strings.LastIndexByte(kind, ' ')+1:] }

// expect follows the effects of the statements.
func expect(files []plannedFile) expected {
	want := expected{things: map[string]made{}, inserts: map[string][]string{}}
	for _, file := range files {
		for _, s := range file.steps {
			effect := effectOf(s.text)
			kind := plainKind(effect.Kind)
			switch effect.Action {
			case ActionCreate, ActionReplace:
				thing := made{kind: kind, file: file.Path, query: effect.Query && !strings.HasPrefix(effect.Kind, "SOURCE "),
					partitions: partitionsPart.MatchString(s.text)}
				if _, exists := want.things[key(kind, effect.Name)]; exists && conditionPart.MatchString(s.text) {
					continue
				}
				want.things[key(kind, effect.Name)] = thing
			case ActionDrop:
				delete(want.things, key(kind, effect.Name))
				delete(want.inserts, effect.Name)
			case ActionWrite:
				if effect.Query {
					want.inserts[effect.Name] = append(want.inserts[effect.Name], file.Path)
				}
			case ActionOther:
				switch ksql.Keyword(s.text) {
				case "TERMINATE":
					want.ended = true
				case "PAUSE":
					want.paused = true
				case "RESUME":
					want.paused = false
				}
			}
		}
	}
	return want
}
