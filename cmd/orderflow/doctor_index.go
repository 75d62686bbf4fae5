package main

import (
	"context"
	"fmt"
	"time"

	"github.com/orderflow/orderflow/internal/indexcheck"
)

// shownDifferences is how many differences are printed one by one.
const shownDifferences = 100

// verifyIndex proves that the search index is what the orders topic says.
func verifyIndex(ctx context.Context, env *environment, patience time.Duration) error {
	index, err := searchClient(env)
	if err != nil {
		return err
	}
	began := time.Now()
	report, err := indexcheck.Run(ctx, indexcheck.Config{Kafka: kafkaConfig(env), Index: index, Patience: patience})
	if err != nil {
		return fmt.Errorf("comparing the search index with the orders: %w", err)
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
	total := int64(len(report.Differences)) + report.More
	if total > shownDifferences {
		if _, err := fmt.Fprintf(env.stdout, "... and %d more\n", total-shownDifferences); err != nil {
			return err
		}
	}
	return fmt.Errorf("the search index differs from the orders at %d ids (`orderflow connectors rebuild-index` makes it anew)", total)
}
