package search

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// createIndex is PUT /{index}.
func createIndex(c *call) (*answer, error) {
	c.ignore("master_timeout", "timeout", "wait_for_active_shards", "include_type_name")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	n, err := c.json()
	if err != nil {
		e := asAPIError(err)
		if e.typ == "x_content_e_o_f_exception" {
			_, reason, _ := strings.Cut(e.reason, ": ")
			e.typ, e.reason = "x_content_parse_exception", fmt.Sprintf("[%s] %s", at(c.body, len(c.body)), reason)
		}
		return nil, e
	}
	asked := creation{settings: settings{}, aliases: map[string]alias{}}
	if n != nil {
		if n.kind != kindObject {
			return nil, newError(http.StatusInternalServerError, "not_x_content_exception", "Compressor detection can only be called on some xcontent bytes or compressed xcontent bytes")
		}
		for _, m := range n.members {
			if !slices.Contains([]string{"settings", "mappings", "aliases"}, m.name) {
				return nil, newError(http.StatusBadRequest, "parse_exception", "unknown key [%s] for create index", m.name)
			}
		}
		var apiErr *apiError
		if asked, apiErr = parseCreation(n); apiErr != nil {
			return nil, apiErr
		}
	}
	c.srv.catalog.Lock()
	defer c.srv.catalog.Unlock()
	ix, err := c.srv.create(c.vars["index"], asked)
	if err != nil {
		return nil, err
	}
	return ok(object{{"acknowledged", true}, {"shards_acknowledged", true}, {"index", ix.name}})
}

// deleteIndex is DELETE /{index}.
func deleteIndex(c *call) (*answer, error) {
	e, err := c.options(expression{forbidWildcards: true, forbidAliases: true, closedToo: true})
	if err != nil {
		return nil, err
	}
	c.ignore("master_timeout", "timeout")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	if c.vars["index"] == "_all" {
		return nil, illegalArgument("Wildcard expressions or all indices are not allowed")
	}
	c.srv.catalog.Lock()
	defer c.srv.catalog.Unlock()
	found, err := c.srv.resolveLocked(c.vars["index"], e)
	if err != nil {
		return nil, err
	}
	for _, t := range found {
		if err := c.srv.remove(t.index); err != nil {
			return nil, err
		}
	}
	return acknowledged()
}

// headIndex is HEAD /{index}.
func headIndex(c *call) (*answer, error) {
	if _, err := c.indexes(expression{closedToo: true}); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK}, nil
}

// indexes reads the parameters of a request about indexes and finds them.
func (c *call) indexes(e expression) ([]target, error) {
	e, err := c.options(e)
	if err != nil {
		return nil, err
	}
	c.ignore("master_timeout", "timeout", "local", "flat_settings", "include_defaults")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	return c.srv.resolve(c.vars["index"], e)
}

