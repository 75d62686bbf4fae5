// Package server is the REST face of the embedded ksqlDB: ksqlDB's routes,
// content types, error bodies and ways to stream rows, over HTTP/1.1 and HTTP/2
// in clear text.
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
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
)

// Version is the version of ksqlDB that the server follows and reports.
const Version = "7.9.0"

// DefaultListen is ksqlDB's usual address, on this machine only.
const DefaultListen = "127.0.0.1:8088"

// readHeaderTimeout bounds how long a client may take to send a request's head.
const readHeaderTimeout = 10 * time.Second

// Config configures a Server.
type Config struct {
	// Listen is the address to listen on; empty for DefaultListen. A port of 0
	// takes a free one.
	Listen string
	// ListenSetting is the name of the flag or variable that sets Listen, for
	// error messages. May be empty.
	ListenSetting string
	engine.Config
}

// Server answers ksqlDB's REST API.
type Server struct {
	cfg Config
	log *slog.Logger

	mu       sync.Mutex
	engine   *engine.Engine
	listener net.Listener
	http     *http.Server
	cancel   context.CancelFunc // ends the requests that run
	served   chan struct{}
	stopped  bool
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
	return &Server{cfg: cfg, log: cfg.Logger}, nil
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
	listener, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		hint := ""
		if s.cfg.ListenSetting != "" {
			hint = " with " + s.cfg.ListenSetting
		}
		return fmt.Errorf("listening on %s: %w; choose another address%s", s.cfg.Listen, err, hint)
	}
	e, err := engine.Open(ctx, s.cfg.Config)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s.engine, s.listener, s.cancel, s.served = e, listener, cancel, make(chan struct{})
	s.http = &http.Server{
		Handler:           s.Handler(),
		Protocols:         protocols,
		ReadHeaderTimeout: readHeaderTimeout,
		BaseContext:       func(net.Listener) context.Context { return running },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(s.served)
		if err := s.http.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the embedded ksqlDB no longer answers", "error", err)
		}
	}()
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
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("stopping the embedded ksqlDB: %w", err), s.http.Close())
	}
	<-s.served
	err = errors.Join(err, s.engine.Close())
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
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}
