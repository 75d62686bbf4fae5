package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/migrations"
)

// migrateTool is what the subcommands of `orderflow migrate` have in common.
type migrateTool struct {
	env *environment
	// dir is the folder of the migrations; "" means the project's, or those that
	// are built in.
	dir string
	// projectFile has the properties of a ksql-migrations project; "" means
	// there is none.
	projectFile string
	// headersFile has headers for every request; "" means there are none.
	headersFile string
	// output is text or json.
	output string
}

// newMigrateCommand makes `orderflow migrate` and its subcommands.
func newMigrateCommand(env *environment) *cobra.Command {
	tool := &migrateTool{env: env}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Apply versioned ksqlDB statements, and see which ones were",
		Long: `Applies files of ksqlDB statements (V000001__name.sql) in order, each once, and
keeps in ksqlDB itself which ones were applied, in the way of ksql-migrations:
a project can switch between the two, its properties given by --config-file. Its
names for commands work too: create is new, destroy-metadata is destroy.

Exit codes:
  0  it is done
  1  it could not be done: wrong flags, no server, ...
  2  a migration cannot be applied as it is; nothing of it was run
  3  a migration failed while it ran
  4  an applied migration was changed, or its file is missing
  5  server and migrations differ (drift)
  6  all was applied, but some of its queries do not run
  7  another migrator is at work
  8  there are pending migrations (plan --exit-code)`,
		Args: cobra.NoArgs,
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&tool.dir, "dir", "", "folder with V*.sql and variables.properties (default: the ones built in)")
	flags.StringVarP(&tool.projectFile, "config-file", "c", "", "properties of a ksql-migrations project (ksql-migrations.properties)")
	flags.StringVarP(&tool.output, "output", "o", "text", "text or json")
	cmd.PersistentPreRunE = func(sub *cobra.Command, args []string) error {
		if err := sub.Root().PersistentPreRunE(sub, args); err != nil {
			return err
		}
		if tool.output != "text" && tool.output != "json" {
			return fmt.Errorf("--output %q must be text or json", tool.output)
		}
		return nil
	}
	cmd.AddCommand(
		newMigrateProjectCommand(tool),
		newMigrateNewCommand(tool),
		newMigratePlanCommand(tool),
		newMigrateApplyCommand(tool),
		newMigrateInfoCommand(tool),
		newMigrateValidateCommand(tool),
		newMigrateRepairCommand(tool),
		newMigrateUndoCommand(tool),
		newMigrateDriftCommand(tool),
		newMigrateInitializeCommand(tool),
		newMigrateDestroyCommand(tool),
		newMigrateHelpCommand(cmd),
	)
	return cmd
}

// newMigrateHelpCommand makes `orderflow migrate help`, as ksql-migrations has it.
func newMigrateHelpCommand(parent *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show what a command does",
		RunE: func(_ *cobra.Command, args []string) error {
			found, _, err := parent.Find(args)
			if err != nil {
				return err
			}
			return found.Help()
		},
	}
}

func newMigrateProjectCommand(tool *migrateTool) *cobra.Command {
	return &cobra.Command{
		Use:     "new-project DIR URL",
		Short:   "Make the folder of a new project of migrations, as ksql-migrations has it",
		Example: `  orderflow migrate new-project orders http://localhost:8088`,
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			made, err := migrate.NewProject(args[0], args[1])
			return tool.print(map[string]any{"made": made}, err, func(out *textOutput) {
				for _, path := range made {
					out.linef("made %s", path)
				}
			})
		},
	}
}

