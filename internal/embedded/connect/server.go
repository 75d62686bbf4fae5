// Package connect is the embedded Kafka Connect: a worker with Connect's REST
// interface that runs the JDBC source connector for SQLite and the Elasticsearch
// sink connector, with Connect's converters and transformations.
//
// It answers as Kafka Connect 3.9 does; what it does not support is refused when
// a connector is validated or created.
//
// Invariants:
//   - The topics connect-configs, connect-offsets and connect-status are the only
//     truth, in Connect's own record formats; a start reads them and runs what
//     they say.
//   - A source's offset is written after its records are acknowledged, a sink's
//     is committed after its records are where they belong: delivery is at least
//     once.
//   - One worker runs a cluster's connectors at a time.
package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
	"github.com/orderflow/orderflow/internal/listen"
)

const (
	clientID            = "connect"
	metadataMinAge      = 100 * time.Millisecond
	writeTimeout        = 30 * time.Second
	unknownTopicRetries = 20
	stopTimeout         = time.Second
	taskStopTimeout     = 5 * time.Second
	sinkFinishTimeout   = 3500 * time.Millisecond // with leaving and closing less than taskStopTimeout
	sinkFlushTimeout    = 3 * time.Second         // less than sinkFinishTimeout
	commitInterval      = 500 * time.Millisecond
)

// Version is the version of Kafka Connect that the worker answers as.
const Version = "3.9.1"

// Config says where the worker listens and what it works with.
type Config struct {
	// Addr is the host:port to listen on; port 0 takes a free one.
	Addr string
	// Listen opens Addr. Nil means the operating system's network.
	Listen func(ctx context.Context, network, addr string) (net.Listener, error)
	// Dial connects to what connectors and converters name by URL: Elasticsearch
	// and Schema Registries. Nil means the operating system's network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// AddrSetting is the name of the flag or variable that sets Addr, for error
	// messages. May be empty.
	AddrSetting string
	// Brokers are the bootstrap addresses of the Kafka cluster.
	Brokers []string
	// KafkaOptions are added to those of every Kafka client. May be empty.
	KafkaOptions []kgo.Opt
	// SchemaRegistry is the URL of the registry that the worker's own value
	// converter uses, for connectors that name no converter. Empty leaves such
	// connectors without one.
	SchemaRegistry string
	// EnvAllowlist is the pattern that the whole names of the environment variables
	// match which settings may name, as config.providers.env.param.allowlist.pattern
	// of Kafka's EnvVarConfigProvider. Empty means DefaultEnvAllowlist.
	EnvAllowlist string
	// AllowedPaths are the files, and the folders with files, that settings may
	// name as ${file:PATH:KEY}, as config.providers.file.param.allowed.paths of
	// Kafka's FileConfigProvider. They are absolute and exist. Empty allows none.
	AllowedPaths []string
	// LookupEnv gives the environment variables that settings name as ${env:NAME}.
	// Nil means the process's own.
	LookupEnv func(name string) (string, bool)
	// OffsetFlushInterval is how often the offsets that tasks reached are written,
	// as Connect's offset.flush.interval.ms. 0 writes those of a source with each
	// batch, and those of a sink every half second.
	OffsetFlushInterval time.Duration
	// Clock is the time by which tasks wait. Nil means the machine's.
	Clock plugin.Clock
	// Logger gets warnings and errors. Nil means slog.Default.
	Logger *slog.Logger
}

// Validate reports what in the configuration can't work.
func (c Config) Validate() error {
	if len(c.Brokers) == 0 {
		return errors.New("the Connect worker needs at least one Kafka broker")
	}
	_, err := newProviders(c)
	return err
}

// kafka are the options that every Kafka client has.
func (c Config) kafka() []kgo.Opt {
	return append([]kgo.Opt{kgo.SeedBrokers(c.Brokers...)}, c.KafkaOptions...)
}

// Server is one worker. Its methods may be called from any goroutine.
type Server struct {
	cfg       Config
	providers providers

	startMu sync.Mutex     // held while starting and stopping
	server  *listen.Server // nil while not started
	worker  *worker
}

// New makes a worker that Start brings up.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.LookupEnv == nil {
		cfg.LookupEnv = os.LookupEnv
	}
	if cfg.Clock == nil {
		cfg.Clock = plugin.SystemClock{}
	}
	p, err := newProviders(cfg)
	if err != nil {
		return nil, err
	}
	return &Server{cfg: cfg, providers: p}, nil
}

// Start reads the worker's topics, starts the connectors they tell of, and begins
// to answer on the configured address. It returns when clients can connect; ctx
// bounds the start alone. A start while running does nothing.
func (s *Server) Start(ctx context.Context) error {
	s.startMu.Lock()
	defer s.startMu.Unlock()
	if s.server != nil {
		return nil
	}
	server, err := listen.Bind(ctx, listen.Config{
		Name: "Connect", Addr: s.cfg.Addr, Listen: s.cfg.Listen, Setting: s.cfg.AddrSetting, Logger: s.cfg.Logger,
		BodyTimeout: bodyTimeout,
	})
	if err != nil {
		return err
	}
	addr := server.Addr()
	w, err := newWorker(ctx, s.cfg, s.providers, addr)
	if err != nil {
		return errors.Join(fmt.Errorf("starting the Connect worker: %w", err), server.Stop(0))
	}
	server.Start(&api{worker: w})
	s.server, s.worker = server, w
	return nil
}

// Addr is the host:port that is listened on, empty while not started.
func (s *Server) Addr() string {
	s.startMu.Lock()
	defer s.startMu.Unlock()
	if s.server == nil {
		return ""
	}
	return s.server.Addr()
}

// URL is the address with its scheme, empty while not started.
func (s *Server) URL() string {
	s.startMu.Lock()
	defer s.startMu.Unlock()
	if s.server == nil {
		return ""
	}
	return s.server.URL()
}

// Stop ends requests, tasks and connectors, and writes the offsets they reached.
// A stop while not running does nothing; a start after it brings the worker up
// again.
func (s *Server) Stop() error {
	s.startMu.Lock()
	defer s.startMu.Unlock()
	if s.server == nil {
		return nil
	}
	err := s.server.Stop(stopTimeout)
	s.worker.stop()
	s.server, s.worker = nil, nil
	return err
}
