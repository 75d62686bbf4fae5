package migrate

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/orderflow/orderflow/internal/ksql"
)

// comparison is what Drift works on.
type comparison struct {
	want    expected
	server  server
	queries []ksql.QueryDescription // persistent ones, without those of the metadata
	// engine has what the migrations come to in memory; nil when that is not known.
	engine Engine
	// refused says which names the engine cannot tell about, and why.
	refused map[string]error
	// uncertain says that a migration ended an INSERT query by an id that only the
	// server of that time knew.
	uncertain bool
	report    *DriftReport
}

func (c *comparison) add(d Drift) { c.report.Drifts = append(c.report.Drifts, d) }

// remake has an engine carry out what was applied.
func (m *Migrator) remake(ctx context.Context, c *comparison, planned []plannedFile) error {
	c.refused = map[string]error{}
	if m.config.NewEngine == nil {
		c.report.NotCompared = append(c.report.NotCompared, "more than names: there is no engine in memory")
		return nil
	}
	engine, err := m.config.NewEngine(ctx, c.topicsBefore())
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("making an engine in memory: %w", err)
		}
		c.report.NotCompared = append(c.report.NotCompared, fmt.Sprintf("more than names: making an engine in memory: %v", err))
		return nil
	}
	c.engine = engine
	for _, file := range planned {
		for _, step := range file.steps {
			effect := effectOf(step.text)
			if strings.HasSuffix(effect.Kind, "CONNECTOR") || effect.Action == ActionWrite && !effect.Query {
				continue
			}
			text := step.text
			if effect.Action == ActionOther {
				if text = c.terminated(text); text == "" {
					continue
				}
			}
			if err := engine.Execute(ctx, text, step.settings()); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				c.refused[effect.Name] = fmt.Errorf("%s line %d: %w", file.Path, step.line, err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.refused)) {
		c.report.NotCompared = append(c.report.NotCompared, fmt.Sprintf("%s: %v", name, c.refused[name]))
	}
	return nil
}

// topicsBefore are the topics of the server but for those that the migrations make
// themselves, so that their partitions can be compared too.
func (c *comparison) topicsBefore() map[string]int {
	topics := maps.Clone(c.server.topics)
	for k, thing := range c.want.things {
		source, stands := c.server.sources[strings.TrimPrefix(k, thing.kind+" ")]
		if stands && (thing.query || thing.partitions) {
			delete(topics, source.Topic)
		}
	}
	return topics
}

var createdQuery = regexp.MustCompile(`^(?:CSAS|CTAS)_(.+)_[0-9]+$`)

// terminated returns the statement that ends in the engine what a TERMINATE of a
// migration ended on the server; "" when it is none, or that is not known.
func (c *comparison) terminated(text string) string {
	words := strings.Fields(strings.TrimRight(ksql.WithoutComments(text), "; \t\r\n"))
	if len(words) != 2 || strings.ToUpper(words[0]) != "TERMINATE" {
		return ""
	}
	if match := createdQuery.FindStringSubmatch(strings.ToUpper(nameOf(words[1]))); match != nil {
		if source, ok := c.engine.Source(match[1]); ok && source.Query != "" {
			return "TERMINATE " + source.Query + ";"
		}
	}
	c.uncertain = true
	return ""
}

// expectedSource returns what the migrations come to, and whether that is known.
func (c *comparison) expectedSource(name string) (Source, bool) {
	if c.engine == nil || c.refused[name] != nil {
		return Source{}, false
	}
	return c.engine.Source(name)
}

func (c *comparison) compareSources() {
	stands := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.server.sources)) {
		source := c.server.sources[name]
		stands[key(source.Type, name)] = true
		thing, known := c.want.things[key(source.Type, name)]
		if !known {
			if name != processingLog {
				c.add(Drift{Kind: DriftUnknown, What: source.Type, Name: name, Statement: source.Statement})
			}
			continue
		}
		wanted, known := c.expectedSource(name)
		if !known {
			continue
		}
		actual := sourceOf(source, c.server.topics)
		differences := wanted.differences(actual)
		if wanted.Query == "" {
			// The statements of the others are those of their queries.
			differences = append(differences, c.compareStatements(wanted.Statement, actual.Statement)...)
		}
		if len(differences) > 0 {
			c.add(Drift{Kind: DriftDifferent, What: source.Type, Name: name, File: thing.file, Differences: differences})
		}
	}
	for k, thing := range c.want.things {
		if thing.kind == "CONNECTOR" || thing.kind == "TYPE" || stands[k] {
			continue
		}
		name := strings.TrimPrefix(k, thing.kind+" ")
		wanted, _ := c.expectedSource(name)
		c.add(Drift{Kind: DriftMissing, What: thing.kind, Name: name, File: thing.file, Statement: wanted.Statement})
	}
}

