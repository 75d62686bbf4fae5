package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/shell"
)

// newSQLCommand makes `orderflow sql`.
func newSQLCommand(env *environment) *cobra.Command {
	var options sqlOptions
	cmd := &cobra.Command{
		Use:   "sql",
		Short: "Run ksqlDB statements, typed or from a file",
		Long: `Runs ksqlDB statements, each ended by a semicolon, against the configured ksqlDB:
those of -e or -f, else those of the standard input. SET, UNSET, DEFINE and
UNDEFINE hold for the statements after them, RUN SCRIPT runs those of a file.

At a terminal there is a history (in ORDERFLOW_SQL_HISTORY, else in the user's
configuration folder; search it with Ctrl-R), and the tab key completes keywords,
streams, tables, columns, functions and topics. Ctrl-C ends what runs, Ctrl-D the
shell; help shows more.

The exit code is 0 when every statement succeeded, and 1 else: with -e, -f or a
pipe the first error ends the run.`,
		Example: `  orderflow sql -e "SELECT * FROM orders_by_id WHERE id = '1';"
  orderflow sql -e "SET 'auto.offset.reset' = 'earliest'; SELECT * FROM orders_new EMIT CHANGES;"
  orderflow sql -o json -f report.sql | jq .`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSQL(cmd, env, options) },
	}
	cmd.Flags().StringVarP(&options.statement, "execute", "e", "", "statements to run")
	cmd.Flags().StringVarP(&options.file, "file", "f", "", "file with statements to run")
	cmd.Flags().StringVarP(&options.output, "output", "o", string(shell.Table), "how to print results: table, vertical (a line a column), or json (an object a line)")
	return cmd
}

type sqlOptions struct{ statement, file, output string }

func runSQL(cmd *cobra.Command, env *environment, options sqlOptions) error {
	if options.statement != "" && options.file != "" {
		return errors.New("-e and -f cannot be given together: put the statements into the file")
	}
	output, err := shell.ParseOutput(options.output)
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	client, err := ksql.New(ksqlConfig(env))
	if err != nil {
		return err
	}
	defer client.Close()
	// Ctrl-C ends a statement, so it must not end the command's context.
	ctx, cancel := context.WithCancel(context.WithoutCancel(cmd.Context()))
	defer cancel()
	interrupts, stop := notifyInterrupts(cancel)
	defer stop()
	config := shell.Config{
		Client: client, In: cmd.InOrStdin(), Out: env.stdout, Err: env.stderr, Output: output, Interrupts: interrupts,
		Interactive: options.statement == "" && options.file == "" && isTerminal(cmd.InOrStdin()),
		Color:       isTerminal(env.stderr) && os.Getenv("NO_COLOR") == "",
		Width:       terminalWidth(env.stdout),
		Dial: func(url string) (*ksql.Client, error) {
			config := ksqlConfig(env)
			config.URL = url
			return ksql.New(config)
		},
	}
	switch {
	case options.statement != "":
		return shell.New(config).Execute(ctx, options.statement)
	case options.file != "":
		text, err := os.ReadFile(options.file)
		if err != nil {
			return fmt.Errorf("reading the statements: %w", err)
		}
		return shell.New(config).Execute(ctx, string(text))
	case config.Interactive && isTerminal(env.stdout):
		editor, err := shell.NewLineEditor(ctx, client, historyFile())
		if err != nil {
			return err
		}
		defer editor.Close()
		config.Editor = editor
		if err := greet(ctx, env.stdout, client); err != nil {
			return err
		}
	}
	return shell.New(config).Run(ctx)
}

// greet says where the shell is, or that nobody answers there.
func greet(ctx context.Context, out io.Writer, client *ksql.Client) error {
	info, err := client.Info(ctx)
	if err != nil {
		return fmt.Errorf("reaching ksqlDB at %s: %w", client.URL(), err)
	}
	_, err = fmt.Fprintf(out, "ksqlDB %s at %s. Type help for help.\n\n", info.Version, client.URL())
	return err
}

// historyFile is where the shell keeps what was typed; "" when there is no place.
func historyFile() string {
	if file := os.Getenv("ORDERFLOW_SQL_HISTORY"); file != "" {
		return file
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "orderflow", "sql_history")
}

// terminalWidth tells how many characters a line of a terminal has; nil when out is
// none.
func terminalWidth(out io.Writer) func() int {
	file, ok := out.(*os.File)
	if !ok || !isTerminal(file) {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return 0
		}
		return width
	}
}

// isTerminal reports whether a person may be at the other end.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// notifyInterrupts hands out each Ctrl-C, and calls terminate when the process
// is to end, until stop is called.
func notifyInterrupts(terminate func()) (interrupts <-chan struct{}, stop func()) {
	signals := make(chan os.Signal, 1)
	out := make(chan struct{})
	done := make(chan struct{})
	ended := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case s := <-signals:
				if s == syscall.SIGTERM {
					terminate()
					return
				}
			}
			select {
			case <-done:
				return
			case out <- struct{}{}:
			}
		}
	}()
	return out, func() {
		signal.Stop(signals)
		close(done)
		<-ended
	}
}
