package connect

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// The providers of values that settings name instead of saying them, as in
// ${env:NAME} and ${file:PATH:KEY}.
const (
	envProvider  = "env"  // Kafka's EnvVarConfigProvider
	fileProvider = "file" // Kafka's FileConfigProvider
)

// variable is Kafka's pattern of what stands for a provided value: a provider, a
// path that may be missing, and a key.
var variable = regexp.MustCompile(`\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}`)

// secrets are values that were put in where settings name them. What the worker
// shows or stores has the names.
type secrets []secret

type secret struct{ value, name string }

// hide puts the names back in where a text has the values.
func (s secrets) hide(text string) string {
	for _, one := range s {
		text = strings.ReplaceAll(text, one.value, one.name)
	}
	return text
}

// cover makes what validation says show what was given, not what it stands for.
func (s secrets) cover(values *config.Values, given map[string]string) {
	for _, v := range values.List {
		if text, ok := given[v.Key.Name]; ok && v.Value != nil && v.Key.Type != config.Password && variable.MatchString(text) {
			v.Value = &text
		}
		for i := range v.Errors {
			v.Errors[i] = s.hide(v.Errors[i])
		}
	}
}

// failure is an error that says nothing of the values.
func (s secrets) failure(err error) error {
	f, ok := err.(*fault.Fault)
	if !ok || f == nil {
		return err
	}
	covered := *f
	covered.Message = s.hide(f.Message)
	covered.Cause = s.failure(f.Cause)
	return &covered
}

// resolve puts provided values into settings. What names no provider, or what its
// provider does not know, stays as it is, as with the real worker.
func (w *worker) resolve(settings map[string]string) (map[string]string, secrets, error) {
	resolved := make(map[string]string, len(settings))
	files := map[string]map[string]string{}
	found := map[string]string{}
	var failed error
	for key, text := range settings {
		resolved[key] = variable.ReplaceAllStringFunc(text, func(name string) string {
			parts := variable.FindStringSubmatch(name)
			value, ok, err := w.provided(files, parts[1], parts[3], parts[4])
			if err != nil {
				failed = err
			}
			if !ok {
				return name
			}
			found[name] = value
			return value
		})
	}
	if failed != nil {
		return nil, nil, failed
	}
	var list secrets
	for name, value := range found {
		if value != "" {
			list = append(list, secret{value, name})
		}
	}
	slices.SortFunc(list, func(a, b secret) int {
		return cmp.Or(cmp.Compare(len(b.value), len(a.value)), strings.Compare(a.name, b.name))
	})
	return resolved, list, nil
}

// provided looks one value up. files keeps those that were read.
func (w *worker) provided(files map[string]map[string]string, provider, path, key string) (string, bool, error) {
	switch provider {
	case envProvider:
		if path != "" {
			return "", false, fault.New(fault.Config, "Path is not used for EnvVarConfigProvider, invalid value '%s'", path)
		}
		value, ok := w.cfg.LookupEnv(key)
		return value, ok, nil
	case fileProvider:
		if path == "" {
			return "", false, nil
		}
		if files[path] == nil {
			read, err := readProperties(path)
			if err != nil {
				w.log.Error("connect: reading a file that a setting names", "error", err)
				return "", false, fault.New(fault.Config, "Could not read properties from file %s", path)
			}
			files[path] = read
		}
		value, ok := files[path][key]
		return value, ok, nil
	default:
		return "", false, nil
	}
}

// nameAgain makes tasks' settings say what the connector's own say where those
// name values, so that the values are not stored.
func nameAgain(tasks []map[string]string, given map[string]string) {
	for _, task := range tasks {
		for key, text := range given {
			if _, ok := task[key]; ok && variable.MatchString(text) {
				task[key] = text
			}
		}
	}
}

// readProperties reads a file of Java properties.
func readProperties(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	values := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimLeft(lines.Text(), " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for continued(line) {
			line = line[:len(line)-1]
			if !lines.Scan() {
				break
			}
			line += strings.TrimLeft(lines.Text(), " \t\f")
		}
		key, value := splitProperty(line)
		values[key] = value
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return values, nil
}

// continued reports whether a line ends with a backslash that is not escaped.
func continued(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// splitProperty splits a line at the first =, : or white space that is not escaped.
func splitProperty(line string) (key, value string) {
	end := 0
	for end < len(line) && !strings.ContainsRune("=: \t\f", rune(line[end])) {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(line))
	rest := strings.TrimLeft(line[end:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], " \t\f")
	}
	return unescapeProperty(line[:end]), unescapeProperty(rest)
}

var propertyEscapes = map[byte]byte{'t': '\t', 'n': '\n', 'r': '\r', 'f': '\f'}

func unescapeProperty(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		i++
		if text[i] == 'u' && i+4 < len(text) {
			if code, err := strconv.ParseUint(text[i+1:i+5], 16, 16); err == nil {
				out.WriteRune(rune(code))
				i += 4
				continue
			}
		}
		if c, ok := propertyEscapes[text[i]]; ok {
			out.WriteByte(c)
		} else {
			out.WriteByte(text[i])
		}
	}
	return out.String()
}

// hiding notes what a connector's failures must not show.
func (w *worker) hiding(c *connector, hidden secrets) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.hidden = hidden
}

// hidden is what a connector's failures must not show.
func (w *worker) hidden(c *connector) secrets {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(c.hidden)
}
