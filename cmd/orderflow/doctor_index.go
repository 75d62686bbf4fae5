package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/orderflow/orderflow/internal/indexcheck"
)

// shownDifferences is how many differences are printed one by one.
const shownDifferences = 100

// verifyIndex proves that the search index is what the table of states says.
func verifyIndex(ctx context.Context, env *environment, patience time.Duration, output outputForm) error {
	index, err := searchClient(env)
	if err != nil {
		return err
	}
	began := time.Now()
	report, err := indexcheck.Run(ctx, indexcheck.Config{Kafka: kafkaConfig(env), Index: index, Patience: patience})
	if err != nil {
		return fmt.Errorf("comparing the search index with the orders: %w", err)
	}
	total := int64(len(report.Differences)) + report.More
	different := fmt.Errorf("the search index differs from the orders at %d ids (`orderflow connectors rebuild-index` makes it anew)", total)
	if report.Equal() {
		different = nil
	}
	if output == outputJSON {
		return errors.Join(printIndexReport(env.stdout, report), different)
	}
	if _, err := fmt.Fprintf(env.stdout, "%d records of %d orders and %d documents compared in %s\n",
		report.Records, report.Orders, report.Documents, time.Since(began).Round(time.Millisecond)); err != nil {
		return err
	}
	if report.Equal() {
		_, err := fmt.Fprintln(env.stdout, "the search index is equal to the last state of every order")
		return err
	}
	for i, d := range report.Differences {
		if i == shownDifferences {
			break
		}
		if _, err := fmt.Fprintf(env.stdout, "%-9s %s: %s\n", d.Kind, d.ID, d.Detail); err != nil {
			return err
		}
	}
	if total > shownDifferences {
		if _, err := fmt.Fprintf(env.stdout, "... and %d more\n", total-shownDifferences); err != nil {
			return err
		}
	}
	return different
}

// printIndexReport prints all differences that are known one by one.
func printIndexReport(w io.Writer, report indexcheck.Report) error {
	type difference struct {
		ID     string          `json:"id"`
		Kind   indexcheck.Kind `json:"kind"`
		Detail string          `json:"detail"`
	}
	list := []difference{}
	for _, d := range report.Differences {
		list = append(list, difference(d))
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(map[string]any{
		"records": report.Records, "orders": report.Orders, "documents": report.Documents, "differences": list, "more": report.More,
	})
}
