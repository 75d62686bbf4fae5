package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/ksql"
)

// VariablesFile is the file beside the migrations that says where their
// variables come from.
const VariablesFile = "variables.properties"

const (
	schemaIDPrefix = "schema.id:"
	envPrefix      = "env:"
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
		case !ksql.IsVariableName(name):
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
	if !found || !ksql.IsVariableName(name) {
		return "", "", fmt.Errorf("%q must be name=value, the name of letters, digits and underscores", text)
	}
	return name, value, nil
}

// Variables looks up the values of variables and keeps what it has found.
type Variables struct {
	values    map[string]string // found or given
	sources   map[string]string // from the variables file
	resolve   func(ctx context.Context, subject string) (int, error)
	lookupEnv func(string) (string, bool)
}

// NewVariables reads the variables file, if there is one. It uses the
// FS, Variables, Resolver and LookupEnv of config, and asks no server.
func NewVariables(config Config) (*Variables, error) {
	if config.LookupEnv == nil {
		config.LookupEnv = os.LookupEnv
	}
	v := &Variables{
		values:    map[string]string{},
		resolve:   config.Resolver,
		lookupEnv: config.LookupEnv,
	}
	for name, value := range config.Variables {
		if !ksql.IsVariableName(name) {
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

// Lookup returns a variable's value; without one the error is ksql.ErrUndefined.
func (v *Variables) Lookup(ctx context.Context, name string) (string, error) {
	if value, ok := v.values[name]; ok {
		return value, nil
	}
	source, ok := v.sources[name]
	if !ok {
		return "", ksql.ErrUndefined
	}
	value, err := v.fetch(ctx, source)
	if err != nil {
		return "", fmt.Errorf("%s says %s: %w", VariablesFile, source, err)
	}
	v.values[name] = value
	return value, nil
}

func (v *Variables) fetch(ctx context.Context, source string) (string, error) {
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
