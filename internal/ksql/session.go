package ksql

import (
	"errors"
	"maps"
	"regexp"
	"strings"
)

var (
	setPattern      = regexp.MustCompile(`(?is)^SET\s*('(?:[^']|'')*')\s*=\s*('(?:[^']|'')*')\s*;$`)
	unsetPattern    = regexp.MustCompile(`(?is)^UNSET\s*('(?:[^']|'')*')\s*;$`)
	definePattern   = regexp.MustCompile(`(?is)^DEFINE\s+([A-Z_][A-Z0-9_]*)\s*=\s*('(?:[^']|'')*')\s*;$`)
	undefinePattern = regexp.MustCompile(`(?is)^UNDEFINE\s+([A-Z_][A-Z0-9_]*)\s*;$`)
	keywordPattern  = regexp.MustCompile(`^[A-Za-z]+`)
)

// ErrUndefined says that a variable has no value.
var ErrUndefined = errors.New("it is not defined")

// Session carries out SET, UNSET, DEFINE and UNDEFINE, which are a client's
// own business: they change the statements that the client sends after them.
// The zero Session is empty and ready for use.
type Session struct {
	// Lookup finds variables that the session has no say in. Nil means there
	// are none.
	Lookup func(name string) (string, error)
	// Unescape has $${name} sent as ${name}, for servers that are given no variables
	// to put in themselves; a server that is does it.
	Unescape bool

	properties map[string]string
	variables  map[string]string
	undefined  map[string]bool
}

// Keyword returns the first word of a statement in upper case.
func Keyword(statement string) string {
	return strings.ToUpper(keywordPattern.FindString(WithoutComments(statement)))
}

// Properties returns what SET has set, as a map of its own.
func (s *Session) Properties() map[string]string { return maps.Clone(s.properties) }

// Variables returns what DEFINE has defined, as a map of its own.
func (s *Session) Variables() map[string]string { return maps.Clone(s.variables) }

// Prepare fills in the variables of a statement and returns the text to send.
// handled reports that it was one of the session's own and is done with.
func (s *Session) Prepare(statement string) (text string, handled bool, err error) {
	text, err = substitute(statement, s.lookup, s.Unescape)
	if err != nil {
		return "", false, err
	}
	keyword := Keyword(text)
	switch keyword {
	case "SET", "UNSET", "DEFINE", "UNDEFINE":
		return text, true, s.local(keyword, WithoutComments(text))
	}
	return text, false, nil
}

func (s *Session) lookup(name string) (string, error) {
	if value, ok := s.variables[name]; ok {
		return value, nil
	}
	if s.undefined[name] || s.Lookup == nil {
		return "", ErrUndefined
	}
	return s.Lookup(name)
}

func (s *Session) local(keyword, text string) error {
	switch keyword {
	case "SET":
		match := setPattern.FindStringSubmatch(text)
		if match == nil {
			return errors.New("expected SET 'property' = 'value';")
		}
		if s.properties == nil {
			s.properties = map[string]string{}
		}
		s.properties[unquote(match[1])] = unquote(match[2])
	case "UNSET":
		match := unsetPattern.FindStringSubmatch(text)
		if match == nil {
			return errors.New("expected UNSET 'property';")
		}
		delete(s.properties, unquote(match[1]))
	case "DEFINE":
		match := definePattern.FindStringSubmatch(text)
		if match == nil {
			return errors.New("expected DEFINE name = 'value';")
		}
		if s.variables == nil {
			s.variables = map[string]string{}
		}
		s.variables[match[1]] = unquote(match[2])
		delete(s.undefined, match[1])
	case "UNDEFINE":
		match := undefinePattern.FindStringSubmatch(text)
		if match == nil {
			return errors.New("expected UNDEFINE name;")
		}
		if s.undefined == nil {
			s.undefined = map[string]bool{}
		}
		delete(s.variables, match[1])
		s.undefined[match[1]] = true
	}
	return nil
}

// unquote returns what a SQL string literal stands for.
func unquote(literal string) string {
	return strings.ReplaceAll(literal[1:len(literal)-1], "''", "'")
}
