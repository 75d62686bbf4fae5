// Package embedded starts and stops the servers that run in this process:
// Kafka, Schema Registry, Elasticsearch, Connect and ksqlDB. Everybody else
// knows them as addresses that speak those protocols; a server is left out when
// the address of a real one is given.
//
// Invariants: a data directory belongs to one process at a time; servers start
// after those they need and stop before them.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/orderflow/orderflow/internal/credentials"
	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
	"github.com/orderflow/orderflow/internal/embedded/connect"
	"github.com/orderflow/orderflow/internal/embedded/diskfull"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/runtime"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/server"
	"github.com/orderflow/orderflow/internal/embedded/registry"
	"github.com/orderflow/orderflow/internal/embedded/search"
	"github.com/orderflow/orderflow/internal/listen"
)

// The directories of the servers in the data directory.
const (
	kafkaDir         = "kafka"
	elasticsearchDir = "elasticsearch"
	ksqlDBDir        = "ksqldb"
)

// Server says where one server is: a real one at Real, or one in this process
// that listens on Listen (host:port, port 0 takes a free one). Setting is the
// flag that sets Listen, for error messages.
type Server struct {
	Real    string
	Listen  string
	Setting string
}

// Config configures a Stack.
type Config struct {
	// DataDir holds everything that the servers keep; it is made when absent.
	DataDir string
	// Sync makes acknowledged data and state survive the end of the machine, not
	// only of the process, at the price of speed.
	Sync bool
	// Brokers are those of a real Kafka; empty for the embedded one.
	Brokers []string
	// KafkaOptions, SchemaRegistryTransport and ConnectTransport are how the
	// servers here reach real ones. Empty and nil for servers that ask for nothing.
	KafkaOptions            []kgo.Opt
	SchemaRegistryTransport http.RoundTripper
	ConnectTransport        http.RoundTripper
	// KsqlDBTLS and KsqlDBCredentials protect the embedded ksqlDB.
	KsqlDBTLS         listen.TLS
	KsqlDBCredentials *credentials.Store
	// KafkaTLS and KafkaCredentials protect the embedded broker.
	KafkaTLS         listen.TLS
	KafkaCredentials *credentials.Store
	// KafkaAdvertise is the host:port that the embedded broker tells its clients
	// to connect to; empty for the address it listens on.
	KafkaAdvertise string
	// Kafka says where the embedded broker listens; its Real is not used.
	Kafka          Server
	SchemaRegistry Server
	Elasticsearch  Server
	Connect        Server
	// ConnectEnvAllowlist and ConnectFilePaths say what connectors may read, as
	// EnvAllowlist and AllowedPaths of connect.Config do.
	ConnectEnvAllowlist string
	ConnectFilePaths    []string
	KsqlDB              Server
	Logger              *slog.Logger
}

// The layers of the servers: those of one need only those below, and stop together.
const (
	kafkaLayer   = iota
	storesLayer  // Schema Registry and Elasticsearch
	workersLayer // Connect and ksqlDB
	layers
)

// Stack is the running servers.
type Stack struct {
	cfg     Config
	lock    *broker.Lock
	files   *diskfull.FS                  // of the databases
	kafka   atomic.Pointer[broker.Broker] // nil when a real one is used
	stops   [layers][]func() error
	brokers []string
	urls    map[string]string
	ksqldb  atomic.Pointer[server.Server] // nil when a real one is used
}

// component is what all servers have in common.
type component interface {
	Start(ctx context.Context) error
	Stop() error
	URL() string
}

// Start starts the servers. When one fails, those already running are stopped;
// the error says which one, why, and what to change.
func Start(ctx context.Context, cfg Config) (*Stack, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Stack{cfg: cfg, brokers: cfg.Brokers, urls: map[string]string{}}
	s.files = diskfull.New(diskfull.Config{Logger: cfg.Logger})
	defer context.AfterFunc(ctx, s.files.GiveUp)()
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context) error {
	if err := s.makeDirs(); err != nil {
		return fmt.Errorf("making the data directory: %w; name another with --data-dir", err)
	}
	lock, err := broker.LockDir(s.cfg.DataDir)
	if err != nil {
		return err
	}
	s.lock = lock
	if err := s.startBroker(ctx); err != nil {
		return err
	}
	if err := s.together(ctx, storesLayer,
		starter{"Schema Registry", s.cfg.SchemaRegistry, s.newRegistry},
		starter{"Elasticsearch", s.cfg.Elasticsearch, s.newSearch},
	); err != nil {
		return err
	}
	if err := s.together(ctx, workersLayer, starter{"Connect", s.cfg.Connect, s.newConnect}); err != nil {
		return err
	}
	return s.together(ctx, workersLayer, starter{"ksqlDB", s.cfg.KsqlDB, s.newKsqlDB})
}

