package testrun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

// Engine runs the statements of one test.
type Engine interface {
	// Execute runs one statement or assertion with the properties that SET gave
	// it. What an INSERT … VALUES causes has happened when it returns. A *Skip ends
	// the test without a verdict, and an *Undecided is a failure of the engine.
	Execute(ctx context.Context, statement string, properties map[string]string) error
	// SchemaID returns the id of a subject's latest schema.
	SchemaID(ctx context.Context, subject string) (int, error)
}

// Closer is an Engine that has something to undo when its test has ended, also when
// it was cut off. The error makes the test fail; ctx does not end with the test's.
type Closer interface {
	Close(ctx context.Context) error
}

// Skip says why an engine can't run a test.
type Skip struct{ Reason string }

func (s *Skip) Error() string { return "it can't be run here: " + s.Reason }

// Undecided is an error that says nothing about the statement: it is never the one
// that a test expects.
type Undecided struct{ Err error }

func (u *Undecided) Error() string { return u.Err.Error() }

// Unwrap returns the error.
func (u *Undecided) Unwrap() error { return u.Err }

// Config says how tests are run.
type Config struct {
	// NewEngine makes the engine of one test.
	NewEngine func(ctx context.Context) (Engine, error)
	// Variables go before those of the variables.properties beside a script.
	Variables map[string]string
	// LookupEnv reads environment variables. Nil means os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// Select leaves out tests whose name it does not match. Nil means all.
	Select *regexp.Regexp
	// Now is the clock that Result.Took is read from. Nil means time.Now.
	Now func() time.Time
}

// Result is how a test went.
type Result struct {
	// File is the path as it was given.
	File string
	// Name is the test's, Line where it begins, from 1.
	Name string
	Line int
	Took time.Duration
	// Err is nil for a test that passed or was skipped; mostly it is a *Failure.
	Err error
	// Skipped is why the test could not be run; "" when it was.
	Skipped string
}

// Failure is what went wrong at a statement.
type Failure struct {
	// File has the statement; it may be one that RUN SCRIPT names.
	File string
	// Line and Col say where it begins, both from 1.
	Line, Col int
	// Statement is its text, with its variables filled in when they could be; ""
	// for a text that is not a statement.
	Statement string
	Err       error
}

func (f *Failure) Error() string {
	if f.Statement == "" {
		return fmt.Sprintf("%s line %d:%d: %v", f.File, f.Line, f.Col, f.Err)
	}
	return fmt.Sprintf("%s line %d:%d: %s\n%v", f.File, f.Line, f.Col, f.Statement, f.Err)
}

// Unwrap returns the error of the statement.
func (f *Failure) Unwrap() error { return f.Err }

// Runner runs tests. It is used by one goroutine.
type Runner struct {
	config Config
}

// New returns a Runner.
func New(config Config) (*Runner, error) {
	if config.NewEngine == nil {
		return nil, errors.New("making a test runner: it needs an engine")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Runner{config}, nil
}

// RunFile runs the tests of a file. The error is of a file that cannot be read
// or divided into tests, or of ctx.
func (r *Runner) RunFile(ctx context.Context, path string) ([]Result, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the tests: %w", err)
	}
	tests, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading the tests: %s: %w", path, err)
	}
	var results []Result
	for _, t := range tests {
		if r.config.Select != nil && !r.config.Select.MatchString(t.name) {
			continue
		}
		began := r.config.Now()
		err, cleanup := r.runTest(ctx, path, t)
		if ctx.Err() != nil {
			return results, errors.Join(context.Cause(ctx), cleanup)
		}
		result := Result{File: path, Name: t.name, Line: t.line, Took: r.config.Now().Sub(began), Err: err}
		var skip *Skip
		switch {
		case cleanup != nil:
			result.Err = errors.Join(err, cleanup)
		case errors.As(err, &skip):
			result.Err, result.Skipped = nil, skip.Reason
		}
		results = append(results, result)
	}
	return results, nil
}

// runTest gives what went wrong in the test, and after it.
func (r *Runner) runTest(ctx context.Context, path string, t test) (err, cleanup error) {
	engine, err := r.config.NewEngine(ctx)
	if err != nil {
		return fmt.Errorf("making the engine: %w", err), nil
	}
	err = r.runOn(ctx, engine, path, t)
	if closer, ok := engine.(Closer); ok {
		if cleanup = closer.Close(context.WithoutCancel(ctx)); cleanup != nil {
			cleanup = fmt.Errorf("cleaning up after the test: %w", cleanup)
		}
	}
	return err, cleanup
}

