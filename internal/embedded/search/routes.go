package search

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// methodOrder is the order in which the real server lists methods.
var methodOrder = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead}

// endpoint is a path with its methods. A segment in braces is variable.
type endpoint struct {
	path    string
	methods map[string]handler
}

// routeNode is a node of the tree of paths.
type routeNode struct {
	exact    map[string]*routeNode
	variable []*routeNode // one per name
	name     string       // of a variable
	methods  map[string]handler
}

func buildRoutes() *routeNode {
	root := &routeNode{exact: map[string]*routeNode{}}
	for _, e := range endpoints() {
		root.add(splitPath(e.path), e.methods)
	}
	return root
}

func splitPath(path string) []string {
	path = strings.TrimPrefix(path, "/")
	segments := strings.Split(path, "/")
	for len(segments) > 0 && segments[len(segments)-1] == "" {
		segments = segments[:len(segments)-1]
	}
	return segments
}

func (n *routeNode) add(segments []string, methods map[string]handler) {
	if len(segments) == 0 {
		n.methods = methods
		return
	}
	s := segments[0]
	if !strings.HasPrefix(s, "{") {
		next := n.exact[s]
		if next == nil {
			next = &routeNode{exact: map[string]*routeNode{}}
			n.exact[s] = next
		}
		next.add(segments[1:], methods)
		return
	}
	name := strings.Trim(s, "{}")
	for _, v := range n.variable {
		if v.name == name {
			v.add(segments[1:], methods)
			return
		}
	}
	next := &routeNode{exact: map[string]*routeNode{}, name: name}
	n.variable = append(n.variable, next)
	next.add(segments[1:], methods)
}

// routeMatch is a node that a path leads to, with its variables.
type routeMatch struct {
	node *routeNode
	vars map[string]string
}

// find gives the nodes with handlers that a path leads to. A variable stands for
// what no exact name leads to.
func (n *routeNode) find(segments []string, vars map[string]string) []routeMatch {
	if len(segments) == 0 {
		if n.methods == nil {
			return nil
		}
		copied := map[string]string{}
		for k, v := range vars {
			copied[k] = v
		}
		return []routeMatch{{n, copied}}
	}
	if next := n.exact[segments[0]]; next != nil {
		if found := next.find(segments[1:], vars); len(found) > 0 {
			return found
		}
	}
	var found []routeMatch
	for _, v := range n.variable {
		before, had := vars[v.name]
		vars[v.name] = segments[0]
		found = append(found, v.find(segments[1:], vars)...)
		delete(vars, v.name)
		if had {
			vars[v.name] = before
		}
	}
	return found
}

// route finds the handler of a call. A nil handler without error is the answer
// to OPTIONS.
func (s *Server) route(c *call) (handler, error) {
	var segments []string
	for _, raw := range splitPath(c.path) {
		decoded, err := url.PathUnescape(raw)
		if err != nil {
			return nil, newError(http.StatusBadRequest, "bad_parameter_exception", "%s", err.Error())
		}
		segments = append(segments, strings.ToValidUTF8(decoded, "\ufffd"))
	}
	matches := s.routes.find(segments, map[string]string{})
	var allowed []string
	for _, m := range matches {
		if h := m.node.methods[c.req.Method]; h != nil {
			c.vars = m.vars
			return h, nil
		}
		for _, method := range methodOrder {
			if m.node.methods[method] != nil && !slices.Contains(allowed, method) {
				allowed = append(allowed, method)
			}
		}
	}
	slices.SortFunc(allowed, func(a, b string) int {
		return slices.Index(methodOrder, a) - slices.Index(methodOrder, b)
	})
	uri := c.path
	if c.req.URL.RawQuery != "" {
		uri += "?" + c.req.URL.RawQuery
	}
	switch {
	case len(matches) == 0:
		return nil, noHandler(uri, c.req.Method)
	case c.req.Method == http.MethodOptions:
		c.vars = map[string]string{"allow": strings.Join(allowed, ",")}
		return nil, nil
	default:
		return nil, &apiError{
			status: http.StatusMethodNotAllowed, plain: true, allow: strings.Join(allowed, ","),
			reason: fmt.Sprintf("Incorrect HTTP method for uri [%s] and method [%s], allowed: [%s]", uri, c.req.Method, strings.Join(allowed, ", ")),
		}
	}
}

func noHandler(uri, method string) *apiError {
	return &apiError{status: http.StatusBadRequest, plain: true, bare: true, reason: fmt.Sprintf("no handler found for uri [%s] and method [%s]", uri, method)}
}

const (
	get  = http.MethodGet
	post = http.MethodPost
	put  = http.MethodPut
	del  = http.MethodDelete
	head = http.MethodHead
)

type methods = map[string]handler