func newMigrateNewCommand(tool *migrateTool) *cobra.Command {
	var version int
	cmd := &cobra.Command{
		Use:     "new NAME",
		Aliases: []string{"create"},
		Short:   "Make an empty migration file",
		Example: `  orderflow migrate new "orders by country"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			project, err := tool.project()
			if err != nil {
				return tool.print(nil, err, nil)
			}
			dir := tool.dir
			if dir == "" && project != nil {
				dir = project.Dir
			}
			if dir == "" {
				dir = "migrations"
			}
			path, err := migrate.Create(dir, args[0], version)
			return tool.print(map[string]any{"path": path}, err, func(out *textOutput) { out.linef("%s", path) })
		},
	}
	cmd.Flags().IntVarP(&version, "version", "v", 0, "version of the file (default: one more than the highest)")
	return cmd
}

func newMigrateApplyCommand(tool *migrateTool) *cobra.Command {
	var options migrate.ApplyOptions
	var run migrateRun
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Apply migrations that were not applied yet",
		Long: `Applies the files above the latest version that was applied. All of them are
read, divided into statements, their variables filled in, and tried on an engine
in memory that has what stands on the server, before the first statement runs. A
file that fails or is cut off goes on with the statement it came to.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := run.config(tool, options.DryRun)
			if err != nil {
				return tool.print(nil, err, nil)
			}
			var report migrate.Report
			err = tool.with(config, func(m *migrate.Migrator) (err error) {
				report, err = m.Apply(cmd.Context(), options)
				return err
			})
			return tool.printReport(report, "applied", options.DryRun, err)
		},
	}
	addSelectionFlags(cmd, &options)
	run.addFlags(cmd, tool)
	cmd.Flags().BoolVar(&options.DryRun, "dry-run", false, "show the statements that would run, and run none")
	cmd.Flags().BoolVar(&options.SkipValidation, "skip-validation", false, "run statements that the embedded engine would refuse")
	return cmd
}

// addSelectionFlags adds the flags that say which files to apply.
func addSelectionFlags(cmd *cobra.Command, options *migrate.ApplyOptions) {
	flags := cmd.Flags()
	flags.BoolVarP(&options.All, "all", "a", false, "apply all of them")
	flags.BoolVarP(&options.Next, "next", "n", false, "apply the next one")
	flags.IntVarP(&options.Until, "until", "u", 0, "apply them up to this version")
	flags.IntVarP(&options.Version, "version", "v", 0, "apply this version only, leaving out lower ones for good")
}

func newMigrateInfoCommand(tool *migrateTool) *cobra.Command {
	return &cobra.Command{
		Use:   "info",
		Short: "Show the state of every migration",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var status migrate.Status
			err := tool.with(migrate.Config{}, func(m *migrate.Migrator) (err error) {
				status, err = m.Info(cmd.Context())
				return err
			})
			return tool.print(status, err, func(out *textOutput) { out.migrations(status) })
		},
	}
}

func newMigrateValidateCommand(tool *migrateTool) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check that applied files are as they were when they were applied",
		Long: `Checks that every file that was applied is there and unchanged, and shows what was
changed in those that are not, where orderflow applied them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			count := 0
			err := tool.with(migrate.Config{}, func(m *migrate.Migrator) (err error) {
				count, err = m.Validate(cmd.Context())
				return err
			})
			return tool.print(map[string]any{"applied": count}, err, func(out *textOutput) {
				out.linef("%d applied migrations are unchanged", count)
			})
		},
	}
}

func newMigrateInitializeCommand(tool *migrateTool) *cobra.Command {
	return &cobra.Command{
		Use:   "initialize-metadata",
		Short: "Make the streams and tables that keep what was applied (apply does it too)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var names []string
			err := tool.with(migrate.Config{}, func(m *migrate.Migrator) error {
				names = m.MetadataNames()
				return m.Initialize(cmd.Context())
			})
			return tool.print(map[string]any{"created": names}, err, func(out *textOutput) {
				for _, name := range names {
					out.linef("created %s", name)
				}
			})
		},
	}
}

func newMigrateDestroyCommand(tool *migrateTool) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "destroy",
		Aliases: []string{"destroy-metadata"},
		Short:   "Forget which migrations were applied: drop the metadata and its topics",
		Long: `Drops the streams and tables that keep what was applied, with their topics. What