func (r *Runner) runOn(ctx context.Context, engine Engine, path string, t test) error {
	run := &run{runner: r, engine: engine, variables: map[string]*migrate.Variables{}}
	err := run.script(ctx, filepath.Clean(path), strings.Repeat("\n", t.line-1)+t.text)
	var skip *Skip
	var undecided *Undecided
	switch {
	case !t.fails, errors.As(err, &skip), errors.As(err, &undecided):
		return err
	case err == nil:
		return fmt.Errorf("every statement succeeded, but one was expected to fail%s", quoteMessage(t.message))
	}
	// The failure's own text has the statement, in which anything may be found.
	cause := err
	var failure *Failure
	if errors.As(err, &failure) {
		cause = failure.Err
	}
	if !strings.Contains(cause.Error(), t.message) {
		return fmt.Errorf("%w\nbut it was expected to fail%s", err, quoteMessage(t.message))
	}
	return nil
}

func quoteMessage(message string) string {
	if message == "" {
		return ""
	}
	return " with: " + message
}

// run is a test being run.
type run struct {
	runner  *Runner
	engine  Engine
	session ksql.Session
	// scripts are the files being run, the innermost last.
	scripts []string
	// variables are those of each folder.
	variables map[string]*migrate.Variables
}

var runScriptPattern = regexp.MustCompile(`(?is)^RUN\s+SCRIPT\s+'((?:[^']|'')*)'\s*;$`)

// script runs the statements of a file or of a part of it. The session goes on
// from one script to the next.
func (r *run) script(ctx context.Context, path, text string) error {
	if slices.Contains(r.scripts, path) {
		return fmt.Errorf("%s runs itself", path)
	}
	common, err := r.variablesOf(filepath.Dir(path))
	if err != nil {
		return err
	}
	r.scripts = append(r.scripts, path)
	outer := r.session.Lookup
	r.session.Lookup = func(name string) (string, error) { return common.Lookup(ctx, name) }
	defer func() {
		r.session.Lookup = outer
		r.scripts = r.scripts[:len(r.scripts)-1]
	}()
	statements, splitErr := ksql.Split(text)
	for _, statement := range statements {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.statement(ctx, path, statement); err != nil {
			return err
		}
	}
	var syntax *ksql.SyntaxError
	if errors.As(splitErr, &syntax) {
		return &Failure{File: path, Line: syntax.Line, Col: syntax.Col, Err: errors.New(syntax.Message)}
	}
	return splitErr
}

// statement runs one statement. An inner script's failure names its own place.
func (r *run) statement(ctx context.Context, path string, statement ksql.Statement) error {
	failure := &Failure{File: path, Line: statement.Line, Col: statement.Col, Statement: statement.Text}
	text, handled, err := r.session.Prepare(statement.Text)
	if err != nil {
		failure.Err = err
		return failure
	}
	if handled {
		return nil
	}
	failure.Statement = text
	if match := runScriptPattern.FindStringSubmatch(ksql.WithoutComments(text)); match != nil {
		err := r.runScript(ctx, path, strings.ReplaceAll(match[1], "''", "'"))
		var inner *Failure
		if err == nil || errors.As(err, &inner) {
			return err
		}
		failure.Err = err
		return failure
	}
	// The engine counts lines from the start of what it gets.
	placed := strings.Repeat("\n", statement.Line-1) + strings.Repeat(" ", statement.Col-1) + text
	if err := r.engine.Execute(ctx, placed, r.session.Properties()); err != nil {
		failure.Err = err
		return failure
	}
	return nil
}

// runScript runs a file that is named from another.
func (r *run) runScript(ctx context.Context, from, name string) error {
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(from), filepath.FromSlash(name))
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading the script: %w", err)
	}
	return r.script(ctx, name, string(text))
}

func (r *run) variablesOf(dir string) (*migrate.Variables, error) {
	if v, ok := r.variables[dir]; ok {
		return v, nil
	}
	v, err := migrate.NewVariables(migrate.Config{
		FS: os.DirFS(dir), Variables: r.runner.config.Variables, LookupEnv: r.runner.config.LookupEnv, Resolver: r.engine.SchemaID,
	})
	if err != nil {
		return nil, err
	}
	r.variables[dir] = v
	return v, nil
}
