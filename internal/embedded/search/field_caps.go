package search

import (
	"maps"
	"slices"
)

// fieldCaps is GET and POST /_field_caps and /{index}/_field_caps.
func fieldCaps(c *call) (*answer, error) {
	e, err := c.options(expression{})
	if err != nil {
		return nil, err
	}
	patterns := names(c.param("fields"))
	unmapped, err := c.flag("include_unmapped", false)
	if err != nil {
		return nil, err
	}
	c.ignore("filters", "types")
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	if n != nil {
		for _, m := range n.members {
			switch m.name {
			case "fields":
				patterns = texts(m.value)
			case "index_filter", "runtime_mappings":
				return nil, unsupported("[" + m.name + "] of a field capabilities request")
			default:
				return nil, contentError(n.src, m.start, "[field_caps_request] unknown field [%s]", m.name)
			}
		}
	}
	if err := c.unknown(); err != nil {
		return nil, err
	}
	if len(patterns) == 0 {
		return nil, validationFailed("no fields specified")
	}
	found, err := c.srv.resolve(c.vars["index"], e)
	if err != nil {
		return nil, err
	}
	return ok(capabilities(found, patterns, unmapped))
}

// metadataCaps are the capabilities of the fields that every index has: type,
// searchable, aggregatable.
var metadataCaps = []struct {
	name, typ                string
	searchable, aggregatable bool
}{
	{"_routing", "_routing", true, false}, {"_doc_count", "integer", false, false}, {"_index", "_index", true, true},
	{"_ignored", "_ignored", true, false}, {"_seq_no", "_seq_no", true, true}, {"_nested_path", "_nested_path", true, false},
	{"_field_names", "_field_names", true, false}, {"_data_stream_timestamp", "_data_stream_timestamp", false, false},
	{"_source", "_source", false, false}, {"_id", "_id", true, false}, {"_version", "_version", false, true},
}

type capability struct {
	searchable, aggregatable, metadata bool
	indices                            []string
}

// capabilities tells what can be done with fields of some indexes.
func capabilities(found []target, patterns []string, unmapped bool) object {
	byField := map[string]map[string]*capability{}
	add := func(name, typ, index string, searchable, aggregatable, metadata bool) {
		if !matchAny(patterns, name) {
			return
		}
		if byField[name] == nil {
			byField[name] = map[string]*capability{}
		}
		c := byField[name][typ]
		if c == nil {
			c = &capability{searchable: true, aggregatable: true, metadata: metadata}
			byField[name][typ] = c
		}
		c.searchable = c.searchable && searchable
		c.aggregatable = c.aggregatable && aggregatable
		c.indices = append(c.indices, index)
	}
	list := []string{}
	for _, t := range found {
		list = append(list, t.name)
		for _, m := range metadataCaps {
			add(m.name, m.typ, t.name, m.searchable, m.aggregatable, true)
		}
		root := t.definition().mapping
		root.all(func(m *mapping) {
			real := m
			if m.typ == "alias" {
				if real = root.lookup(m.path); real == nil {
					return
				}
			}
			object := real.typ == "object" || real.typ == "nested"
			add(m.path, real.typ, t.name, !object && (real.indexed || real.docValues), !object && real.docValues && real.typ != "binary", false)
		})
	}
	slices.Sort(list)
	fields := object{}
	for _, name := range slices.Sorted(maps.Keys(byField)) {
		types := object{}
		mapped := 0
		for _, typ := range slices.Sorted(maps.Keys(byField[name])) {
			c := byField[name][typ]
			o := object{{"type", typ}, {"metadata_field", c.metadata}, {"searchable", c.searchable}, {"aggregatable", c.aggregatable}}
			if len(byField[name]) > 1 {
				o = append(o, field{"indices", c.indices})
			}
			mapped += len(c.indices)
			types = append(types, field{typ, o})
		}
		if unmapped && mapped < len(list) {
			types = append(types, field{"unmapped", object{{"type", "unmapped"}, {"metadata_field", false}, {"searchable", false}, {"aggregatable", false}}})
		}
		fields = append(fields, field{name, types})
	}
	return object{{"indices", list}, {"fields", fields}}
}
