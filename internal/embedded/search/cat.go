package search

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// column is a column of a table for people.
type column struct {
	name    string
	about   string // what help says
	aliases []string
	right   bool // aligned to the right
	hidden  bool // shown only when asked for
}

// table answers with rows as text, or as JSON when that is asked for.
func (c *call) table(columns []column, rows []map[string]string) (*answer, error) {
	verbose, err := c.flag("v", false)
	if err != nil {
		return nil, err
	}
	if help, err := c.flag("help", false); err != nil || help {
		if err != nil {
			return nil, err
		}
		return c.helpTable(columns), nil
	}
	chosen := columns
	if h := c.param("h"); h != "" {
		chosen = nil
		for _, name := range names(h) {
			for _, col := range columns {
				if matchSimple(name, col.name) || slices.Contains(col.aliases, name) {
					chosen = append(chosen, col)
				}
			}
		}
	} else {
		chosen = slices.DeleteFunc(slices.Clone(chosen), func(col column) bool { return col.hidden })
	}
	if err := sortRows(rows, c.param("s")); err != nil {
		return nil, err
	}
	c.ignore("bytes", "time", "master_timeout", "local")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	if c.query.Get("format") == "json" || c.form != "" || strings.Contains(c.req.Header.Get("Accept"), "json") {
		list := []any{}
		for _, row := range rows {
			o := object{}
			for _, col := range chosen {
				o = append(o, field{col.name, row[col.name]})
			}
			list = append(list, o)
		}
		a := &answer{status: http.StatusOK, body: list}
		if v := c.req.Header.Get("Accept"); strings.Contains(v, "compatible-with") {
			a.headers = map[string]string{"Content-Type": fmt.Sprintf("application/json;compatible-with=%d", c.compatible)}
		}
		return a, nil
	}
	var b strings.Builder
	width := func(col column) int {
		w := 0
		if verbose {
			w = len(col.name)
		}
		for _, row := range rows {
			w = max(w, len(row[col.name]))
		}
		return w
	}
	line := func(text func(column) string, header bool) {
		for i, col := range chosen {
			if i > 0 {
				b.WriteByte(' ')
			}
			value := text(col)
			pad := strings.Repeat(" ", width(col)-len(value))
			switch {
			case col.right && !header:
				b.WriteString(pad + value)
			case i == len(chosen)-1:
				b.WriteString(value)
			default:
				b.WriteString(value + pad)
			}
		}
		b.WriteByte('\n')
	}
	if verbose {
		line(func(col column) string { return col.name }, true)
	}
	for _, row := range rows {
		line(func(col column) string { return row[col.name] }, false)
	}
	text := b.String()
	return &answer{status: http.StatusOK, text: &text, headers: map[string]string{"Content-Type": "text/plain; charset=UTF-8"}}, nil
}

// helpTable tells about the columns of a table.
func (c *call) helpTable(columns []column) *answer {
	wide := [3]int{}
	var lines [][3]string
	for _, col := range columns {
		l := [3]string{col.name, strings.Join(col.aliases, ","), col.about}
		for i, text := range l {
			wide[i] = max(wide[i], len(text))
		}
		lines = append(lines, l)
	}
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%-*s | %-*s | %-*s\n", wide[0], l[0], wide[1], l[1], wide[2], l[2])
	}
	text := b.String()
	return &answer{status: http.StatusOK, text: &text, headers: map[string]string{"Content-Type": "text/plain; charset=UTF-8"}}
}

// sortRows sorts by columns like "index:desc,docs.count".
func sortRows(rows []map[string]string, by string) error {
	keys := names(by)
	slices.Reverse(keys)
	for _, key := range keys {
		name, order, _ := strings.Cut(key, ":")
		if order != "" && order != "asc" && order != "desc" {
			return illegalArgument("Unable to sort by unknown sort key `%s`", key)
		}
		slices.SortStableFunc(rows, func(a, b map[string]string) int {
			x, errX := strconv.ParseFloat(a[name], 64)
			y, errY := strconv.ParseFloat(b[name], 64)
			cmp := strings.Compare(a[name], b[name])
			if errX == nil && errY == nil {
				cmp = int(max(-1, min(1, x-y)))
			}
			if order == "desc" {
				return -cmp
			}
			return cmp
		})
	}
	return nil
}

