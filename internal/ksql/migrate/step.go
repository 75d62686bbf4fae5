package migrate

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/ksql"
)

// step is a statement that is sent to the server.
type step struct {
	// text is the statement, its variables filled in.
	text string
	// line and col say where it begins in its file, from 1.
	line, col int
	// properties are those that SET gave it.
	properties map[string]any
}

// settings are the properties as texts.
func (s step) settings() map[string]string {
	settings := map[string]string{}
	for name, value := range s.properties {
		settings[name] = fmt.Sprint(value)
	}
	return settings
}

// FileError is what is wrong with a migration file, or what went wrong when it
// ran.
type FileError struct {
	// File is the file's name.
	File string
	// Line and Col are a place in the file, from 1; 0 when there is none.
	Line, Col int
	// Statement is the one that it is about, "" when there is none.
	Statement string
	// Ran says that the file was running; else nothing of it was sent.
	Ran bool
	// Err says what happened.
	Err error
}

func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s line %d:%d: %v", e.File, e.Line, e.Col, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// notInMigrations are statements that ask instead of changing something;
// ksql-migrations refuses them too.
var notInMigrations = map[string]bool{
	"SELECT": true, "PRINT": true, "SHOW": true, "LIST": true, "DESCRIBE": true, "EXPLAIN": true, "RUN": true, "SPOOL": true,
}

// prepare divides a file into the statements to send. Variables are filled in,
// and SET, UNSET, DEFINE and UNDEFINE take effect on the statements after them
// in the file. The error is a *FileError.
func prepare(ctx context.Context, file File, common *Variables) ([]step, error) {
	statements, err := ksql.Split(file.Content)
	if err != nil {
		var syntax *ksql.SyntaxError
		if errors.As(err, &syntax) {
			return nil, &FileError{File: file.Path, Line: syntax.Line, Col: syntax.Col, Err: errors.New(syntax.Message)}
		}
		return nil, &FileError{File: file.Path, Err: err}
	}
	session := ksql.Session{Lookup: func(name string) (string, error) { return common.Lookup(ctx, name) }, Unescape: true}
	var steps []step
	for _, statement := range statements {
		text, handled, err := session.Prepare(statement.Text)
		if err == nil && !handled {
			err = checkKind(text)
		}
		if err != nil {
			return nil, prepareError(file, statement, err)
		}
		if handled {
			continue
		}
		properties := map[string]any{}
		for name, value := range session.Properties() {
			properties[name] = value
		}
		steps = append(steps, step{text: text, line: statement.Line, col: statement.Col, properties: properties})
	}
	return steps, nil
}

// endsAll is a statement about all queries. Among them is the one that keeps what
// was applied.
var endsAll = regexp.MustCompile(`(?i)^\s*(TERMINATE|PAUSE)\s+ALL\s*;?\s*$`)

func checkKind(text string) error {
	if match := endsAll.FindStringSubmatch(ksql.WithoutComments(text)); match != nil {
		return fmt.Errorf("%s ALL would also reach the queries that keep what was applied: name the queries by their ids", strings.ToUpper(match[1]))
	}
	if keyword := ksql.Keyword(text); notInMigrations[keyword] {
		return fmt.Errorf("%s statements have no place in a migration: it would change nothing", keyword)
	}
	return nil
}

// prepareError says where in the file a statement cannot be prepared.
func prepareError(file File, statement ksql.Statement, err error) error {
	line, col := statement.Line, statement.Col
	var variable *ksql.VariableError
	if errors.As(err, &variable) {
		line, col = positionOf(statement, variable.Offset)
		if errors.Is(err, ksql.ErrUndefined) {
			err = fmt.Errorf("%w: define it in the file, in %s or with -d", err, VariablesFile)
		}
	}
	return &FileError{File: file.Path, Line: line, Col: col, Err: err}
}

// positionOf returns the place in the file of an offset in a statement.
func positionOf(statement ksql.Statement, offset int) (line, col int) {
	before := statement.Text[:offset]
	lines := strings.Count(before, "\n")
	if lines == 0 {
		return statement.Line, statement.Col + utf8.RuneCountInString(before)
	}
	return statement.Line + lines, 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}
