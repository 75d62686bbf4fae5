package connect

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// sortedKeys lists the keys of a map; an empty list is not nil.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := slices.AppendSeq(make([]K, 0, len(m)), maps.Keys(m))
	slices.Sort(keys)
	return keys
}

// info is what GET /connectors/{name} tells.
type info struct {
	Name   string            `json:"name"`
	Config map[string]string `json:"config"`
	Tasks  []taskID          `json:"tasks"`
	Type   string            `json:"type"`
}

type taskID struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

// statusInfo is what GET /connectors/{name}/status tells.
type statusInfo struct {
	Name      string           `json:"name"`
	Connector connectorStatus  `json:"connector"`
	Tasks     []taskStatusInfo `json:"tasks"`
	Type      string           `json:"type"`
}

type connectorStatus struct {
	State    string `json:"state"`
	WorkerID string `json:"worker_id"`
	Trace    string `json:"trace,omitempty"`
}

type taskStatusInfo struct {
	ID       int    `json:"id"`
	State    string `json:"state"`
	WorkerID string `json:"worker_id"`
	Trace    string `json:"trace,omitempty"`
}

func kindOf(config map[string]string) string {
	class, err := findPlugin(config[classSetting])
	if err != nil {
		return "unknown"
	}
	return string(class.Kind())
}

// find gives a connector, nil for an unknown one.
func (w *worker) find(name string) *connector {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.connectors[name]
}

func (w *worker) names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return sortedKeys(w.connectors)
}

func (w *worker) info(c *connector) info {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := info{Name: c.name, Config: maps.Clone(c.config), Tasks: []taskID{}, Type: kindOf(c.config)}
	for _, t := range c.tasks {
		i.Tasks = append(i.Tasks, taskID{c.name, t.id})
	}
	return i
}

// statusOf tells a connector's status, and whether it has one yet.
func (w *worker) statusOf(c *connector) (statusInfo, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := statusInfo{Name: c.name, Tasks: []taskStatusInfo{}, Type: kindOf(c.config),
		Connector: connectorStatus{State: c.status.state, WorkerID: w.id, Trace: c.status.trace}}
	for _, t := range c.tasks {
		if t.status.state != "" {
			s.Tasks = append(s.Tasks, taskStatusInfo{ID: t.id, State: t.status.state, WorkerID: w.id, Trace: t.status.trace})
		}
	}
	return s, c.status.state != ""
}

// put makes or changes a connector with validated settings, and reports whether
// it is new. target is empty to keep it.
func (w *worker) put(ctx context.Context, name string, config map[string]string, target string, mustBeNew bool) (*connector, bool, error) {
	w.changing.Lock()
	defer w.changing.Unlock()
	known := w.find(name) != nil
	if known && mustBeNew {
		return nil, false, fail(http.StatusConflict, "Connector %s already exists", name)
	}
	entries := []entry{configEntry(name, config)}
	if !known {
		if target == "" {
			target = stateStarted
		}
		entries = append([]entry{targetEntry(name, target)}, entries...)
	}
	// Once begun, a write goes on when the client goes away.
	if err := w.store.write(context.WithoutCancel(ctx), entries...); err != nil {
		return nil, false, err
	}
	w.mu.Lock()
	c := w.connectors[name]
	if c == nil {
		c = &connector{name: name, target: target, topics: map[string]bool{}}
		w.connectors[name] = c
	}
	c.config = config
	c.wanted++
	w.mu.Unlock()
	w.kick(c)
	return c, !known, nil
}

// remove deletes a connector. Its source offsets stay, as with the real worker.
func (w *worker) remove(ctx context.Context, c *connector) error {
	if err := w.forget(ctx, c); err != nil {
		return err
	}
	w.interrupt(c)
	w.bring(c)
	w.setTasks(c, nil)
	w.store.tell(connectorStatusKey+c.name, nil)
	w.mu.Lock()
	topics := sortedKeys(c.topics)
	w.mu.Unlock()
	for _, topic := range topics {
		w.store.tell(topicStatusKey+topic+topicStatusMiddle+c.name, nil)
	}
	return nil
}

