package search

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// health of an index: replicas have no node to be on.
func (d *definition) health() string {
	if primaries, total := d.shards(); total > primaries {
		return "yellow"
	}
	return "green"
}

// healthRank orders the states from best to worst.
var healthRank = []string{"green", "yellow", "red"}

// clusterState sums up the shards of indexes.
type clusterState struct {
	status             string
	active, unassigned int
	percent            float64
}

func stateOf(found []target) clusterState {
	st := clusterState{status: "green", percent: 100}
	for _, t := range found {
		def := t.definition()
		primaries, total := def.shards()
		st.active += primaries
		st.unassigned += total - primaries
		if slices.Index(healthRank, def.health()) > slices.Index(healthRank, st.status) {
			st.status = def.health()
		}
	}
	if all := st.active + st.unassigned; all > 0 {
		st.percent = float64(st.active) * 100 / float64(all)
	}
	return st
}

func (c *call) renderHealth(st clusterState, timedOut bool) object {
	return object{
		{"cluster_name", c.srv.cfg.ClusterName}, {"status", st.status}, {"timed_out", timedOut},
		{"number_of_nodes", 1}, {"number_of_data_nodes", 1},
		{"active_primary_shards", st.active}, {"active_shards", st.active},
		{"relocating_shards", 0}, {"initializing_shards", 0}, {"unassigned_shards", st.unassigned},
		{"delayed_unassigned_shards", 0}, {"number_of_pending_tasks", 0}, {"number_of_in_flight_fetch", 0},
		{"task_max_waiting_in_queue_millis", 0}, {"active_shards_percent_as_number", st.percent},
	}
}

func clusterHealth(c *call) (*answer, error) {
	e, err := c.options(expression{closedToo: true})
	if err != nil {
		return nil, err
	}
	wait := c.param("wait_for_status")
	level := c.param("level")
	timeout, err := c.duration("timeout", 30*time.Second)
	if err != nil {
		return nil, err
	}
	c.ignore("master_timeout", "local", "wait_for_no_relocating_shards", "wait_for_no_initializing_shards", "wait_for_events", "wait_for_nodes", "wait_for_active_shards")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	if wait != "" && !slices.Contains(healthRank, strings.ToLower(wait)) {
		return nil, illegalArgument("No enum constant org.elasticsearch.cluster.health.ClusterHealthStatus.%s", strings.ToUpper(wait))
	}
	switch level {
	case "", "cluster", "indices":
	default:
		if level == "shards" {
			return nil, unsupported("the level [shards]")
		}
		return nil, illegalArgument("level parameter must be one of [cluster] or [indices] or [shards] but was [%s]", level)
	}
	// A state that isn't reached may come with an index, so it is waited for.
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		found, err := c.srv.resolve(c.vars["index"], e)
		missing := err != nil
		if missing && asAPIError(err).typ != "index_not_found_exception" {
			return nil, err
		}
		st := stateOf(found)
		if missing {
			st = clusterState{status: "red", percent: 100}
		}
		reached := !missing && (wait == "" || slices.Index(healthRank, st.status) <= slices.Index(healthRank, strings.ToLower(wait)))
		if reached {
			return &answer{status: http.StatusOK, body: c.withLevel(c.renderHealth(st, false), level, found)}, nil
		}
		select {
		case <-deadline.C:
			return &answer{status: http.StatusRequestTimeout, body: c.withLevel(c.renderHealth(st, true), level, found)}, nil
		case <-c.ctx.Done():
			return nil, c.ctx.Err()
		case <-tick.C:
		}
	}
}

// withLevel adds the health of each index.
func (c *call) withLevel(o object, level string, found []target) object {
	if level != "indices" {
		return o
	}
	list := object{}
	for _, t := range found {
		def := t.definition()
		primaries, total := def.shards()
		list = append(list, field{t.name, object{
			{"status", def.health()}, {"number_of_shards", primaries}, {"number_of_replicas", total/primaries - 1},
			{"active_primary_shards", primaries}, {"active_shards", primaries}, {"relocating_shards", 0},
			{"initializing_shards", 0}, {"unassigned_shards", total - primaries},
		}})
	}
	return append(o, field{"indices", list})
}

