package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// FileError is what is wrong with a migration file, or what went wrong when it
// ran.
type FileError struct {
	// File is the file's name.
	File string
	// Line and Col are a place in the file, from 1; 0 when there is none.
	Line, Col int
	// Statement is what ran when it went wrong, "" when nothing ran.
	Statement string
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

var (
	setPattern      = regexp.MustCompile(`(?is)^SET\s+('(?:[^']|'')*')\s*=\s*('(?:[^']|'')*')\s*;$`)
	unsetPattern    = regexp.MustCompile(`(?is)^UNSET\s+('(?:[^']|'')*')\s*;$`)
	definePattern   = regexp.MustCompile(`(?is)^DEFINE\s+([A-Z_][A-Z0-9_]*)\s*=\s*('(?:[^']|'')*')\s*;$`)
	undefinePattern = regexp.MustCompile(`(?is)^UNDEFINE\s+([A-Z_][A-Z0-9_]*)\s*;$`)
	keywordPattern  = regexp.MustCompile(`^[A-Za-z]+`)
)

// notInMigrations are statements that ask instead of changing something;
// ksql-migrations refuses them too.
var notInMigrations = map[string]bool{
	"SELECT": true, "PRINT": true, "SHOW": true, "LIST": true, "DESCRIBE": true, "EXPLAIN": true, "RUN": true, "SPOOL": true,
}

// prepare divides a file into the statements to send. Variables are filled in,
// and SET, UNSET, DEFINE and UNDEFINE take effect on the statements after them
// in the file. The error is a *FileError.
func prepare(ctx context.Context, file File, common *variables) ([]step, error) {
	statements, err := ksql.Split(file.Content)
	if err != nil {
		var syntax *ksql.SyntaxError
		if errors.As(err, &syntax) {
			return nil, &FileError{File: file.Path, Line: syntax.Line, Col: syntax.Col, Err: errors.New(syntax.Message)}
		}
		return nil, &FileError{File: file.Path, Err: err}
	}
	p := preparation{variables: newScope(common), properties: map[string]any{}}
	for _, statement := range statements {
		if err := p.add(ctx, statement); err != nil {
			line, col := statement.Line, statement.Col
			var variable *variableError
			if errors.As(err, &variable) {
				line, col = positionOf(statement, variable.offset)
			}
			return nil, &FileError{File: file.Path, Line: line, Col: col, Err: err}
		}
	}
	return p.steps, nil
}

type preparation struct {
	variables  *scope
	properties map[string]any
	steps      []step
}

func (p *preparation) add(ctx context.Context, statement ksql.Statement) error {
	text, err := p.variables.substitute(ctx, statement.Text)
	if err != nil {
		return err
	}
	keyword := strings.ToUpper(keywordPattern.FindString(text))
	switch keyword {
	case "SET", "UNSET", "DEFINE", "UNDEFINE":
		return p.local(keyword, withoutComments(text))
	}
	if notInMigrations[keyword] {
		return fmt.Errorf("%s statements have no place in a migration: it would change nothing", keyword)
	}
	p.steps = append(p.steps, step{
		text:       text,
		line:       statement.Line,
		col:        statement.Col,
		properties: maps.Clone(p.properties),
	})
	return nil
}

// local carries out a statement that is the migrator's own business.
func (p *preparation) local(keyword, text string) error {
	switch keyword {
	case "SET":
		if match := setPattern.FindStringSubmatch(text); match != nil {
			p.properties[unquote(match[1])] = unquote(match[2])
			return nil
		}
		return errors.New("expected SET 'property' = 'value';")
	case "UNSET":
		if match := unsetPattern.FindStringSubmatch(text); match != nil {
			delete(p.properties, unquote(match[1]))
			return nil
		}
		return errors.New("expected UNSET 'property';")
	case "DEFINE":
		if match := definePattern.FindStringSubmatch(text); match != nil {
			p.variables.define(match[1], unquote(match[2]))
			return nil
		}
		return errors.New("expected DEFINE name = 'value';")
	}
	if match := undefinePattern.FindStringSubmatch(text); match != nil {
		p.variables.undefine(match[1])
		return nil
	}
	return errors.New("expected UNDEFINE name;")
}

func unquote(literal string) string {
	return strings.ReplaceAll(literal[1:len(literal)-1], "''", "'")
}

func withoutComments(text string) string {
	var out strings.Builder
	end := 0
	for _, r := range commentRanges(text) {
		out.WriteString(text[end:r[0]])
		out.WriteByte(' ')
		end = r[1]
	}
	out.WriteString(text[end:])
	return strings.TrimSpace(out.String())
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
