package connect

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderflow/orderflow/internal/embedded/connect/elasticsearch"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/file"
	"github.com/orderflow/orderflow/internal/embedded/connect/jdbc"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// The states of connectors and tasks. STARTED is a state that is wanted only.
const (
	stateStarted    = "STARTED"
	stateRunning    = "RUNNING"
	statePaused     = "PAUSED"
	stateStopped    = "STOPPED"
	stateFailed     = "FAILED"
	stateRestarting = "RESTARTING"
	stateUnassigned = "UNASSIGNED"
)

// plugins are the classes of connectors, by kind and name as the REST interface
// lists them.
var plugins = []plugin.Connector{elasticsearch.Connector{}, file.Sink{}, jdbc.Connector{}, file.Source{}}

// worker runs connectors.
//
// Lock order: changing, a connector's run, the worker's mu. mu is never held while
// something waits.
type worker struct {
	cfg       Config
	providers providers
	id        string
	log       *slog.Logger
	store     *store
	clusterID string
	loggers   *loggers
	ctx       context.Context // ends when the worker stops
	cancel    context.CancelFunc
	reconcile sync.WaitGroup

	// changing is held while a change of what is wanted is written and taken over, so
	// that what is wanted here is what the topic says last.
	changing sync.Mutex

	mu         sync.Mutex // guards what follows, and the state of connectors
	connectors map[string]*connector
}

// status is the state of a connector or a task.
type status struct {
	state string // empty before the first start
	trace string
}

// connector is one connector with what is wanted of it and what it is.
type connector struct {
	name string
	// run is held while the connector or its tasks are started or stopped.
	run sync.Mutex

	// Guarded by the worker's mu.
	config  map[string]string
	target  string // STARTED, PAUSED or STOPPED
	deleted bool
	wanted  int // grows when the connector shall start anew
	status  status
	tasks   []*task
	topics  map[string]bool
	hidden  secrets            // what failures must not show
	abort   context.CancelFunc // ends an opening that is under way; nil for none

	// Guarded by run.
	instance plugin.Instance
	class    plugin.Connector
	started  int // the wanted that instance was started for
	watched  chan struct{}
}

// task is one task of a connector.
type task struct {
	id     int
	config map[string]string

	// Guarded by the worker's mu.
	status status

	// Guarded by the connector's run; nil while not running.
	cancel context.CancelFunc
	done   chan struct{}
}

func newWorker(ctx context.Context, cfg Config, p providers, addr string) (*worker, error) {
	s, err := openStore(cfg)
	if err != nil {
		return nil, err
	}
	known, err := s.load(ctx)
	if err != nil {
		s.close()
		return nil, err
	}
	meta, err := kadm.NewClient(s.client).BrokerMetadata(ctx)
	if err != nil {
		s.close()
		return nil, fmt.Errorf("asking Kafka for the cluster's id: %w", err)
	}
	life, cancel := context.WithCancel(context.Background())
	levels := newLoggers()
	w := &worker{cfg: cfg, providers: p, id: addr, log: levels.named(cfg.Logger, workerLogger), loggers: levels, store: s, clusterID: meta.Cluster, ctx: life, cancel: cancel, connectors: map[string]*connector{}}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		c := &connector{name: name, config: known[name].config, target: known[name].target, topics: known[name].topics, wanted: 1}
		w.connectors[name] = c
		w.kick(c)
	}
	return w, nil
}

// stop ends everything.
func (w *worker) stop() {
	w.cancel()
	w.reconcile.Wait()
	w.mu.Lock()
	list := slices.Collect(maps.Values(w.connectors))
	w.mu.Unlock()
	var ending sync.WaitGroup
	for _, c := range list {
		ending.Go(func() {
			c.run.Lock()
			defer c.run.Unlock()
			w.stopTasks(c)
			w.closeInstance(c)
		})
	}
	ending.Wait()
	w.store.flush()
	w.store.close()
}

// interrupt ends the opening of a connector of which something else is wanted now.
func (w *worker) interrupt(c *connector) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.abort != nil {
		c.abort()
	}
}

// kick makes a connector what is wanted of it, in the background.
func (w *worker) kick(c *connector) {
	if w.ctx.Err() != nil {
		return
	}
	w.interrupt(c)
	w.reconcile.Go(func() { w.bring(c) })
}