the migrations created stays, so that they cannot simply be applied again. This
cannot be undone, and needs --yes; called destroy-metadata, as by the scripts of
ksql-migrations, it needs none.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes && cmd.CalledAs() != "destroy-metadata" {
				return tool.print(nil, fmt.Errorf("destroy would drop what keeps the states of the migrations on %s, with its topics, for good: add --yes if that is what you want",
					tool.env.config.KsqlDBURL()), nil)
			}
			var removed []string
			err := tool.with(migrate.Config{}, func(m *migrate.Migrator) (err error) {
				removed, err = m.Destroy(cmd.Context())
				return err
			})
			return tool.print(map[string]any{"dropped": removed}, err, func(out *textOutput) {
				for _, name := range removed {
					out.linef("dropped %s", name)
				}
				if err == nil && len(removed) == 0 {
					out.linef("there was nothing to drop")
				}
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}

// project reads --config-file; nil when it is not given.
func (t *migrateTool) project() (*migrate.Project, error) {
	if t.projectFile == "" {
		return nil, nil
	}
	project, err := migrate.LoadProject(t.projectFile)
	if err != nil {
		return nil, err
	}
	return &project, nil
}

// with calls f with a migrator of the project's or the configured ksqlDB.
func (t *migrateTool) with(config migrate.Config, f func(*migrate.Migrator) error) error {
	project, err := t.project()
	if err != nil {
		return err
	}
	server := ksqlConfig(t.env)
	var fsys fs.FS = migrations.FS
	if project != nil {
		// A project of ksql-migrations keeps to its rules.
		config.RequireMetadata = true
		config.Metadata = project.Metadata
		fsys = os.DirFS(project.Dir)
		if t.env.config.KsqlDB == "" {
			server.URL = project.URL
			server.TLS = ksqlTLS(t.env.config, server.URL)
		}
		if project.Username != "" {
			server.Username, server.Password = project.Username, project.Password
		}
	}
	if t.dir != "" {
		fsys = os.DirFS(t.dir)
	}
	if t.headersFile != "" {
		text, err := os.ReadFile(t.headersFile)
		if err == nil {
			server.Headers, err = migrate.ParseProperties(string(text))
		}
		if err != nil {
			return fmt.Errorf("reading the headers of %s: %w", filepath.Base(t.headersFile), err)
		}
	}
	return withMigratorOf(t.env, server, fsys, config, f)
}

// withMigrator calls f with a migrator of the configured ksqlDB. An empty dir means
// the migrations that are built in.
func withMigrator(env *environment, dir string, config migrate.Config, f func(*migrate.Migrator) error) error {
	var fsys fs.FS = migrations.FS
	if dir != "" {
		fsys = os.DirFS(dir)
	}
	return withMigratorOf(env, ksqlConfig(env), fsys, config, f)
}

func withMigratorOf(env *environment, server ksql.Config, fsys fs.FS, config migrate.Config, f func(*migrate.Migrator) error) error {
	client, err := ksql.New(server)
	if err != nil {
		return err
	}
	defer client.Close()
	config.Client = client
	config.FS = fsys
	config.LookupEnv = env.lookupEnv
	config.Logger = env.log
	config.NewEngine = func(ctx context.Context, topics map[string]int) (migrate.Engine, error) {
		return newValidationEngine(ctx, env, topics)
	}
	config.Lock = func(ctx context.Context) (context.Context, func(), error) {
		return lockMigrations(ctx, env, client, config.Metadata)
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

// migrateExit gives the errors of `orderflow migrate` their exit codes.
func migrateExit(err error) error {
	var file *migrate.FileError
	var resume *migrate.ResumeError
	var code int
	switch {
	case err == nil:
		return nil
	case errors.As(err, &file):
		code = 2
		if file.Ran {
			code = 3
		}
	case len(migrate.HistoryErrors(err)) > 0:
		code = 4
	case errors.As(err, &resume):
		code = 3
	case errors.Is(err, errMigrationsLocked):
		code = 7
	default:
		return err
	}
	return &exitError{code, err}
}
