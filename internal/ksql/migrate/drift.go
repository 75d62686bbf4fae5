package migrate

import (
	"context"
	"fmt"
	"maps"
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
	Name string `json:"name"`
	// File is the migration that made it, "" for DriftUnknown.
	File string `json:"file,omitempty"`
	// Detail says how they differ, for DriftDifferent.
	Detail string `json:"detail,omitempty"`
}

// processingLog is the stream that servers make for their own log.
const processingLog = "KSQL_PROCESSING_LOG"

// made is something that a migration made.
type made struct {
	kind  string
	file  string
	query bool // it has a query of its own
}

// expected is what the applied migrations come to.
type expected struct {
	things  map[string]made     // by kind and name, see key
	inserts map[string][]string // files of the INSERT queries, by sink
	// ended says that a migration ended queries, so that the rest is not certain.
	ended bool
}

// Drift compares what the applied migrations made with what stands on the
// server: by names and kinds, queries, and, where Config.NewEngine's engine can
// tell, columns. Connectors are looked at only when a migration made one.
func (m *Migrator) Drift(ctx context.Context) ([]Drift, error) {
	files, err := Load(m.fsys)
	if err != nil {
		return nil, err
	}
	h, err := m.history(ctx, files)
	if err != nil {
		return nil, err
	}
	if err := m.mustBeInitialized(h); err != nil {
		return nil, err
	}
	applied, err := m.appliedFiles(ctx, h, files)
	if err != nil {
		return nil, err
	}
	planned, err := m.prepareFiles(ctx, applied)
	if err != nil {
		return nil, fmt.Errorf("reading what was applied: %w", err)
	}
	s, err := m.readServer(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading what stands on the server: %w", err)
	}
	want := expect(planned)
	drifts := append(compareSources(want, s), compareQueries(want, s)...)
	columns, err := m.compareColumns(ctx, want, planned, s)
	if err != nil {
		return nil, err
	}
	drifts = append(drifts, columns...)
	connectors, err := m.compareConnectors(ctx, want)
	if err != nil {
		return nil, err
	}
	drifts = append(drifts, connectors...)
	slices.SortFunc(drifts, func(a, b Drift) int {
		return strings.Compare(string(a.Kind)+" "+a.What+" "+a.Name, string(b.Kind)+" "+b.What+" "+b.Name)
	})
	return drifts, nil
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
				thing := made{kind: kind, file: file.Path, query: effect.Query && !strings.HasPrefix(effect.Kind, "SOURCE ")}
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
				want.ended = want.ended || ksql.Keyword(s.text) == "TERMINATE"
			}
		}
	}
	return want
}

func compareSources(want expected, s server) []Drift {
	stands := map[string]bool{}
	var drifts []Drift
	for name, source := range s.sources {
		stands[key(source.Type, name)] = true
		if _, ok := want.things[key(source.Type, name)]; !ok && name != processingLog {
			drifts = append(drifts, Drift{Kind: DriftUnknown, What: source.Type, Name: name})
		}
	}
	for name := range s.types {
		stands[key("TYPE", name)] = true
		if _, ok := want.things[key("TYPE", name)]; !ok {
			drifts = append(drifts, Drift{Kind: DriftUnknown, What: "TYPE", Name: name})
		}
	}
	for k, thing := range want.things {
		if thing.kind != "CONNECTOR" && !stands[k] {
			drifts = append(drifts, Drift{Kind: DriftMissing, What: thing.kind, Name: strings.TrimPrefix(k, thing.kind+" "), File: thing.file})
		}
	}
	return drifts
}

