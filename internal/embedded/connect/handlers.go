package connect

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

var routes = []route{
	{"", map[string]handler{http.MethodGet: root}},
	{"health", map[string]handler{http.MethodGet: health}},
	{"connectors", map[string]handler{http.MethodGet: listConnectors, http.MethodPost: createConnector}},
	{"connectors/*", map[string]handler{http.MethodGet: getConnector, http.MethodDelete: deleteConnector}},
	{"connectors/*/config", map[string]handler{http.MethodGet: getConfig, http.MethodPut: putConfig, http.MethodPatch: patchConfig}},
	{"connectors/*/status", map[string]handler{http.MethodGet: getStatus}},
	{"connectors/*/tasks", map[string]handler{http.MethodGet: getTasks}},
	{"connectors/*/tasks-config", map[string]handler{http.MethodGet: getTasksConfig}},
	{"connectors/*/tasks/*/status", map[string]handler{http.MethodGet: getTaskStatus}},
	{"connectors/*/tasks/*/restart", map[string]handler{http.MethodPost: restartTask}},
	{"connectors/*/restart", map[string]handler{http.MethodPost: restartConnector}},
	{"connectors/*/pause", map[string]handler{http.MethodPut: aimFor(statePaused, http.StatusAccepted)}},
	{"connectors/*/resume", map[string]handler{http.MethodPut: aimFor(stateStarted, http.StatusAccepted)}},
	{"connectors/*/stop", map[string]handler{http.MethodPut: aimFor(stateStopped, http.StatusNoContent)}},
	{"connectors/*/topics", map[string]handler{http.MethodGet: getTopics}},
	{"connectors/*/topics/reset", map[string]handler{http.MethodPut: resetTopics}},
	{"connectors/*/offsets", map[string]handler{http.MethodGet: getOffsets, http.MethodPatch: patchOffsets, http.MethodDelete: deleteOffsets}},
	{"connector-plugins", map[string]handler{http.MethodGet: listPlugins}},
	{"connector-plugins/*/config", map[string]handler{http.MethodGet: getPluginConfig}},
	{"admin/loggers", map[string]handler{http.MethodGet: listLoggers}},
	{"admin/loggers/*", map[string]handler{http.MethodGet: getLogger, http.MethodPut: putLogger}},
	{"connector-plugins/*/config/validate", map[string]handler{http.MethodPut: validatePluginConfig}},
}

func root(w *worker, _ *call) (*answer, error) {
	return ok(map[string]string{"version": Version, "commit": "orderflow", "kafka_cluster_id": w.clusterID})
}

func health(*worker, *call) (*answer, error) {
	return ok(map[string]string{"status": "healthy", "message": "Worker has completed startup and is ready to handle requests."})
}

func notFound(name string) error { return fail(http.StatusNotFound, "Connector %s not found", name) }

func (w *worker) known(name string) (*connector, error) {
	if c := w.find(name); c != nil {
		return c, nil
	}
	return nil, notFound(name)
}

func listConnectors(w *worker, c *call) (*answer, error) {
	names := w.names()
	expand := c.req.URL.Query()["expand"]
	if len(expand) == 0 {
		return ok(names)
	}
	all := map[string]map[string]any{}
	for _, name := range names {
		connector := w.find(name)
		if connector == nil {
			continue
		}
		all[name] = map[string]any{}
		for _, what := range expand {
			switch what {
			case "info":
				all[name]["info"] = w.info(connector)
			case "status":
				if s, started := w.statusOf(connector); started {
					all[name]["status"] = s
				}
			}
		}
	}
	return ok(all)
}

// settings are a connector's settings as JSON has them: texts, numbers and
// booleans, all of which become texts.
type settings map[string]string

func malformed(err error) error {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	return fail(http.StatusInternalServerError, "%s", err)
}

// initialStates are the states in which a connector can be created.
var initialStates = map[string]string{"": "", "RUNNING": stateStarted, "PAUSED": statePaused, "STOPPED": stateStopped}