func catIndices(c *call) (*answer, error) {
	e, err := c.options(expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	wanted := c.param("health")
	c.ignore("include_unloaded_segments", "pri")
	found, err := c.srv.resolve(c.vars["index"], e)
	if err != nil {
		return nil, err
	}
	var rows []map[string]string
	for _, t := range found {
		def := t.definition()
		primaries, total := def.shards()
		if wanted != "" && wanted != def.health() {
			continue
		}
		row := map[string]string{
			"health": def.health(), "status": "open", "index": t.name, "uuid": t.uuid,
			"pri": strconv.Itoa(primaries), "rep": strconv.Itoa(total/primaries - 1),
			"docs.count": strconv.FormatInt(t.live.Load(), 10), "docs.deleted": "0",
			"creation.date": strconv.FormatInt(t.created, 10),
		}
		if def.closed {
			row["status"], row["docs.count"], row["docs.deleted"] = "close", "", ""
		} else {
			size, err := c.shownSize(t.index)
			if err != nil {
				return nil, err
			}
			row["store.size"], row["pri.store.size"], row["dataset.size"] = size, size, size
		}
		rows = append(rows, row)
	}
	return c.table([]column{
		{name: "health", aliases: []string{"h"}}, {name: "status", aliases: []string{"s"}}, {name: "index", aliases: []string{"i", "idx"}},
		{name: "uuid", aliases: []string{"id"}}, {name: "pri", aliases: []string{"p"}, right: true}, {name: "rep", aliases: []string{"r"}, right: true},
		{name: "docs.count", aliases: []string{"dc", "docsCount"}, right: true}, {name: "docs.deleted", aliases: []string{"dd", "docsDeleted"}, right: true},
		{name: "store.size", right: true}, {name: "pri.store.size", right: true}, {name: "dataset.size", right: true},
		{name: "creation.date", aliases: []string{"cd"}, hidden: true},
	}, rows)
}

func catCount(c *call) (*answer, error) {
	e, err := c.options(expression{})
	if err != nil {
		return nil, err
	}
	found, err := c.srv.resolve(c.vars["index"], e)
	if err != nil {
		return nil, err
	}
	total := uint64(0)
	for _, t := range found {
		snap, err := t.engine.acquire()
		if err != nil {
			return nil, err
		}
		n, err := snap.reader.DocCount()
		snap.release()
		if err != nil {
			return nil, fmt.Errorf("counting the documents of %s: %w", t.name, err)
		}
		total += n
	}
	now := c.srv.cfg.Clock().UTC()
	return c.table([]column{{name: "epoch", aliases: []string{"t", "time"}, right: true}, {name: "timestamp", aliases: []string{"ts", "hms", "hhmmss"}}, {name: "count", aliases: []string{"dc", "docs.count", "docsCount"}, right: true}},
		[]map[string]string{{"epoch": strconv.FormatInt(now.Unix(), 10), "timestamp": now.Format("15:04:05"), "count": strconv.FormatUint(total, 10)}})
}

func catHealth(c *call) (*answer, error) {
	c.ignore("ts")
	found, err := c.srv.resolve("", expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	st := stateOf(found)
	now := c.srv.cfg.Clock().UTC()
	n := strconv.Itoa
	return c.table([]column{
		{name: "epoch", right: true}, {name: "timestamp"}, {name: "cluster"}, {name: "status"},
		{name: "node.total", right: true}, {name: "node.data", right: true}, {name: "shards", right: true}, {name: "pri", right: true},
		{name: "relo", right: true}, {name: "init", right: true}, {name: "unassign", right: true}, {name: "pending_tasks", right: true},
		{name: "max_task_wait_time", right: true}, {name: "active_shards_percent", right: true},
	}, []map[string]string{{
		"epoch": strconv.FormatInt(now.Unix(), 10), "timestamp": now.Format("15:04:05"), "cluster": c.srv.cfg.ClusterName, "status": st.status,
		"node.total": "1", "node.data": "1", "shards": n(st.active), "pri": n(st.active), "relo": "0", "init": "0", "unassign": n(st.unassigned),
		"pending_tasks": "0", "max_task_wait_time": "-", "active_shards_percent": fmt.Sprintf("%.1f%%", st.percent),
	}})
}

func catAliases(c *call) (*answer, error) {
	found, err := c.srv.resolve("", expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	wanted := names(c.vars["alias"])
	var rows []map[string]string
	for _, t := range found {
		aliases := t.definition().aliases
		for _, name := range slices.Sorted(maps.Keys(aliases)) {
			if len(wanted) > 0 && !matchAny(wanted, name) {
				continue
			}
			row := map[string]string{"alias": name, "index": t.name, "filter": "-", "routing.index": "-", "routing.search": "-", "is_write_index": "-"}
			if aliases[name].filter != nil {
				row["filter"] = "*"
			}
			if r := aliases[name].index; r != "" {
				row["routing.index"] = r
			}
			if r := aliases[name].search; r != "" {
				row["routing.search"] = r
			}
			if w := aliases[name].writeIndex; w != nil {
				row["is_write_index"] = strconv.FormatBool(*w)
			}
			rows = append(rows, row)
		}
	}
	return c.table([]column{{name: "alias"}, {name: "index"}, {name: "filter"}, {name: "routing.index"}, {name: "routing.search"}, {name: "is_write_index"}}, rows)
}