// compareQueries compares the queries of sources that both have.
func compareQueries(want expected, s server) []Drift {
	inserts := map[string][]string{} // ids by sink
	made := map[string]bool{}        // sinks of the queries of CREATE … AS
	for _, query := range s.queries {
		if query.QueryType != "PERSISTENT" {
			continue
		}
		for _, sink := range query.Sinks {
			if effectOf(query.QueryString).Action == ActionWrite {
				inserts[sink] = append(inserts[sink], query.ID)
			} else {
				made[sink] = true
			}
		}
	}
	var drifts []Drift
	for k, thing := range want.things {
		name := strings.TrimPrefix(k, thing.kind+" ")
		if _, stands := s.sources[name]; stands && thing.query && !made[name] && !want.ended {
			drifts = append(drifts, Drift{Kind: DriftMissing, What: "QUERY", Name: "that writes " + name, File: thing.file})
		}
	}
	sinks := maps.Clone(want.inserts)
	for sink := range inserts {
		sinks[sink] = want.inserts[sink]
	}
	for sink, files := range sinks {
		if _, stands := s.sources[sink]; !stands {
			continue // the sink itself is missing
		}
		for i := len(inserts[sink]); i < len(files) && !want.ended; i++ {
			drifts = append(drifts, Drift{Kind: DriftMissing, What: "QUERY", Name: "that inserts into " + sink, File: files[i]})
		}
		// Which of them are not the migrations' cannot be told by their ids alone.
		if extra := len(inserts[sink]) - len(files); extra > 0 {
			slices.Sort(inserts[sink])
			drifts = append(drifts, Drift{Kind: DriftUnknown, What: "QUERY",
				Name: fmt.Sprintf("%d of those that insert into %s: %s", extra, sink, strings.Join(inserts[sink], ", "))})
		}
	}
	return drifts
}

// Describer is an Engine that can tell the columns of what it has made.
type Describer interface {
	// Columns returns the columns of a source in order, each as SQL has it, and
	// whether there is such a source.
	Columns(name string) ([]string, bool)
}

// compareColumns compares the columns of sources that both have, by those that
// the applied files come to in memory.
func (m *Migrator) compareColumns(ctx context.Context, want expected, planned []plannedFile, s server) ([]Drift, error) {
	if m.config.NewEngine == nil {
		return nil, nil
	}
	engine, err := m.config.NewEngine(ctx, s.topics)
	if err != nil {
		return nil, fmt.Errorf("making an engine in memory: %w", err)
	}
	describer, ok := engine.(Describer)
	if !ok {
		return nil, nil
	}
	for _, file := range planned {
		for _, step := range file.steps {
			if effect := effectOf(step.text); effect.Action == ActionOther || strings.HasSuffix(effect.Kind, "CONNECTOR") {
				continue
			}
			// What the engine refuses it cannot tell about.
			_ = engine.Execute(ctx, step.text, step.settings())
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	var drifts []Drift
	for k, thing := range want.things {
		name := strings.TrimPrefix(k, thing.kind+" ")
		source, stands := s.sources[name]
		columns, known := describer.Columns(name)
		if !stands || !known || source.Type != thing.kind {
			continue
		}
		var now []string
		for _, field := range source.Fields {
			now = append(now, columnText(field.Name, field.Schema.String(), field.Type))
		}
		if !slices.Equal(now, columns) {
			drifts = append(drifts, Drift{Kind: DriftDifferent, What: thing.kind, Name: name, File: thing.file,
				Detail: fmt.Sprintf("the migrations make its columns %s, but they are %s", strings.Join(columns, ", "), strings.Join(now, ", "))})
		}
	}
	return drifts, nil
}

func columnText(name, sqlType, role string) string {
	return strings.TrimSpace(name + " " + sqlType + " " + role)
}

func (m *Migrator) compareConnectors(ctx context.Context, want expected) ([]Drift, error) {
	var drifts []Drift
	var names []string
	asked := false
	for k, thing := range want.things {
		if thing.kind != "CONNECTOR" {
			continue
		}
		if !asked {
			var err error
			if names, err = m.client.ListConnectors(ctx); err != nil {
				return nil, err
			}
			asked = true
		}
		if name := strings.TrimPrefix(k, "CONNECTOR "); !slices.Contains(names, name) {
			drifts = append(drifts, Drift{Kind: DriftMissing, What: "CONNECTOR", Name: name, File: thing.file})
		}
	}
	return drifts, nil
}
