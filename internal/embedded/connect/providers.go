package connect

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// The providers of values that settings name instead of saying them, as in
// ${env:NAME}, ${file:PATH:KEY} and ${directory:PATH:FILE}.
const (
	envProvider       = "env"       // Kafka's EnvVarConfigProvider
	fileProvider      = "file"      // Kafka's FileConfigProvider
	directoryProvider = "directory" // Kafka's DirectoryConfigProvider
)

// DefaultEnvAllowlist is the pattern of the environment variables that settings
// may name when nothing else is said: those of orderflow's own connectors, and
// those whose names say that they are meant for connectors. Whoever may create
// connectors can read what it allows.
const DefaultEnvAllowlist = `ORDERFLOW_CUSTOMERS_JDBC_URL|ORDERFLOW_CONNECT_(SCHEMA_REGISTRY|ELASTICSEARCH)|CONNECT_SECRET_.+`

// providers look up the values that settings name. Whoever may create connectors
// chooses the names, so that both kinds give only what was allowed.
type providers struct {
	lookup  func(name string) (string, bool)
	allowed *regexp.Regexp
	paths   []string // absolute, as given and without symbolic links
}

func newProviders(cfg Config) (providers, error) {
	pattern := cmp.Or(cfg.EnvAllowlist, DefaultEnvAllowlist)
	allowed, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return providers{}, fmt.Errorf("the pattern of environment variables that connectors may read, %q: %w", pattern, err)
	}
	p := providers{lookup: cfg.LookupEnv, allowed: allowed}
	if p.lookup == nil {
		p.lookup = os.LookupEnv
	}
	for _, path := range cfg.AllowedPaths {
		if !filepath.IsAbs(path) {
			return providers{}, fmt.Errorf("the path %q, which connectors may read, is not absolute", path)
		}
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			return providers{}, fmt.Errorf("looking at the path %q, which connectors may read: %w", path, err)
		}
		p.paths = append(p.paths, filepath.Clean(path), real)
	}
	return p, nil
}

// value looks one value up. files keeps those that were read.
func (p providers) value(files map[string]map[string]string, provider, path, key string) (string, bool, error) {
	switch provider {
	case envProvider:
		if path != "" {
			return "", false, fault.New(fault.Config, "Path is not supported for EnvVarConfigProvider, invalid value '%s'", path)
		}
		if !p.allowed.MatchString(key) {
			return "", false, fault.New(fault.Config, "Connectors may not read the environment variable %s: name it CONNECT_SECRET_…, or start the worker with --connect-env-allowlist and a pattern of the names that they may read", key)
		}
		value, ok := p.lookup(key)
		return value, ok, nil
	case fileProvider:
		if path == "" {
			return "", false, nil
		}
		if files[path] == nil {
			read, err := p.read(path)
			if err != nil {
				return "", false, err
			}
			files[path] = read
		}
		value, ok := files[path][key]
		return value, ok, nil
	case directoryProvider:
		return p.whole(path, key)
	default:
		return "", false, nil
	}
}

// whole gives all that a file of a folder has. A file that is not there provides
// nothing.
func (p providers) whole(folder, name string) (string, bool, error) {
	if folder == "" || name != filepath.Base(name) {
		return "", false, nil
	}
	raw, err := p.readFile(filepath.Join(folder, name))
	if f, ok := err.(*fault.Fault); ok {
		return "", false, f
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", false, nil
	case err != nil:
		return "", false, fault.Wrap(fault.Config, err, "Could not read file %s for property %s", filepath.Join(folder, name), name)
	}
	return string(raw), true, nil
}

// read reads a file of Java properties that connectors may read.
func (p providers) read(path string) (map[string]string, error) {
	raw, err := p.readFile(path)
	if f, ok := err.(*fault.Fault); ok {
		return nil, f
	}
	var values map[string]string
	if err == nil {
		values, err = readProperties(raw)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Config, err, "Could not read properties from file %s", path)
	}
	return values, nil
}

// readFile reads a file that connectors may read. What they may not gives one
// answer, whether it is there or not.
func (p providers) readFile(path string) ([]byte, error) {
	refused := fault.New(fault.Config, "Connectors may not read the file %s: start the worker with --connect-file-paths and the files or folders that they may read", path)
	if !p.within(filepath.Clean(path)) {
		return nil, refused
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	if !p.within(real) {
		return nil, refused
	}
	return os.ReadFile(real)
}

// mayUse says why connectors may not read or write a file, which need not be there
// yet.
func (p providers) mayUse(path string) error {
	refused := fault.New(fault.Config, "Connectors may not use the file %s: start the worker with --connect-file-paths and the files or folders that they may use", path)
	if !p.within(filepath.Clean(path)) {
		return refused
	}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		var dir string
		dir, err = filepath.EvalSymlinks(filepath.Dir(path))
		real = filepath.Join(dir, filepath.Base(path))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there is not even a folder to use
	}
	if err != nil || !p.within(real) {
		return refused
	}
	return nil
}

// within reports whether a path is an allowed one, or in an allowed folder.
func (p providers) within(path string) bool {
	if !filepath.IsAbs(path) {
		return false
	}
	for _, allowed := range p.paths {
		if rest, ok := strings.CutPrefix(path, allowed); ok && (rest == "" || rest[0] == filepath.Separator || strings.HasSuffix(allowed, string(filepath.Separator))) {
			return true
		}
	}
	return false
}
