package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/migrations"
)

// newMigrateCommand makes `orderflow migrate new|plan|apply|info|validate|initialize-metadata|destroy`.
func newMigrateCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Apply versioned ksqlDB statements, and see which ones were",
		Long: `Applies files of ksqlDB statements (V000001__name.sql) in order, each once, and
keeps in ksqlDB itself which ones were applied, in the way of ksql-migrations:
a project can switch between the two.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(
		newMigrateNewCommand(),
		newMigratePlanCommand(env),
		newMigrateApplyCommand(env),
		newMigrateInfoCommand(env),
		newMigrateValidateCommand(env),
		newMigrateInitializeCommand(env),
		newMigrateDestroyCommand(env),
	)
	return cmd
}

func newMigrateNewCommand() *cobra.Command {
	var dir string
	var version int
	cmd := &cobra.Command{
		Use:     "new NAME",
		Aliases: []string{"create"},
		Short:   "Make an empty migration file",
		Example: `  orderflow migrate new "orders by country"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := migrate.Create(dir, args[0], version)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "migrations", "folder of the migration files")
	cmd.Flags().IntVarP(&version, "version", "v", 0, "version of the file (default: one more than the highest)")
	return cmd
}

func newMigrateApplyCommand(env *environment) *cobra.Command {
	var dir string
	var options migrate.ApplyOptions
	var defines []string
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Apply migrations that were not applied yet",
		Long: `Applies the files above the latest version that was applied. All of them are
read, divided into statements, their variables filled in, and tried on an engine
in memory that has what stands on the server, before the first statement runs. A
file that fails is noted with the reason; when it is repaired, apply runs it
again from its start.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			variables, err := parseDefines(defines)
			if err != nil {
				return err
			}
			config := migrate.Config{Variables: variables}
			if !options.DryRun {
				config.Observe = func(e migrate.Event) { printMigrationEvent(env.stdout, e) }
			}
			return withMigrator(env, dir, config, func(m *migrate.Migrator) error {
				report, err := m.Apply(cmd.Context(), options)
				return errors.Join(printApplyReport(env.stdout, report, options.DryRun, err), err)
			})
		},
	}
	addMigrationsFlag(cmd, &dir)
	addSelectionFlags(cmd, &options, &defines)
	cmd.Flags().BoolVar(&options.DryRun, "dry-run", false, "show the statements that would run, and run none")
	cmd.Flags().BoolVar(&options.SkipValidation, "skip-validation", false, "run statements that the embedded engine would refuse")
	return cmd
}

// addSelectionFlags adds the flags that say which files to apply.
func addSelectionFlags(cmd *cobra.Command, options *migrate.ApplyOptions, defines *[]string) {
	flags := cmd.Flags()
	flags.BoolVarP(&options.All, "all", "a", false, "apply all of them")
	flags.BoolVarP(&options.Next, "next", "n", false, "apply the next one")
	flags.IntVarP(&options.Until, "until", "u", 0, "apply them up to this version")
	flags.IntVarP(&options.Version, "version", "v", 0, "apply this version only, leaving out lower ones for good")
	flags.StringArrayVarP(defines, "define", "d", nil, "value of a variable, name=value (may be given more than once)")
}

func newMigrateInfoCommand(env *environment) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "info",
		Short: "Show the state of every migration",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withMigrator(env, dir, migrate.Config{}, func(m *migrate.Migrator) error {
				status, err := m.Info(cmd.Context())
				if err != nil {
					return err
				}
				return printMigrations(env.stdout, status)
			})
		},
	}
	addMigrationsFlag(cmd, &dir)
	return cmd
}

func newMigrateValidateCommand(env *environment) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check that applied files are as they were when they were applied",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withMigrator(env, dir, migrate.Config{}, func(m *migrate.Migrator) error {
				count, err := m.Validate(cmd.Context())
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(env.stdout, "%d applied migrations are unchanged\n", count)
				return err
			})
		},
	}
	addMigrationsFlag(cmd, &dir)
	return cmd
}

func newMigrateInitializeCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "initialize-metadata",
		Short: "Make the stream and the table that keep what was applied (apply does it too)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withMigrator(env, "", migrate.Config{}, func(m *migrate.Migrator) error {
				if err := m.Initialize(cmd.Context()); err != nil {
					return err
				}
				_, err := fmt.Fprintf(env.stdout, "created %s and %s\n", migrate.EventsStream, migrate.VersionsTable)
				return err
			})
		},
	}
}

func newMigrateDestroyCommand(env *environment) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "destroy",
		Aliases: []string{"destroy-metadata"},
		Short:   "Forget which migrations were applied: drop the metadata and its topics",
		Long: `Drops the stream and the table that keep what was applied, with their topics.
What the migrations created stays, so that they cannot simply be applied again.
This cannot be undone.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes {
				return fmt.Errorf("destroy would drop %s and %s with their topics on %s for good: add --yes if that is what you want",
					migrate.EventsStream, migrate.VersionsTable, env.config.KsqlDBURL())
			}
			return withMigrator(env, "", migrate.Config{}, func(m *migrate.Migrator) error {
				removed, err := m.Destroy(cmd.Context())
				for _, name := range removed {
					if _, printErr := fmt.Fprintf(env.stdout, "dropped %s\n", name); printErr != nil {
						return errors.Join(err, printErr)
					}
				}
				if err == nil && len(removed) == 0 {
					_, err = fmt.Fprintln(env.stdout, "there was nothing to drop")
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}

func addMigrationsFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", "folder with V*.sql and variables.properties (default: the ones built in)")
}

func parseDefines(defines []string) (map[string]string, error) {
	variables := map[string]string{}
	for _, define := range defines {
		name, value, err := migrate.ParseDefine(define)
		if err != nil {
			return nil, fmt.Errorf("reading --define: %w", err)
		}
		variables[name] = value
	}
	return variables, nil
}

// withMigrator calls f with a migrator of the configured ksqlDB and Schema
// Registry. An empty dir means the migrations that are built in.
func withMigrator(env *environment, dir string, config migrate.Config, f func(*migrate.Migrator) error) error {
	client, err := ksql.New(ksqlConfig(env))
	if err != nil {
		return err
	}
	defer client.Close()
	var fsys fs.FS = migrations.FS
	if dir != "" {
		fsys = os.DirFS(dir)
	}
	config.Client = client
	config.FS = fsys
	config.LookupEnv = env.lookupEnv
	config.Logger = env.log
	config.NewEngine = func(ctx context.Context, topics map[string]int) (migrate.Engine, error) {
		return newValidationEngine(ctx, env, topics)
	}
	config.Lock = func(ctx context.Context) (context.Context, func(), error) {
		return lockMigrations(ctx, env, client)
	}
	config.Resolver = func(ctx context.Context, subject string) (int, error) {
		registry, err := kafka.NewRegistry(kafkaConfig(env))
		if err != nil {
			return 0, err
		}
		return registry.LatestID(ctx, subject)
	}
	migrator, err := migrate.New(config)
	if err != nil {
		return err
	}
	return f(migrator)
}

// printMigrationEvent shows what apply is at. The stream's own errors show up
// when the report is printed.
func printMigrationEvent(w io.Writer, e migrate.Event) {
	if e.Statement == "" && !e.Done {
		fmt.Fprintf(w, "applying %s\n", e.File.Path)
	}
}

func printApplyReport(w io.Writer, report migrate.Report, dryRun bool, applyErr error) error {
	var text strings.Builder
	switch {
	case dryRun:
		for _, file := range report.Applied {
			fmt.Fprintf(&text, "%s (%d statements)\n", file.Path, len(file.Statements))
			for _, statement := range file.Statements {
				fmt.Fprintf(&text, "  %s\n", strings.ReplaceAll(statement, "\n", "\n  "))
			}
		}
		fmt.Fprintf(&text, "%d migrations would be applied; nothing was\n", len(report.Applied))
	case len(report.Applied) > 0:
		statements := 0
		var took time.Duration
		for _, file := range report.Applied {
			statements += len(file.Statements)
			took += file.Took
		}
		fmt.Fprintf(&text, "applied %d migrations with %d statements in %s; the current version is %d\n",
			len(report.Applied), statements, took.Round(time.Millisecond), report.Current)
	case applyErr == nil:
		fmt.Fprintf(&text, "nothing to apply; the current version is %d\n", report.Current)
	}
	for _, what := range report.NotValidated {
		fmt.Fprintf(&text, "not validated before it ran: %s\n", oneLine(what))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// printMigrations prints the table that ksql-migrations prints.
func printMigrations(w io.Writer, status migrate.Status) error {
	table := [][]string{{"Version", "Name", "State", "Previous Version", "Started On", "Completed On", "Error Reason"}}
	for _, m := range status.Migrations {
		table = append(table, []string{
			fmt.Sprint(m.Version), m.Name, string(m.State), orNone(m.Previous),
			timeOrNone(m.StartedOn), timeOrNone(m.CompletedOn), orNone(oneLine(m.ErrorReason)),
		})
	}
	widths := make([]int, len(table[0]))
	for _, row := range table {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	current := "<none>"
	if status.Current > 0 {
		current = fmt.Sprint(status.Current)
	}
	fmt.Fprintf(&text, "Current migration version: %s\n", current)
	length := 0
	for _, width := range widths {
		length += width + len(" | ")
	}
	rule := strings.Repeat("-", length-1) + "\n"
	text.WriteString(rule)
	for n, row := range table {
		for i, cell := range row {
			if i > 0 {
				text.WriteString("|")
			}
			text.WriteString(" " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + " ")
		}
		text.WriteString("\n")
		if n == 0 {
			text.WriteString(rule)
		}
	}
	text.WriteString(rule)
	_, err := io.WriteString(w, text.String())
	return err
}

func orNone(text string) string {
	if text == "" {
		return "N/A"
	}
	return text
}

func timeOrNone(t time.Time) string {
	if t.IsZero() {
		return "N/A"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000 MST")
}
