package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

// newMigratePlanCommand makes `orderflow migrate plan`.
func newMigratePlanCommand(env *environment) *cobra.Command {
	var dir string
	var options migrate.ApplyOptions
	var defines []string
	var explain, asJSON bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would do, and whether it would succeed",
		Long: `Shows each statement that apply would run (all pending files, unless --next,
--until or --version says otherwise), what it creates, changes or drops, and the
queries that depend on that. The statements are tried on an engine in memory that
has what stands on the server; what cannot be tried is said to be not validated.

The exit code is 1 when a statement would fail.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			variables, err := parseDefines(defines)
			if err != nil {
				return err
			}
			if options == (migrate.ApplyOptions{}) {
				options.All = true
			}
			return withMigrator(env, dir, migrate.Config{Variables: variables}, func(m *migrate.Migrator) error {
				plan, err := m.Plan(cmd.Context(), options)
				if err != nil {
					return err
				}
				if asJSON {
					encoder := json.NewEncoder(env.stdout)
					encoder.SetIndent("", "  ")
					encoder.SetEscapeHTML(false)
					err = encoder.Encode(plan)
				} else {
					err = printMigrationPlan(env.stdout, plan, explain)
				}
				if invalid := plan.Invalid(); err == nil && invalid > 0 {
					err = fmt.Errorf("%d statements would fail", invalid)
				}
				return err
			})
		},
	}
	addMigrationsFlag(cmd, &dir)
	addSelectionFlags(cmd, &options, &defines)
	cmd.Flags().BoolVar(&explain, "explain", false, "show the steps of each query, where the server knows them yet")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the steps of each query")
	return cmd
}

func printMigrationPlan(w io.Writer, plan migrate.Plan, explain bool) error {
	var text strings.Builder
	counts := map[migrate.Verdict]int{}
	total := 0
	for _, file := range plan.Files {
		fmt.Fprintf(&text, "%s\n", file.Path)
		for _, s := range file.Statements {
			total++
			counts[s.Verdict]++
			fmt.Fprintf(&text, "  %4d  %s\n", s.Line, s.Effect)
			if s.Verdict != migrate.Valid {
				fmt.Fprintf(&text, "        %s: %s\n", s.Verdict, oneLine(s.Reason))
			}
			for _, dependant := range s.Dependants {
				fmt.Fprintf(&text, "        is read by %s\n", dependant)
			}
			if explain && s.Explanation != "" {
				fmt.Fprintf(&text, "        %s\n", strings.ReplaceAll(s.Explanation, "\n", "\n        "))
			}
		}
	}
	if total == 0 {
		fmt.Fprintf(&text, "nothing to apply; the current version is %d\n", plan.Current)
	} else {
		fmt.Fprintf(&text, "%d migrations with %d statements: %d valid, %d would fail, %d not validated\n",
			len(plan.Files), total, counts[migrate.Valid], counts[migrate.Invalid], counts[migrate.NotValidated])
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// newValidationEngine makes an engine in memory that has the topics, and the
// schemas of the configured Schema Registry.
func newValidationEngine(ctx context.Context, env *environment, topics map[string]int) (*sqltest.Session, error) {
	options := sqltest.Options{Topics: map[string]analyze.Topic{}, Registry: &registry.Memory{}}
	for name, partitions := range topics {
		options.Topics[name] = analyze.Topic{Partitions: partitions, Replicas: 1}
	}
	source, err := kafka.NewRegistry(kafkaConfig(env))
	if err != nil {
		return nil, err
	}
	client := source.Client()
	subjects, err := client.Subjects(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the schemas: %w", err)
	}
	for _, subject := range subjects {
		versions, err := client.Schemas(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("reading the schemas of %s: %w", subject, err)
		}
		for _, v := range versions {
			schema := registry.Schema{Type: v.Type.String(), Text: v.Schema.Schema}
			for _, r := range v.References {
				schema.References = append(schema.References, registry.Reference{Name: r.Name, Subject: r.Subject, Version: r.Version})
			}
			options.Registry.Put(subject, v.ID, schema)
		}
	}
	return sqltest.NewSession(options)
}
