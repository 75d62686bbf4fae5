package engine

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
)

// TerminateCluster ends all queries and drops all streams and tables; topics that
// queries write are deleted when their names match one of the patterns. The
// server goes on, with nothing in its metastore. The error is an *Error.
func (e *Engine) TerminateCluster(ctx context.Context, patterns []string) ([]any, error) {
	var match []*regexp.Regexp
	for _, p := range patterns {
		re, err := regexp.Compile("^(?:" + p + ")$")
		if err != nil {
			return nil, &Error{Code: CodeBadRequest, Message: "Invalid pattern: " + err.Error()}
		}
		match = append(match, re)
	}
	if _, err := e.Execute(ctx, Request{SQL: "TERMINATE ALL;"}); err != nil {
		return nil, err
	}
	if err := e.dropAll(ctx, match); err != nil {
		return nil, err
	}
	status := CommandStatus{Status: "SUCCESS", Message: "Cluster terminated."}
	const id = "cluster/TerminateCluster/terminate"
	e.setStatus(id, status)
	return []any{currentStatus("TERMINATE CLUSTER;", id, status, e.commands.nextSequence()-1)}, nil
}

// dropAll drops all streams and tables but the processing log, in turns, since
// those that others are made of can't be dropped before these.
func (e *Engine) dropAll(ctx context.Context, topics []*regexp.Regexp) error {
	for {
		list := e.userSources()
		var failed error
		for _, s := range list {
			sql := fmt.Sprintf("DROP %s IF EXISTS %s", s.Kind, ast.BackQuote(s.Name))
			if s.CreatedBy != "" && slices.ContainsFunc(topics, func(re *regexp.Regexp) bool { return re.MatchString(s.Topic.Name) }) {
				sql += " DELETE TOPIC"
			}
			if _, err := e.Execute(ctx, Request{SQL: sql + ";"}); err != nil {
				failed = err
			}
		}
		if failed == nil || len(e.userSources()) >= len(list) {
			return failed
		}
	}
}

// userSources are all streams and tables but the processing log.
func (e *Engine) userSources() []*catalog.Source {
	return slices.DeleteFunc(e.Catalog().Sources(), func(s *catalog.Source) bool { return s.Topic.Name == e.processingLogTopic() })
}
