// Package listen runs the HTTP servers of this process: it binds an address and
// says which setting to change when it can't, bounds what slow or greedy clients
// may take, speaks TLS, asks for credentials, and stops gracefully.
//
// Invariants: a request's head is read within a bounded time and size; a body that
// stalls is given up; a handler is reached only after the credentials were
// checked; no credential is ever logged or repeated in an answer.
package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// Bounds of what a client may take.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
	// defaultBodyTimeout holds for servers that expect no bodies, too: one that was
	// announced is waited for before the answer.
	defaultBodyTimeout = 30 * time.Second
)

// Config configures a Server.
type Config struct {
	// Name is what messages call the server, such as "the Schema Registry".
	Name string
	// Addr is the "host:port" to listen on; port 0 takes a free one.
	Addr string
	// Listen opens Addr. Nil means the operating system's network.
	Listen func(ctx context.Context, network, addr string) (net.Listener, error)
	// Setting is the flag that sets Addr, with its dashes, for error messages. May
	// be empty.
	Setting string
	// TLS makes the server speak TLS only, when it names files.
	TLS TLS
	// Guard asks for credentials; the zero Guard lets everybody in.
	Guard Guard
	// ClearTextHTTP2 has the server speak HTTP/2 without TLS too (RFC 9113, 3.3:
	// with prior knowledge).
	ClearTextHTTP2 bool
	// BodyTimeout bounds how long a client may take to send one request's body. Zero
	// means defaultBodyTimeout.
	BodyTimeout time.Duration
	// Streams reports the requests whose bodies come for as long as the client likes.
	// Nil means none.
	Streams func(*http.Request) bool
	// EndRequests has Stop end the contexts of running requests at once, for
	// servers whose answers wait or never end. Without it they have the grace
	// period to finish.
	EndRequests bool
	// Logger gets messages about broken connections. Nil discards them.
	Logger *slog.Logger
}

// TLS names the PEM files of a server's certificate chain and its private key.
type TLS struct {
	CertFile string
	KeyFile  string
}

// Enabled reports whether TLS is wanted.
func (t TLS) Enabled() bool { return t.CertFile != "" || t.KeyFile != "" }

// Server is a bound address, and what is served there.
type Server struct {
	cfg      Config
	listener net.Listener
	cancel   context.CancelFunc
	http     *http.Server
	unused   *unused

	mu      sync.Mutex
	started bool
	ended   chan struct{}
}

// Bind opens the address and reads the certificate. Clients can connect from now
// on and are answered after Start.
func Bind(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.BodyTimeout == 0 {
		cfg.BodyTimeout = defaultBodyTimeout
	}
	var certificates []tls.Certificate
	if cfg.TLS.Enabled() {
		certificate, err := tls.LoadX509KeyPair(cfg.TLS.CertFile, cfg.TLS.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the TLS certificate of %s (%s) and its key (%s): %w; both must be PEM files and belong together", cfg.Name, cfg.TLS.CertFile, cfg.TLS.KeyFile, err)
		}
		certificates = append(certificates, certificate)
	}
	listener, err := bind(ctx, cfg)
	if err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	if cfg.TLS.Enabled() {
		protocols.SetHTTP2(true)
		next := []string{"h2", "http/1.1"}
		listener = tls.NewListener(listener, &tls.Config{Certificates: certificates, MinVersion: tls.VersionTLS12, NextProtos: next})
	} else if cfg.ClearTextHTTP2 {
		protocols.SetUnencryptedHTTP2(true)
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unused := &unused{}
	return &Server{
		cfg: cfg, listener: listener, cancel: cancel, unused: unused,
		ended: make(chan struct{}),
		http: &http.Server{
			Protocols:         protocols,
			ReadHeaderTimeout: readHeaderTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			BaseContext:       func(net.Listener) context.Context { return running },
			ConnState:         unused.note,
			ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
		},
	}, nil
}

func bind(ctx context.Context, cfg Config) (net.Listener, error) {
	open := cfg.Listen
	if open == nil {
		open = new(net.ListenConfig).Listen
	}
	listener, err := open(ctx, "tcp", cfg.Addr)
	if err == nil {
		return listener, nil
	}
	hint := ""
	if cfg.Setting != "" {
		hint = " with " + cfg.Setting
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listening for clients of %s on %s: the port is in use; stop the other process or choose another address%s: %w", cfg.Name, cfg.Addr, hint, err)
	}
	return nil, fmt.Errorf("listening for clients of %s on %s; choose another address%s: %w", cfg.Name, cfg.Addr, hint, err)
}

// Addr is the host:port that is listened on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is the address with http or https before it.
func (s *Server) URL() string { return Scheme(s.cfg.TLS) + "://" + s.Addr() }

// Scheme is https with TLS, else http.
func Scheme(t TLS) string {
	if t.Enabled() {
		return "https"
	}
	return "http"
}

// Start begins to answer and returns. When the address can't be served any more
// the logger gets an error. A start while running does nothing.
func (s *Server) Start(handler http.Handler) {
	s.start(handler, func(err error) { s.cfg.Logger.Error("a server no longer answers", "error", err) })
}

func (s *Server) start(handler http.Handler, failed func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return
	}
	s.started = true
	s.http.Handler = s.cfg.Guard.protect(boundBody(handler, s.cfg.BodyTimeout, s.cfg.Streams), s.cfg.BodyTimeout)
	go func() {
		defer close(s.ended)
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("serving %s on %s: %w", s.cfg.Name, s.Addr(), err))
		}
	}()
}

// Run answers until ctx ends and then stops as Stop does. It returns nil after
// such a stop, and an error as soon as the address can't be served any more.
func (s *Server) Run(ctx context.Context, handler http.Handler, grace time.Duration) error {
	failed := make(chan error, 1)
	s.start(handler, func(err error) { failed <- err })
	select {
	case err := <-failed:
		return errors.Join(err, s.Stop(grace))
	case <-ctx.Done():
		return s.Stop(grace)
	}
}

// Stop takes no more requests, gives the running ones the grace period to end and
// then ends them. It may be called twice, and without a start.
func (s *Server) Stop(grace time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started {
		s.cancel()
		if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("closing the address of %s: %w", s.cfg.Name, err)
		}
		return nil
	}
	if s.cfg.EndRequests {
		s.cancel()
	}
	s.unused.close()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close() // requests took too long
	}
	s.cancel()
	<-s.ended
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("stopping %s: %w", s.cfg.Name, err)
	}
	return nil
}