// getIndex is GET /{index}.
func getIndex(c *call) (*answer, error) {
	c.ignore("features")
	found, err := c.indexes(expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	defaults, err := c.flag("include_defaults", false)
	if err != nil {
		return nil, err
	}
	flat, err := c.flag("flat_settings", false)
	if err != nil {
		return nil, err
	}
	o := object{}
	for _, t := range found {
		def := t.definition()
		shown := object{{"aliases", renderAliases(def.aliases)}, {"mappings", def.mapping.render()}, {"settings", t.shown(def).render(flat)}}
		if defaults {
			shown = append(shown, field{"defaults", t.defaults(def).render(flat)})
		}
		o = append(o, field{t.name, shown})
	}
	return ok(o)
}

// defaults are the settings that an index doesn't set.
func (ix *index) defaults(def *definition) settings {
	s := settings{}
	for name, value := range defaultSettings {
		if def.settings[name] == "" {
			s[name] = value
		}
	}
	return s
}

func getMapping(c *call) (*answer, error) {
	found, err := c.indexes(expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	o := object{}
	for _, t := range found {
		o = append(o, field{t.name, object{{"mappings", t.definition().mapping.render()}}})
	}
	return ok(o)
}

func getFieldMapping(c *call) (*answer, error) {
	found, err := c.indexes(expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	o := object{}
	for _, t := range found {
		fields := object{}
		t.definition().mapping.leaves(func(m *mapping) {
			if matchAny(names(c.vars["fields"]), m.path) {
				fields = append(fields, field{m.path, object{{"full_name", m.path}, {"mapping", object{{m.name, m.render()}}}}})
			}
		})
		for _, m := range metadataCaps {
			if matchAny(names(c.vars["fields"]), m.name) {
				fields = append(fields, field{m.name, object{{"full_name", m.name}, {"mapping", object{}}}})
			}
		}
		o = append(o, field{t.name, object{{"mappings", fields}}})
	}
	return ok(o)
}

func putMapping(c *call) (*answer, error) {
	c.ignore("write_index_only")
	found, err := c.indexes(expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, newError(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	added, apiErr := parseMapping(n)
	if apiErr != nil {
		return nil, failedMapping(apiErr)
	}
	for _, t := range found {
		err := t.change(func(def definition) (*definition, *apiError) {
			merged, err := def.mapping.merge(added)
			if err != nil {
				return nil, err
			}
			if err := merged.checkAliases(merged); err != nil {
				return nil, err
			}
			if limit := def.limits().fields; merged.count() > limit {
				return nil, illegalArgument("Limit of total fields [%d] has been exceeded", limit)
			}
			def.mapping = merged
			def.mappingVersion++
			return &def, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return acknowledged()
}

func getSettings(c *call) (*answer, error) {
	found, err := c.indexes(expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	flat, err := c.flag("flat_settings", false)
	if err != nil {
		return nil, err
	}
	defaults, err := c.flag("include_defaults", false)
	if err != nil {
		return nil, err
	}
	human, err := c.flag("human", false)
	if err != nil {
		return nil, err
	}
	only := names(c.vars["name"])
	choose := func(s settings) settings {
		if len(only) == 0 || only[0] == "_all" {
			return s
		}
		maps.DeleteFunc(s, func(name, _ string) bool { return !matchAny(only, "index."+name) })
		return s
	}
	o := object{}
	for _, t := range found {
		def := t.definition()
		all := t.shown(def)
		if human {
			all["version.created_string"] = "8.14.0-8.14.2"
			all["creation_date_string"] = t.createdAt().UTC().Format("2006-01-02T15:04:05.000Z")
		}
		shown := object{{"settings", choose(all).render(flat)}}
		if defaults {
			shown = append(shown, field{"defaults", choose(t.defaults(def)).render(flat)})
		}
		o = append(o, field{t.name, shown})
	}
	return ok(o)
}

func putSettings(c *call) (*answer, error) {
	preserve, err := c.flag("preserve_existing", false)
	if err != nil {
		return nil, err
	}
	reopen, err := c.flag("reopen", false)
	if err != nil {
		return nil, err
	}
	found, err := c.indexes(expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	if n != nil && len(n.members) == 1 && n.members[0].name == "settings" {
		n = n.members[0].value
	}
	changed, apiErr := parseSettings(n)
	if apiErr != nil {
		return nil, apiErr
	}
	if len(changed) == 0 {
		return nil, validationFailed("no settings to update")
	}
	var fixed, open []string
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		if dynamic, ok := knownSettings[name]; ok && !dynamic {
			fixed = append(fixed, "index."+name)
		}
		if slices.Contains(privateSettings, name) {
			return nil, illegalArgument("can not update private setting [index.%s]; this setting is managed by Elasticsearch", name)
		}
	}
	for _, t := range found {
		if !t.closed.Load() {
			open = append(open, t.name+"/"+t.uuid)
		}
	}
	if len(fixed) > 0 && (len(open) > 0 && !reopen || slices.Contains(fixed, "index.number_of_shards")) {
		return nil, illegalArgument("Can't update non dynamic settings [[%s]] for open indices [[%s]] unless the `reopen` query parameter is set to true. Alternatively, close the indices, apply the settings changes, and reopen the indices", strings.Join(fixed, ", "), strings.Join(open, ", "))
	}
	for _, t := range found {
		err := t.change(func(def definition) (*definition, *apiError) {
			if preserve {
				def.settings = changed.with(def.settings)
			} else {
				def.settings = def.settings.with(changed)
			}
			return &def, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return acknowledged()
}

func closeIndex(c *call) (*answer, error) {
	c.ignore("wait_for_active_shards")
	found, err := c.indexes(expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	shown := object{}
	for _, t := range found {
		if err := t.setClosed(true); err != nil {
			return nil, err
		}
		shown = append(shown, field{t.name, object{{"closed", true}}})
	}
	return ok(object{{"acknowledged", true}, {"shards_acknowledged", true}, {"indices", shown}})
}

func reopenIndex(c *call) (*answer, error) {
	c.ignore("wait_for_active_shards")
	found, err := c.indexes(expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	for _, t := range found {
		if err := t.setClosed(false); err != nil {
			return nil, err
		}
	}
	return ok(object{{"acknowledged", true}, {"shards_acknowledged", true}})
}

func (ix *index) setClosed(closed bool) error {
	return ix.change(func(def definition) (*definition, *apiError) {
		if def.closed != closed {
			def.term++ // the shard is allocated anew
		}
		def.closed = closed
		return &def, nil
	})
}

// shardsOf sums up the shards of indexes, as answers show them.
func shardsOf(found []target) object {
	total, primaries := 0, 0
	for _, t := range found {
		p, all := t.definition().shards()
		total, primaries = total+all, primaries+p
	}
	return object{{"total", total}, {"successful", primaries}, {"failed", 0}}
}

func refresh(c *call) (*answer, error) {
	found, err := c.indexes(expression{})
	if err != nil {
		return nil, err
	}
	for _, t := range found {
		if err := t.engine.refresh(c.ctx); err != nil {
			return nil, err
		}
	}
	return ok(object{{"_shards", shardsOf(found)}})
}

// flush has nothing to do: what was acknowledged is durable.
func flush(c *call) (*answer, error) {
	c.ignore("force", "wait_if_ongoing")
	found, err := c.indexes(expression{})
	if err != nil {
		return nil, err
	}
	return ok(object{{"_shards", shardsOf(found)}})
}

// stats shows the documents of indexes and how much they take.
func stats(c *call) (*answer, error) {
	c.ignore("level", "include_unloaded_segments", "include_segment_file_sizes", "fields", "groups", "forbid_closed_indices")
	found, err := c.indexes(expression{})
	if err != nil {
		return nil, err
	}
	metrics := []string{"docs", "store"}
	if metric, asked := c.vars["metric"]; asked && metric != "_all" {
		metrics = names(metric)
		for _, m := range metrics {
			if m != "docs" && m != "store" {
				return nil, unsupported(fmt.Sprintf("the metric [%s]", m))
			}
		}
	}
	shown := func(docs, bytes int64) object {
		o := object{}
		for _, m := range []string{"docs", "store"} {
			switch {
			case !slices.Contains(metrics, m):
			case m == "docs":
				o = append(o, field{m, object{{"count", docs}, {"deleted", 0}, {"total_size_in_bytes", bytes}}})
			default:
				o = append(o, field{m, object{{"size_in_bytes", bytes}, {"total_data_set_size_in_bytes", bytes}, {"reserved_in_bytes", 0}}})
			}
		}
		return o
	}
	all, allBytes, byIndex := int64(0), int64(0), object{}
	for _, t := range found {
		n := t.live.Load()
		bytes, err := t.bytes()
		if err != nil {
			return nil, err
		}
		all += n
		allBytes += bytes
		byIndex = append(byIndex, field{t.name, object{
			{"uuid", t.uuid}, {"health", t.definition().health()}, {"status", "open"},
			{"primaries", shown(n, bytes)}, {"total", shown(n, bytes)},
		}})
	}
	return ok(object{
		{"_shards", shardsOf(found)},
		{"_all", object{{"primaries", shown(all, allBytes)}, {"total", shown(all, allBytes)}}},
		{"indices", byIndex},
	})
}
