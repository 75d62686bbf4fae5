// Package server is the REST face of the embedded ksqlDB: ksqlDB's routes,
// content types, error bodies and ways to stream rows, over HTTP/1.1, HTTP/2 in
// clear text and websockets.
//
// Invariants: it knows no SQL and keeps nothing; a row is on its way to the
// client before the next one is asked for, so a slow reader slows its own query
// and nothing else, and a client that goes away ends its query; what was once
// answered with status 200 reports later errors inside the stream.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderflow/orderflow/internal/credentials"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	"github.com/orderflow/orderflow/internal/listen"
)

// Version is the version of ksqlDB that the server follows and reports.
const Version = "7.9.0"

// DefaultListen is ksqlDB's usual address, on this machine only.
const DefaultListen = "127.0.0.1:8088"

// Config configures a Server.
type Config struct {
	// Listen is the address to listen on; empty for DefaultListen. A port of 0
	// takes a free one.
	Listen string
	// ListenSetting is the name of the flag or variable that sets Listen, for
	// error messages. May be empty.
	ListenSetting string
	// TLS makes the server speak TLS only, when it names files.
	TLS listen.TLS
	// Credentials are those that clients need; nil lets everybody in.
	Credentials *credentials.Store
	engine.Config
}

// Server answers ksqlDB's REST API.
type Server struct {
	cfg Config
	log *slog.Logger
	// origins are those whose pages may use the server.
	origins crossOrigin

	mu      sync.Mutex
	engine  *engine.Engine
	http    *listen.Server // nil while not started
	stopped bool
}

// New makes a Server. It does nothing before Start.
func New(cfg Config) (*Server, error) {
	if cfg.Listen == "" {
		cfg.Listen = DefaultListen
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	origins, err := newCrossOrigin(cfg.Properties)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", corsOrigin, err)
	}
	return &Server{cfg: cfg, log: cfg.Logger, origins: origins}, nil
}

// Start opens the engine and begins to answer. When it returns without an error,
// all queries of the metastore run. The context bounds the start only. Starting
// a server that runs does nothing.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.New("the ksqlDB server was stopped; make a new one")
	}
	if s.http != nil {
		return nil
	}
	server, err := listen.Bind(ctx, listen.Config{
		Name: "ksqlDB", Addr: s.cfg.Listen, Setting: s.cfg.ListenSetting, TLS: s.cfg.TLS,
		Guard:          listen.Guard{Credentials: s.cfg.Credentials, Open: unguarded, Refuse: refuse},
		ClearTextHTTP2: true, EndRequests: true, Logger: s.log,
		BodyTimeout: bodyTimeout, Streams: isStreamOfInserts,
	})
	if err != nil {
		return err
	}
	e, err := engine.Open(ctx, s.cfg.Config)
	if err != nil {
		return errors.Join(err, server.Stop(0))
	}
	s.engine, s.http = e, server
	server.Start(s.Handler())
	return nil
}

// stopTimeout is how long Stop lets requests finish.
const stopTimeout = 5 * time.Second

// Stop ends all queries of clients, waits for requests and closes the engine,
// each query after the batch it is working on. It may be called twice.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.http == nil {
		return nil
	}
	err := errors.Join(s.http.Stop(stopTimeout), s.engine.Close())
	s.http = nil
	return err
}

// Collector gives the metrics of the engine for a Prometheus registry; nil before
// Start.
func (s *Server) Collector() prometheus.Collector {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine == nil {
		return nil
	}
	return s.engine.Collector()
}

// Addr is the address that the server listens on; empty before Start.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http == nil {
		return ""
	}
	return s.http.Addr()
}

// URL is the address with its scheme, empty while not started.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http == nil {
		return ""
	}
	return s.http.URL()
}
