package search

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// checkIndexName reports what an index can't be called.
func checkIndexName(name string) *apiError {
	switch {
	case strings.ContainsAny(name, ",|>?*<\" \\/"):
		return invalidIndexName(name, `must not contain the following characters [',','|','>','?','*','<','"',' ','\','/']`)
	case name == "." || name == "..":
		return invalidIndexName(name, "must not be '.' or '..'")
	case strings.Contains(name, "#"):
		return invalidIndexName(name, "must not contain '#'")
	case strings.Contains(name, ":"):
		return invalidIndexName(name, "must not contain ':'")
	case strings.IndexAny(name, "_-+") == 0:
		return invalidIndexName(name, "must not start with '_', '-', or '+'")
	case strings.ToLower(name) != name:
		return invalidIndexName(name, "must be lowercase")
	case len(name) > 255:
		return invalidIndexName(name, fmt.Sprintf("index name is too long, (%d > 255)", len(name)))
	case name == "":
		return invalidIndexName(name, "must not be empty")
	default:
		return nil
	}
}

// creation is what a new index is made of.
type creation struct {
	settings settings
	mapping  *mapping
	aliases  map[string]alias
}

// create makes an index, with the template that fits its name. The caller holds
// catalog for writing.
func (s *Server) create(name string, asked creation) (*index, error) {
	if err := checkIndexName(name); err != nil {
		return nil, err
	}
	if old := s.indices[name]; old != nil {
		e := newError(http.StatusBadRequest, "resource_already_exists_exception", "index [%s/%s] already exists", name, old.uuid)
		e.meta = object{{"index_uuid", old.uuid}, {"index", name}}
		return nil, e
	}
	if len(s.aliased(name)) > 0 {
		return nil, invalidIndexName(name, "already exists as alias")
	}
	made, err := s.fromTemplate(name)
	if err != nil {
		return nil, err
	}
	def := &definition{settings: made.settings.with(asked.settings), aliases: made.aliases, term: firstTerm}
	for n, a := range asked.aliases {
		def.aliases[n] = a
	}
	for n := range def.aliases {
		if s.indices[n] != nil || n == name {
			return nil, invalidAliasName(n)
		}
	}
	def.mapping = made.mapping
	if asked.mapping != nil {
		merged, apiErr := made.mapping.merge(asked.mapping)
		if apiErr != nil {
			return nil, apiErr
		}
		def.mapping = merged
	}
	if err := def.mapping.checkAliases(def.mapping); err != nil {
		return nil, err
	}
	number, dbErr := s.store.nextNumber()
	if dbErr != nil {
		return nil, fmt.Errorf("creating index %s: %w", name, dbErr)
	}
	ix := &index{name: name, uuid: randomID(16), number: number, created: s.cfg.Clock().UnixMilli(), srv: s, def: def}
	if err := s.store.db.Set(namedKey(keyIndex, name), ix.encodeDefinition(def), pebble.Sync); err != nil {
		return nil, fmt.Errorf("creating index %s: %w", name, err)
	}
	if err := ix.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("creating index %s: %w", name, err), s.store.db.Delete(namedKey(keyIndex, name), pebble.Sync))
	}
	s.indices[name] = ix
	return ix, nil
}

// remove deletes an index. The caller holds catalog for writing.
func (s *Server) remove(ix *index) error {
	ix.writes.Lock()
	defer ix.writes.Unlock()
	b := s.store.db.NewBatch()
	err := errors.Join(b.Delete(namedKey(keyIndex, ix.name), nil), s.store.drop(b, ix.number))
	if err == nil {
		err = b.Commit(pebble.Sync)
	}
	if err != nil {
		return fmt.Errorf("deleting index %s: %w", ix.name, err)
	}
	delete(s.indices, ix.name)
	ix.removed = true
	ix.closed.Store(true)
	return ix.engine.remove()
}

// aliased gives the indexes that have an alias. The caller holds catalog.
func (s *Server) aliased(name string) []*index {
	var found []*index
	for _, ix := range s.sorted() {
		if _, ok := ix.definition().aliases[name]; ok {
			found = append(found, ix)
		}
	}
	return found
}

