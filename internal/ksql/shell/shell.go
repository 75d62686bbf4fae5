// Package shell runs ksqlDB statements as a person types them, against any
// ksqlDB server, and prints what comes back.
//
// Invariants: rows are printed as they arrive; an interrupt ends what runs and
// not the shell; without a person at the other end (not interactive) the first
// error ends the run and is returned.
package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

// Config says what a Shell works with.
type Config struct {
	Client *ksql.Client
	// In is where statements are read from.
	In io.Reader
	// Out takes results, Err takes the prompts and the errors that do not end
	// the run.
	Out, Err io.Writer
	// Interactive means that a person types: there are prompts, and errors do
	// not end the run.
	Interactive bool
	// Interrupts ends the running statement each time it delivers; when none
	// is running, or nobody types, it ends the run. Nil means there are none.
	Interrupts <-chan struct{}
	// JSON prints rows and entities as a JSON object a line.
	JSON bool
}

// Shell runs statements one after the other.
type Shell struct {
	config  Config
	session ksql.Session
	print   printer
}

// New returns a shell.
func New(config Config) *Shell {
	s := &Shell{config: config, print: tablePrinter{out: config.Out}}
	if config.JSON {
		s.print = jsonPrinter{out: config.Out}
	}
	return s
}

const (
	prompt     = "ksql> "
	morePrompt = "    > "
)

var errExit = errors.New("exit")

// Run reads statements from the input until its end, an interrupt, or a line
// with exit or quit.
func (s *Shell) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := readLines(ctx, s.config.In)
	var text strings.Builder
	for {
		s.prompt(text.Len() > 0)
		var line inputLine
		var ok bool
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.config.Interrupts:
			return nil
		case line, ok = <-lines:
		}
		if line.err != nil {
			return fmt.Errorf("reading statements: %w", line.err)
		}
		if !ok {
			break
		}
		if text.Len() == 0 && isExit(line.text) {
			return nil
		}
		text.WriteString(line.text + "\n")
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
		if errors.Is(err, errInterrupted) {
			return nil
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

type inputLine struct {
	text string
	err  error
}

// readLines hands out the lines of in. Its goroutine ends with the input, or
// with the first line after ctx.
func readLines(ctx context.Context, in io.Reader) <-chan inputLine {
	lines := make(chan inputLine)
	go func() {
		defer close(lines)
		reader := bufio.NewReader(in)
		for {
			text, err := reader.ReadString('\n')
			line := inputLine{text: strings.TrimRight(text, "\r\n")}
			if err != nil && !errors.Is(err, io.EOF) {
				line.err = err
			}
			if err == nil || line.text != "" || line.err != nil {
				select {
				case lines <- line:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return lines
}

func (s *Shell) prompt(more bool) {
	if !s.config.Interactive {
		return
	}
	text := prompt
	if more {
		text = morePrompt
	}
	fmt.Fprint(s.config.Err, text)
}

func isExit(line string) bool {
	word := strings.ToLower(strings.TrimRight(strings.TrimSpace(line), ";"))
	return word == "exit" || word == "quit"
}

// runComplete runs the statements of text that have an end and returns the
// rest, "" when nothing but blanks and comments is left.
func (s *Shell) runComplete(ctx context.Context, text string) (rest string, err error) {
	statements, splitErr := ksql.Split(text)
	end := 0
	for _, statement := range statements {
		end = statement.Offset + len(statement.Text)
		if isExit(statement.Text) {
			return "", errExit
		}
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
	if err == nil || !s.config.Interactive {
		return err
	}
	if !errors.Is(err, errInterrupted) {
		fmt.Fprintln(s.config.Err, err)
	}
	return nil
}

// run runs one statement. The error is errInterrupted when an interrupt ended it.
func (s *Shell) run(ctx context.Context, statement string) error {
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
		return s.config.Client.Print(ctx, text, s.session.Properties(), func(line string) error {
			_, err := fmt.Fprintln(s.config.Out, line)
			return err
		})
	}
	properties := map[string]any{}
	for name, value := range s.session.Properties() {
		properties[name] = value
	}
	entities, err := s.config.Client.Exec(ctx, text, ksql.ExecOptions{
		Properties:       properties,
		SessionVariables: s.session.Variables(),
	})
	if err != nil {
		return err
	}
	for _, entity := range entities {
		status, err := s.config.Client.WaitCommand(ctx, entity)
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
	rows, err := s.config.Client.Query(ctx, text, s.session.Properties())
	if err != nil {
		return err
	}
	defer rows.Close()
	columns := slices.Clone(rows.Columns())
	if err := s.print.header(columns); err != nil {
		return err
	}
	for rows.Next() {
		if err := s.print.row(columns, rows.Values()); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}
