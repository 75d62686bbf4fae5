// Package runtime runs the engine's topologies against a Kafka cluster: it moves
// records from source topics into tasks and from tasks to their output topics,
// keeps state, and answers look-ups in tables. All queries share one reader of
// topics and one writer.
//
// Every output of a persistent query happens once, without transactions: a task
// commits its state, its input positions and its outputs (the outbox) in one
// step, then sends the outputs. What a crash leaves unsent is sent when the task
// starts again, less what the output partitions already hold; each output
// carries its number in a header that readers here take off.
//
// Invariants: a task belongs to one goroutine; outputs are sent only after the
// commit that holds them; a commit is made only after the outputs of the one
// before were acknowledged. The lock of the Runtime is taken before that of a
// query, never the other way round.
package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
)

// Config configures a Runtime.
type Config struct {
	// Brokers are the addresses of the Kafka cluster.
	Brokers []string
	// KafkaOptions are added to those of every Kafka client. May be empty.
	KafkaOptions []kgo.Opt
	// State keeps the state of persistent queries.
	State *state.DB
	// ServiceID is ksqlDB's ksql.service.id, part of all internal names.
	ServiceID string
	// RetryBackoff is how long a failed query waits before it starts again; it
	// doubles up to MaxRetryBackoff. The defaults are 1 s and 1 min.
	RetryBackoff    time.Duration
	MaxRetryBackoff time.Duration
	// PartitionInterval is how often the runtime looks whether partitions were
	// added to topics of running queries. The default is 5 s.
	PartitionInterval time.Duration
	// Outputs is how the outputs of persistent queries happen once; empty means
	// Sequence.
	Outputs OutputMode
	// Problem takes what goes to the processing log; nil drops it.
	Problem func(queryID string, p exec.ProcessingError)
	// ReadBuffer is how many bytes of a source partition's records are kept for
	// the slowest reader at its end. The default is 1 MiB.
	ReadBuffer int
	// SlowReceiver is how long a transient query that has fallen behind by more
	// than ReadBuffer waits for its receiver, all in all, before it is ended
	// (ErrSlow). The default is 5 s.
	SlowReceiver time.Duration
	Logger       *slog.Logger
}

// Validate reports what is missing.
func (c *Config) Validate() error {
	switch {
	case len(c.Brokers) == 0:
		return errors.New("the engine's runtime needs the address of a Kafka broker")
	case c.State == nil:
		return errors.New("the engine's runtime needs a state database")
	case c.ServiceID == "":
		return errors.New("the engine's runtime needs a service id")
	case c.Outputs != "" && c.Outputs != Sequence && c.Outputs != Transaction:
		return fmt.Errorf("the engine's outputs can be %q or %q, not %q", Sequence, Transaction, c.Outputs)
	}
	return nil
}

// Runtime runs queries.
type Runtime struct {
	cfg    Config
	log    *slog.Logger
	client *kgo.Client  // asks, and neither produces nor consumes
	output *producer    // writes what tasks put out
	tail   *tail.Reader // reads, for all queries
	admin  *kadm.Client
	ends   *endTracker
	ids    TopicIDs
	limits *batchLimits
	keys   *task.SharedPartitioner // for look-ups

	// batch is how many records a task takes into one commit at most.
	batch int
	// settleAfter is how long a task is idle before it commits that its outputs are
	// written.
	settleAfter time.Duration
	// fault, set by tests only, makes a task fail at a point as a crash would;
	// of outputs about to be sent, it lets so many through.
	fault func(p task.Point) (sent int, err error)

	// using is held for reading by who reads the state beside the tasks, which
	// is not closed before.
	using sync.RWMutex

	unwatch  context.CancelFunc
	watching sync.WaitGroup

	mu      sync.Mutex
	queries map[string]*query
	closed  bool
}

// New makes a Runtime. It connects on first use.
func New(cfg Config) (*Runtime, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.RetryBackoff == 0 {
		cfg.RetryBackoff = time.Second
	}
	if cfg.MaxRetryBackoff == 0 {
		cfg.MaxRetryBackoff = time.Minute
	}
	if cfg.PartitionInterval == 0 {
		cfg.PartitionInterval = 5 * time.Second
	}
	if cfg.SlowReceiver == 0 {
		cfg.SlowReceiver = 5 * time.Second
	}
	if cfg.Problem == nil {
		cfg.Problem = func(string, exec.ProcessingError) {}
	}
	limits := &batchLimits{}
	options := append([]kgo.Opt{
		kgo.ProducerBatchMaxBytesFn(limits.of),
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ClientID("ksqldb-" + cfg.ServiceID),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MetadataMinAge(100 * time.Millisecond),
	}, cfg.KafkaOptions...)
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("making the engine's Kafka client: %w", err)
	}
	reader, err := tail.New(tail.Config{
		Brokers: cfg.Brokers, KafkaOptions: cfg.KafkaOptions, ClientID: "ksqldb-" + cfg.ServiceID, Buffer: cfg.ReadBuffer, Logger: cfg.Logger,
	})
	if err != nil {
		client.Close()
		return nil, err
	}
	r := &Runtime{
		limits: limits,
		cfg:    cfg, log: cfg.Logger, client: client, output: &producer{options: options}, tail: reader, admin: kadm.NewClient(client),
		ends: newEndTracker(), queries: map[string]*query{}, batch: batchRecords, settleAfter: settleAfter,
		keys: task.NewSharedPartitioner(),
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.unwatch = cancel
	r.watching.Go(func() { r.watch(ctx) })
	return r, nil
}

