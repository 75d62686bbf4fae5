package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

// Engine carries out statements in memory, as ksqlDB would.
type Engine interface {
	// Execute runs one statement with the properties that SET gave it.
	Execute(ctx context.Context, statement string, properties map[string]string) error
}

// Explainer is an Engine that can tell the steps of queries.
type Explainer interface {
	// Explain draws the steps of the query that was started last.
	Explain() (string, bool)
}

// Verdict says whether a statement would succeed.
type Verdict string

// The verdicts.
const (
	Valid        Verdict = "valid"
	Invalid      Verdict = "invalid"
	NotValidated Verdict = "not validated"
	// Done is that of a statement that was carried out by an attempt before.
	Done Verdict = "done"
)

// judgement is a Verdict and why it is not Valid.
type judgement struct {
	verdict Verdict
	err     error
	// explanation draws the steps of the statement's query, "" when they are not
	// known.
	explanation string
}

// server is what stands on the server.
type server struct {
	topics  map[string]int // partitions by name
	types   map[string]ksql.Schema
	sources map[string]ksql.SourceDescription
	queries []ksql.RunningQuery
}

// isOwn reports whether a source keeps what was applied.
func (m *Migrator) isOwn(source string) bool {
	switch source {
	case m.metadata.stream, m.metadata.table, m.journal.stream, m.journal.table:
		return true
	}
	return false
}

// readServer asks for all that statements may refer to.
func (m *Migrator) readServer(ctx context.Context) (server, error) {
	s := server{topics: map[string]int{}, sources: map[string]ksql.SourceDescription{}}
	topics, err := m.client.ListTopics(ctx)
	if err != nil {
		return s, err
	}
	for _, topic := range topics {
		s.topics[topic.Name] = len(topic.ReplicaInfo)
	}
	if s.types, err = m.client.ListTypes(ctx); err != nil {
		return s, err
	}
	streams, err := m.client.ListStreams(ctx)
	if err != nil {
		return s, err
	}
	tables, err := m.client.ListTables(ctx)
	if err != nil {
		return s, err
	}
	for _, source := range slices.Concat(streams, tables) {
		if m.isOwn(source.Name) {
			continue
		}
		if s.sources[source.Name], err = m.client.Describe(ctx, source.Name); err != nil {
			return s, err
		}
	}
	s.queries, err = m.client.ListQueries(ctx)
	return s, err
}

// rebuild makes an engine with what stands on the server, by the statements
// that made it. The error names what could not be rebuilt; the engine then has
// the rest.
func (m *Migrator) rebuild(ctx context.Context, s server) (Engine, error) {
	engine, err := m.config.NewEngine(ctx, s.topics)
	if err != nil {
		return nil, fmt.Errorf("making an engine in memory: %w", err)
	}
	pending := map[string]string{}
	for name, schema := range s.types {
		pending["type "+name] = "CREATE TYPE " + ksql.Identifier(name) + " AS " + schema.String() + ";"
	}
	for name, source := range s.sources {
		pending["source "+name] = replayable(source.Statement)
	}
	for _, query := range s.queries {
		// The others come with the sources that they write.
		if effect := effectOf(query.QueryString); effect.Action == ActionWrite && !slices.ContainsFunc(query.Sinks, m.isOwn) {
			pending["query "+query.ID] = replayable(query.QueryString)
		}
	}
	return engine, executeInAnyOrder(ctx, engine, pending)
}

// executeInAnyOrder runs statements of which some need others, until no more of
// them succeed.
func executeInAnyOrder(ctx context.Context, engine Engine, pending map[string]string) error {
	for {
		before := len(pending)
		var errs []error
		for _, what := range slices.Sorted(maps.Keys(pending)) {
			if err := engine.Execute(ctx, pending[what], nil); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", what, err))
				continue
			}
			delete(pending, what)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		switch len(pending) {
		case 0:
			return nil
		case before:
			return fmt.Errorf("rebuilding in memory what stands on the server: %w", errors.Join(errs...))
		}
	}
}

// judge says of each statement of the files whether it would succeed, given
// that those before it do.
func (m *Migrator) judge(ctx context.Context, s server, files []plannedFile) ([][]judgement, error) {
	engine, doubt := m.rebuild(ctx, s)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var verdicts [][]judgement
	for _, file := range files {
		var list []judgement
		for _, step := range file.steps {
			j := judgement{verdict: NotValidated, err: doubt}
			if engine != nil {
				j, doubt = judgeStep(ctx, engine, step, doubt)
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			list = append(list, j)
		}
		verdicts = append(verdicts, list)
	}
	return verdicts, nil
}

// judgeStep judges a statement. doubt is why a refusal would not have to be the
// server's too; it comes back as it is for the statements that follow.
func judgeStep(ctx context.Context, engine Engine, s step, doubt error) (judgement, error) {
	effect := effectOf(s.text)
	if effect.Action == ActionOther {
		err := fmt.Errorf("%s statements are not carried out in memory", ksql.Keyword(s.text))
		if ksql.Keyword(s.text) != "ASSERT" && doubt == nil {
			doubt = err
		}
		return judgement{verdict: NotValidated, err: err}, doubt
	}
	if strings.Contains(effect.Kind, "CONNECTOR") {
		return judgement{verdict: NotValidated, err: errors.New("connectors are not made in memory")}, doubt
	}
	switch err := engine.Execute(ctx, s.text, s.settings()); {
	case err == nil:
		j := judgement{verdict: Valid}
		if explainer, ok := engine.(Explainer); ok && effect.Query {
			j.explanation, _ = explainer.Explain()
		}
		return j, doubt
	case doubt != nil:
		return judgement{verdict: NotValidated, err: fmt.Errorf("%w (%w)", err, doubt)}, doubt
	default:
		return judgement{verdict: Invalid, err: err}, errors.New("an earlier statement fails")
	}
}

// validate returns an error for the first statement that the server would
// refuse, else what could not be judged.
func (m *Migrator) validate(ctx context.Context, files []plannedFile) ([]string, error) {
	if m.config.NewEngine == nil {
		return nil, nil
	}
	s, err := m.readServer(ctx)
	if ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		return []string{fmt.Sprintf("all migrations: %v", err)}, nil
	}
	verdicts, err := m.judge(ctx, s, files)
	if err != nil {
		return nil, fmt.Errorf("validating the migrations: %w", err)
	}
	var unknown []string
	for i, file := range files {
		for k, j := range verdicts[i] {
			step := file.steps[k]
			switch j.verdict {
			case Invalid:
				return nil, &FileError{File: file.Path, Line: step.line, Col: step.col, Statement: step.text,
					Err: fmt.Errorf("the server would refuse it, so that no migration was applied: %w", j.err)}
			case NotValidated:
				unknown = append(unknown, fmt.Sprintf("%s line %d:%d: %v", file.Path, step.line, step.col, j.err))
			}
		}
	}
	return unknown, nil
}
