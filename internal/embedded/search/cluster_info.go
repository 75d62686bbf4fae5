package search

import (
	"maps"
	"slices"
	"sort"
	"strings"
)

// clusterStats is GET /_cluster/stats: what there is to tell about one node.
func clusterStats(c *call) (*answer, error) {
	c.ignore("timeout", "flat_settings", "include_remotes")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	found, err := c.srv.resolve("", expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	st := stateOf(found)
	docs, deleted, bytes, err := totals(found)
	if err != nil {
		return nil, err
	}
	return ok(object{
		{"_nodes", object{{"total", 1}, {"successful", 1}, {"failed", 0}}},
		{"cluster_name", c.srv.cfg.ClusterName}, {"cluster_uuid", c.srv.uuid}, {"timestamp", c.srv.cfg.Clock().UnixMilli()}, {"status", st.status},
		{"indices", object{
			{"count", len(found)}, {"shards", object{{"total", st.active}, {"primaries", st.active}, {"replication", 0.0}}},
			{"docs", object{{"count", docs}, {"deleted", deleted}, {"total_size_in_bytes", bytes}}},
			{"store", object{{"size_in_bytes", bytes}, {"total_data_set_size_in_bytes", bytes}, {"reserved_in_bytes", 0}}},
		}},
		{"nodes", object{{"count", object{{"total", 1}, {"data", 1}, {"master", 1}, {"ingest", 1}}}, {"versions", []string{version}}}},
	})
}

// totals sums up the documents and sizes of indexes.
func totals(found []target) (docs, deleted, bytes int64, _ error) {
	for _, t := range found {
		n, err := t.bytes()
		if err != nil {
			return 0, 0, 0, err
		}
		docs += t.live.Load()
		bytes += n
	}
	return docs, 0, bytes, nil
}

// clusterState is GET /_cluster/state/{metric}, for the metrics that say who the
// cluster is.
func clusterStateOf(c *call) (*answer, error) {
	c.ignore("local", "master_timeout", "flat_settings", "wait_for_timeout")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	o := object{{"cluster_name", c.srv.cfg.ClusterName}, {"cluster_uuid", c.srv.uuid}}
	for _, metric := range names(c.vars["metric"]) {
		switch metric {
		case "version":
			version, err := c.srv.stateVersion()
			if err != nil {
				return nil, err
			}
			o = append(o, field{"version", version}, field{"state_uuid", randomID(16)})
		case "master_node":
			o = append(o, field{"master_node", c.srv.nodeID})
		case "nodes":
			o = append(o, field{"nodes", object{{c.srv.nodeID, object{{"name", c.srv.cfg.NodeName}, {"transport_address", c.host() + ":9300"}}}}})
		default:
			return nil, unsupported("the metric [" + metric + "] of the cluster state")
		}
	}
	return ok(o)
}

// stateVersion grows with every index that is made and every change of a mapping.
func (s *Server) stateVersion() (int, error) {
	s.catalog.RLock()
	defer s.catalog.RUnlock()
	n := 1
	for _, ix := range s.indices {
		n += 1 + int(ix.number) + ix.definition().mappingVersion
	}
	return n, nil
}

func pendingTasks(c *call) (*answer, error) {
	c.ignore("local", "master_timeout")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	return ok(object{{"tasks", []any{}}})
}

// tasks is GET /_tasks: requests are carried out at once, so none is ever left.
func tasks(c *call) (*answer, error) {
	c.ignore("actions", "detailed", "group_by", "nodes", "parent_task_id", "timeout", "wait_for_completion")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	return ok(object{{"nodes", object{{c.srv.nodeID, object{
		{"name", c.srv.cfg.NodeName}, {"transport_address", c.host() + ":9300"}, {"host", c.host()}, {"ip", c.host() + ":9300"}, {"tasks", object{}},
	}}}}})
}

func nothing(c *call) (*answer, error) {
	if err := c.unknown(); err != nil {
		return nil, err
	}
	return ok(object{})
}

// pipelines is GET /_ingest/pipeline: there are none.
func pipelines(c *call) (*answer, error) {
	c.ignore("master_timeout", "summary")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	return &answer{status: 404, body: object{}}, nil
}

func features(c *call) (*answer, error) {
	c.ignore("master_timeout")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	return ok(object{{"features", []any{
		object{{"name", "synonyms"}, {"description", "Manages synonyms"}}, object{{"name", "tasks"}, {"description", "Manages task results"}},
	}}})
}

// nodeStats is GET /_nodes/stats: the documents of the one node.
func nodeStats(c *call) (*answer, error) {
	c.ignore("timeout", "level", "types", "completion_fields", "fielddata_fields", "fields", "groups", "include_segment_file_sizes", "include_unloaded_segments")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	for _, metric := range names(c.vars["metric"]) {
		if metric != "indices" && metric != "_all" {
			return nil, unsupported("the node statistics [" + metric + "]")
		}
	}
	found, err := c.srv.resolve("", expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	docs, deleted, bytes, err := totals(found)
	if err != nil {
		return nil, err
	}
	return ok(object{
		{"_nodes", object{{"total", 1}, {"successful", 1}, {"failed", 0}}}, {"cluster_name", c.srv.cfg.ClusterName},
		{"nodes", object{{c.srv.nodeID, object{
			{"timestamp", c.srv.cfg.Clock().UnixMilli()}, {"name", c.srv.cfg.NodeName}, {"host", c.host()}, {"ip", c.host()},
			{"indices", object{
				{"docs", object{{"count", docs}, {"deleted", deleted}, {"total_size_in_bytes", bytes}}},
				{"store", object{{"size_in_bytes", bytes}, {"total_data_set_size_in_bytes", bytes}, {"reserved_in_bytes", 0}}},
			}},
		}}}},
	})
}

// resolveIndex is GET /_resolve/index/{name}.
func resolveIndex(c *call) (*answer, error) {
	c.ignore("expand_wildcards", "ignore_unavailable", "allow_no_indices")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	s := c.srv
	s.catalog.RLock()
	defer s.catalog.RUnlock()
	wanted := names(c.vars["name"])
	byAlias := map[string][]string{}
	indices := []any{}
	for _, ix := range s.sorted() {
		def := ix.definition()
		aliases := slices.Sorted(maps.Keys(def.aliases))
		for _, a := range aliases {
			byAlias[a] = append(byAlias[a], ix.name)
		}
		if !matchAny(wanted, ix.name) {
			continue
		}
		o := object{{"name", ix.name}}
		if len(aliases) > 0 {
			o = append(o, field{"aliases", aliases})
		}
		state := []string{"open"}
		if def.closed {
			state = []string{"closed"}
		}
		if def.settings["hidden"] == "true" {
			state = append(state, "hidden")
			sort.Strings(state)
		}
		indices = append(indices, append(o, field{"attributes", state}))
	}
	list := []any{}
	for _, a := range slices.Sorted(maps.Keys(byAlias)) {
		if matchAny(wanted, a) {
			list = append(list, object{{"name", a}, {"indices", byAlias[a]}})
		}
	}
	for _, name := range wanted {
		if !strings.Contains(name, "*") && s.indices[name] == nil && byAlias[name] == nil {
			return nil, indexNotFound(name)
		}
	}
	return ok(object{{"indices", indices}, {"aliases", list}, {"data_streams", []any{}}})
}

// forceMerge and clearCache have nothing to do that isn't done anyway.
func forceMerge(c *call) (*answer, error) {
	c.ignore("max_num_segments", "only_expunge_deletes", "flush", "wait_for_completion")
	found, err := c.indexes(expression{})
	if err != nil {
		return nil, err
	}
	return ok(object{{"_shards", shardsOf(found)}})
}

func clearCache(c *call) (*answer, error) {
	c.ignore("query", "fielddata", "request", "fields")
	found, err := c.indexes(expression{})
	if err != nil {
		return nil, err
	}
	for _, t := range found {
		c.srv.columns.keep(t.engine, nil)
	}
	return ok(object{{"_shards", shardsOf(found)}})
}
