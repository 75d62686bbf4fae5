package migrate

import (
	"context"
	"fmt"
	"slices"

	"github.com/orderflow/orderflow/internal/ksql"
)

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

// judge says of each statement of the files whether it would succeed, given
// that those before it do.
func (m *Migrator) judge(ctx context.Context, s server, files []plannedFile) ([][]judgement, error) {
	r := m.rehearse(ctx, s)
	var verdicts [][]judgement
	for _, file := range files {
		var list []judgement
		for _, step := range file.steps {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			list = append(list, r.judge(ctx, file.File, step))
		}
		verdicts = append(verdicts, list)
	}
	return verdicts, nil
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
