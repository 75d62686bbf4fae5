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

// Resumption says where a file that was begun goes on.
type Resumption struct {
	// Done is how many of its statements were carried out.
	Done int `json:"done"`
	// Uncertain is the statement of which that is not known, "" when there is
	// none.
	Uncertain string `json:"uncertain,omitempty"`
}

// ResumeError says why a file that was begun cannot go on by itself.
type ResumeError struct {
	// File is the file's name, Version its version.
	File    string
	Version int
	// Statement is the one in question, "" when it is about several.
	Statement string
	Reason    string
}

func (e *ResumeError) Error() string {
	return fmt.Sprintf("%s was begun and cannot simply go on: %s", e.File, e.Reason)
}

// carriedOutSteps finds how many steps of a file were carried out by an attempt before.
// Statements that were carried out must be the first of the file still; a file
// that has none of them any more starts from its first, as ksql-migrations has
// it.
func carriedOutSteps(file plannedFile, p progress) (int, error) {
	prints := make([]string, len(file.steps))
	for i, s := range file.steps {
		prints[i] = s.fingerprint()
	}
	if len(p.done) <= len(prints) && slices.Equal(p.done, prints[:len(p.done)]) {
		return len(p.done), nil
	}
	for _, print := range p.done {
		if slices.Contains(prints, print) {
			return 0, &ResumeError{File: file.Path, Version: file.Version, Reason: fmt.Sprintf(
				"its first %d statements were carried out, and some of them were changed, moved or taken out since: "+
					"put them back, take all of them out, or run `migrate repair %d --restart` to run the file from its start",
				len(p.done), file.Version)}
		}
	}
	return 0, nil
}

// certainty is whether a statement was carried out.
type certainty int

const (
	unknown certainty = iota
	carriedOut
	notCarriedOut
)

// probe finds out whether a statement was carried out that was underway when
// its answer was lost.
func (m *Migrator) probe(ctx context.Context, u underway) (certainty, error) {
	if harmlessAgain(u.Text) {
		return notCarriedOut, nil
	}
	if u.Before == "" {
		return unknown, nil
	}
	now, err := m.standing(ctx, u.Text)
	switch {
	case err != nil:
		return unknown, fmt.Errorf("finding out whether the server carried it out: %w", err)
	case now == u.Before:
		return notCarriedOut, nil
	}
	return carriedOut, nil
}

// harmlessAgain reports whether a statement can be sent again whether or not it
// was carried out.
func harmlessAgain(text string) bool {
	words := strings.Fields(strings.ToUpper(ksql.WithoutComments(text)))
	if len(words) == 0 {
		return true
	}
	switch words[0] {
	case "ASSERT", "PAUSE", "RESUME":
		return true
	case "ALTER":
		return len(words) > 1 && words[1] == "SYSTEM"
	}
	effect := effectOf(text)
	switch effect.Action {
	case ActionReplace:
		return true
	case ActionCreate:
		return conditionPart.MatchString(ksql.WithoutComments(text))
	case ActionDrop:
		return conditionPart.MatchString(ksql.WithoutComments(text))
	}
	return false
}

// standing describes what a statement changes on the server, so that it differs
// before and after; "" when nothing tells, or the server does not.
func (m *Migrator) standing(ctx context.Context, text string) (string, error) {
	before, err := m.describe(ctx, text)
	var refused *ksql.Error
	if errors.As(err, &refused) && !ksql.IsTransient(err) {
		return "", nil
	}
	return before, err
}

func (m *Migrator) describe(ctx context.Context, text string) (string, error) {
	effect := effectOf(text)
	switch {
	case strings.HasSuffix(effect.Kind, "CONNECTOR"):
		connectors, err := m.client.ListConnectors(ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("connector %v", slices.Contains(connectors, effect.Name)), nil
	case effect.Kind == "TYPE":
		types, err := m.client.ListTypes(ctx)
		if err != nil {
			return "", err
		}
		_, exists := types[effect.Name]
		return fmt.Sprintf("type %v", exists), nil
	case strings.HasSuffix(effect.Kind, "STREAM"), strings.HasSuffix(effect.Kind, "TABLE"):
		return m.standingSource(ctx, effect)
	case effect.Action == ActionWrite && effect.Query:
		return m.standingQueries(ctx, func(q ksql.RunningQuery) bool { return slices.Contains(q.Sinks, effect.Name) })
	case ksql.Keyword(text) == "TERMINATE":
		return m.standingQueries(ctx, func(q ksql.RunningQuery) bool { return q.QueryType == "PERSISTENT" })
	}
	return "", nil
}

func (m *Migrator) standingSource(ctx context.Context, effect Effect) (string, error) {
	source, err := m.client.Describe(ctx, effect.Name)
	if isUnknownSource(err, effect.Name) {
		return "no source", nil
	}
	if err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s over %s with", source.Type, source.Topic)
	for _, field := range source.Fields {
		fmt.Fprintf(&text, " %s %s %s,", field.Name, field.Schema, field.Type)
	}
	return text.String(), nil
}

func (m *Migrator) standingQueries(ctx context.Context, about func(ksql.RunningQuery) bool) (string, error) {
	queries, err := m.client.ListQueries(ctx)
	if err != nil {
		return "", err
	}
	ids := map[string]bool{}
	for _, query := range queries {
		if about(query) {
			ids[query.ID] = true
		}
	}
	return "queries " + strings.Join(slices.Sorted(maps.Keys(ids)), " "), nil
}

// isDefinite reports whether err says for sure that a statement was not carried
// out.
func isDefinite(err error) bool {
	var refused *ksql.Error
	if !errors.As(err, &refused) {
		return false
	}
	if refused.Code == ksql.CodeCommandTimeout {
		return false
	}
	// ksqlDB has a code of its own for what it failed to do, a proxy has none.
	// What could not be written to its command topic may be there all the same.
	return refused.HTTPStatus < 500 || refused.Code == ksql.CodeServerError && !strings.Contains(refused.Message, "command topic")
}