// target is an index that a request is about, with the filters of the aliases by
// which alone it was named.
type target struct {
	*index
	filters []*node
}

// expression says how names in a path are resolved.
type expression struct {
	ignoreUnavailable bool
	forbidNoIndices   bool
	forbidWildcards   bool
	forbidAliases     bool
	closedToo         bool
}

// options reads the parameters about index names.
func (c *call) options(e expression) (expression, error) {
	var err error
	if e.ignoreUnavailable, err = c.flag("ignore_unavailable", false); err != nil {
		return e, err
	}
	allow, err := c.flag("allow_no_indices", true)
	e.forbidNoIndices = !allow
	c.ignore("expand_wildcards", "ignore_throttled")
	return e, err
}

// resolve finds the indexes of an expression: names, aliases, wildcards,
// exclusions with a minus, _all.
func (s *Server) resolve(expr string, e expression) ([]target, error) {
	s.catalog.RLock()
	defer s.catalog.RUnlock()
	return s.resolveLocked(expr, e)
}

func (s *Server) resolveLocked(expr string, e expression) ([]target, error) {
	var found []target
	add := func(ix *index, filter *node, filtered bool) {
		for i := range found {
			if found[i].index == ix {
				if !filtered {
					found[i].filters = nil
				} else if found[i].filters != nil {
					found[i].filters = append(found[i].filters, filter)
				}
				return
			}
		}
		t := target{index: ix}
		if filtered {
			t.filters = []*node{filter}
		}
		found = append(found, t)
	}
	names := strings.Split(expr, ",")
	all := expr == "" || expr == "_all" || expr == "*"
	if all {
		names = []string{"*"}
	}
	wildcards := false
	for _, name := range names {
		if strings.HasPrefix(name, "-") && wildcards {
			found = slices.DeleteFunc(found, func(t target) bool { return matchSimple(name[1:], t.name) })
			continue
		}
		if strings.Contains(name, "*") {
			if e.forbidWildcards {
				return nil, illegalArgument("Wildcard expressions or all indices are not allowed")
			}
			wildcards = true
			before := len(found)
			for _, ix := range s.sorted() {
				def := ix.definition()
				if def.closed && !e.closedToo || def.settings["hidden"] == "true" && !strings.HasPrefix(name, ".") {
					continue
				}
				if matchSimple(name, ix.name) {
					add(ix, nil, false)
					continue
				}
				for n, a := range def.aliases {
					if !e.forbidAliases && matchSimple(name, n) {
						add(ix, a.filter, a.filter != nil)
					}
				}
			}
			if len(found) == before && e.forbidNoIndices {
				return nil, indexNotFound(name)
			}
			continue
		}
		ix, aliased := s.indices[name], []*index(nil)
		if ix == nil {
			aliased = s.aliased(name)
		}
		switch {
		case ix != nil:
			if ix.definition().closed && !e.closedToo {
				if e.ignoreUnavailable {
					continue
				}
				return nil, indexClosed(ix)
			}
			add(ix, nil, false)
		case len(aliased) > 0 && e.forbidAliases:
			if e.ignoreUnavailable {
				continue
			}
			return nil, illegalArgument("The provided expression [%s] matches an alias, specify the corresponding concrete indices instead.", name)
		case len(aliased) > 0:
			for _, ix := range aliased {
				a := ix.definition().aliases[name]
				add(ix, a.filter, a.filter != nil)
			}
		case strings.HasPrefix(name, "_"):
			e := invalidIndexName(name, "must not start with '_'.")
			return nil, e
		case !e.ignoreUnavailable:
			return nil, indexNotFound(name)
		}
	}
	if len(found) == 0 && e.forbidNoIndices {
		return nil, indexNotFound(expr)
	}
	return found, nil
}

// existing finds the one index that a document is read from.
func (s *Server) existing(name string) (*index, error) {
	found, err := s.resolve(name, expression{})
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		if len(found) == 0 {
			return nil, indexNotFound(name)
		}
		return nil, illegalArgument("alias [%s] has more than one index associated with it [%s], can't execute a single index op", name, joinNames(found))
	}
	return found[0].index, nil
}