// bring makes a connector what is wanted of it.
func (w *worker) bring(c *connector) {
	c.run.Lock()
	defer c.run.Unlock()
	if w.ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	deleted, target, wanted, config := c.deleted, c.target, c.wanted, maps.Clone(c.config)
	w.mu.Unlock()
	switch {
	case deleted:
		w.stopTasks(c)
		w.closeInstance(c)
	case target == stateStopped:
		w.stopTasks(c)
		w.closeInstance(c)
		w.setTasks(c, nil)
		w.setConnector(c, status{state: stateStopped})
	case target == statePaused:
		w.pause(c, config, wanted)
	default:
		w.run(c, config, wanted)
	}
}

// pause halts what runs; a connector that never ran is not opened.
func (w *worker) pause(c *connector, _ map[string]string, wanted int) {
	w.stopTasks(c)
	for _, t := range w.tasksOf(c) {
		if w.taskStatus(t).state != stateFailed {
			w.setTask(c, t, status{state: statePaused})
		}
	}
	if c.started != wanted {
		w.closeInstance(c)
	}
	w.setConnector(c, status{state: statePaused})
}

// run starts the connector, or its paused tasks.
func (w *worker) run(c *connector, config map[string]string, wanted int) {
	if c.instance != nil && c.started == wanted {
		w.setConnector(c, status{state: stateRunning})
		for _, t := range w.tasksOf(c) {
			if t.done == nil && w.taskStatus(t).state != stateFailed {
				w.startTask(c, t)
			}
		}
		return
	}
	w.closeInstance(c)
	c.class, c.started = nil, wanted
	resolved, hidden, err := w.resolve(config)
	w.hiding(c, hidden)
	if err == nil {
		c.class, err = findPlugin(resolved[classSetting])
	}
	if err == nil {
		c.instance, err = w.open(c, resolved)
	}
	if err != nil {
		w.stopTasks(c)
		w.setTasks(c, nil)
		w.failConnector(c, err)
		return
	}
	w.setConnector(c, status{state: stateRunning})
	w.configureTasks(c, config)
	if changed := c.instance.Changed(); changed != nil {
		c.watched = make(chan struct{})
		go w.watch(c, changed, c.watched)
	}
}

// open opens a connector; interrupt ends it. It needs run.
func (w *worker) open(c *connector, settings map[string]string) (plugin.Instance, error) {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	w.mu.Lock()
	c.abort = cancel
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		c.abort = nil
	}()
	var instance plugin.Instance
	err := fault.Guard(func() (err error) {
		instance, err = c.class.Open(ctx, w.environment(c), settings)
		return err
	})
	return instance, err
}

// watch configures a connector's tasks anew whenever it asks for it.
func (w *worker) watch(c *connector, changed <-chan struct{}, ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case <-changed:
		}
		w.mu.Lock()
		if !c.deleted && c.target == stateStarted {
			c.wanted++
		}
		w.mu.Unlock()
		w.kick(c)
	}
}

// maxTasks is how many tasks a connector can have. Sinks have as many as they are
// allowed, whatever their topics need; sources have what they need and are only not
// allowed more.
const maxTasks = 256

// configureTasks asks the connector for its tasks, and runs them; those that run
// with the same settings go on.
func (w *worker) configureTasks(c *connector, config map[string]string) {
	most, err := strconv.Atoi(config["tasks.max"])
	if err != nil || most < 1 {
		most = 1
	}
	var configs []map[string]string
	err = fault.Guard(func() (err error) {
		if _, sink := c.class.(plugin.SinkConnector); sink && most > maxTasks {
			return fault.New(fault.Connect, "tasks.max is %d: this worker runs %d tasks of a connector at most", most, maxTasks)
		}
		configs, err = c.instance.TaskConfigs(w.ctx, min(most, maxTasks))
		return err
	})
	if err != nil {
		w.stopTasks(c)
		w.setTasks(c, nil)
		w.failConnector(c, err)
		return
	}
	nameAgain(configs, config)
	old := w.tasksOf(c)
	same := len(old) == len(configs)
	for i := 0; same && i < len(old); i++ {
		same = maps.Equal(old[i].config, configs[i])
	}
	if !same {
		w.stopTasks(c)
		tasks := make([]*task, len(configs))
		entries := make([]entry, 0, len(configs)+1)
		for i := range configs {
			tasks[i] = &task{id: i, config: configs[i]}
			entries = append(entries, entry{fmt.Sprintf("%s%s-%d", taskKey, c.name, i), map[string]any{"properties": configs[i]}})
		}
		entries = append(entries, entry{commitKey + c.name, map[string]any{"tasks": len(configs)}})
		if err := w.store.write(w.ctx, entries...); err != nil {
			w.failConnector(c, err)
			return
		}
		w.setTasks(c, tasks)
	}
	for _, t := range w.tasksOf(c) {
		if t.done == nil {
			w.startTask(c, t)
		}
	}
}