// Spec is a persistent query to run.
type Spec struct {
	QueryID  string
	Topology *exec.Topology
	// OffsetReset is where the query begins in topics that it has not read
	// before: "earliest", "latest", or "" for ksqlDB's default (streams latest,
	// tables earliest).
	OffsetReset string
	// Paused makes the query known without running it, until Resume.
	Paused bool
	// Retry makes Start succeed when the query can't run now: its state is
	// ERROR and it is tried again.
	Retry bool
}

// ErrUnknownQuery is returned for the id of a query that does not run.
var ErrUnknownQuery = errors.New("no such query")

// Start begins to run a query, or goes on with one that has state. It returns
// when the query's positions are committed and its tasks are running; what goes
// wrong later shows in Status.
func (r *Runtime) Start(ctx context.Context, spec Spec) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return errors.New("starting a query: the engine is stopping")
	}
	if _, ok := r.queries[spec.QueryID]; ok {
		r.mu.Unlock()
		return fmt.Errorf("starting query %s: it runs already", spec.QueryID)
	}
	q := newQuery(r, spec)
	r.queries[spec.QueryID] = q
	r.mu.Unlock()
	if spec.Paused {
		return nil
	}
	if err := q.start(ctx); err != nil {
		r.mu.Lock()
		delete(r.queries, spec.QueryID)
		r.mu.Unlock()
		return fmt.Errorf("starting query %s: %w", spec.QueryID, err)
	}
	return nil
}

// Terminate stops a query and removes its state and its internal topics.
func (r *Runtime) Terminate(ctx context.Context, queryID string) error {
	q, err := r.take(queryID)
	if err != nil {
		return err
	}
	q.stop()
	if err := r.cfg.State.DropQuery(queryID); err != nil {
		return err
	}
	if r.cfg.Outputs == Transaction {
		r.deleteGroups(ctx, q)
	}
	var names []string
	for _, in := range q.spec.Topology.Internal {
		names = append(names, in.Name)
	}
	if len(names) == 0 {
		return nil
	}
	if _, err := r.admin.DeleteTopics(ctx, names...); err != nil {
		return fmt.Errorf("deleting the internal topics of query %s: %w", queryID, err)
	}
	r.Forget(names...)
	return nil
}

// deleteGroups removes the consumer groups of a query that is gone. One that stays
// is of no harm: a query of the same name begins it anew.
func (r *Runtime) deleteGroups(ctx context.Context, q *query) {
	var groups []string
	for _, sub := range q.spec.Topology.Subs {
		groups = append(groups, r.groupOf(q.spec.QueryID, sub.ID))
	}
	if _, err := r.admin.DeleteGroups(ctx, groups...); err != nil {
		r.log.Warn("deleting the consumer groups of a query", "query", q.spec.QueryID, "error", err)
	}
}

// Replace stops a query and starts another topology under its id. Its state and
// positions stay.
func (r *Runtime) Replace(ctx context.Context, spec Spec) error {
	q, err := r.take(spec.QueryID)
	if err != nil {
		return err
	}
	q.stop()
	return r.Start(ctx, spec)
}

func (r *Runtime) take(queryID string) (*query, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q, ok := r.queries[queryID]
	if !ok {
		return nil, fmt.Errorf("query %s: %w", queryID, ErrUnknownQuery)
	}
	delete(r.queries, queryID)
	return q, nil
}

func (r *Runtime) query(queryID string) (*query, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q, ok := r.queries[queryID]
	if !ok {
		return nil, fmt.Errorf("query %s: %w", queryID, ErrUnknownQuery)
	}
	return q, nil
}

// Pause stops a query's processing and keeps everything.
func (r *Runtime) Pause(queryID string) error {
	q, err := r.query(queryID)
	if err != nil {
		return err
	}
	q.pause()
	return nil
}

// Resume goes on with a paused query.
func (r *Runtime) Resume(ctx context.Context, queryID string) error {
	q, err := r.query(queryID)
	if err != nil {
		return err
	}
	return q.start(ctx)
}

// Status is how a query is doing.
type Status struct {
	// State is RUNNING, PAUSED or ERROR.
	State string
	// Errors are the newest failures, oldest first, at most ten.
	Errors []Failure
	// RecordsIn, RecordsOut, Problems and Late count since the query started.
	RecordsIn  int64
	RecordsOut int64
	Problems   int64
	Late       int64
}

// Failure is an error that stopped a query for a while.
type Failure struct {
	Time    time.Time
	Message string
}

// The states of a query, in ksqlDB's words.
const (
	Running = "RUNNING"
	Paused  = "PAUSED"
	Errored = "ERROR"
)

// Status tells how a query is doing.
func (r *Runtime) Status(queryID string) (Status, error) {
	q, err := r.query(queryID)
	if err != nil {
		return Status{}, err
	}
	return q.status(), nil
}

// Queries lists the ids of the queries that run, in order.
func (r *Runtime) Queries() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := make([]string, 0, len(r.queries))
	for id := range r.queries {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Close stops all queries, each after the batch it is working on, and keeps
// their state. It may be called twice.
func (r *Runtime) Close() {
	r.mu.Lock()
	r.closed = true
	queries := make([]*query, 0, len(r.queries))
	for _, q := range r.queries {
		queries = append(queries, q)
	}
	clear(r.queries)
	r.mu.Unlock()
	r.using.Lock() // waits for readers; later ones find no queries
	r.unwatch()
	r.using.Unlock()
	r.watching.Wait()
	var wg sync.WaitGroup
	for _, q := range queries {
		wg.Go(q.stop)
	}
	// What was sent and not answered is given up only with the client; the next start
	// looks for it.
	lost := time.AfterFunc(stopTimeout+time.Second, r.output.close)
	wg.Wait()
	lost.Stop()
	r.output.close()
	r.tail.Close()
	r.client.Close()
}
