package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/shell"
)

// newSQLCommand makes `orderflow sql`.
func newSQLCommand(env *environment) *cobra.Command {
	var statement, file, output string
	cmd := &cobra.Command{
		Use:   "sql",
		Short: "Run ksqlDB statements, typed or from a file",
		Long: `Runs ksqlDB statements, each ended by a semicolon, against the configured ksqlDB:
those of -e or -f, else those of the standard input. SET, UNSET, DEFINE and
UNDEFINE hold for the statements after them. Ctrl-C ends a push query; typed at
the prompt, it ends the shell, as does the line exit.`,
		Example: `  orderflow sql -e "SELECT * FROM orders_by_id WHERE id = '1';"
  orderflow sql -e "SET 'auto.offset.reset' = 'earliest'; SELECT * FROM orders_new EMIT CHANGES;"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if statement != "" && file != "" {
				return errors.New("-e and -f cannot be given together: put the statements into the file")
			}
			if output != "table" && output != "json" {
				return fmt.Errorf("--output %q: must be table or json", output)
			}
			client, err := ksql.New(ksqlConfig(env))
			if err != nil {
				return err
			}
			defer client.Close()
			config := shell.Config{
				Client:      client,
				In:          cmd.InOrStdin(),
				Out:         env.stdout,
				Err:         env.stderr,
				Interactive: statement == "" && file == "" && isTerminal(cmd.InOrStdin()),
				JSON:        output == "json",
			}
			// Ctrl-C ends a statement, so it must not end the command's context.
			ctx, cancel := context.WithCancel(context.WithoutCancel(cmd.Context()))
			defer cancel()
			interrupts, stop := notifyInterrupts(cancel)
			defer stop()
			config.Interrupts = interrupts
			sh := shell.New(config)
			switch {
			case statement != "":
				return sh.Execute(ctx, statement)
			case file != "":
				text, err := os.ReadFile(file)
				if err != nil {
					return fmt.Errorf("reading the statements: %w", err)
				}
				return sh.Execute(ctx, string(text))
			}
			return sh.Run(ctx)
		},
	}
	cmd.Flags().StringVarP(&statement, "execute", "e", "", "statements to run")
	cmd.Flags().StringVarP(&file, "file", "f", "", "file with statements to run")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "how to print results: table, or json (an object a line)")
	return cmd
}

// isTerminal reports whether a person may be typing at the other end.
func isTerminal(in io.Reader) bool {
	file, ok := in.(*os.File)
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
