package search

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
)

// catPaths is what GET /_cat lists.
const catPaths = `=^.^=
/_cat/allocation
/_cat/shards
/_cat/shards/{index}
/_cat/master
/_cat/nodes
/_cat/tasks
/_cat/indices
/_cat/indices/{index}
/_cat/segments
/_cat/segments/{index}
/_cat/count
/_cat/count/{index}
/_cat/recovery
/_cat/recovery/{index}
/_cat/health
/_cat/pending_tasks
/_cat/aliases
/_cat/aliases/{alias}
/_cat/thread_pool
/_cat/thread_pool/{thread_pools}
/_cat/plugins
/_cat/fielddata
/_cat/fielddata/{fields}
/_cat/nodeattrs
/_cat/repositories
/_cat/snapshots/{repository}
/_cat/templates
/_cat/component_templates`

func catHelp(c *call) (*answer, error) {
	if err := c.unknown(); err != nil {
		return nil, err
	}
	text := catPaths
	return &answer{status: 200, text: &text, headers: map[string]string{"Content-Type": "text/plain; charset=UTF-8"}}, nil
}

// host is the address by which the client knows this server.
func (c *call) host() string {
	host, _, err := net.SplitHostPort(c.req.Host)
	if err != nil {
		return c.req.Host
	}
	return host
}