func (s *Server) loadSettings() error {
	s.settings = map[string]string{}
	raw, err := s.store.get([]byte{keySettings})
	if err != nil || raw == nil {
		return err
	}
	if err := json.Unmarshal(raw, &s.settings); err != nil {
		return fmt.Errorf("reading the cluster settings: %w", err)
	}
	return nil
}

// clusterSettingNames can be set.
var clusterSettingNames = []string{"action.auto_create_index", "action.destructive_requires_name"}

func (s *Server) renderSettings() object {
	o := object{}
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		o = setPath(o, strings.Split(name, "."), s.settings[name])
	}
	return o
}

func getClusterSettings(c *call) (*answer, error) {
	c.ignore("master_timeout", "timeout", "local", "flat_settings")
	if _, err := c.flag("include_defaults", false); err != nil {
		return nil, err
	}
	if err := c.unknown(); err != nil {
		return nil, err
	}
	c.srv.catalog.RLock()
	defer c.srv.catalog.RUnlock()
	return ok(object{{"persistent", c.srv.renderSettings()}, {"transient", object{}}})
}

func putClusterSettings(c *call) (*answer, error) {
	c.ignore("master_timeout", "timeout", "flat_settings")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	if n == nil || len(n.members) == 0 {
		return nil, validationFailed("no settings to update")
	}
	c.srv.catalog.Lock()
	defer c.srv.catalog.Unlock()
	changed := maps.Clone(c.srv.settings)
	if n != nil {
		for _, m := range n.members {
			if m.name != "persistent" && m.name != "transient" {
				return nil, contentError(n.src, m.start, "[cluster_update_settings_request] unknown field [%s]", m.name)
			}
			flat := map[string]string{}
			flattenSettings("", m.value, flat)
			for name, value := range flat {
				if !slices.Contains(clusterSettingNames, name) {
					return nil, illegalArgument("%s setting [%s], not recognized", m.name, name)
				}
				if m.name == "transient" {
					return nil, unsupported("a transient cluster setting")
				}
				if value == "" {
					delete(changed, name)
				} else {
					changed[name] = value
				}
			}
		}
	}
	raw, err := json.Marshal(changed)
	if err != nil {
		return nil, err
	}
	if err := c.srv.store.db.Set([]byte{keySettings}, raw, pebble.Sync); err != nil {
		return nil, fmt.Errorf("writing the cluster settings: %w", err)
	}
	c.srv.settings = changed
	return ok(object{{"acknowledged", true}, {"persistent", c.srv.renderSettings()}, {"transient", object{}}})
}

// nodes shows the one node, with its address.
func nodes(c *call) (*answer, error) {
	c.ignore("timeout", "flat_settings")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	what := c.vars["what"]
	node, asked := c.vars["node"]
	if !asked && what != "" && !slices.Contains([]string{"http", "_all"}, what) {
		node, asked = what, true
	}
	if asked && !slices.Contains([]string{"_local", "_all", "_master", c.srv.nodeID, c.srv.cfg.NodeName, "*"}, node) {
		if what == "stats" || node == "stats" {
			return nil, unsupported("node statistics")
		}
		return ok(object{{"_nodes", object{{"total", 0}, {"successful", 0}, {"failed", 0}}}, {"cluster_name", c.srv.cfg.ClusterName}, {"nodes", object{}}})
	}
	addr := c.req.Host
	host, _, _ := strings.Cut(addr, ":")
	shown := object{
		{"name", c.srv.cfg.NodeName}, {"transport_address", host + ":9300"}, {"host", host}, {"ip", host}, {"version", version},
		{"build_flavor", "default"}, {"build_type", "tar"},
		{"roles", []string{"data", "data_cold", "data_content", "data_frozen", "data_hot", "data_warm", "ingest", "master", "ml", "remote_cluster_client", "transform"}},
		{"http", object{{"bound_address", []string{addr}}, {"publish_address", addr}, {"max_content_length_in_bytes", maxBody}}},
	}
	return ok(object{
		{"_nodes", object{{"total", 1}, {"successful", 1}, {"failed", 0}}},
		{"cluster_name", c.srv.cfg.ClusterName},
		{"nodes", object{{c.srv.nodeID, shown}}},
	})
}
