// Package shell runs ksqlDB statements as a person types them, against any
// ksqlDB server, and prints what comes back.
//
// Invariants: rows are printed as they arrive; an interrupt ends what runs and
// not the shell; without a person at the other end (not interactive) the first
// error ends the run and is returned.
package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

// Config says what a Shell works with.
type Config struct {
	Client *ksql.Client
	// Dial makes a client of another server, for the command `server URL`. Nil
	// means that the shell stays with Client.
	Dial func(url string) (*ksql.Client, error)
	// In is where statements are read from.
	In io.Reader
	// Editor reads what a person types, in place of In. Nil means that lines of
	// In are read as they are.
	Editor Editor
	// Out takes results, Err takes the prompts and the errors that do not end
	// the run.
	Out, Err io.Writer
	// Interactive means that a person types: there are prompts, and errors do
	// not end the run.
	Interactive bool
	// Color prints errors in red.
	Color bool
	// Width is how many characters a line of the terminal has; 0 means that rows
	// are as long as they need to be.
	Width func() int
	// Interrupts ends the running statement each time it delivers; when none
	// is running, or nobody types, it ends the run. Nil means there are none.
	Interrupts <-chan struct{}
	// Output is how results are printed. Empty means Table.
	Output Output
}

// Output is how results are printed.
type Output string

// The outputs.
const (
	// Table prints columns beside each other.
	Table Output = "table"
	// Vertical prints a line for each column.
	Vertical Output = "vertical"
	// JSON prints an object a line.
	JSON Output = "json"
)

// ParseOutput finds an output by its name. TABULAR is ksqlDB's own name of Table.
func ParseOutput(name string) (Output, error) {
	switch output := Output(strings.ToLower(name)); output {
	case Table, Vertical, JSON:
		return output, nil
	case "tabular":
		return Table, nil
	}
	return "", fmt.Errorf("%q is no output: choose %s, %s or %s", name, Table, Vertical, JSON)
}

// Shell runs statements one after the other.
type Shell struct {
	config  Config
	client  *ksql.Client
	session ksql.Session
	layout  layout
	output  Output
	print   printer
	spool   *spool
	history []string
	depth   int // of scripts that run scripts
	// changed is called after statements that may have made or dropped something.
	changed func()
}

// New returns a shell.
func New(config Config) *Shell {
	if config.Output == "" {
		config.Output = Table
	}
	s := &Shell{config: config, client: config.Client, spool: &spool{}, changed: func() {}}
	s.config.Out = s.spool.over(config.Out)
	s.layout = layout{width: config.Width, wrap: true}
	s.use(config.Output)
	if watcher, ok := config.Editor.(interface{ sourcesChanged(*ksql.Client) }); ok {
		s.changed = func() { watcher.sourcesChanged(s.client) }
	}
	return s
}

// use sets how results are printed.
func (s *Shell) use(output Output) {
	s.output = output
	switch output {
	case JSON:
		s.print = jsonPrinter{out: s.config.Out}
	case Vertical:
		s.print = &verticalPrinter{tablePrinter: tablePrinter{out: s.config.Out, layout: &s.layout}}
	default:
		s.print = &tablePrinter{out: s.config.Out, layout: &s.layout}
	}
}

// Run reads statements from the input until its end, an interrupt, or a line
// with exit or quit.
func (s *Shell) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.spool.close()
	inputs := s.inputs(ctx)
	var text strings.Builder
	for {
		more := text.Len() > 0
		var in input
		var ok bool
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.config.Interrupts:
			return nil
		case in, ok = <-inputs.next(more):
		}
		if errors.Is(in.err, ErrInterrupted) {
			continue
		}
		if in.err != nil {
			return fmt.Errorf("reading statements: %w", in.err)
		}
		if !ok {
			break
		}
		s.remember(in.text)
		if !more {
			if run, ok := s.command(in.text); ok {
				err := s.report(run(ctx))
				if errors.Is(err, errExit) {
					return nil
				}
				if err != nil {
					return err
				}
				continue
			}
		}
		text.WriteString(in.text + "\n")
		rest, err := s.runComplete(ctx, text.String())
		if errors.Is(err, errExit) || errors.Is(err, errInterrupted) {
			return nil
		}
		if err != nil {
			return err
		}
		text.Reset()
		text.WriteString(rest)
	}
	if s.config.Interactive {
		fmt.Fprintln(s.config.Err)
	}
	if _, err := ksql.Split(text.String()); err != nil {
		return s.report(err)
	}
	return nil
}