// forget writes that a connector is gone.
func (w *worker) forget(ctx context.Context, c *connector) error {
	w.changing.Lock()
	defer w.changing.Unlock()
	if w.find(c.name) != c {
		return fail(http.StatusNotFound, "Connector %s not found", c.name)
	}
	entries := []entry{{key: connectorKey + c.name}, {key: targetKey + c.name}}
	if err := w.store.write(context.WithoutCancel(ctx), entries...); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c.deleted = true
	delete(w.connectors, c.name)
	return nil
}

// aim says what state a connector shall be in. It returns when one that shall stop
// has, since its offsets may be changed then.
func (w *worker) aim(ctx context.Context, c *connector, target string) error {
	if err := w.retarget(ctx, c, target); err != nil {
		return err
	}
	if target == stateStopped {
		w.interrupt(c)
		w.bring(c)
	} else {
		w.kick(c)
	}
	return nil
}

// retarget writes what state a connector shall be in.
func (w *worker) retarget(ctx context.Context, c *connector, target string) error {
	w.changing.Lock()
	defer w.changing.Unlock()
	if w.find(c.name) != c {
		return fail(http.StatusNotFound, "Unknown connector %s", c.name)
	}
	if err := w.store.write(context.WithoutCancel(ctx), targetEntry(c.name, target)); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c.target = target
	return nil
}

// restart starts a connector, its tasks or both anew, perhaps only what failed. It
// tells the status with what is about to be restarted.
func (w *worker) restart(c *connector, tasks, onlyFailed bool) statusInfo {
	w.mu.Lock()
	again := !onlyFailed || c.status.state == stateFailed
	var which []*task
	for _, t := range c.tasks {
		if tasks && (!onlyFailed || t.status.state == stateFailed) {
			which = append(which, t)
		}
	}
	if again {
		c.wanted++
	}
	w.mu.Unlock()
	plan, _ := w.statusOf(c)
	if again {
		plan.Connector.State = stateRestarting
	}
	for i := range plan.Tasks {
		if slices.ContainsFunc(which, func(t *task) bool { return t.id == plan.Tasks[i].ID }) {
			plan.Tasks[i].State = stateRestarting
		}
	}
	for _, t := range which {
		w.setTask(c, t, status{state: stateRestarting}) // who asks next sees that it is under way
	}
	if again || len(which) > 0 {
		w.reconcile.Go(func() { w.renew(c, which) })
	}
	return plan
}

// renew ends tasks and brings the connector to what is wanted, which starts them.
func (w *worker) renew(c *connector, which []*task) {
	c.run.Lock()
	w.endTasks(c, which)
	c.run.Unlock()
	w.bring(c)
}

// endTasks needs run.
func (w *worker) endTasks(c *connector, which []*task) {
	for _, t := range which {
		if t.cancel != nil {
			t.cancel()
			w.awaitTask(c, t)
		}
		w.setTask(c, t, status{state: stateRestarting})
	}
}

// create validates and makes a connector.
func (w *worker) create(ctx context.Context, name string, config map[string]string, target string, mustBeNew bool) (*connector, bool, error) {
	if _, given := config[classSetting]; !given {
		return nil, false, fail(http.StatusBadRequest, "Connector config %s contains no connector type", javaMap(config))
	}
	_, values, err := w.validate(ctx, config)
	if err != nil {
		if f, ok := err.(*fault.Fault); ok {
			return nil, false, fail(http.StatusInternalServerError, "%s", f.Message)
		}
		return nil, false, err
	}
	if errs := values.Errors(); len(errs) > 0 {
		return nil, false, invalidConfig(errs)
	}
	if mustBeNew && w.find(name) != nil {
		return nil, false, fail(http.StatusConflict, "Connector %s already exists", name)
	}
	for key := range config {
		if values.Get(key) == nil {
			w.log.Info("connect: no part of the connector knows this setting, it does nothing", "connector", name, "setting", key)
		}
	}
	return w.put(ctx, name, config, target, mustBeNew)
}

// isSource reports whether a connector is one that has source offsets.
func isSource(config map[string]string) bool { return kindOf(config) == string(plugin.Source) }
