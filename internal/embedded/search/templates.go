package search

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// templateKind is a sort of template.
type templateKind string

const (
	indexTemplates     templateKind = "index"
	componentTemplates templateKind = "component"
	// legacyTemplates are those of /_template, which count where no index template
	// fits.
	legacyTemplates templateKind = "legacy"
)

func (s *Server) loadTemplates() error {
	s.templates = map[templateKind]map[string]*node{indexTemplates: {}, componentTemplates: {}, legacyTemplates: {}}
	return s.store.scan([]byte{keyTemplate}, nil, func(key, value []byte) (bool, error) {
		k, name, _ := strings.Cut(string(key[1:]), "/")
		n, _, err := parseJSON(bytes.Clone(value))
		if err != nil {
			return false, fmt.Errorf("reading template %s: %w", name, err)
		}
		if s.templates[templateKind(k)] == nil {
			return false, fmt.Errorf("reading template %s: its kind %s is unknown", name, k)
		}
		s.templates[templateKind(k)][name] = n
		return true, nil
	})
}

func templateKey(k templateKind, name string) []byte {
	return namedKey(keyTemplate, string(k)+"/"+name)
}

// putTemplate stores a checked template. The caller holds catalog for writing.
func (s *Server) putTemplate(k templateKind, name string, n *node) error {
	if err := s.store.db.Set(templateKey(k, name), bytes.Clone(n.raw()), pebble.Sync); err != nil {
		return fmt.Errorf("writing template %s: %w", name, err)
	}
	s.templates[k][name] = n
	return nil
}

// parseCreation reads settings, mappings and aliases, as templates and new
// indexes have them.
func parseCreation(n *node) (creation, *apiError) {
	var made creation
	var err *apiError
	if made.settings, err = parseSettings(n.get("settings")); err != nil {
		return made, err
	}
	if made.mapping, err = parseMapping(n.get("mappings")); err != nil {
		return made, failedMapping(err)
	}
	made.aliases, err = parseAliases(n.get("aliases"))
	return made, err
}

// fromTemplate is what a new index of a name gets from the templates. The caller
// holds catalog.
func (s *Server) fromTemplate(name string) (creation, *apiError) {
	made := creation{settings: settings{}, mapping: newRoot(), aliases: map[string]alias{}}
	var best *node
	for _, t := range s.templates[indexTemplates] {
		if matchAny(patterns(t), name) && (best == nil || priority(t) > priority(best)) {
			best = t
		}
	}
	if best == nil {
		return made, s.fromLegacy(name, &made)
	}
	if best.get("data_stream") != nil {
		return made, unsupported(fmt.Sprintf("a data stream, which [%s] would be by its template,", name))
	}
	return made, s.compose(best, &made)
}

// compose adds a template and the components it is made of.
func (s *Server) compose(t *node, made *creation) *apiError {
	var parts []*node
	if composed := t.get("composed_of"); composed != nil {
		for _, name := range composed.list() {
			if component := s.templates[componentTemplates][name.text]; component != nil {
				parts = append(parts, component.get("template"))
			}
		}
	}
	for _, part := range append(parts, t.get("template")) {
		if part == nil {
			continue
		}
		more, err := parseCreation(part)
		if err != nil {
			return err
		}
		made.settings = made.settings.with(more.settings)
		if made.mapping, err = made.mapping.merge(more.mapping); err != nil {
			return err
		}
		maps.Copy(made.aliases, more.aliases)
	}
	return nil
}

func patterns(t *node) []string {
	var list []string
	for _, p := range t.get("index_patterns").list() {
		list = append(list, p.text)
	}
	return list
}

func priority(t *node) int {
	if p := t.get("priority"); p != nil {
		if n, err := strconv.Atoi(p.text); err == nil {
			return n
		}
	}
	return 0
}

