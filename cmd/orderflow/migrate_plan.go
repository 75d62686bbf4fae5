package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

// newMigratePlanCommand makes `orderflow migrate plan`.
func newMigratePlanCommand(tool *migrateTool) *cobra.Command {
	var options migrate.ApplyOptions
	var defines []string
	var explain, pendingCode bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would do, and whether it would succeed",
		Long: `Shows each statement that apply would run (all pending files, unless --next,
--until or --version says otherwise), what it creates, changes or drops, and the
queries that depend on that. The statements are tried on an engine in memory that
has what stands on the server; what cannot be tried is said to be not validated.

The exit code is 2 when a statement would fail.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			variables, err := parseDefines(defines)
			if err != nil {
				return tool.print(nil, err, nil)
			}
			if options == (migrate.ApplyOptions{}) {
				options.All = true
			}
			var plan migrate.Plan
			err = tool.with(migrate.Config{Variables: variables}, func(m *migrate.Migrator) (err error) {
				plan, err = m.Plan(cmd.Context(), options)
				return err
			})
			if err == nil {
				err = planError(plan, pendingCode)
				if tool.output != "json" {
					var out textOutput
					out.plan(plan, explain)
					if err := out.print(tool.env.stdout); err != nil {
						return err
					}
				}
			}
			return tool.print(plan, err, nil)
		},
	}
	addSelectionFlags(cmd, &options)
	addDefineFlag(cmd, &defines)
	cmd.Flags().BoolVar(&explain, "explain", false, "show the steps of each query")
	cmd.Flags().BoolVar(&pendingCode, "exit-code", false, "exit with code 8 when there are pending migrations")
	return cmd
}

func planError(plan migrate.Plan, pendingCode bool) error {
	if invalid := plan.Invalid(); invalid > 0 {
		return &exitError{2, fmt.Errorf("%d statements would fail", invalid)}
	}
	if pendingCode && len(plan.Files) > 0 {
		return &exitError{8, fmt.Errorf("%d migrations are pending", len(plan.Files))}
	}
	return nil
}

func (o *textOutput) plan(plan migrate.Plan, explain bool) {
	counts := map[migrate.Verdict]int{}
	total := 0
	for _, file := range plan.Files {
		o.linef("%s", file.Path)
		for _, s := range file.Statements {
			total++
			counts[s.Verdict]++
			o.linef("  %4d  %s", s.Line, s.Effect)
			if s.Verdict != migrate.Valid {
				o.linef("        %s: %s", s.Verdict, oneLine(s.Reason))
			}
			for _, change := range s.Changes {
				o.linef("        %s", change)
			}
			for _, dependant := range s.Dependants {
				o.linef("        ! %s", oneLine(dependant))
			}
			if explain && s.Explanation != "" {
				o.linef("        %s", strings.ReplaceAll(s.Explanation, "\n", "\n        "))
			}
		}
	}
	if total == 0 {
		o.linef("nothing to apply; the current version is %d", plan.Current)
		return
	}
	o.linef("%d migrations with %d statements: %d valid, %d would fail, %d not validated",
		len(plan.Files), total, counts[migrate.Valid], counts[migrate.Invalid], counts[migrate.NotValidated])
	if counts[migrate.Done] > 0 {
		o.linef("%d of them were carried out before", counts[migrate.Done])
	}
}
