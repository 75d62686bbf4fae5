// Package engine is the embedded ksqlDB without its HTTP face: it executes
// statements, keeps the metastore and runs the queries.
//
// The metastore is what the command topic says: every statement that changes it
// is written there before it takes effect, and a start reads the topic from the
// beginning. Topics and schemas that a statement needs are made before it is
// written, so a crash in between leaves at most something that the same
// statement takes as it is.
//
// Invariants: requests that change the metastore are executed one at a time, and
// all statements of a request are tried out on a copy first; the catalog that
// readers see is never changed, it is replaced; a statement that fails after it
// was logged leaves its query in state ERROR, retried, and holds up nothing.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/build"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/runtime"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
)

// DefaultServiceID is ksqlDB's default for ksql.service.id.
const DefaultServiceID = "default_"

// Config configures an Engine.
type Config struct {
	// Brokers are the addresses of the Kafka cluster.
	Brokers []string
	// KafkaOptions are added to those of every Kafka client. May be empty.
	KafkaOptions []kgo.Opt
	// SchemaRegistryTransport and ConnectTransport send the requests to these
	// servers. Nil means http.DefaultTransport.
	SchemaRegistryTransport http.RoundTripper
	ConnectTransport        http.RoundTripper
	// SchemaRegistry is the URL of the Schema Registry; empty for none.
	SchemaRegistry string
	// Connect is the URL of the Connect cluster; empty for none.
	Connect string
	// DataDir is the directory of the engine's state.
	DataDir string
	// Sync makes every commit of state wait for the disk.
	Sync bool
	// FS holds the state; nil means the operating system's file system.
	FS vfs.FS
	// ServiceID is ksql.service.id; empty for the default.
	ServiceID string
	// Outputs is how the outputs of persistent queries happen once; empty means
	// runtime.Sequence, which suits the embedded broker. A real Kafka has
	// transactions.
	Outputs runtime.OutputMode
	// SlowClient is how long a push query whose client lags waits for it, all in
	// all, before it is ended; 0 means 5 s.
	SlowClient time.Duration
	// Properties are server-wide settings by their full names.
	Properties map[string]string
	Logger     *slog.Logger
}

// Validate reports what is missing.
func (c *Config) Validate() error {
	switch {
	case len(c.Brokers) == 0:
		return errors.New("the embedded ksqlDB needs the address of a Kafka broker")
	case c.DataDir == "":
		return errors.New("the embedded ksqlDB needs a data directory")
	}
	return nil
}

// kafka are the options that every Kafka client has.
func (c *Config) kafka() []kgo.Opt {
	return append([]kgo.Opt{kgo.SeedBrokers(c.Brokers...)}, c.KafkaOptions...)
}

// Engine executes statements and runs queries.
type Engine struct {
	cfg       Config
	log       *slog.Logger
	functions *function.Registry
	registry  format.SchemaRegistry // nil without a Schema Registry
	client    *kgo.Client
	admin     *kadm.Client
	topicIDs  runtime.TopicIDs
	state     *state.DB
	runtime   *runtime.Runtime
	commands  *commandLog
	hidden    *regexp.Regexp // topics that belong to servers
	problems  *problemLog

	execute sync.Mutex // held by the one request that changes things
	current atomic.Pointer[snapshot]

	mu       sync.Mutex
	statuses map[string]CommandStatus
	failed   map[string]bool // ids of commands that could not be carried out at the start

	push  pushQueries
	pulls pullCache

	late    lateStarts
	closing sync.Once
}

// snapshot is the metastore as readers see it.
type snapshot struct {
	catalog *catalog.Catalog
	paused  map[string]bool
}