// Execute runs the statements of a text. The text's last statement may lack
// its semicolon.
func (s *Shell) Execute(ctx context.Context, text string) error {
	defer s.spool.close()
	err := s.execute(ctx, text)
	if errors.Is(err, errInterrupted) || errors.Is(err, errExit) {
		return nil
	}
	return err
}

func (s *Shell) execute(ctx context.Context, text string) error {
	statements, err := ksql.Split(text)
	// On a line of its own the semicolon is not part of a comment at the end.
	for _, end := range []string{";", "\n;"} {
		if err == nil {
			break
		}
		if ended, endedErr := ksql.Split(strings.TrimSpace(text) + end); endedErr == nil {
			statements, err = ended, nil
		}
	}
	if err != nil {
		return err
	}
	for _, statement := range statements {
		err := s.run(ctx, statement.Text)
		if errors.Is(err, errInterrupted) || errors.Is(err, errExit) {
			return err
		}
		if err != nil {
			if len(statements) > 1 {
				return fmt.Errorf("line %d:%d: %w", statement.Line, statement.Col, err)
			}
			return err
		}
	}
	return nil
}

// Complete reports whether a text can be run as it is: a command of the shell, or
// statements that all have their end.
func Complete(text string) bool {
	if strings.TrimSpace(text) == "" || commandName(text) != "" {
		return true
	}
	_, err := ksql.Split(text)
	return err == nil
}

// runComplete runs the statements of text that have an end and returns the
// rest, "" when nothing but blanks and comments is left.
func (s *Shell) runComplete(ctx context.Context, text string) (rest string, err error) {
	statements, splitErr := ksql.Split(text)
	end := 0
	for _, statement := range statements {
		end = statement.Offset + len(statement.Text)
		if err := s.report(s.run(ctx, statement.Text)); err != nil {
			return "", err
		}
	}
	if splitErr == nil {
		return "", nil
	}
	return text[end:], nil
}

// report prints an error that does not end the run, and returns the others.
func (s *Shell) report(err error) error {
	if err == nil || !s.config.Interactive || errors.Is(err, errExit) {
		return err
	}
	if errors.Is(err, errInterrupted) {
		return nil
	}
	text := err.Error()
	if s.config.Color {
		text = "\x1b[31m" + text + "\x1b[0m"
	}
	fmt.Fprintln(s.config.Err, text)
	return nil
}

// run runs one statement. The error is errInterrupted when an interrupt ended it.
func (s *Shell) run(ctx context.Context, statement string) error {
	if run, ok := s.command(statement); ok {
		return run(ctx)
	}
	text, handled, err := s.session.Prepare(statement)
	if err != nil || handled {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-s.config.Interrupts:
			cancel(errInterrupted)
		case <-done:
		}
	}()
	err = s.send(ctx, text)
	close(done)
	<-watched
	if err != nil && errors.Is(context.Cause(ctx), errInterrupted) {
		return errInterrupted
	}
	return err
}

var errInterrupted = errors.New("interrupted")

func (s *Shell) send(ctx context.Context, text string) error {
	switch ksql.Keyword(text) {
	case "SELECT":
		return s.query(ctx, text)
	case "PRINT":
		return s.client.Print(ctx, text, s.session.Properties(), func(line string) error {
			_, err := fmt.Fprintln(s.config.Out, line)
			return err
		})
	case "CREATE", "DROP", "ALTER":
		defer s.changed()
	}
	properties := map[string]any{}
	for name, value := range s.session.Properties() {
		properties[name] = value
	}
	entities, err := s.client.Exec(ctx, text, ksql.ExecOptions{
		Properties:       properties,
		SessionVariables: s.session.Variables(),
	})
	if err != nil {
		return err
	}
	for _, entity := range entities {
		status, err := s.client.WaitCommand(ctx, entity)
		if err != nil {
			return err
		}
		entity.CommandStatus = status
		if err := s.print.entity(entity); err != nil {
			return err
		}
	}
	return nil
}

func (s *Shell) query(ctx context.Context, text string) error {
	rows, err := s.client.Query(ctx, text, s.session.Properties())
	if err != nil {
		return err
	}
	defer rows.Close()
	if err := s.print.header(rows.Columns()); err != nil {
		return err
	}
	count := 0
	for rows.Next() {
		count++
		if err := s.print.row(rows.Columns(), rows.Values()); err != nil {
			return err
		}
	}
	if s.config.Interactive {
		defer fmt.Fprintf(s.config.Err, "%d %s\n", count, plural(count, "row", "rows"))
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
