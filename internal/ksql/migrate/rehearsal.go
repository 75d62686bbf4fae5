package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

// judgement is a Verdict and why it is not Valid.
type judgement struct {
	verdict Verdict
	err     error
	// explanation draws the steps of the statement's query, "" when they are not
	// known.
	explanation string
	// changes are what the statement does besides its Effect, dependants what
	// depends on what it replaces, alters or drops.
	changes, dependants []string
}

// rehearsal is an engine in memory with what stands on the server, on which the
// statements of files are tried one by one.
type rehearsal struct {
	engine Engine // nil when it could not be made
	// doubt is why a refusal would not have to be the server's too.
	doubt error
	// origins say what the engine's queries are on the server, or in which file they
	// begin, by the engine's ids.
	origins map[string]string
	// ids are the engine's ids of the server's queries.
	ids map[string]string
}

// rehearse makes an engine with what stands on the server, by the statements that
// made it. What could not be made again is its doubt.
func (m *Migrator) rehearse(ctx context.Context, s server) *rehearsal {
	r := &rehearsal{origins: map[string]string{}, ids: map[string]string{}}
	engine, err := m.config.NewEngine(ctx, s.topics)
	if err != nil {
		r.doubt = fmt.Errorf("making an engine in memory: %w", err)
		return r
	}
	r.engine = engine
	pending := map[string][]string{}
	for name, schema := range s.types {
		pending["type "+name] = []string{"CREATE TYPE " + ksql.Identifier(name) + " AS " + schema.String() + ";"}
	}
	for name, source := range s.sources {
		pending["source "+name] = replayableAll(source.Statement)
	}
	serverIDs := map[string]string{}
	for _, query := range s.queries {
		if query.QueryType != "PERSISTENT" || slices.ContainsFunc(query.Sinks, m.isOwn) {
			continue
		}
		// The others come with the sources that they write.
		effect := effectOf(query.QueryString)
		what := "source " + effect.Name
		if effect.Action == ActionWrite {
			what = "query " + query.ID
			pending[what] = replayableAll(query.QueryString)
		}
		serverIDs[what] = query.ID
	}
	r.doubt = r.executeInAnyOrder(ctx, pending, func(what, id string) {
		if serverID, ok := serverIDs[what]; ok {
			r.origins[id], r.ids[strings.ToUpper(serverID)] = serverID, id
		}
	})
	return r
}

