package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/testrun"
	"github.com/orderflow/orderflow/internal/topics"
	"github.com/orderflow/orderflow/schemas"
)

// newTestCommand makes `orderflow test`.
func newTestCommand(env *environment) *cobra.Command {
	var junit, schemasDir, selected string
	var noSchemas, onServer bool
	var wait, settle time.Duration
	var defines []string
	cmd := &cobra.Command{
		Use:   "test FILE...",
		Short: "Run SQL tests of ksqlDB statements, without any server or on one",
		Long: `Runs files in the form of ksqlDB's own SQL tests (or the .sql files of a folder)
on the embedded engine, in this process. Each "--@test: name" begins with nothing
but the topics and schemas of --schemas. The clock stands at the highest ROWTIME
that was inserted, so windows need no waiting. docs/migrations.md describes the
statements and the directives.

With --on-server the tests run on the configured ksqlDB (--ksqldb, --kafka,
--schema-registry), which must have no streams and tables, on topics that are not
there yet; all that a test makes is removed when it has ended. As in the embedded
engine, topics have one partition, and a record without ROWTIME gets the highest
one so far. A test that needs more of the virtual clock is skipped, with the reason.

The exit code is 0 when no test failed, else 1.`,
		Example: `  orderflow test migrations/tests
  orderflow test --junit report.xml --run fraud migrations/tests/*.sql
  orderflow test --on-server --ksqldb http://ksqldb:8088 --kafka kafka:9092 --schema-registry http://registry:8081 my.sql`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			variables, err := parseDefines(defines)
			if err != nil {
				return err
			}
			pattern, err := regexp.Compile("(?i)" + selected)
			if err != nil {
				return fmt.Errorf("reading --run: %w", err)
			}
			definition, err := testDefinition(schemasDir, noSchemas)
			if err != nil {
				return err
			}
			files, err := testFiles(args)
			if err != nil {
				return err
			}
			newEngine := func(context.Context) (testrun.Engine, error) { return newTestEngine(definition) }
			if onServer {
				client, err := ksql.New(ksqlConfig(env))
				if err != nil {
					return err
				}
				defer client.Close()
				for i := range definition.Topics {
					definition.Topics[i].Partitions = 1
				}
				server := &serverTests{env: env, definition: definition, wait: wait, settle: settle, client: client}
				if err := server.check(cmd.Context()); err != nil {
					return err
				}
				newEngine = func(ctx context.Context) (testrun.Engine, error) { return server.start(ctx) }
			}
			runner, err := testrun.New(testrun.Config{
				NewEngine: newEngine,
				Variables: variables, LookupEnv: env.lookupEnv, Select: pattern,
			})
			if err != nil {
				return err
			}
			var results []testrun.Result
			for _, file := range files {
				list, err := runner.RunFile(cmd.Context(), file)
				if err != nil {
					return err
				}
				results = append(results, list...)
			}
			return reportTests(env, results, junit)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&onServer, "on-server", false, "run the tests on the configured ksqlDB, which must be empty, in place of the embedded engine")
	flags.DurationVar(&wait, "wait", 10*time.Second, "with --on-server: how long the queries may take for what an INSERT ... VALUES leads to")
	flags.DurationVar(&settle, "settle", 200*time.Millisecond, "with --on-server: how long queries get to read what they write nothing for")
	flags.StringVar(&junit, "junit", "", "file to write a JUnit report to")
	flags.StringVar(&selected, "run", "", "run only the tests whose name matches this regular expression")
	flags.StringVar(&schemasDir, "schemas", "", "folder with topics.json and *.avsc that are there before each test (default: the ones built in)")
	flags.BoolVar(&noSchemas, "no-schemas", false, "begin each test without topics and schemas")
	flags.StringArrayVarP(&defines, "define", "d", nil, "value of a variable, name=value (may be given more than once)")
	return cmd
}

func reportTests(env *environment, results []testrun.Result, junit string) error {
	if err := testrun.Print(env.stdout, results); err != nil {
		return err
	}
	if junit != "" {
		var report bytes.Buffer
		if err := testrun.WriteJUnit(&report, results); err != nil {
			return err
		}
		if err := os.WriteFile(junit, report.Bytes(), 0o644); err != nil {
			return fmt.Errorf("writing the JUnit report: %w", err)
		}
	}
	switch failed := testrun.Failed(results); {
	case len(results) == 0:
		return fmt.Errorf("no test has a name that --run matches")
	case failed > 0:
		return fmt.Errorf("%d of %d tests failed", failed, len(results))
	}
	return nil
}

// testFiles replaces folders by the .sql files in them.
func testFiles(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, fmt.Errorf("looking for tests: %w", err)
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		found, err := filepath.Glob(filepath.Join(arg, "*.sql"))
		if err != nil {
			return nil, fmt.Errorf("looking for tests: %w", err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("looking for tests: %s has no .sql files", arg)
		}
		slices.Sort(found)
		files = append(files, found...)
	}
	return files, nil
}

func testDefinition(dir string, none bool) (topics.Definition, error) {
	if none {
		return topics.Definition{}, nil
	}
	var fsys fs.FS = schemas.Files
	if dir != "" {
		fsys = os.DirFS(dir)
	}
	return topics.Load(fsys)
}

// newTestEngine makes an engine in memory with the topics and schemas of a
// definition.
func newTestEngine(definition topics.Definition) (*sqltest.Session, error) {
	schemas := &registry.Memory{}
	options := sqltest.Options{Topics: map[string]analyze.Topic{}, Registry: schemas}
	for _, t := range definition.Topics {
		options.Topics[t.Name] = analyze.Topic{Partitions: int(t.Partitions), Replicas: max(int(t.Replicas), 1)}
	}
	for i, s := range definition.Schemas {
		schemas.Put(s.Subject, i+1, registry.Schema{Type: registry.TypeAvro, Text: s.Text})
	}
	return sqltest.NewSession(options)
}
