package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

func newMigrateRepairCommand(tool *migrateTool) *cobra.Command {
	chosen := map[migrate.Repair]*bool{}
	cmd := &cobra.Command{
		Use:   "repair [VERSION]",
		Short: "Show what cannot simply go on, and make it go on",
		Long: `Without a version it shows the versions that failed, were cut off or changed, and
what can be done. With one and a flag it does that.`,
		Example: `  orderflow migrate repair
  orderflow migrate repair 4 --restart`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			repair, err := chosenRepair(chosen, len(args) == 1)
			if err != nil {
				return tool.print(nil, err, nil)
			}
			if repair == "" {
				return tool.printProblems(cmd)
			}
			version, err := strconv.Atoi(args[0])
			if err != nil || version < 1 || version > migrate.MaxVersion {
				return tool.print(nil, fmt.Errorf("%q is no version: it is a number from 1 to %d", args[0], migrate.MaxVersion), nil)
			}
			err = tool.with(migrate.Config{}, func(m *migrate.Migrator) error { return m.Repair(cmd.Context(), version, repair) })
			return tool.print(map[string]any{"version": version, "repair": repair}, err, func(out *textOutput) {
				out.linef("repaired version %d (%s)", version, repair)
			})
		},
	}
	for _, flag := range []struct {
		repair migrate.Repair
		usage  string
	}{
		{migrate.RepairRestart, "a file that failed or was cut off: run it from its first statement"},
		{migrate.RepairDone, "the statement of which it is not known: it was carried out"},
		{migrate.RepairAgain, "the statement of which it is not known: it was not, send it again"},
		{migrate.RepairAccept, "an applied file that was changed: take it as it is for what was applied"},
	} {
		chosen[flag.repair] = cmd.Flags().Bool(string(flag.repair), false, flag.usage)
	}
	return cmd
}

func chosenRepair(chosen map[migrate.Repair]*bool, version bool) (migrate.Repair, error) {
	var repair migrate.Repair
	for r, is := range chosen {
		if !*is {
			continue
		}
		if repair != "" {
			return "", errors.New("say one of --restart, --done, --again and --accept")
		}
		repair = r
	}
	if version != (repair != "") {
		return "", errors.New("a repair needs both a version and one of --restart, --done, --again and --accept")
	}
	return repair, nil
}

func (t *migrateTool) printProblems(cmd *cobra.Command) error {
	var problems []migrate.Problem
	err := t.with(migrate.Config{}, func(m *migrate.Migrator) (err error) {
		problems, err = m.Problems(cmd.Context())
		return err
	})
	return t.print(map[string]any{"problems": problems}, err, func(out *textOutput) {
		for _, p := range problems {
			name := p.Path
			if name == "" {
				name = fmt.Sprintf("version %d", p.Version)
			}
			out.linef("%s (%s): %s", name, p.State, oneLine(p.What))
			if p.Resumption != nil && p.Resumption.Uncertain != "" {
				out.linef("  it is not known whether this was carried out: %s", oneLine(p.Resumption.Uncertain))
			}
			out.linef("  %s", p.Advice)
			if p.Diff != "" {
				out.linef("%s", p.Diff)
			}
		}
		if len(problems) == 0 {
			out.linef("there is nothing to repair")
		}
	})
}

func newMigrateUndoCommand(tool *migrateTool) *cobra.Command {
	var options migrate.UndoOptions
	var run migrateRun
	cmd := &cobra.Command{
		Use:   "undo",
		Short: "Take back the latest migration by its undo file (U000001__name.sql)",
		Long: `Runs the undo file of the latest version that was applied, or, with --until, those
of all versions after one, latest first. Afterwards the migrations are pending
again. Nothing runs when one of the files is missing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := run.config(tool, options.DryRun)
			if err != nil {
				return tool.print(nil, err, nil)
			}
			var report migrate.Report
			err = tool.with(config, func(m *migrate.Migrator) (err error) {
				report, err = m.Undo(cmd.Context(), options)
				return err
			})
			return tool.printReport(report, "undone", options.DryRun, err)
		},
	}
	cmd.Flags().IntVarP(&options.Until, "until", "u", 0, "undo what was applied after this version, which stays")
	cmd.Flags().BoolVarP(&options.All, "all", "a", false, "undo all of them")
	cmd.Flags().BoolVar(&options.DryRun, "dry-run", false, "show the statements that would run, and run none")
	cmd.Flags().BoolVar(&options.SkipValidation, "skip-validation", false, "run statements that the embedded engine would refuse")
	run.addFlags(cmd, tool)
	return cmd
}

func newMigrateDriftCommand(tool *migrateTool) *cobra.Command {
	var defines []string
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Compare what the applied migrations made with what stands on the server",
		Long: `Shows streams, tables, types, queries and connectors that an applied migration made
but that are not on the server (missing), those that are there but that no applied
migration made (unknown), and those that are not as they were made (different):
their columns, topic, partitions, formats, window and statement, a query's
properties, and queries that do not run. The applied migrations are carried out on
an engine in memory for that, as they were when they were applied.

The exit code is 5 when there are any.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			variables, err := parseDefines(defines)
			if err != nil {
				return tool.print(nil, err, nil)
			}
			var report migrate.DriftReport
			err = tool.with(migrate.Config{Variables: variables}, func(m *migrate.Migrator) (err error) {
				report, err = m.Drift(cmd.Context())
				return err
			})
			if err == nil && len(report.Drifts) > 0 {
				err = &exitError{5, fmt.Errorf("the server and the migrations differ in %d things", len(report.Drifts))}
			}
			if tool.output != "json" {
				var out textOutput
				for _, d := range report.Drifts {
					out.drift(d)
				}
				for _, reason := range report.NotCompared {
					out.linef("not compared: %s", oneLine(reason))
				}
				if err := out.print(tool.env.stdout); err != nil {
					return err
				}
			}
			return tool.print(report, err, func(out *textOutput) {
				out.linef("the server has what the applied migrations made, and nothing else")
			})
		},
	}
	addDefineFlag(cmd, &defines)
	return cmd
}

func (o *textOutput) drift(d migrate.Drift) {
	line := fmt.Sprintf("%-9s %s %s", d.Kind, d.What, d.Name)
	if d.File != "" {
		line += " (" + d.File + ")"
	}
	o.linef("%s", line)
	if d.Statement != "" {
		o.linef("          %s", shortened(strings.Join(strings.Fields(d.Statement), " ")))
	}
	for _, difference := range d.Differences {
		if difference.Diff != "" {
			o.linef("          %s:", difference.Of)
			o.linef("            %s", strings.ReplaceAll(strings.TrimRight(difference.Diff, "\n"), "\n", "\n            "))
			continue
		}
		o.linef("          %s: the migrations make it %s, but it is %s", difference.Of, orNothing(difference.Expected), orNothing(oneLine(difference.Actual)))
	}
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}
