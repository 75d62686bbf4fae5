package ksql

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Statement is one statement of a text.
type Statement struct {
	// Text is the statement with its semicolon, from its first character that
	// is neither blank nor in a comment. Comments inside it are kept.
	Text string
	// Line and Col say where Text begins; both count from 1, Col in characters.
	Line, Col int
	// Offset is where Text begins, in bytes.
	Offset int
}

// SyntaxError is a text that cannot be divided into statements.
type SyntaxError struct {
	// Line and Col say where what is wrong begins; both count from 1.
	Line, Col int
	Message   string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d:%d: %s", e.Line, e.Col, e.Message)
}

// Split divides a text into its statements. Semicolons inside strings, quoted
// identifiers and comments divide nothing. A string, identifier or comment
// without end, and a last statement without semicolon, are a *SyntaxError;
// the statements before it are returned with it.
func Split(sql string) ([]Statement, error) {
	s := splitter{text: sql, line: 1, col: 1}
	var statements []Statement
	for {
		if err := s.skipBlank(); err != nil {
			return statements, err
		}
		if s.end() {
			return statements, nil
		}
		statement := Statement{Line: s.line, Col: s.col, Offset: s.pos}
		if err := s.skipStatement(); err != nil {
			return statements, err
		}
		statement.Text = sql[statement.Offset:s.pos]
		statements = append(statements, statement)
	}
}

type splitter struct {
	text      string
	pos       int
	line, col int
}

func (s *splitter) end() bool { return s.pos >= len(s.text) }

func (s *splitter) at(prefix string) bool { return strings.HasPrefix(s.text[s.pos:], prefix) }

// step goes on by one character.
func (s *splitter) step() {
	r, size := utf8.DecodeRuneInString(s.text[s.pos:])
	s.pos += size
	if r == '\n' {
		s.line++
		s.col = 1
		return
	}
	s.col++
}

func (s *splitter) steps(n int) {
	for range n {
		s.step()
	}
}

func (s *splitter) fail(line, col int, message string) error {
	return &SyntaxError{Line: line, Col: col, Message: message}
}

// skipBlank goes on to the next character that is neither blank nor in a
// comment.
func (s *splitter) skipBlank() error {
	for !s.end() {
		switch {
		case strings.ContainsRune(" \t\r\n\ufeff", s.rune()):
			s.step()
		case s.at("--"), s.at("/*"):
			if err := s.skipComment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (s *splitter) rune() rune {
	r, _ := utf8.DecodeRuneInString(s.text[s.pos:])
	return r
}

func (s *splitter) skipComment() error {
	if s.at("--") {
		for !s.end() && s.text[s.pos] != '\n' {
			s.step()
		}
		return nil
	}
	line, col := s.line, s.col
	s.steps(2)
	for !s.at("*/") {
		if s.end() {
			return s.fail(line, col, "this comment has no end: */ is missing")
		}
		s.step()
	}
	s.steps(2)
	return nil
}

func (s *splitter) skipStatement() error {
	line, col := s.line, s.col
	for !s.end() {
		switch c := s.text[s.pos]; {
		case c == ';':
			s.step()
			return nil
		case c == '\'' || c == '`' || c == '"':
			if err := s.skipQuoted(c); err != nil {
				return err
			}
		case s.at("--"), s.at("/*"):
			if err := s.skipComment(); err != nil {
				return err
			}
		default:
			s.step()
		}
	}
	return s.fail(line, col, "this statement has no end: ; is missing")
}

var quotedKinds = map[byte]string{
	'\'': "this string",
	'`':  "this quoted identifier",
	'"':  "this quoted identifier",
}

// skipQuoted goes past a quoted text. A doubled quote inside it reads as the
// end of one and the start of the next, which comes to the same.
func (s *splitter) skipQuoted(quote byte) error {
	line, col := s.line, s.col
	s.step()
	for !s.end() {
		c := s.text[s.pos]
		s.step()
		if c == quote {
			return nil
		}
	}
	return s.fail(line, col, fmt.Sprintf("%s has no end: %c is missing", quotedKinds[quote], quote))
}
