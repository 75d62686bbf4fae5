package search

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings are those of an index that were set, by name without "index.".
type settings map[string]string

// knownSettings are the names that are taken, and whether they can change while
// the index is open. A name that ends with a dot stands for all below it.
var knownSettings = map[string]bool{
	"number_of_shards":                     false,
	"number_of_replicas":                   true,
	"refresh_interval":                     true,
	"max_result_window":                    true,
	"mapping.total_fields.limit":           true,
	"mapping.depth.limit":                  true,
	"mapping.nested_fields.limit":          true,
	"mapping.coerce":                       false,
	"blocks.write":                         true,
	"blocks.read":                          true,
	"blocks.read_only":                     true,
	"blocks.read_only_allow_delete":        true,
	"blocks.metadata":                      true,
	"codec":                                false,
	"hidden":                               true,
	"auto_expand_replicas":                 true,
	"translog.durability":                  true,
	"translog.sync_interval":               false,
	"translog.flush_threshold_size":        true,
	"max_inner_result_window":              true,
	"max_terms_count":                      true,
	"max_regex_length":                     true,
	"gc_deletes":                           true,
	"priority":                             true,
	"lifecycle.name":                       true,
	"query.default_field":                  true,
	"highlight.max_analyzed_offset":        true,
	"search.idle.after":                    true,
	"unassigned.node_left.delayed_timeout": true,
}

// defaultSettings are shown when a request asks for them.
var defaultSettings = map[string]string{
	"max_result_window": "10000", "refresh_interval": "1s", "mapping.total_fields.limit": "1000",
	"mapping.depth.limit": "20", "codec": "default", "hidden": "false", "gc_deletes": "60s",
	"max_terms_count": "65536", "max_regex_length": "1000", "auto_expand_replicas": "false",
	"translog.durability": "REQUEST", "priority": "1", "max_inner_result_window": "100",
}

// parseSettings reads the "settings" of a request, nested or dotted. A null is
// kept as an empty text, which takes a setting back.
func parseSettings(n *node) (settings, *apiError) {
	s := settings{}
	if n == nil {
		return s, nil
	}
	if n.kind != kindObject {
		return nil, newError(400, "parse_exception", "key [settings] must be an object")
	}
	flat := map[string]string{}
	flattenSettings("", n, flat)
	for _, key := range slices.Sorted(maps.Keys(flat)) {
		name := strings.TrimPrefix(key, "index.")
		if slices.Contains(privateSettings, name) || strings.HasPrefix(name, "routing.allocation.") {
			s[name] = flat[key]
			continue
		}
		if _, ok := knownSettings[name]; !ok {
			return nil, illegalArgument("unknown setting [index.%s] please check that any required plugins are installed, or check the breaking changes documentation for removed settings", name)
		}
		if err := checkSetting(name, flat[key]); err != nil {
			return nil, err
		}
		s[name] = flat[key]
	}
	return s, nil
}

// privateSettings are made by the server.
var privateSettings = []string{"provided_name", "creation_date", "uuid", "version.created"}

func flattenSettings(prefix string, n *node, into map[string]string) {
	for _, m := range n.members {
		name := m.name
		if prefix != "" {
			name = prefix + "." + name
		}
		switch m.value.kind {
		case kindObject:
			flattenSettings(name, m.value, into)
		case kindArray:
			var parts []string
			for _, e := range m.value.elements {
				parts = append(parts, e.text)
			}
			into[name] = strings.Join(parts, ",")
		case kindNull:
			into[name] = ""
		default:
			into[name], _ = m.value.scalar()
		}
	}
}

// checkSetting reports a value that a setting can't have.
func checkSetting(name, value string) *apiError {
	if value == "" {
		return nil
	}
	least := map[string]int{
		"number_of_shards": 1, "number_of_replicas": 0, "max_result_window": 1,
		"mapping.total_fields.limit": 0, "mapping.depth.limit": 1,
	}
	if minimum, ok := least[name]; ok {
		v, err := strconv.Atoi(value)
		if err != nil {
			e := illegalArgument("Failed to parse value [%s] for setting [index.%s]", value, name)
			e.cause = newError(0, "number_format_exception", "For input string: \"%s\"", value)
			return e
		}
		if v < minimum {
			return illegalArgument("Failed to parse value [%s] for setting [index.%s] must be >= %d", value, name, minimum)
		}
	}
	if strings.HasPrefix(name, "blocks.") && value != "true" && value != "false" {
		return illegalArgument("Failed to parse value [%s] as only [true] or [false] are allowed.", value)
	}
	if name == "refresh_interval" {
		_, err := parseTimeValue("index.refresh_interval", value)
		return err
	}
	return nil
}

func (s settings) number(name string, otherwise int) int {
	if v, err := strconv.Atoi(s[name]); err == nil {
		return v
	}
	return otherwise
}

// refreshInterval is how long a write may be unseen by searches; negative means
// until it is asked for. A server that refreshes more often than an index wants
// does it no harm, so of two intervals the shorter one counts.
func (s settings) refreshInterval(usual time.Duration) time.Duration {
	v := s["refresh_interval"]
	if v == "" {
		return usual
	}
	d, err := parseTimeValue("index.refresh_interval", v)
	switch {
	case err != nil || d >= 0 && usual >= 0 && usual < d:
		return usual
	default:
		return d
	}
}

// with gives settings with others put over them; an empty text takes one away.
func (s settings) with(others settings) settings {
	merged := maps.Clone(s)
	if merged == nil {
		merged = settings{}
	}
	for name, value := range others {
		if value == "" {
			delete(merged, name)
		} else {
			merged[name] = value
		}
	}
	return merged
}

// render shows the settings, flat or as nested objects.
func (s settings) render(flat bool) object {
	o := object{}
	names := slices.Sorted(maps.Keys(s))
	if flat {
		for _, name := range names {
			o = append(o, field{"index." + name, s[name]})
		}
		return o
	}
	// The real one lists its own settings in this order.
	order := []string{"routing", "refresh_interval", "number_of_shards", "provided_name", "creation_date", "number_of_replicas", "uuid", "version"}
	rank := func(name string) int {
		head, _, _ := strings.Cut(name, ".")
		return slices.Index(order, head)
	}
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	for _, name := range names {
		o = setPath(o, strings.Split("index."+name, "."), s[name])
	}
	return o
}

// setPath puts a value into nested objects.
func setPath(o object, path []string, value any) object {
	if len(path) == 1 {
		o.set(path[0], value)
		return o
	}
	inner, _ := o.get(path[0])
	nested, _ := inner.(object)
	o.set(path[0], setPath(nested, path[1:], value))
	return o
}

// shown are the settings of an index with those that the server made.
func (ix *index) shown(def *definition) settings {
	s := settings{
		"routing.allocation.include._tier_preference": "data_content",
		"number_of_shards":                            "1",
		"number_of_replicas":                          "1",
	}.with(def.settings)
	s["provided_name"] = ix.name
	s["creation_date"] = strconv.FormatInt(ix.created, 10)
	s["uuid"] = ix.uuid
	s["version.created"] = indexVersion
	return s
}
