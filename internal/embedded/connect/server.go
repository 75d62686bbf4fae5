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
	"net/http"
	"sync"
	"syscall"
	"time"
)

const (
	clientID            = "connect"
	metadataMinAge      = 100 * time.Millisecond
	writeTimeout        = 30 * time.Second
	unknownTopicRetries = 20
	readHeaderTimeout   = 10 * time.Second
	stopTimeout         = time.Second
	taskStopTimeout     = 5 * time.Second
	commitInterval      = 500 * time.Millisecond
)

// Version is the version of Kafka Connect that the worker answers as.
const Version = "3.9.1"

// Config says where the worker listens and what it works with.
type Config struct {
	// Addr is the host:port to listen on; port 0 takes a free one.
	Addr string
	// AddrSetting is the name of the flag or variable that sets Addr, for error
	// messages. May be empty.
	AddrSetting string
	// Brokers are the bootstrap addresses of the Kafka cluster.
	Brokers []string
	// SchemaRegistry is the URL of the registry that the worker's own value
	// converter uses, for connectors that name no converter. Empty leaves such
	// connectors without one.
	SchemaRegistry string
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Logger gets warnings and errors. Nil means slog.Default.
	Logger *slog.Logger
}

// Validate reports what in the configuration can't work.
func (c Config) Validate() error {
	if len(c.Brokers) == 0 {
		return errors.New("the Connect worker needs at least one Kafka broker")
	}
	return nil
}

// Server is one worker. Its methods may be called from any goroutine.
type Server struct {
	cfg Config

	startMu sync.Mutex // held while starting and stopping
	server  *http.Server
	addr    string
	served  sync.WaitGroup
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
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Server{cfg: cfg}, nil
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
	ln, err := s.listen()
	if err != nil {
		return err
	}
	addr := ln.Addr().String()
	w, err := newWorker(ctx, s.cfg, addr)
	if err != nil {
		return errors.Join(fmt.Errorf("starting the Connect worker: %w", err), ln.Close())
	}
	server := &http.Server{Handler: &api{worker: w}, ReadHeaderTimeout: readHeaderTimeout, ErrorLog: slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn)}
	s.server, s.addr, s.worker = server, addr, w
	s.served.Go(func() {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.cfg.Logger.Error("connect: serving", "error", err)
		}
	})
	return nil
}

func (s *Server) listen() (net.Listener, error) {
	ln, err := net.Listen("tcp", s.cfg.Addr)
	if err == nil {
		return ln, nil
	}
	hint := ""
	if s.cfg.AddrSetting != "" {
		hint = " with " + s.cfg.AddrSetting
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listening for Connect clients on %s: the port is in use; stop the other process or choose another address%s: %w", s.cfg.Addr, hint, err)
	}
	return nil, fmt.Errorf("listening for Connect clients on %s; choose another address%s: %w", s.cfg.Addr, hint, err)
}

// Addr is the host:port that is listened on, empty while not started.
func (s *Server) Addr() string {
	s.startMu.Lock()
	defer s.startMu.Unlock()
	return s.addr
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
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var err error
	if s.server.Shutdown(ctx) != nil {
		err = s.server.Close()
	}
	s.served.Wait()
	s.worker.stop()
	s.server, s.addr, s.worker = nil, "", nil
	return err
}