func createConnector(w *worker, c *call) (*answer, error) {
	request, err := readCreateRequest(c.body)
	if err != nil {
		return nil, err
	}
	if request == nil {
		return nil, fail(http.StatusInternalServerError, `Cannot invoke "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest.name()" because "createRequest" is null`)
	}
	if request.config == nil {
		return nil, fail(http.StatusInternalServerError, `Cannot invoke "java.util.Map.get(Object)" because "connectorConfig" is null`)
	}
	target := initialStates[strings.ToUpper(request.initial)]
	if err := checkName(request.config, request.name); err != nil {
		return nil, err
	}
	request.config["name"] = request.name
	connector, _, err := w.create(c.req.Context(), request.name, request.config, target, true)
	if err != nil {
		return nil, err
	}
	return created(w, connector), nil
}

func checkName(config settings, name string) error {
	if own, ok := config["name"]; ok && own != name {
		return fail(http.StatusBadRequest, "Connector name configuration (%s) doesn't match connector name in the URL (%s)", own, name)
	}
	return nil
}

// created answers with a connector that has no tasks yet.
func created(w *worker, c *connector) *answer {
	i := w.info(c)
	i.Tasks = []taskID{}
	return &answer{status: http.StatusCreated, body: i, location: "/connectors/" + c.name}
}

func getConnector(w *worker, c *call) (*answer, error) {
	connector, err := w.known(c.vars[0])
	if err != nil {
		return nil, err
	}
	return ok(w.info(connector))
}

func deleteConnector(w *worker, c *call) (*answer, error) {
	connector, err := w.known(c.vars[0])
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusNoContent}, w.remove(c.req.Context(), connector)
}

func getConfig(w *worker, c *call) (*answer, error) {
	connector, err := w.known(c.vars[0])
	if err != nil {
		return nil, err
	}
	return ok(w.info(connector).Config)
}

func putConfig(w *worker, c *call) (*answer, error) {
	config, err := bodySettings(c.body)
	if err != nil {
		return nil, err
	}
	if isNull(c.body) {
		return nil, fail(http.StatusInternalServerError, `Cannot invoke "java.util.Map.get(Object)" because "connectorConfig" is null`)
	}
	return change(w, c, config)
}

func change(w *worker, c *call, config settings) (*answer, error) {
	name := c.vars[0]
	if err := checkName(config, name); err != nil {
		return nil, err
	}
	if config == nil {
		config = settings{}
	}
	config["name"] = name
	connector, isNew, err := w.create(c.req.Context(), name, config, "", false)
	if err != nil {
		return nil, err
	}
	if isNew {
		return created(w, connector), nil
	}
	return ok(w.info(connector))
}

// isNull reports whether a body is empty, or null.
func isNull(body []byte) bool {
	text := strings.TrimSpace(string(body))
	return text == "" || text == "null"
}

func patchConfig(w *worker, c *call) (*answer, error) {
	connector, err := w.known(c.vars[0])
	if err != nil {
		return nil, err
	}
	patch, err := members(c.body, stringMapType)
	if err != nil {
		return nil, err
	}
	if isNull(c.body) {
		return nil, fail(http.StatusInternalServerError, `Cannot invoke "java.util.Map.forEach(java.util.function.BiConsumer)" because "patch" is null`)
	}
	config := settings(w.info(connector).Config)
	patch = slices.DeleteFunc(patch, func(m member) bool {
		if string(c.body[m.start:m.end]) != "null" {
			return false
		}
		delete(config, m.name)
		return true
	})
	changed, err := settingsOf(c.body, patch, linkedMapType+`["%s"]`)
	if err != nil {
		return nil, err
	}
	maps.Copy(config, changed)
	return change(w, c, config)
}

func getStatus(w *worker, c *call) (*answer, error) {
	if connector := w.find(c.vars[0]); connector != nil {
		if s, started := w.statusOf(connector); started {
			return ok(s)
		}
	}
	return nil, fail(http.StatusNotFound, "No status found for connector %s", c.vars[0])
}

