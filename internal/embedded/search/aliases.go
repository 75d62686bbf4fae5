package search

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

func invalidAliasName(name string) *apiError {
	return newError(http.StatusBadRequest, "invalid_alias_name_exception", "Invalid alias name [%s]: an index or data stream exists with the same name as the alias", name)
}

// aliasAction is one step of a change of aliases.
type aliasAction struct {
	kind    string // add, remove, remove_index
	indices []*index
	names   []string
	alias   alias
}

// changeAliases is POST /_aliases.
func changeAliases(c *call) (*answer, error) {
	c.ignore("master_timeout", "timeout")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	list := n.get("actions")
	if list == nil || len(list.list()) == 0 {
		return nil, illegalArgument("No action specified")
	}
	c.srv.catalog.Lock()
	defer c.srv.catalog.Unlock()
	var actions []aliasAction
	for _, e := range list.list() {
		if e.kind != kindObject || len(e.members) != 1 {
			return nil, contentError(n.src, e.start, "[alias_action] expected a single action")
		}
		a, err := c.srv.parseAliasAction(e.members[0])
		if err != nil {
			return nil, err
		}
		actions = append(actions, a)
	}
	if err := c.srv.applyAliases(actions); err != nil {
		return nil, err
	}
	return ok(object{{"acknowledged", true}, {"errors", false}})
}

func (s *Server) parseAliasAction(m member) (aliasAction, error) {
	a := aliasAction{kind: m.name}
	if !slices.Contains([]string{"add", "remove", "remove_index"}, a.kind) {
		return a, contentError(m.value.src, m.start, "[alias_action] unknown field [%s]", m.name)
	}
	texts := func(keys ...string) []string {
		var list []string
		for _, key := range keys {
			if v := m.value.get(key); v != nil {
				for _, e := range v.list() {
					list = append(list, e.text)
				}
			}
		}
		return list
	}
	indices := texts("index", "indices")
	a.names = texts("alias", "aliases")
	if len(indices) == 0 {
		return a, illegalArgument("One of [index] or [indices] is required")
	}
	if len(a.names) == 0 && a.kind != "remove_index" {
		return a, illegalArgument("One of [alias] or [aliases] is required")
	}
	found, err := s.resolveLocked(strings.Join(indices, ","), expression{closedToo: true, forbidAliases: true})
	if err != nil {
		return a, err
	}
	for _, t := range found {
		a.indices = append(a.indices, t.index)
	}
	parsed, apiErr := parseAlias(m.value)
	if apiErr != nil {
		return a, apiErr
	}
	a.alias = parsed
	return a, nil
}

// applyAliases carries out all actions in one commit. The caller holds catalog
// for writing, so definitions change here alone but for mappings.
func (s *Server) applyAliases(actions []aliasAction) error {
	var removed []*index
	for _, a := range actions {
		if a.kind == "remove_index" {
			removed = append(removed, a.indices...)
		}
	}
	changed := map[*index]map[string]alias{}
	for _, a := range actions {
		for _, ix := range a.indices {
			if changed[ix] == nil {
				changed[ix] = maps.Clone(ix.definition().aliases)
			}
			for _, name := range a.names {
				switch a.kind {
				case "add":
					if other := s.indices[name]; other != nil && !slices.Contains(removed, other) {
						return invalidAliasName(name)
					}
					changed[ix][name] = a.alias
				case "remove":
					if !removeAlias(changed[ix], name) {
						return aliasesNotFound(name)
					}
				}
			}
		}
	}
	for _, ix := range removed {
		delete(changed, ix)
		if err := s.remove(ix); err != nil {
			return err
		}
	}
	return s.commitAliases(changed)
}

func (s *Server) commitAliases(changed map[*index]map[string]alias) error {
	ordered := slices.SortedFunc(maps.Keys(changed), func(a, b *index) int { return strings.Compare(a.name, b.name) })
	b := s.store.db.NewBatch()
	defs := map[*index]*definition{}
	for _, ix := range ordered {
		ix.writes.Lock()
		defer ix.writes.Unlock()
		def := *ix.definition()
		def.aliases = changed[ix]
		defs[ix] = &def
		if err := ix.define(b, &def); err != nil {
			return err
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("changing aliases: %w", err)
	}
	for ix, def := range defs {
		ix.publish(def)
	}
	return nil
}

// removeAlias reports whether there was one to remove.
func removeAlias(aliases map[string]alias, pattern string) bool {
	before := len(aliases)
	maps.DeleteFunc(aliases, func(name string, _ alias) bool { return matchSimple(pattern, name) })
	return len(aliases) < before
}

func aliasesNotFound(name string) *apiError {
	e := newError(http.StatusNotFound, "aliases_not_found_exception", "aliases [%s] missing", name)
	e.meta = object{{"resource.type", "aliases"}, {"resource.id", name}}
	return e
}

func putAlias(c *call) (*answer, error) {
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	a, apiErr := parseAlias(n)
	if apiErr != nil {
		return nil, apiErr
	}
	return c.changeAlias(aliasAction{kind: "add", alias: a})
}

func deleteAlias(c *call) (*answer, error) { return c.changeAlias(aliasAction{kind: "remove"}) }

func (c *call) changeAlias(a aliasAction) (*answer, error) {
	c.ignore("master_timeout", "timeout")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	c.srv.catalog.Lock()
	defer c.srv.catalog.Unlock()
	found, err := c.srv.resolveLocked(c.vars["index"], expression{closedToo: true, forbidAliases: true})
	if err != nil {
		return nil, err
	}
	a.names = names(c.vars["name"])
	for _, t := range found {
		a.indices = append(a.indices, t.index)
	}
	if err := c.srv.applyAliases([]aliasAction{a}); err != nil {
		return nil, err
	}
	return ok(object{{"acknowledged", true}, {"errors", false}})
}

func getAlias(c *call) (*answer, error) {
	found, err := c.indexes(expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	wanted, asked := c.vars["name"]
	o, seen := object{}, map[string]bool{}
	for _, t := range found {
		chosen := map[string]alias{}
		for name, a := range t.definition().aliases {
			if !asked || wanted == "_all" || matchAny(names(wanted), name) {
				chosen[name], seen[name] = a, true
			}
		}
		_, named := c.vars["index"]
		if len(chosen) > 0 || !asked && (named || len(t.definition().aliases) > 0) {
			o = append(o, field{t.name, object{{"aliases", renderAliases(chosen)}}})
		}
	}
	var missing []string
	for _, name := range names(wanted) {
		if !strings.Contains(name, "*") && name != "_all" && !seen[name] {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return ok(o)
	}
	slices.Sort(missing)
	word := "alias"
	if len(missing) > 1 {
		word = "aliases"
	}
	return &answer{status: http.StatusNotFound, body: append(object{{"error", fmt.Sprintf("%s [%s] missing", word, strings.Join(missing, ","))}, {"status", 404}}, o...)}, nil
}