// Open reads the command topic, rebuilds the metastore and starts the queries.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.ServiceID == "" {
		cfg.ServiceID = DefaultServiceID
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Engine{cfg: cfg, log: cfg.Logger, problems: newProblemLog(cfg.Logger, time.Now), statuses: map[string]CommandStatus{}, failed: map[string]bool{}}
	e.push.running = map[string]*pushQuery{}
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Engine) open(ctx context.Context) error {
	var err error
	if e.functions, err = function.Builtin(function.Options{}); err != nil {
		return fmt.Errorf("setting up the functions: %w", err)
	}
	if e.hidden, err = hiddenPattern(e.cfg.Properties); err != nil {
		return err
	}
	if e.cfg.SchemaRegistry != "" {
		if e.registry, err = registry.NewClient(e.cfg.SchemaRegistry, e.cfg.SchemaRegistryTransport); err != nil {
			return err
		}
	}
	e.client, err = kgo.NewClient(append(e.cfg.kafka(),
		kgo.ClientID("ksqldb-"+e.cfg.ServiceID),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.MetadataMinAge(100*time.Millisecond),
	)...)
	if err != nil {
		return fmt.Errorf("making the engine's Kafka client: %w", err)
	}
	e.admin = kadm.NewClient(e.client)
	if e.state, err = state.OpenDB(state.DiskConfig{Dir: filepath.Join(e.cfg.DataDir, "state"), Sync: e.cfg.Sync, FS: e.cfg.FS, Logger: e.log}); err != nil {
		return err
	}
	if err := e.openProcessingLog(ctx); err != nil {
		return err
	}
	e.runtime, err = runtime.New(runtime.Config{
		Brokers: e.cfg.Brokers, KafkaOptions: e.cfg.KafkaOptions, State: e.state, ServiceID: e.cfg.ServiceID, Outputs: e.cfg.Outputs, SlowReceiver: e.cfg.SlowClient, Logger: e.log, Problem: e.problems.add,
	})
	if err != nil {
		return err
	}
	if e.commands, err = openCommandLog(ctx, e.cfg, e.client, e.admin); err != nil {
		return err
	}
	snap, err := e.replay(ctx)
	if err != nil {
		return err
	}
	e.current.Store(snap)
	if err := e.dropOrphans(snap); err != nil {
		return err
	}
	if err := e.declareProcessingLog(ctx); err != nil {
		return err
	}
	e.startAll(ctx, snap)
	return nil
}

// dropOrphans removes the state of queries that no longer exist: what a crash
// between logging a DROP and carrying it out left behind. Everything stays while
// statements can't be carried out, since their queries may be back with the next start.
func (e *Engine) dropOrphans(snap *snapshot) error {
	if e.FailedCommands() > 0 {
		return nil
	}
	ids, err := e.state.Queries()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, ok := snap.catalog.Query(id); ok {
			continue
		}
		e.log.Info("removing the state of a query that was dropped", "query", id)
		if err := e.state.DropQuery(id); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) topology(ctx context.Context, c *catalog.Catalog, q *catalog.Query) (*exec.Topology, error) {
	return build.Build(ctx, q.Plan, e.buildOptions(c, q.ID, q.Properties))
}

func (e *Engine) buildOptions(c *catalog.Catalog, queryID string, properties map[string]string) build.Options {
	effective := map[string]string{}
	for _, settings := range []map[string]string{e.cfg.Properties, properties} {
		for name, value := range settings {
			effective[strings.TrimPrefix(name, streamsPrefix)] = value
		}
	}
	return build.Options{
		ApplicationID: e.applicationID(queryID),
		Functions:     e.functions,
		CustomType:    c.Type,
		Registry:      e.registry,
		Properties:    effective,
	}
}

// applicationID begins the names of a query's internal topics.
func (e *Engine) applicationID(queryID string) string {
	return "_confluent-ksql-" + e.cfg.ServiceID + "query_" + queryID
}

// Close stops all queries, each after the batch it is working on. It may be
// called twice.
func (e *Engine) Close() error {
	var errs []error
	e.closing.Do(func() {
		e.late.stop()
		e.push.stop()
		if e.runtime != nil {
			e.runtime.Close()
		}
		if e.problems.topic != nil {
			e.problems.topic.close()
		}
		if e.state != nil {
			errs = append(errs, e.state.Close())
		}
		if e.client != nil {
			e.client.Close()
		}
	})
	return errors.Join(errs...)
}

// ServiceID is the ksql.service.id in force.
func (e *Engine) ServiceID() string { return e.cfg.ServiceID }

// clusterIDTimeout is how long Kafka may take to say who it is, before it counts
// as unhealthy.
const clusterIDTimeout = 5 * time.Second

// ClusterID is the id of the Kafka cluster.
func (e *Engine) ClusterID(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, clusterIDTimeout)
	defer cancel()
	metadata, err := e.admin.BrokerMetadata(ctx)
	if err != nil {
		return "", fmt.Errorf("asking Kafka for its cluster id: %w", err)
	}
	return metadata.Cluster, nil
}

// Catalog is the metastore as it stands, for reading.
func (e *Engine) Catalog() *catalog.Catalog { return e.current.Load().catalog }

// offsetReset is where a query with these settings begins to read: "earliest",
// "latest" or "" for ksqlDB's default.
func (e *Engine) offsetReset(properties map[string]string) string {
	for _, settings := range []map[string]string{properties, e.cfg.Properties} {
		for _, name := range []string{"auto.offset.reset", streamsPrefix + "auto.offset.reset"} {
			if v := settings[name]; v != "" {
				return strings.ToLower(v)
			}
		}
	}
	return ""
}