// templateBody reads the body of a request that stores a template.
func (c *call) templateBody(known ...string) (*node, error) {
	c.ignore("master_timeout", "timeout", "cause")
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	if n == nil || n.kind != kindObject {
		return nil, newError(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	for _, m := range n.members {
		if !slices.Contains(known, m.name) {
			return nil, contentError(n.src, m.start, "[index_template] unknown field [%s]", m.name)
		}
	}
	if t := n.get("template"); t != nil {
		if t.kind != kindObject {
			return nil, contentError(n.src, t.start, "[index_template] template doesn't support values of type: %s", t.token())
		}
		for _, m := range t.members {
			if !slices.Contains([]string{"settings", "mappings", "aliases"}, m.name) {
				return nil, contentError(n.src, m.start, "[template] unknown field [%s]", m.name)
			}
		}
		if _, err := parseCreation(t); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func putIndexTemplate(c *call) (*answer, error) {
	n, err := c.templateBody("index_patterns", "priority", "template", "composed_of", "_meta", "version", "allow_auto_create", "ignore_missing_component_templates", "deprecated", "data_stream")
	if err != nil {
		return nil, err
	}
	create, err := c.flag("create", false)
	if err != nil {
		return nil, err
	}
	if err := c.unknown(); err != nil {
		return nil, err
	}
	if p := n.get("index_patterns"); p == nil || len(p.list()) == 0 {
		return nil, illegalArgument("Required [index_patterns]")
	}
	s, name := c.srv, c.vars["name"]
	s.catalog.Lock()
	defer s.catalog.Unlock()
	if create && s.templates[indexTemplates][name] != nil {
		return nil, illegalArgument("index template [%s] already exists", name)
	}
	if err := s.checkComponents(name, n); err != nil {
		return nil, err
	}
	for _, other := range slices.Sorted(maps.Keys(s.templates[indexTemplates])) {
		t := s.templates[indexTemplates][other]
		if other == name || priority(t) != priority(n) || !overlap(patterns(t), patterns(n)) {
			continue
		}
		return nil, illegalArgument("index template [%s] has index patterns [%s] matching patterns from existing templates [%s] with patterns (%s => [%s]) that have the same priority [%d], multiple index templates may not match during index creation, please use a different priority",
			name, strings.Join(patterns(n), ", "), other, other, strings.Join(patterns(t), ", "), priority(n))
	}
	if err := s.compose(n, &creation{settings: settings{}, mapping: newRoot(), aliases: map[string]alias{}}); err != nil {
		return nil, err
	}
	if err := s.putTemplate(indexTemplates, name, n); err != nil {
		return nil, err
	}
	return acknowledged()
}

// checkComponents reports components that don't exist.
func (s *Server) checkComponents(name string, n *node) *apiError {
	composed := n.get("composed_of")
	if composed == nil {
		return nil
	}
	ignored := n.get("ignore_missing_component_templates")
	var missing []string
	for _, component := range composed.list() {
		allowed := ignored != nil && slices.ContainsFunc(ignored.list(), func(e *node) bool { return e.text == component.text })
		if s.templates[componentTemplates][component.text] == nil && !allowed {
			missing = append(missing, component.text)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return newError(http.StatusBadRequest, "invalid_index_template_exception", "index_template [%s] invalid, cause [index template [%s] specifies component templates [%s] that do not exist]", name, name, strings.Join(missing, ", "))
}

// overlap reports whether two lists of patterns can match the same name.
func overlap(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			px, _, wildX := strings.Cut(x, "*")
			py, _, wildY := strings.Cut(y, "*")
			switch {
			case !wildX && matchSimple(y, x), !wildY && matchSimple(x, y):
				return true
			case wildX && wildY && (strings.HasPrefix(px, py) || strings.HasPrefix(py, px)):
				return true
			}
		}
	}
	return false
}

func putComponentTemplate(c *call) (*answer, error) {
	n, err := c.templateBody("template", "_meta", "version", "deprecated", "allow_auto_create")
	if err != nil {
		return nil, err
	}
	create, err := c.flag("create", false)
	if err != nil {
		return nil, err
	}
	if err := c.unknown(); err != nil {
		return nil, err
	}
	if n.get("template") == nil {
		return nil, illegalArgument("Required [template]")
	}
	s, name := c.srv, c.vars["name"]
	s.catalog.Lock()
	defer s.catalog.Unlock()
	if create && s.templates[componentTemplates][name] != nil {
		return nil, illegalArgument("component template [%s] already exists", name)
	}
	if err := s.putTemplate(componentTemplates, name, n); err != nil {
		return nil, err
	}
	return acknowledged()
}

// renderTemplate shows a template with its settings in their full form.
func renderTemplate(n *node, isIndex bool) (object, *apiError) {
	o := object{}
	if isIndex {
		o = append(o, field{"index_patterns", n.get("index_patterns").listNode()})
	}
	if t := n.get("template"); t != nil {
		made, err := parseCreation(t)
		if err != nil {
			return nil, err
		}
		o = append(o, field{"template", made.render(t)})
	}
	if isIndex {
		composed := any([]any{})
		if v := n.get("composed_of"); v != nil {
			composed = v
		}
		o = append(o, field{"composed_of", composed})
	}
	for _, name := range []string{"priority", "version", "_meta", "allow_auto_create", "ignore_missing_component_templates", "deprecated", "data_stream"} {
		if v := n.get(name); v != nil {
			o = append(o, field{name, v})
		}
	}
	return o, nil
}

// listNode gives a value as a list.
func (n *node) listNode() any {
	if n.kind == kindArray {
		return n
	}
	return []any{n}
}

// render shows what a template or new index is made of; only what t has.
func (m creation) render(t *node) object {
	o := object{}
	if t == nil || t.get("settings") != nil {
		o = append(o, field{"settings", m.settings.renderOrdered(t.get("settings"))})
	}
	if t == nil || t.get("mappings") != nil {
		o = append(o, field{"mappings", m.mapping.render()})
	}
	if t == nil || t.get("aliases") != nil {
		o = append(o, field{"aliases", renderAliases(m.aliases)})
	}
	return o
}

// renderOrdered shows settings as nested objects, in the order of the request.
func (s settings) renderOrdered(n *node) object {
	if n == nil {
		return s.render(false)
	}
	o := object{}
	flat := map[string]string{}
	flattenSettings("", n, flat)
	for _, m := range n.members {
		for _, key := range slices.Sorted(maps.Keys(flat)) {
			if key == m.name || strings.HasPrefix(key, m.name+".") {
				o = setPath(o, strings.Split("index."+strings.TrimPrefix(key, "index."), "."), flat[key])
			}
		}
	}
	return o
}

func getIndexTemplate(c *call) (*answer, error) { return getTemplate(c, indexTemplates) }

func getComponentTemplate(c *call) (*answer, error) { return getTemplate(c, componentTemplates) }

func getTemplate(c *call, k templateKind) (*answer, error) {
	c.ignore("master_timeout", "local", "flat_settings", "include_defaults")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	s := c.srv
	s.catalog.RLock()
	defer s.catalog.RUnlock()
	pattern, asked := c.vars["name"]
	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(s.templates[k])) {
		if asked && !matchAny(names(pattern), name) {
			continue
		}
		shown, err := renderTemplate(s.templates[k][name], k == indexTemplates)
		if err != nil {
			return nil, err
		}
		list = append(list, object{{"name", name}, {string(k) + "_template", shown}})
	}
	if len(list) == 0 && asked && !strings.Contains(pattern, "*") {
		return nil, newError(http.StatusNotFound, "resource_not_found_exception", "%s template matching [%s] not found", k, pattern)
	}
	return ok(object{{string(k) + "_templates", list}})
}

func headTemplate(k templateKind) handler {
	return func(c *call) (*answer, error) {
		c.srv.catalog.RLock()
		defer c.srv.catalog.RUnlock()
		status := http.StatusNotFound
		for name := range c.srv.templates[k] {
			if matchAny(names(c.vars["name"]), name) {
				status = http.StatusOK
			}
		}
		return &answer{status: status}, nil
	}
}

func deleteIndexTemplate(c *call) (*answer, error) {
	return deleteTemplate(c, indexTemplates, "index_template")
}

func deleteComponentTemplate(c *call) (*answer, error) {
	return deleteTemplate(c, componentTemplates, "component_template")
}

func deleteTemplate(c *call, k templateKind, shown string) (*answer, error) {
	c.ignore("master_timeout", "timeout")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	s := c.srv
	s.catalog.Lock()
	defer s.catalog.Unlock()
	var found []string
	for name := range s.templates[k] {
		if matchAny(names(c.vars["name"]), name) {
			found = append(found, name)
		}
	}
	if len(found) == 0 && !strings.Contains(c.vars["name"], "*") {
		return nil, newError(http.StatusNotFound, "index_template_missing_exception", "%s [%s] missing", shown, c.vars["name"])
	}
	slices.Sort(found)
	if k == componentTemplates {
		if err := s.checkUnused(found); err != nil {
			return nil, err
		}
	}
	for _, name := range found {
		if err := s.store.db.Delete(templateKey(k, name), pebble.Sync); err != nil {
			return nil, fmt.Errorf("deleting template %s: %w", name, err)
		}
		delete(s.templates[k], name)
	}
	return acknowledged()
}

// checkUnused reports components that index templates are made of.
func (s *Server) checkUnused(components []string) *apiError {
	var users []string
	for _, name := range slices.Sorted(maps.Keys(s.templates[indexTemplates])) {
		composed := s.templates[indexTemplates][name].get("composed_of")
		if composed != nil && slices.ContainsFunc(composed.list(), func(e *node) bool { return slices.Contains(components, e.text) }) {
			users = append(users, name)
		}
	}
	if len(users) == 0 {
		return nil
	}
	return illegalArgument("component templates [%s] cannot be removed as they are still in use by index templates [%s]", strings.Join(components, ", "), strings.Join(users, ", "))
}

// simulateIndex shows what a new index of a name would get.
func simulateIndex(c *call) (*answer, error) {
	c.ignore("master_timeout", "timeout", "include_defaults")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	if len(c.body) > 0 {
		return nil, unsupported("simulating a template that is not stored")
	}
	c.srv.catalog.RLock()
	defer c.srv.catalog.RUnlock()
	made, err := c.srv.fromTemplate(c.vars["name"])
	if err != nil {
		return nil, err
	}
	shown := object{{"settings", made.settings.render(false)}, {"mappings", made.mapping.render()}, {"aliases", renderAliases(made.aliases)}}
	return ok(object{{"template", shown}, {"overlapping", []any{}}})
}
