package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

// VariablesFile is the file beside the migrations that says where their
// variables come from.
const VariablesFile = "variables.properties"

const (
	schemaIDPrefix = "schema.id:"
	envPrefix      = "env:"
)

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// A doubled dollar sign is ksqlDB's way to write ${name} itself.
	variablePattern = regexp.MustCompile(`\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)
)

// ParseVariables reads a variables file: a name=value per line, blank lines
// and lines that begin with # or ! left out. The values are returned as they
// stand there.
func ParseVariables(text string) (map[string]string, error) {
	variables := map[string]string{}
	var errs []error
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch _, twice := variables[name]; {
		case !found:
			errs = append(errs, fmt.Errorf("%s line %d: expected name=value, found %q", VariablesFile, i+1, line))
		case !variableName.MatchString(name):
			errs = append(errs, fmt.Errorf("%s line %d: %q is no variable name: use letters, digits and underscores", VariablesFile, i+1, name))
		case twice:
			errs = append(errs, fmt.Errorf("%s line %d: %s was set before", VariablesFile, i+1, name))
		default:
			variables[name] = value
		}
	}
	return variables, errors.Join(errs...)
}

// ParseDefine reads a variable given as name=value.
func ParseDefine(text string) (name, value string, err error) {
	name, value, found := strings.Cut(text, "=")
	if !found || !variableName.MatchString(name) {
		return "", "", fmt.Errorf("%q must be name=value, the name of letters, digits and underscores", text)
	}
	return name, value, nil
}

// variables looks up the values of variables and keeps what it has found.
type variables struct {
	values    map[string]string // found or given
	sources   map[string]string // from the variables file
	resolve   func(ctx context.Context, subject string) (int, error)
	lookupEnv func(string) (string, bool)
}

func newVariables(config Config) (*variables, error) {
	v := &variables{
		values:    map[string]string{},
		resolve:   config.Resolver,
		lookupEnv: config.LookupEnv,
	}
	for name, value := range config.Variables {
		if !variableName.MatchString(name) {
			return nil, fmt.Errorf("%q is no variable name: use letters, digits and underscores", name)
		}
		v.values[name] = value
	}
	text, err := fs.ReadFile(config.FS, VariablesFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return v, nil
	case err != nil:
		return nil, fmt.Errorf("reading the variables: %w", err)
	}
	v.sources, err = ParseVariables(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading the variables: %w", err)
	}
	return v, nil
}

// errUndefined says that a variable has no value anywhere.
var errUndefined = fmt.Errorf("it is not defined: define it in the file, in %s or with -d", VariablesFile)

// lookup returns a variable's value.
func (v *variables) lookup(ctx context.Context, name string) (string, error) {
	if value, ok := v.values[name]; ok {
		return value, nil
	}
	source, ok := v.sources[name]
	if !ok {
		return "", errUndefined
	}
	value, err := v.fetch(ctx, source)
	if err != nil {
		return "", fmt.Errorf("%s says %s: %w", VariablesFile, source, err)
	}
	v.values[name] = value
	return value, nil
}

func (v *variables) fetch(ctx context.Context, source string) (string, error) {
	if subject, ok := strings.CutPrefix(source, schemaIDPrefix); ok {
		if v.resolve == nil {
			return "", errors.New("no schema registry is configured")
		}
		id, err := v.resolve(ctx, subject)
		if err != nil {
			return "", err
		}
		return strconv.Itoa(id), nil
	}
	if name, ok := strings.CutPrefix(source, envPrefix); ok {
		value, ok := v.lookupEnv(name)
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
		return value, nil
	}
	return source, nil
}

// scope has the variables that one file sees: its own, then the common ones.
type scope struct {
	common  *variables
	defined map[string]string
	gone    map[string]bool // undefined by the file
}

func newScope(common *variables) *scope {
	return &scope{common: common, defined: map[string]string{}, gone: map[string]bool{}}
}

func (s *scope) define(name, value string) {
	s.defined[name] = value
	delete(s.gone, name)
}

func (s *scope) undefine(name string) {
	delete(s.defined, name)
	s.gone[name] = true
}

func (s *scope) lookup(ctx context.Context, name string) (string, error) {
	if value, ok := s.defined[name]; ok {
		return value, nil
	}
	if s.gone[name] {
		return "", errUndefined
	}
	return s.common.lookup(ctx, name)
}

// variableError is a variable in a text that has no value.
type variableError struct {
	offset int // of the variable in the text, in bytes
	name   string
	err    error
}

func (e *variableError) Error() string { return fmt.Sprintf("the variable %s: %v", e.name, e.err) }
func (e *variableError) Unwrap() error { return e.err }

// substitute fills in the variables of a statement, in strings and quoted
// identifiers too, but not in comments.
func (s *scope) substitute(ctx context.Context, text string) (string, error) {
	comments := commentRanges(text)
	var out strings.Builder
	end := 0
	for _, match := range variablePattern.FindAllStringSubmatchIndex(text, -1) {
		start := match[0]
		if strings.HasPrefix(text[start:], "$$") || inRanges(comments, start) {
			continue
		}
		name := text[match[2]:match[3]]
		value, err := s.lookup(ctx, name)
		if err != nil {
			return "", &variableError{offset: start, name: name, err: err}
		}
		out.WriteString(text[end:start])
		out.WriteString(value)
		end = match[1]
	}
	out.WriteString(text[end:])
	return out.String(), nil
}

func inRanges(ranges [][2]int, offset int) bool {
	for _, r := range ranges {
		if offset >= r[0] && offset < r[1] {
			return true
		}
	}
	return false
}

// commentRanges returns where the comments of a statement are.
func commentRanges(text string) [][2]int {
	var ranges [][2]int
	for i := 0; i < len(text); {
		rest := text[i:]
		length := 1
		switch {
		case strings.HasPrefix(rest, "--"):
			length = lengthTo(rest, "\n")
			ranges = append(ranges, [2]int{i, i + length})
		case strings.HasPrefix(rest, "/*"):
			length = 2 + lengthTo(rest[2:], "*/")
			ranges = append(ranges, [2]int{i, i + length})
		case rest[0] == '\'' || rest[0] == '`' || rest[0] == '"':
			length = 1 + lengthTo(rest[1:], rest[:1])
		}
		i += length
	}
	return ranges
}

// lengthTo returns the length of text up to and with the first end in it.
func lengthTo(text, end string) int {
	if i := strings.Index(text, end); i >= 0 {
		return i + len(end)
	}
	return len(text)
}