func getTasks(w *worker, c *call) (*answer, error) {
	connector, err := w.known(c.vars[0])
	if err != nil {
		return nil, err
	}
	type taskInfo struct {
		ID     taskID            `json:"id"`
		Config map[string]string `json:"config"`
	}
	list := []taskInfo{}
	for _, t := range w.tasksOf(connector) {
		list = append(list, taskInfo{taskID{connector.name, t.id}, t.config})
	}
	return ok(list)
}

func getTasksConfig(w *worker, c *call) (*answer, error) {
	connector, err := w.known(c.vars[0])
	if err != nil {
		return nil, err
	}
	all := map[string]map[string]string{}
	for _, t := range w.tasksOf(connector) {
		all[connector.name+"-"+strconv.Itoa(t.id)] = t.config
	}
	return ok(all)
}

func taskNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, plain(http.StatusNotFound)
	}
	return n, nil
}

func getTaskStatus(w *worker, c *call) (*answer, error) {
	n, err := taskNumber(c.vars[1])
	if err != nil {
		return nil, err
	}
	if connector := w.find(c.vars[0]); connector != nil {
		s, _ := w.statusOf(connector)
		for _, t := range s.Tasks {
			if t.ID == n {
				return ok(t)
			}
		}
	}
	return nil, fail(http.StatusNotFound, "No status found for task %s-%d", c.vars[0], n)
}

func restartTask(w *worker, c *call) (*answer, error) {
	n, err := taskNumber(c.vars[1])
	if err != nil {
		return nil, err
	}
	connector := w.find(c.vars[0])
	if connector == nil {
		return nil, fail(http.StatusNotFound, "Unknown connector: %s", c.vars[0])
	}
	for _, t := range w.tasksOf(connector) {
		if t.id == n {
			w.reconcile.Go(func() { w.renew(connector, []*task{t}) })
			return &answer{status: http.StatusNoContent}, nil
		}
	}
	return nil, fail(http.StatusNotFound, "Unknown task: %s-%d", c.vars[0], n)
}

func restartConnector(w *worker, c *call) (*answer, error) {
	connector := w.find(c.vars[0])
	if connector == nil {
		return nil, fail(http.StatusNotFound, "Unknown connector: %s", c.vars[0])
	}
	query := c.req.URL.Query()
	tasks, onlyFailed := query.Get("includeTasks") == "true", query.Get("onlyFailed") == "true"
	plan := w.restart(connector, tasks, onlyFailed)
	if !tasks && !onlyFailed {
		return &answer{status: http.StatusNoContent}, nil
	}
	return &answer{status: http.StatusAccepted, body: plan}, nil
}

func aimFor(target string, status int) handler {
	return func(w *worker, c *call) (*answer, error) {
		connector := w.find(c.vars[0])
		if connector == nil {
			return nil, fail(http.StatusNotFound, "Unknown connector %s", c.vars[0])
		}
		return &answer{status: status}, w.aim(c.req.Context(), connector, target)
	}
}

func getTopics(w *worker, c *call) (*answer, error) {
	topics := []string{}
	if connector := w.find(c.vars[0]); connector != nil {
		w.mu.Lock()
		topics = append(topics, sortedKeys(connector.topics)...)
		w.mu.Unlock()
	}
	return ok(map[string]map[string][]string{c.vars[0]: {"topics": topics}})
}

func resetTopics(w *worker, c *call) (*answer, error) {
	if connector := w.find(c.vars[0]); connector != nil {
		w.mu.Lock()
		topics := sortedKeys(connector.topics)
		connector.topics = map[string]bool{}
		w.mu.Unlock()
		for _, topic := range topics {
			w.store.tell(topicStatusKey+topic+topicStatusMiddle+connector.name, nil)
		}
	}
	return &answer{status: http.StatusAccepted}, nil
}

// validationError makes a fault the answer of the real validation.
func validationError(err error) error {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return fail(http.StatusInternalServerError, "%s: %s", f.Class, f.Message)
	}
	return err
}