// endpoints is the whole interface.
func endpoints() []endpoint {
	return []endpoint{
		{"/", methods{get: info, head: info, del: deleteNothing}},
		{"/{index}", methods{get: getIndex, put: createIndex, del: deleteIndex, head: headIndex}},
		// Documents of types are gone from the interface; what is left of the path
		// makes it known with this method alone.
		{"/{index}/{type}", methods{post: typedPath}},

		{"/{index}/_doc", methods{post: putDocument}},
		{"/{index}/_doc/{id}", methods{get: getDocument, head: getDocument, put: putDocument, post: putDocument, del: deleteDocument}},
		{"/{index}/_create/{id}", methods{put: createDocument, post: createDocument}},
		{"/{index}/_source/{id}", methods{get: getSource, head: getSource}},
		{"/{index}/_update/{id}", methods{post: updateDocument}},
		{"/_mget", methods{get: multiGet, post: multiGet}},
		{"/{index}/_mget", methods{get: multiGet, post: multiGet}},
		{"/_bulk", methods{post: bulk, put: bulk}},
		{"/{index}/_bulk", methods{post: bulk, put: bulk}},

		{"/{index}/_delete_by_query", methods{post: deleteByQuery}},
		{"/{index}/_update_by_query", methods{post: updateByQuery}},
		{"/_reindex", methods{post: reindex}},

		{"/_search", methods{get: search, post: search}},
		{"/{index}/_search", methods{get: search, post: search}},
		{"/_search/scroll", methods{get: scrollOn, post: scrollOn, del: clearScroll}},
		{"/_search/scroll/{id}", methods{get: scrollOn, post: scrollOn, del: clearScroll}},
		{"/{index}/_pit", methods{post: openPoint}},
		{"/_pit", methods{del: closePoint}},
		{"/_msearch", methods{get: multiSearch, post: multiSearch}},
		{"/{index}/_msearch", methods{get: multiSearch, post: multiSearch}},
		{"/_validate/query", methods{get: validateQuery, post: validateQuery}},
		{"/{index}/_validate/query", methods{get: validateQuery, post: validateQuery}},
		{"/{index}/_explain/{id}", methods{get: explainDocument, post: explainDocument}},
		{"/_field_caps", methods{get: fieldCaps, post: fieldCaps}},
		{"/{index}/_field_caps", methods{get: fieldCaps, post: fieldCaps}},
		{"/_count", methods{get: count, post: count}},
		{"/{index}/_count", methods{get: count, post: count}},
		{"/_analyze", methods{get: analyze, post: analyze}},
		{"/{index}/_analyze", methods{get: analyze, post: analyze}},

		{"/_mapping", methods{get: getMapping}},
		{"/{index}/_mapping", methods{get: getMapping, put: putMapping, post: putMapping}},
		{"/{index}/_mapping/field/{fields}", methods{get: getFieldMapping}},
		{"/_settings", methods{get: getSettings, put: putSettings}},
		{"/_settings/{name}", methods{get: getSettings}},
		{"/{index}/_settings", methods{get: getSettings, put: putSettings}},
		{"/{index}/_settings/{name}", methods{get: getSettings}},
		{"/{index}/_close", methods{post: closeIndex}},
		{"/{index}/_open", methods{post: reopenIndex}},

		{"/_refresh", methods{get: refresh, post: refresh}},
		{"/{index}/_refresh", methods{get: refresh, post: refresh}},
		{"/_flush", methods{get: flush, post: flush}},
		{"/{index}/_flush", methods{get: flush, post: flush}},
		{"/{index}/_stats", methods{get: stats}},
		{"/{index}/_stats/{metric}", methods{get: stats}},
		{"/_stats", methods{get: stats}},

		{"/_aliases", methods{post: changeAliases}},
		{"/_alias", methods{get: getAlias}},
		{"/_alias/{name}", methods{get: getAlias, head: getAlias}},
		{"/{index}/_alias", methods{get: getAlias}},
		{"/{index}/_alias/{name}", methods{get: getAlias, head: getAlias, put: putAlias, post: putAlias, del: deleteAlias}},
		{"/{index}/_aliases/{name}", methods{put: putAlias, post: putAlias, del: deleteAlias}},

		{"/_index_template", methods{get: getIndexTemplate}},
		{"/_index_template/{name}", methods{get: getIndexTemplate, head: headTemplate(indexTemplates), put: putIndexTemplate, post: putIndexTemplate, del: deleteIndexTemplate}},
		{"/_index_template/_simulate_index/{name}", methods{post: simulateIndex}},
		{"/_component_template", methods{get: getComponentTemplate}},
		{"/_component_template/{name}", methods{get: getComponentTemplate, head: headTemplate(componentTemplates), put: putComponentTemplate, post: putComponentTemplate, del: deleteComponentTemplate}},

		{"/_template", methods{get: getLegacyTemplate}},
		{"/_template/{name}", methods{get: getLegacyTemplate, head: headTemplate(legacyTemplates), put: putLegacyTemplate, post: putLegacyTemplate, del: deleteLegacyTemplate}},
		{"/_resolve/index/{name}", methods{get: resolveIndex}},
		{"/_forcemerge", methods{post: forceMerge}},
		{"/{index}/_forcemerge", methods{post: forceMerge}},
		{"/_cache/clear", methods{post: clearCache}},
		{"/{index}/_cache/clear", methods{post: clearCache}},

		{"/_cluster/pending_tasks", methods{get: pendingTasks}},
		{"/_cluster/stats", methods{get: clusterStats}},
		{"/_cluster/state/{metric}", methods{get: clusterStateOf}},
		{"/_nodes/stats", methods{get: nodeStats}},
		{"/_nodes/stats/{metric}", methods{get: nodeStats}},
		{"/_tasks", methods{get: tasks}},
		{"/_remote/info", methods{get: nothing}},
		{"/_ingest/pipeline", methods{get: pipelines}},
		{"/_features", methods{get: features}},
		{"/_cluster/health", methods{get: clusterHealth}},
		{"/_cluster/health/{index}", methods{get: clusterHealth}},
		{"/_cluster/settings", methods{get: getClusterSettings, put: putClusterSettings}},
		{"/_nodes", methods{get: nodes}},
		{"/_nodes/{what}", methods{get: nodes}},
		{"/_nodes/{node}/{what}", methods{get: nodes}},
		{"/_cat/indices", methods{get: catIndices}},
		{"/_cat/indices/{index}", methods{get: catIndices}},
		{"/_cat/count", methods{get: catCount}},
		{"/_cat/count/{index}", methods{get: catCount}},
		{"/_cat/health", methods{get: catHealth}},
		{"/_cat/aliases", methods{get: catAliases}},
		{"/_cat/aliases/{alias}", methods{get: catAliases}},
		{"/_cat", methods{get: catHelp}},
		{"/_cat/shards", methods{get: catShards}},
		{"/_cat/shards/{index}", methods{get: catShards}},
		{"/_cat/nodes", methods{get: catNodes}},
		{"/_cat/master", methods{get: catMaster}},
		{"/_cat/allocation", methods{get: catAllocation}},
		{"/_cat/templates", methods{get: catTemplates}},
		{"/_cat/templates/{name}", methods{get: catTemplates}},
		{"/_cat/plugins", methods{get: catNothing("name", "component", "version")}},
		{"/_cat/pending_tasks", methods{get: catNothing("insertOrder", "timeInQueue", "priority", "source")}},
		{"/_cat/repositories", methods{get: catNothing("id", "type")}},
		{"/_cat/nodeattrs", methods{get: catNothing("node", "host", "ip", "attr", "value")}},
		{"/_cat/tasks", methods{get: catUnsupported}},
		{"/_cat/segments", methods{get: catUnsupported}},
		{"/_cat/segments/{index}", methods{get: catUnsupported}},
		{"/_cat/recovery", methods{get: catUnsupported}},
		{"/_cat/recovery/{index}", methods{get: catUnsupported}},
		{"/_cat/thread_pool", methods{get: catUnsupported}},
		{"/_cat/thread_pool/{name}", methods{get: catUnsupported}},
		{"/_cat/fielddata", methods{get: catUnsupported}},
		{"/_cat/fielddata/{fields}", methods{get: catUnsupported}},
		{"/_cat/component_templates", methods{get: catUnsupported}},
		{"/_cat/snapshots/{repository}", methods{get: catUnsupported}},
	}
}

func typedPath(c *call) (*answer, error) { return nil, noHandler(c.path, c.req.Method) }

func deleteNothing(*call) (*answer, error) {
	return nil, validationFailed("index / indices is missing")
}

// info is what clients ask first.
func info(c *call) (*answer, error) {
	if err := c.unknown(); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, pretty: true, body: object{
		{"name", c.srv.cfg.NodeName}, {"cluster_name", c.srv.cfg.ClusterName}, {"cluster_uuid", c.srv.uuid},
		{"version", object{
			{"number", version}, {"build_flavor", "default"}, {"build_type", "tar"},
			{"build_hash", "d55f984299e0e88dee72ebd8255f7ff130859ad0"}, {"build_date", "2024-07-07T22:04:49.882652950Z"},
			{"build_snapshot", false}, {"lucene_version", "9.10.0"},
			{"minimum_wire_compatibility_version", "7.17.0"}, {"minimum_index_compatibility_version", "7.0.0"},
		}},
		{"tagline", "You Know, for Search"},
	}}, nil
}