func catShards(c *call) (*answer, error) {
	e, err := c.options(expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	found, err := c.srv.resolve(c.vars["index"], e)
	if err != nil {
		return nil, err
	}
	var rows []map[string]string
	for _, t := range found {
		primaries, total := t.definition().shards()
		size, err := c.shownSize(t.index)
		if err != nil {
			return nil, err
		}
		for shard := range primaries {
			row := map[string]string{
				"index": t.name, "shard": strconv.Itoa(shard), "prirep": "p", "state": "STARTED", "docs": "0", "store": "0b", "dataset": "0b",
				"ip": c.host(), "node": c.srv.cfg.NodeName,
			}
			if shard == 0 { // the data is one shard, whatever the setting
				row["docs"], row["store"], row["dataset"] = strconv.FormatInt(t.live.Load(), 10), size, size
			}
			rows = append(rows, row)
			for range total/primaries - 1 {
				rows = append(rows, map[string]string{"index": t.name, "shard": strconv.Itoa(shard), "prirep": "r", "state": "UNASSIGNED"})
			}
		}
	}
	return c.table([]column{
		{name: "index", aliases: []string{"i", "idx"}}, {name: "shard", aliases: []string{"s", "sh"}}, {name: "prirep", aliases: []string{"p", "pr", "primaryOrReplica"}},
		{name: "state", aliases: []string{"st"}}, {name: "docs", aliases: []string{"d", "dc"}, right: true}, {name: "store", aliases: []string{"sto"}, right: true},
		{name: "dataset", right: true}, {name: "ip"}, {name: "node", aliases: []string{"n"}},
	}, rows)
}

func catNodes(c *call) (*answer, error) {
	c.ignore("full_id", "include_unloaded_segments")
	return c.table([]column{
		{name: "ip", aliases: []string{"i"}}, {name: "heap.percent", aliases: []string{"hp", "heapPercent"}, right: true}, {name: "ram.percent", aliases: []string{"rp", "ramPercent"}, right: true},
		{name: "cpu", right: true}, {name: "load_1m", aliases: []string{"l"}, right: true}, {name: "load_5m", right: true}, {name: "load_15m", right: true},
		{name: "node.role", aliases: []string{"r", "role", "nodeRole"}}, {name: "master", aliases: []string{"m"}}, {name: "name", aliases: []string{"n"}},
		{name: "version", aliases: []string{"v"}, hidden: true}, {name: "id", aliases: []string{"nodeId"}, hidden: true},
	}, []map[string]string{{
		"ip": c.host(), "node.role": "cdfhilmrstw", "master": "*", "name": c.srv.cfg.NodeName, "version": version, "id": c.srv.nodeID[:4],
	}})
}

func catMaster(c *call) (*answer, error) {
	return c.table([]column{{name: "id"}, {name: "host", aliases: []string{"h"}}, {name: "ip"}, {name: "node", aliases: []string{"n"}}},
		[]map[string]string{{"id": c.srv.nodeID, "host": c.host(), "ip": c.host(), "node": c.srv.cfg.NodeName}})
}

func catAllocation(c *call) (*answer, error) {
	found, err := c.srv.resolve("", expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	st := stateOf(found)
	rows := []map[string]string{{"shards": strconv.Itoa(st.active), "host": c.host(), "ip": c.host(), "node": c.srv.cfg.NodeName}}
	if st.unassigned > 0 {
		rows = append(rows, map[string]string{"shards": strconv.Itoa(st.unassigned), "node": "UNASSIGNED"})
	}
	return c.table([]column{
		{name: "shards", right: true}, {name: "disk.indices", right: true}, {name: "disk.used", right: true}, {name: "disk.avail", right: true},
		{name: "disk.total", right: true}, {name: "disk.percent", right: true}, {name: "host"}, {name: "ip"}, {name: "node"},
	}, rows)
}

func catTemplates(c *call) (*answer, error) {
	s := c.srv
	s.catalog.RLock()
	var rows []map[string]string
	for _, kind := range []templateKind{indexTemplates, legacyTemplates} {
		for _, name := range slices.Sorted(maps.Keys(s.templates[kind])) {
			t := s.templates[kind][name]
			row := map[string]string{"name": name, "index_patterns": "[" + strings.Join(patterns(t), ", ") + "]", "order": strconv.Itoa(priority(t))}
			if kind == legacyTemplates {
				row["order"] = strconv.Itoa(orderOf(t))
			}
			if v := t.get("version"); v != nil {
				row["version"] = v.text
			}
			if v := t.get("composed_of"); v != nil {
				row["composed_of"] = "[" + strings.Join(texts(v), ", ") + "]"
			}
			rows = append(rows, row)
		}
	}
	s.catalog.RUnlock()
	if name := c.vars["name"]; name != "" {
		rows = slices.DeleteFunc(rows, func(r map[string]string) bool { return !matchSimple(name, r["name"]) })
	}
	return c.table([]column{
		{name: "name", aliases: []string{"n"}}, {name: "index_patterns", aliases: []string{"t"}}, {name: "order", aliases: []string{"o", "p"}},
		{name: "version", aliases: []string{"v"}}, {name: "composed_of", aliases: []string{"c"}},
	}, rows)
}

// catNothing is a table that is always empty here: there are no plug-ins and no
// tasks that wait.
func catNothing(names ...string) handler {
	return func(c *call) (*answer, error) {
		var columns []column
		for _, name := range names {
			columns = append(columns, column{name: name})
		}
		return c.table(columns, nil)
	}
}

// catUnsupported is a table that this server hasn't got.
func catUnsupported(c *call) (*answer, error) { return nil, unsupported("the table " + c.path) }

// shownSize is the size of an index as tables show it.
func (c *call) shownSize(ix *index) (string, error) {
	n, err := ix.bytes()
	if err != nil {
		return "", err
	}
	return byteSize(n, c.query.Get("bytes")), nil
}

// byteSize shows a number of bytes in a unit, or in the one that suits it.
func byteSize(n int64, unit string) string {
	units := []string{"b", "kb", "mb", "gb", "tb", "pb"}
	if i := slices.Index(units, strings.TrimSuffix(unit, "")); unit != "" && i >= 0 {
		return strconv.FormatInt(n>>(10*i), 10)
	}
	v, i := float64(n), 0
	for ; v >= 1024 && i < len(units)-1; i++ {
		v /= 1024
	}
	if i == 0 {
		return strconv.FormatInt(n, 10) + "b"
	}
	text := strconv.FormatFloat(float64(int64(v*10))/10, 'f', 1, 64)
	return strings.TrimSuffix(text, ".0") + units[i]
}

// bytes is about how much of the disk, or of memory, an index takes: its
// documents in the database and its inverted index.
func (ix *index) bytes() (int64, error) {
	total, err := ix.engine.bytes()
	if err != nil {
		return 0, err
	}
	for _, kind := range []byte{keyDocument, keyChange} {
		prefix := numberedKey(kind, ix.number)
		n, err := ix.srv.store.db.EstimateDiskUsage(prefix, prefixEnd(prefix))
		if err != nil {
			return 0, fmt.Errorf("measuring index %s: %w", ix.name, err)
		}
		total += int64(n)
	}
	return total, nil
}
