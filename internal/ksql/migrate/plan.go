package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

// Plan is what Apply would do.
type Plan struct {
	// Current is the latest version that is applied, 0 when none is.
	Current int `json:"current"`
	// Files are those that would be applied, in order.
	Files []PlannedFile `json:"files"`
}

// PlannedFile is a file of a Plan.
type PlannedFile struct {
	Version    int                `json:"version"`
	Name       string             `json:"name"`
	Path       string             `json:"path"`
	Checksum   string             `json:"checksum"`
	Statements []PlannedStatement `json:"statements"`
}

// PlannedStatement is a statement of a PlannedFile.
type PlannedStatement struct {
	// Line and Col say where it begins in its file, both from 1.
	Line int `json:"line"`
	Col  int `json:"col"`
	// Text is the statement, its variables filled in.
	Text string `json:"text"`
	// Properties are those that SET gave it.
	Properties map[string]any `json:"properties"`
	Effect     Effect         `json:"effect"`
	// Changes are what it does besides, in a few words each: topics, formats,
	// columns, queries that end or go on.
	Changes []string `json:"changes,omitempty"`
	// Dependants are what depends on what is replaced, altered or dropped, on the
	// server or by statements before this one, each in a few words.
	Dependants []string `json:"dependants,omitempty"`
	// Verdict says whether the statement would succeed, Reason why not or why
	// that is not known.
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"`
	// Explanation draws the steps of the query: as the server explains it or, where
	// the sources are made by statements before this one, Config.NewEngine's engine;
	// "" where neither can tell.
	Explanation string `json:"explanation,omitempty"`
}

// Invalid counts the statements that would fail.
func (p Plan) Invalid() int {
	count := 0
	for _, file := range p.Files {
		for _, s := range file.Statements {
			if s.Verdict == Invalid {
				count++
			}
		}
	}
	return count
}

// Plan returns what Apply with the same options would do. It changes nothing.
// Options DryRun and SkipValidation have no effect on it.
func (m *Migrator) Plan(ctx context.Context, options ApplyOptions) (Plan, error) {
	if err := options.validate(); err != nil {
		return Plan{}, err
	}
	files, err := Load(m.fsys)
	if err != nil {
		return Plan{}, err
	}
	history, err := m.history(ctx, files)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Current: history.latest, Files: []PlannedFile{}}
	if err := m.mustBeInitialized(history); err != nil {
		return Plan{}, err
	}
	if err := m.validateHistory(ctx, history, files); err != nil {
		return plan, fmt.Errorf("checking what was applied before: %w", err)
	}
	selected, err := selectFiles(files, history.latest, options)
	if err != nil || len(selected) == 0 {
		return plan, err
	}
	planned, err := m.prepareFiles(ctx, selected)
	if err != nil {
		return plan, err
	}
	s, err := m.readServer(ctx)
	if err != nil {
		return plan, fmt.Errorf("planning: %w", err)
	}
	begun, err := m.begun(ctx, planned, history)
	if err != nil {
		return plan, err
	}
	var verdicts [][]judgement
	if m.config.NewEngine != nil {
		if verdicts, err = m.judge(ctx, s, left(planned, begun)); err != nil {
			return plan, fmt.Errorf("planning: %w", err)
		}
	}
	known := map[string]bool{}
	for name := range s.sources {
		known[name] = true
	}
	for i, file := range planned {
		out := PlannedFile{Version: file.Version, Name: file.Name, Path: file.Path, Checksum: file.Checksum, Statements: []PlannedStatement{}}
		for k, step := range file.steps {
			statement := PlannedStatement{Line: step.line, Col: step.col, Text: step.text, Properties: step.properties, Effect: effectOf(step.text)}
			statement.Verdict, statement.Reason = NotValidated, "there is no engine in memory to try it on"
			done := len(begun[file.Version].done)
			switch {
			case k < done:
				statement.Verdict, statement.Reason = Done, "an attempt before carried it out"
			case verdicts != nil:
				statement.judge(verdicts[i][k-done])
			}
			statement.Effect.follow(known)
			if verdicts == nil {
				statement.Dependants = dependants(s, statement.Effect)
			}
			if k >= done {
				if statement.Explanation, err = m.explain(ctx, statement); err != nil {
					return plan, err
				}
				if statement.Explanation == "" && verdicts != nil {
					statement.Explanation = verdicts[i][k-done].explanation
				}
			}
			out.Statements = append(out.Statements, statement)
		}
		plan.Files = append(plan.Files, out)
	}
	return plan, nil
}

func (s *PlannedStatement) judge(j judgement) {
	s.Verdict, s.Reason = j.verdict, ""
	s.Changes, s.Dependants = j.changes, j.dependants
	if j.err != nil {
		s.Reason = j.err.Error()
	}
}

// follow keeps known, the names of the sources that exist, and makes CREATE OR
// REPLACE of what does not exist an ActionCreate.
func (e *Effect) follow(known map[string]bool) {
	if !strings.HasSuffix(e.Kind, "STREAM") && !strings.HasSuffix(e.Kind, "TABLE") {
		return
	}
	switch {
	case e.Action == ActionDrop:
		delete(known, e.Name)
	case e.Action == ActionReplace && !known[e.Name]:
		e.Action = ActionCreate
		known[e.Name] = true
	case e.Action == ActionCreate:
		known[e.Name] = true
	}
}

// dependants are the queries on the server that read what is replaced, altered or
// dropped.
func dependants(s server, e Effect) []string {
	source, ok := s.sources[e.Name]
	if !ok || e.Action != ActionReplace && e.Action != ActionAlter && e.Action != ActionDrop {
		return nil
	}
	var list []string
	for _, query := range source.ReadQueries {
		text := "is read by " + query.ID
		if len(query.Sinks) > 0 {
			text += " writing " + strings.Join(query.Sinks, ", ")
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return list
}

// explain asks the server for the steps of a statement's query.
func (m *Migrator) explain(ctx context.Context, s PlannedStatement) (string, error) {
	if !s.Effect.Query {
		return "", nil
	}
	text, err := m.client.Explain(ctx, s.Text)
	if ksql.IsCode(err, ksql.CodeBadStatement) || ksql.IsCode(err, ksql.CodeBadRequest) {
		return "", nil
	}
	return strings.TrimRight(text, "\n"), err
}