func (w *worker) environment(c *connector) plugin.Environment {
	log := w.log
	if c.class != nil {
		log = w.loggers.named(w.cfg.Logger, c.class.Class())
	}
	return plugin.Environment{Name: c.name, Log: log, Clock: w.cfg.Clock, Dial: w.cfg.Dial, MayUse: w.providers.mayUse}
}

// closeInstance needs run.
func (w *worker) closeInstance(c *connector) {
	if c.instance == nil {
		return
	}
	if c.watched != nil {
		close(c.watched)
		c.watched = nil
	}
	if err := c.instance.Close(); err != nil {
		w.log.Warn("connect: closing a connector", "connector", c.name, "error", err)
	}
	c.instance = nil
}

// startTask needs run.
func (w *worker) startTask(c *connector, t *task) {
	ctx, cancel := context.WithCancel(w.ctx)
	t.cancel, t.done = cancel, make(chan struct{})
	w.setTask(c, t, status{state: stateUnassigned})
	class := c.class
	go func(done chan struct{}) {
		defer close(done)
		defer cancel()
		settings, hidden, err := w.resolve(t.config)
		if err == nil {
			err = fault.Guard(func() error {
				switch class := class.(type) {
				case plugin.SourceConnector:
					return w.runSource(ctx, c, t, class.NewSourceTask(), settings)
				case plugin.SinkConnector:
					return w.runSink(ctx, c, t, class.NewSinkTask(), settings)
				}
				return nil
			})
		}
		if err != nil && ctx.Err() == nil {
			w.log.Error("connect: a task failed; restart it when the cause is gone", "connector", c.name, "task", t.id, "error", hidden.hide(err.Error()))
			w.setTask(c, t, status{state: stateFailed, trace: hidden.hide(fault.Trace(err))})
		}
	}(t.done)
}

// stopTasks needs run. It waits for the tasks to end.
func (w *worker) stopTasks(c *connector) {
	tasks := w.tasksOf(c)
	for _, t := range tasks {
		if t.cancel != nil {
			t.cancel()
		}
	}
	for _, t := range tasks {
		w.awaitTask(c, t)
	}
}

// awaitTask waits for a task that was told to end.
func (w *worker) awaitTask(c *connector, t *task) {
	if t.done == nil {
		return
	}
	timer := time.NewTimer(taskStopTimeout)
	defer timer.Stop()
	select {
	case <-t.done:
	case <-timer.C:
		w.log.Warn("connect: a task does not end, going on without it", "connector", c.name, "task", t.id)
	}
	t.cancel, t.done = nil, nil
}

func (w *worker) tasksOf(c *connector) []*task {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(c.tasks)
}

func (w *worker) taskStatus(t *task) status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return t.status
}

func (w *worker) setTasks(c *connector, tasks []*task) {
	w.mu.Lock()
	old := c.tasks
	c.tasks = tasks
	w.mu.Unlock()
	for i := len(tasks); i < len(old); i++ {
		w.store.tell(fmt.Sprintf("%s%s-%d", taskStatusKey, c.name, i), nil)
	}
}

func (w *worker) setConnector(c *connector, s status) {
	w.mu.Lock()
	same := c.status == s
	c.status = s
	w.mu.Unlock()
	if !same {
		w.store.tell(connectorStatusKey+c.name, w.statusRecord(s))
	}
}

func (w *worker) failConnector(c *connector, err error) {
	if w.ctx.Err() != nil {
		return
	}
	hidden := w.hidden(c)
	w.log.Error("connect: a connector failed; restart it when the cause is gone", "connector", c.name, "error", hidden.hide(err.Error()))
	w.setConnector(c, status{state: stateFailed, trace: hidden.hide(fault.Trace(err))})
}

func (w *worker) setTask(c *connector, t *task, s status) {
	w.mu.Lock()
	same := t.status == s
	t.status = s
	w.mu.Unlock()
	if !same {
		w.store.tell(fmt.Sprintf("%s%s-%d", taskStatusKey, c.name, t.id), w.statusRecord(s))
	}
}

func (w *worker) statusRecord(s status) map[string]any {
	record := map[string]any{"state": s.state, "worker_id": w.id, "generation": 1, "trace": nil}
	if s.trace != "" {
		record["trace"] = s.trace
	}
	return record
}

// usedTopic notes that a connector wrote to or read from a topic.
func (w *worker) usedTopic(c *connector, task int, topic string) {
	w.mu.Lock()
	known := c.topics[topic]
	if !known {
		c.topics[topic] = true
	}
	w.mu.Unlock()
	if !known {
		w.store.tell(topicEntry(c.name, topic, task, w.cfg.Clock.Now()))
	}
}