// makeDirs makes the directories that hold what is kept. With Sync their names survive
// the end of the machine, as what is in them does.
func (s *Stack) makeDirs() error {
	path, err := filepath.Abs(s.cfg.DataDir)
	if err != nil {
		return err
	}
	changed := []string{path}
	for dir := path; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		changed = append(changed, filepath.Dir(dir))
	}
	for _, dir := range []string{kafkaDir, elasticsearchDir, ksqlDBDir} {
		if err := os.MkdirAll(s.dir(dir), 0o755); err != nil {
			return err
		}
	}
	if !s.cfg.Sync {
		return nil
	}
	for _, dir := range changed {
		if err := (disk.OS{}).SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) startBroker(ctx context.Context) error {
	if len(s.brokers) > 0 {
		return nil
	}
	b, err := broker.New(broker.Config{
		Addr: s.cfg.Kafka.Listen, AddrSetting: s.cfg.Kafka.Setting, Advertise: s.cfg.KafkaAdvertise, DataDir: s.dir(kafkaDir),
		TLS: s.cfg.KafkaTLS, Credentials: s.cfg.KafkaCredentials, SyncWrites: s.cfg.Sync, Unread: s.unread, Logger: s.log("kafka"),
	})
	if err == nil {
		err = b.Start(ctx)
	}
	if err != nil {
		return fmt.Errorf("starting the embedded Kafka: %w", err)
	}
	s.stops[kafkaLayer] = append(s.stops[kafkaLayer], b.Stop)
	if err := b.DiskError(); err != nil {
		return fmt.Errorf("starting the embedded Kafka: %w; make room and start again, or name a data directory on another disk with --data-dir", err)
	}
	s.kafka.Store(b)
	s.brokers = []string{b.Addr()}
	if b.Protected() {
		s.cfg.KafkaOptions = append(slices.Clip(s.cfg.KafkaOptions), kgo.Dialer(b.Dial))
	}
	return nil
}

// unread tells the broker which records the queries still need, which don't commit
// offsets as consumer groups do.
func (s *Stack) unread(topic string, partition int32) (int64, bool) {
	if s.cfg.KsqlDB.Real != "" {
		return 0, false // a real one's queries are consumer groups
	}
	if ksqldb := s.ksqldb.Load(); ksqldb != nil {
		return ksqldb.Unread(topic, partition)
	}
	return 0, true // it isn't known yet
}

type starter struct {
	name   string
	server Server
	make   func() (component, error)
}

// together starts servers that don't need each other.
func (s *Stack) together(ctx context.Context, layer int, starters ...starter) error {
	started := make([]component, len(starters))
	var group errgroup.Group
	for i, st := range starters {
		if st.server.Real != "" {
			s.urls[st.name] = st.server.Real
			continue
		}
		group.Go(func() error {
			c, err := st.make()
			if err == nil {
				err = c.Start(ctx)
			}
			if err != nil {
				return fmt.Errorf("starting the embedded %s: %w", st.name, err)
			}
			started[i] = c
			return nil
		})
	}
	err := group.Wait()
	for i, c := range started {
		if c != nil {
			s.stops[layer] = append(s.stops[layer], c.Stop)
			s.urls[starters[i].name] = c.URL()
		}
	}
	return err
}

func (s *Stack) newRegistry() (component, error) {
	return registry.New(registry.Config{
		Addr: s.cfg.SchemaRegistry.Listen, AddrSetting: s.cfg.SchemaRegistry.Setting,
		Brokers: s.brokers, KafkaOptions: s.cfg.KafkaOptions, Shared: len(s.cfg.Brokers) > 0, Logger: s.log("schema-registry"),
	})
}

func (s *Stack) newSearch() (component, error) {
	return search.New(search.Config{
		Addr: s.cfg.Elasticsearch.Listen, AddrSetting: s.cfg.Elasticsearch.Setting,
		DataDir: s.dir(elasticsearchDir), Sync: s.cfg.Sync, FS: s.files, Logger: s.log("elasticsearch"),
	})
}