// executeInAnyOrder runs groups of statements of which some need others, until no
// more of them succeed. started is told of the queries that a group starts.
func (r *rehearsal) executeInAnyOrder(ctx context.Context, pending map[string][]string, started func(what, id string)) error {
	for len(pending) > 0 {
		var errs []error
		moved := false
		for _, what := range slices.Sorted(maps.Keys(pending)) {
			for len(pending[what]) > 0 {
				ids, err := r.execute(ctx, pending[what][0], nil)
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", what, err))
					break
				}
				for _, id := range ids {
					started(what, id)
				}
				pending[what], moved = pending[what][1:], true
			}
			if len(pending[what]) == 0 {
				delete(pending, what)
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !moved && len(errs) > 0 {
			return fmt.Errorf("rebuilding in memory what stands on the server: %w", errors.Join(errs...))
		}
	}
	return nil
}

// execute runs a statement and returns the ids of the queries that it started.
func (r *rehearsal) execute(ctx context.Context, text string, properties map[string]string) ([]string, error) {
	before := map[string]bool{}
	for _, query := range r.engine.Queries() {
		before[query.ID] = true
	}
	if err := r.engine.Execute(ctx, text, properties); err != nil {
		return nil, err
	}
	var started []string
	for _, query := range r.engine.Queries() {
		if !before[query.ID] {
			started = append(started, query.ID)
		}
	}
	return started, nil
}

// judge judges a statement, given that those before it succeed, and carries it out.
func (r *rehearsal) judge(ctx context.Context, file File, s step) judgement {
	effect := effectOf(s.text)
	text, keyword := s.text, ksql.Keyword(s.text)
	switch {
	case r.engine == nil:
		return judgement{verdict: NotValidated, err: r.doubt}
	case strings.HasSuffix(effect.Kind, "CONNECTOR"):
		return r.notCarriedOut(text, errors.New("connectors are not made in memory"))
	case controlsQueries[keyword]:
		var err error
		if text, err = r.translate(text); err != nil {
			if keyword == "TERMINATE" && r.doubt == nil {
				r.doubt = err
			}
			return judgement{verdict: NotValidated, err: err}
		}
		if keyword != "TERMINATE" {
			return judgement{verdict: Valid} // what a query is does not depend on whether it runs
		}
	case effect.Action == ActionOther:
		return r.notCarriedOut(text, fmt.Errorf("%s statements are not carried out in memory", keyword))
	}
	before := r.state(effect.Name)
	j := judgement{verdict: Valid, dependants: r.dependants(effect, before)}
	started, err := r.execute(ctx, text, s.settings())
	if err != nil {
		err = r.asKnown(err)
		if r.doubt != nil {
			j.verdict, j.err = NotValidated, fmt.Errorf("%w (%w)", err, r.doubt)
			return j
		}
		j.verdict, j.err = Invalid, err
		r.doubt = errors.New("an earlier statement fails")
		return j
	}
	for _, id := range started {
		r.origins[id] = fmt.Sprintf("the query of %s line %d", file.Path, s.line)
	}
	j.changes = r.changes(effect, before)
	if effect.Query {
		j.explanation = r.explain(effect, started)
	}
	return j
}

// notCarriedOut judges a statement by its syntax alone.
func (r *rehearsal) notCarriedOut(text string, why error) judgement {
	if _, err := r.engine.Normalize(text); err != nil {
		return judgement{verdict: Invalid, err: err}
	}
	return judgement{verdict: NotValidated, err: why}
}

// controlsQueries are statements about queries that have been started.
var controlsQueries = map[string]bool{"TERMINATE": true, "PAUSE": true, "RESUME": true}

// translate puts the engine's id in place of the server's.
func (r *rehearsal) translate(text string) (string, error) {
	words := strings.Fields(strings.TrimRight(ksql.WithoutComments(text), "; \t\r\n"))
	if len(words) != 2 {
		return "", fmt.Errorf("expected %s and the id of a query", words[0])
	}
	id := strings.ToUpper(nameOf(words[1]))
	if id == "ALL" {
		return text, nil // RESUME ALL
	}
	ours, ok := r.ids[id]
	if !ok {
		return "", fmt.Errorf("there is no query %s on the server", id)
	}
	return words[0] + " " + ours + ";", nil
}

// explain draws the steps of the query that a statement has started or replaced.
func (r *rehearsal) explain(effect Effect, started []string) string {
	id := ""
	if source, ok := r.engine.Source(effect.Name); ok {
		id = source.Query
	}
	if len(started) > 0 {
		id = started[len(started)-1]
	}
	text, _ := r.engine.Explain(id)
	return text
}

// state is what is known of a source before a statement.
type state struct {
	source Source
	exists bool
	topics map[string]int
}

func (r *rehearsal) state(name string) state {
	source, ok := r.engine.Source(name)
	return state{source: source, exists: ok, topics: r.engine.Topics()}
}

// changes says what a statement has done to its source and topics.
func (r *rehearsal) changes(effect Effect, before state) []string {
	after := r.state(effect.Name)
	var changes []string
	switch {
	case effect.Action == ActionDrop && before.exists:
		if effect.Topic {
			changes = append(changes, "its topic "+before.source.Topic+" is deleted")
		}
		if before.source.Query != "" {
			changes = append(changes, "its query "+r.originOf(before.source.Query)+" ends")
		}
	case (effect.Action == ActionCreate || effect.Action == ActionReplace) && !before.exists && after.exists:
		topic := after.source.Topic
		if _, there := before.topics[topic]; there {
			changes = append(changes, fmt.Sprintf("over the topic %s", topic))
		} else {
			changes = append(changes, fmt.Sprintf("its topic %s is created (%s)", topic, counted(after.source.Partitions, "partition")))
		}
		changes = append(changes, fmt.Sprintf("keys %s, values %s", after.source.KeyFormat, after.source.ValueFormat),
			"columns "+columnList(after.source.Columns))
	case (effect.Action == ActionReplace || effect.Action == ActionAlter) && before.exists && after.exists:
		for _, d := range before.source.differences(after.source) {
			if d.Of != "columns" {
				changes = append(changes, fmt.Sprintf("its %s becomes %s (from %s)", d.Of, orNone(d.Actual), orNone(d.Expected)))
			}
		}
		changes = append(changes, columnChanges(before.source.Columns, after.source.Columns)...)
		if before.source.Query != "" && before.source.Statement != after.source.Statement {
			changes = append(changes, "its query "+r.originOf(before.source.Query)+" goes on as it is written now")
		}
	}
	return changes
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// originOf names a query of the engine as people know it.
func (r *rehearsal) originOf(id string) string {
	if origin, ok := r.origins[id]; ok {
		return origin
	}
	return id
}

var queryID = regexp.MustCompile(`[A-Z]+(?:_\w+)?_[0-9]+`)

// asKnown names queries in an error of the engine as people know them.
func (r *rehearsal) asKnown(err error) error {
	text := err.Error()
	known := queryID.ReplaceAllStringFunc(text, r.originOf)
	if known == text {
		return err
	}
	return errors.New(known)
}

// dependants are what depends on a source that a statement is about to replace,
// alter or drop.
func (r *rehearsal) dependants(effect Effect, before state) []string {
	if !before.exists || effect.Action != ActionReplace && effect.Action != ActionAlter && effect.Action != ActionDrop {
		return nil
	}
	var list []string
	for _, query := range r.engine.Queries() {
		switch {
		case query.ID == before.source.Query:
		case slices.Contains(query.Sources, effect.Name):
			list = append(list, "is read by "+r.originOf(query.ID)+" writing "+query.Sink)
		case query.Sink == effect.Name && effect.Action == ActionDrop:
			list = append(list, "is written by "+r.originOf(query.ID))
		}
	}
	if effect.Action == ActionReplace || effect.Topic {
		for _, other := range r.engine.Sources() {
			if other.Topic == before.source.Topic && other.Name != effect.Name {
				list = append(list, fmt.Sprintf("its topic %s is also that of %s %s", other.Topic, strings.ToLower(other.Kind), other.Name))
			}
		}
	}
	slices.Sort(list)
	return list
}

// replayableAll returns the statements that a server keeps of one source, each
// replayable.
func replayableAll(text string) []string {
	if text = strings.TrimSpace(text); !strings.HasSuffix(text, ";") {
		text += ";"
	}
	statements, err := ksql.Split(text)
	if err != nil {
		return []string{replayable(text)}
	}
	all := make([]string, len(statements))
	for i, statement := range statements {
		all[i] = replayable(statement.Text)
	}
	return all
}
