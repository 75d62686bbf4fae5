package connect

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
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
			value, ok, err := w.providers.value(files, parts[1], parts[3], parts[4])
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