func (s *Stack) newConnect() (component, error) {
	return connect.New(connect.Config{
		Addr: s.cfg.Connect.Listen, AddrSetting: s.cfg.Connect.Setting,
		Brokers: s.brokers, KafkaOptions: s.cfg.KafkaOptions, SchemaRegistry: s.urls["Schema Registry"],
		EnvAllowlist: s.cfg.ConnectEnvAllowlist, AllowedPaths: s.cfg.ConnectFilePaths, Logger: s.log("connect"),
	})
}

func (s *Stack) newKsqlDB() (component, error) {
	ksqldb, err := server.New(server.Config{
		Listen: s.cfg.KsqlDB.Listen, ListenSetting: s.cfg.KsqlDB.Setting,
		TLS: s.cfg.KsqlDBTLS, Credentials: s.cfg.KsqlDBCredentials,
		Config: engine.Config{
			Brokers: s.brokers, SchemaRegistry: s.urls["Schema Registry"], Connect: s.urls["Connect"],
			KafkaOptions: s.cfg.KafkaOptions, SchemaRegistryTransport: s.cfg.SchemaRegistryTransport, ConnectTransport: s.cfg.ConnectTransport,
			DataDir: s.dir(ksqlDBDir), Sync: s.cfg.Sync, FS: s.files, Logger: s.log("ksqldb"),
			Properties: ksqlDBProperties(), Outputs: s.outputs(),
		},
	})
	s.ksqldb.Store(ksqldb)
	return ksqldb, err
}

// outputs is how ksqlDB writes: a real Kafka has transactions that can be relied on.
func (s *Stack) outputs() runtime.OutputMode {
	if len(s.cfg.Brokers) > 0 {
		return runtime.Transaction
	}
	return runtime.Sequence
}

// ksqlDBProperties are the settings that the order flow needs of a real ksqlDB
// server and that describe what the embedded one always does.
func ksqlDBProperties() map[string]string {
	return map[string]string{
		"ksql.streams.processing.guarantee":                 "exactly_once_v2",
		"ksql.schema.registry.enhanced.avro.schema.support": "true",
	}
}

func (s *Stack) dir(name string) string { return filepath.Join(s.cfg.DataDir, name) }

func (s *Stack) log(server string) *slog.Logger { return s.cfg.Logger.With("server", server) }

// Brokers are the addresses of Kafka.
func (s *Stack) Brokers() []string { return s.brokers }

// KafkaOptions are how clients of this process reach Kafka, besides the addresses.
func (s *Stack) KafkaOptions() []kgo.Opt { return s.cfg.KafkaOptions }

// SchemaRegistry is the URL of the Schema Registry.
func (s *Stack) SchemaRegistry() string { return s.urls["Schema Registry"] }

// Elasticsearch is the URL of Elasticsearch.
func (s *Stack) Elasticsearch() string { return s.urls["Elasticsearch"] }

// Connect is the URL of Connect.
func (s *Stack) Connect() string { return s.urls["Connect"] }

// KsqlDB is the URL of ksqlDB.
func (s *Stack) KsqlDB() string { return s.urls["ksqlDB"] }

// Collectors are the metrics of the servers.
func (s *Stack) Collectors() []prometheus.Collector {
	ksqldb := s.ksqldb.Load()
	if ksqldb == nil {
		return nil
	}
	return []prometheus.Collector{ksqldb.Collector()}
}

// DiskError says why nothing more is kept, or nil: the disk is full, or so nearly that
// the broker refuses records.
func (s *Stack) DiskError() error {
	if err := s.files.Err(); err != nil {
		return err
	}
	if b := s.kafka.Load(); b != nil {
		return b.DiskError()
	}
	return nil
}

// Stop stops the servers, those that need others first. It may be called twice. A
// database that waits for space on a full disk is not waited for: it ends the process,
// and what was acknowledged is there at the next start.
func (s *Stack) Stop() error {
	s.files.GiveUp()
	var errs []error
	for layer := range slices.Backward(s.stops[:]) {
		stopped := make([]error, len(s.stops[layer]))
		var group sync.WaitGroup
		for i, stop := range s.stops[layer] {
			group.Go(func() { stopped[i] = stop() })
		}
		group.Wait()
		errs = append(errs, stopped...)
		s.stops[layer] = nil
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Unlock())
		s.lock = nil
	}
	return errors.Join(errs...)
}