// compareStatements compares texts as one who formats them the same way.
func (c *comparison) compareStatements(wanted, actual string) []Difference {
	texts := [2]string{wanted, actual}
	for i := range texts {
		texts[i] = withSemicolon(texts[i])
		if normal, err := c.engine.Normalize(texts[i]); err == nil {
			texts[i] = normal
		}
	}
	if texts[0] == texts[1] {
		return nil
	}
	return []Difference{{Of: "statement", Expected: texts[0], Actual: texts[1],
		Diff: udiff.Unified("migrations", "server", texts[0]+"\n", texts[1]+"\n")}}
}

func withSemicolon(text string) string {
	return strings.TrimSuffix(strings.TrimSpace(text), ";") + ";"
}

func (c *comparison) compareTypes() {
	var wanted map[string]string
	if c.engine != nil {
		wanted = c.engine.Types()
	}
	for _, name := range slices.Sorted(maps.Keys(c.server.types)) {
		thing, known := c.want.things[key("TYPE", name)]
		definition, told := wanted[name]
		actual := c.server.types[name].String()
		switch {
		case !known:
			c.add(Drift{Kind: DriftUnknown, What: "TYPE", Name: name, Statement: "CREATE TYPE " + ksql.Identifier(name) + " AS " + actual + ";"})
		case told && c.refused[name] == nil && !sameType(definition, actual):
			c.add(Drift{Kind: DriftDifferent, What: "TYPE", Name: name, File: thing.file,
				Differences: []Difference{{Of: "definition", Expected: definition, Actual: actual}}})
		}
	}
	for k, thing := range c.want.things {
		name := strings.TrimPrefix(k, "TYPE ")
		if _, stands := c.server.types[name]; thing.kind == "TYPE" && !stands {
			c.add(Drift{Kind: DriftMissing, What: "TYPE", Name: name, File: thing.file})
		}
	}
}

// sameType compares types, however their members' names are quoted.
func sameType(a, b string) bool {
	return strings.ReplaceAll(a, "`", "") == strings.ReplaceAll(b, "`", "")
}

// wantedQuery is a query that the migrations have started.
type wantedQuery struct {
	Query        // Statement is "" when it is not known
	file  string // that started it
}

// wantedQueries returns the queries of CREATE … AS by their sinks, and those of
// INSERT by theirs.
func (c *comparison) wantedQueries() (creates map[string]wantedQuery, inserts map[string][]wantedQuery) {
	creates, inserts = map[string]wantedQuery{}, map[string][]wantedQuery{}
	for k, thing := range c.want.things {
		if thing.query && (c.engine == nil && !c.want.ended || c.refused[strings.TrimPrefix(k, thing.kind+" ")] != nil) {
			creates[strings.TrimPrefix(k, thing.kind+" ")] = wantedQuery{file: thing.file}
		}
	}
	for sink, files := range c.want.inserts {
		if c.engine == nil && !c.want.ended || c.refused[sink] != nil {
			for _, file := range files {
				inserts[sink] = append(inserts[sink], wantedQuery{file: file})
			}
		}
	}
	if c.engine == nil {
		return creates, inserts
	}
	files := maps.Clone(c.want.inserts)
	for _, query := range c.engine.Queries() {
		if c.refused[query.Sink] != nil {
			continue
		}
		wanted := wantedQuery{Query: query}
		if query.Insert {
			if rest := files[query.Sink]; len(rest) > 0 {
				wanted.file, files[query.Sink] = rest[0], rest[1:]
			}
			inserts[query.Sink] = append(inserts[query.Sink], wanted)
			continue
		}
		for _, kind := range []string{"STREAM", "TABLE"} {
			if thing, ok := c.want.things[key(kind, query.Sink)]; ok {
				wanted.file = thing.file
			}
		}
		creates[query.Sink] = wanted
	}
	return creates, inserts
}

func (c *comparison) compareQueries() {
	creates, inserts := c.wantedQueries()
	actualInserts := map[string][]ksql.QueryDescription{}
	made := map[string]bool{}
	for _, query := range c.queries {
		effect := effectOf(query.Statement)
		if effect.Action == ActionWrite {
			actualInserts[effect.Name] = append(actualInserts[effect.Name], query)
			continue
		}
		made[effect.Name] = true
		wanted, expected := creates[effect.Name]
		switch _, told := c.expectedSource(effect.Name); {
		case expected:
			c.compareQuery(wanted, query)
		case told:
			c.add(Drift{Kind: DriftUnknown, What: "QUERY", Name: query.ID, Statement: query.Statement})
		}
	}
	for sink, wanted := range creates {
		if _, stands := c.server.sources[sink]; stands && !made[sink] {
			c.add(Drift{Kind: DriftMissing, What: "QUERY", Name: "that writes " + sink, File: wanted.file, Statement: wanted.Statement})
		}
	}
	sinks := maps.Clone(actualInserts)
	for sink := range inserts {
		sinks[sink] = nil
	}
	for _, sink := range slices.Sorted(maps.Keys(sinks)) {
		if _, stands := c.server.sources[sink]; stands {
			c.compareInserts(sink, inserts[sink], actualInserts[sink])
		}
	}
}