func joinNames(found []target) string {
	var names []string
	for _, t := range found {
		names = append(names, t.name)
	}
	return strings.Join(names, ", ")
}

// writable finds the index that documents sent to a name go to, and makes it
// when make says so and it doesn't exist.
func (s *Server) writable(name string, requireAlias, makeIt bool) (*index, error) {
	s.catalog.RLock()
	ix, aliased := s.indices[name], s.aliased(name)
	s.catalog.RUnlock()
	switch {
	case requireAlias && len(aliased) == 0:
		e := indexNotFound(name)
		e.reason = fmt.Sprintf("no such index [%s] and [require_alias] request flag is [true] and [%s] is not an alias", name, name)
		e.meta = object{{"index_uuid", "_na_"}, {"index", name}}
		return nil, e
	case ix != nil:
	case len(aliased) > 0:
		var err *apiError
		if ix, err = writeIndex(name, aliased); err != nil {
			return nil, err
		}
	case !makeIt:
		return nil, indexNotFound(name)
	case !s.autoCreate(name):
		e := indexNotFound(name)
		e.reason += s.noAutoCreate()
		e.meta = object{{"index_uuid", "_na_"}, {"index", name}}
		return nil, e
	default:
		s.catalog.Lock()
		defer s.catalog.Unlock()
		if ix = s.indices[name]; ix == nil {
			return s.create(name, creation{})
		}
	}
	if ix.closed.Load() {
		return nil, indexClosed(ix)
	}
	return ix, nil
}

// writeIndex is the one of an alias's indexes that takes writes.
func writeIndex(name string, aliased []*index) (*index, *apiError) {
	var chosen *index
	for _, ix := range aliased {
		w := ix.definition().aliases[name].writeIndex
		if w != nil && *w || w == nil && len(aliased) == 1 {
			chosen = ix
		}
	}
	if chosen == nil {
		return nil, illegalArgument("no write index is defined for alias [%s]. The write index may be explicitly disabled using is_write_index=false or the alias points to multiple indices without one being designated as a write index", name)
	}
	return chosen, nil
}

// noAutoCreate says why an index isn't made by writing to it.
func (s *Server) noAutoCreate() string {
	s.catalog.RLock()
	defer s.catalog.RUnlock()
	if rule := s.settings["action.auto_create_index"]; rule != "false" {
		return fmt.Sprintf(" and [action.auto_create_index] ([%s]) doesn't match", rule)
	}
	return " and [action.auto_create_index] is [false]"
}

// autoCreate reports whether an index may be made by writing to it.
func (s *Server) autoCreate(name string) bool {
	s.catalog.RLock()
	rule := s.settings["action.auto_create_index"]
	s.catalog.RUnlock()
	switch rule {
	case "", "true":
		return true
	case "false":
		return false
	}
	for p := range strings.SplitSeq(rule, ",") {
		allow := !strings.HasPrefix(p, "-")
		if matchSimple(strings.TrimLeft(p, "+-"), name) {
			return allow
		}
	}
	return false
}

// blocks has the settings that forbid something, with the block's number and
// name.
var blocks = []struct {
	setting, shown string
	read, write    bool
}{
	{"blocks.read_only", "FORBIDDEN/5/index read-only (api)", false, true},
	{"blocks.read", "FORBIDDEN/7/index read (api)", true, false},
	{"blocks.write", "FORBIDDEN/8/index write (api)", false, true},
	{"blocks.read_only_allow_delete", "TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block", false, true},
}

// blocked reports a block that forbids reading or writing.
func (ix *index) blocked(write bool) *apiError {
	def := ix.definition()
	for _, b := range blocks {
		if def.settings[b.setting] == "true" && (write && b.write || !write && b.read) {
			return newError(http.StatusForbidden, "cluster_block_exception", "index [%s] blocked by: [%s];", ix.name, b.shown)
		}
	}
	return nil
}
