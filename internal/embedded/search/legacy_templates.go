package search

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// orderOf is the order of a legacy template.
func orderOf(t *node) int {
	if o := t.get("order"); o != nil {
		if n, err := strconv.Atoi(o.text); err == nil {
			return n
		}
	}
	return 0
}

// putLegacyTemplate is PUT and POST /_template/{name}.
func putLegacyTemplate(c *call) (*answer, error) {
	c.ignore("master_timeout", "timeout", "cause", "order")
	create, err := c.flag("create", false)
	if err != nil {
		return nil, err
	}
	if err := c.unknown(); err != nil {
		return nil, err
	}
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	if n == nil || n.kind != kindObject {
		return nil, newError(400, "parse_exception", "request body is required")
	}
	for _, m := range n.members {
		if !slices.Contains([]string{"index_patterns", "order", "settings", "mappings", "aliases", "version"}, m.name) {
			return nil, newError(400, "parse_exception", "unknown key [%s] in the template ", m.name)
		}
	}
	if p := n.get("index_patterns"); p == nil || len(p.list()) == 0 {
		return nil, validationFailed("index patterns are missing")
	}
	if _, apiErr := parseCreation(n); apiErr != nil {
		return nil, apiErr
	}
	s, name := c.srv, c.vars["name"]
	s.catalog.Lock()
	defer s.catalog.Unlock()
	if create && s.templates[legacyTemplates][name] != nil {
		return nil, illegalArgument("index_template [%s] already exists", name)
	}
	if err := s.putTemplate(legacyTemplates, name, n); err != nil {
		return nil, err
	}
	return acknowledged()
}

// getLegacyTemplate is GET /_template and /_template/{name}.
func getLegacyTemplate(c *call) (*answer, error) {
	c.ignore("master_timeout", "local", "flat_settings")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	s := c.srv
	s.catalog.RLock()
	defer s.catalog.RUnlock()
	o := object{}
	for _, name := range slices.Sorted(maps.Keys(s.templates[legacyTemplates])) {
		if wanted, asked := c.vars["name"]; asked && !matchAny(names(wanted), name) {
			continue
		}
		t := s.templates[legacyTemplates][name]
		made, err := parseCreation(t)
		if err != nil {
			return nil, err
		}
		one := object{{"order", orderOf(t)}}
		if v := t.get("version"); v != nil {
			one = append(one, field{"version", v})
		}
		one = append(one, field{"index_patterns", t.get("index_patterns").listNode()}, field{"settings", made.settings.render(false)},
			field{"mappings", made.mapping.render()}, field{"aliases", renderAliases(made.aliases)})
		o = append(o, field{name, one})
	}
	status := 200
	if wanted, asked := c.vars["name"]; asked && len(o) == 0 && !strings.Contains(wanted, "*") {
		status = 404
	}
	return &answer{status: status, body: o}, nil
}

func deleteLegacyTemplate(c *call) (*answer, error) {
	return deleteTemplate(c, legacyTemplates, "index_template")
}

// fromLegacy is what a new index gets from legacy templates, those of a higher
// order last. The caller holds catalog.
func (s *Server) fromLegacy(name string, made *creation) *apiError {
	var list []*node
	for _, key := range slices.Sorted(maps.Keys(s.templates[legacyTemplates])) {
		if t := s.templates[legacyTemplates][key]; matchAny(patterns(t), name) {
			list = append(list, t)
		}
	}
	slices.SortStableFunc(list, func(a, b *node) int { return orderOf(a) - orderOf(b) })
	for _, t := range list {
		more, err := parseCreation(t)
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