// compareInserts compares the INSERT queries of a sink, in whatever order they
// were started.
func (c *comparison) compareInserts(sink string, wanted []wantedQuery, actual []ksql.QueryDescription) {
	slices.SortFunc(actual, func(a, b ksql.QueryDescription) int { return compareIDs(a.ID, b.ID) })
	var missing []wantedQuery
	for _, want := range wanted {
		at := slices.IndexFunc(actual, func(q ksql.QueryDescription) bool {
			return want.Statement == "" || len(c.compareStatements(want.Statement, q.Statement)) == 0
		})
		if at < 0 {
			missing = append(missing, want)
			continue
		}
		c.compareQuery(want, actual[at])
		actual = slices.Delete(actual, at, at+1)
	}
	for len(missing) > 0 && len(actual) > 0 && !c.uncertain {
		c.compareQuery(missing[0], actual[0])
		missing, actual = missing[1:], actual[1:]
	}
	for _, want := range missing {
		if !c.uncertain {
			c.add(Drift{Kind: DriftMissing, What: "QUERY", Name: "that inserts into " + sink, File: want.file, Statement: want.Statement})
		}
	}
	for _, query := range actual {
		c.add(Drift{Kind: DriftUnknown, What: "QUERY", Name: query.ID, Statement: query.Statement})
	}
}

var numberAtEnd = regexp.MustCompile(`[0-9]+$`)

// compareIDs orders ids of queries by the numbers at their ends, which is the order
// in which they were started.
func compareIDs(a, b string) int {
	first, _ := strconv.Atoi(numberAtEnd.FindString(a))
	second, _ := strconv.Atoi(numberAtEnd.FindString(b))
	if first != second {
		return first - second
	}
	return strings.Compare(a, b)
}

// compareQuery compares a query that both have.
func (c *comparison) compareQuery(wanted wantedQuery, actual ksql.QueryDescription) {
	var differences []Difference
	if wanted.Statement != "" {
		differences = append(c.compareStatements(wanted.Statement, actual.Statement), compareProperties(wanted.Properties, actual.Properties)...)
	}
	if status := c.status(actual); status != "" && status != "RUNNING" && (status != "PAUSED" || !c.want.paused) {
		d := Difference{Of: "state", Expected: "RUNNING", Actual: status}
		if n := len(actual.Errors); n > 0 {
			d.Actual += ": " + actual.Errors[n-1].Message
		}
		differences = append(differences, d)
	}
	if len(differences) > 0 {
		c.add(Drift{Kind: DriftDifferent, What: "QUERY", Name: actual.ID, File: wanted.file, Differences: differences})
	}
}

// status returns what a query's status is, on how many servers each where they do
// not agree. EXPLAIN has that of the stream threads, which go on while a query is
// paused.
func (c *comparison) status(query ksql.QueryDescription) string {
	at := slices.IndexFunc(c.server.queries, func(q ksql.RunningQuery) bool { return q.ID == query.ID })
	if at < 0 || len(c.server.queries[at].StatusCount) == 0 {
		return query.State
	}
	counts := c.server.queries[at].StatusCount
	states := slices.Sorted(maps.Keys(counts))
	if len(states) == 1 {
		return states[0]
	}
	for i, state := range states {
		states[i] = fmt.Sprintf("%s on %d", state, counts[state])
	}
	return strings.Join(states, ", ")
}

// streamsPrefix may stand before the names of properties, or not.
const streamsPrefix = "ksql.streams."

// compareProperties compares the properties that a query was started with.
func compareProperties(wanted, actual map[string]string) []Difference {
	all := map[string][2]string{}
	for i, properties := range []map[string]string{wanted, actual} {
		for name, value := range properties {
			name = strings.TrimPrefix(name, streamsPrefix)
			both := all[name]
			both[i] = value
			all[name] = both
		}
	}
	var differences []Difference
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if both := all[name]; !sameValue(both[0], both[1]) {
			differences = append(differences, Difference{Of: "property " + name, Expected: orNone(both[0]), Actual: orNone(both[1])})
		}
	}
	return differences
}

// sameValue compares texts of property values, which may be numbers or booleans.
func sameValue(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

func (m *Migrator) compareConnectors(ctx context.Context, c *comparison) error {
	var names []string
	asked := false
	for k, thing := range c.want.things {
		if thing.kind != "CONNECTOR" {
			continue
		}
		if !asked {
			var err error
			if names, err = m.client.ListConnectors(ctx); err != nil {
				return err
			}
			asked = true
		}
		if name := strings.TrimPrefix(k, "CONNECTOR "); !slices.Contains(names, name) {
			c.add(Drift{Kind: DriftMissing, What: "CONNECTOR", Name: name, File: thing.file})
		}
	}
	return nil
}
