package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"
)

const (
	defaultFrameTimeout = 30 * time.Second
	defaultIdleTimeout  = 10 * time.Minute // Kafka's connections.max.idle.ms

	// minFrame is the length of the smallest request: API key, version and
	// correlation id.
	minFrame = 2 + 2 + 4
)

// API is one kind of request that is answered.
type API struct {
	Key      kmsg.Key
	Min, Max int16 // versions
	// Waits says that an answer may take its time, so that those before it are
	// sent first.
	Waits bool
	// Handle answers a request; without an answer nothing is sent. The bytes of
	// the request are the server's again afterwards. An error closes the
	// connection.
	Handle func(ctx context.Context, from *Client, req kmsg.Request) (kmsg.Response, error)
}

// Client is who sent a request.
type Client struct {
	ID   string // as the client calls itself; may be empty
	Host string // as "/127.0.0.1", Kafka's way
	User string // who has logged in; empty where nobody is asked

	session session
}

// Config configures a Server.
type Config struct {
	Listeners []*Listener
	// MaxFrame is how many bytes a request can have.
	MaxFrame int
	// MaxBuffered is how many bytes of requests are in memory at a time, at least
	// MaxFrame; as many again may be taken by what was decoded of them.
	MaxBuffered int64
	// FrameTimeout is how long a client may take to send a frame that it began, or
	// to take an answer. 0 means 30 seconds.
	FrameTimeout time.Duration
	// IdleTimeout is after how long without a request a connection is closed. 0
	// means 10 minutes.
	IdleTimeout time.Duration
	Logger      *slog.Logger
}

// Server serves the connections of its listeners.
type Server struct {
	cfg      Config
	apis     map[int16]API
	limit    int64               // of each of the following
	buffered *semaphore.Weighted // bytes of requests
	decoded  *semaphore.Weighted // bytes that requests take once they are decoded
	versions []kmsg.ApiVersionsResponseApiKey

	ctx    context.Context // ends with Stop
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex // guards what follows
	conns map[net.Conn]struct{}
}

// New makes a server that Start lets answer. It answers ApiVersions and the
// requests of a login itself.
func New(cfg Config, apis []API) *Server {
	if cfg.FrameTimeout == 0 {
		cfg.FrameTimeout = defaultFrameTimeout
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = defaultIdleTimeout
	}
	limit := max(cfg.MaxBuffered, int64(cfg.MaxFrame))
	s := &Server{
		cfg: cfg, apis: map[int16]API{}, conns: map[net.Conn]struct{}{},
		limit: limit, buffered: semaphore.NewWeighted(limit), decoded: semaphore.NewWeighted(limit),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	apis = append(apis,
		API{Key: kmsg.ApiVersions, Min: 0, Max: 4, Handle: s.apiVersions},
		API{Key: kmsg.SASLHandshake, Min: 0, Max: 1, Handle: s.handshake},
		API{Key: kmsg.SASLAuthenticate, Min: 0, Max: 2, Waits: true, Handle: s.authenticate},
	)
	for key := int16(0); key <= kmsg.MaxKey; key++ {
		for _, api := range apis {
			if api.Key.Int16() == key {
				s.apis[key] = api
				v := kmsg.NewApiVersionsResponseApiKey()
				v.ApiKey, v.MinVersion, v.MaxVersion = key, api.Min, api.Max
				s.versions = append(s.versions, v)
			}
		}
	}
	return s
}

// Start begins to answer.
func (s *Server) Start() {
	for _, l := range s.cfg.Listeners {
		s.done.Go(func() { s.accept(l) })
	}
}

func (s *Server) accept(l *Listener) {
	pause := time.Duration(0)
	for {
		conn, err := l.Accept()
		if err == nil {
			pause = 0
			s.welcome(l, conn)
			continue
		}
		if errors.Is(err, net.ErrClosed) || s.ctx.Err() != nil {
			return
		}
		// Too many open files, mostly: it may get better.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.cfg.Logger.Warn("broker: accepting a connection; it is tried again", "error", err)
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
		}
	}
}

func (s *Server) welcome(l *Listener, conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || l.MaxConnections > 0 && l.open >= l.MaxConnections {
		if s.ctx.Err() == nil && !l.crowded {
			l.crowded = true
			s.cfg.Logger.Warn("broker: refusing connections: as many as allowed are open", "connections", l.open)
		}
		conn.Close() //nolint:errcheck // nobody was served yet
		return
	}
	l.crowded = false
	l.open++
	s.conns[conn] = struct{}{}
	s.done.Go(func() {
		err := s.serve(l, conn)
		s.mu.Lock()
		l.open--
		delete(s.conns, conn)
		s.mu.Unlock()
		conn.Close() //nolint:errcheck // all that was to be said is said
		if err != nil && s.ctx.Err() == nil {
			s.cfg.Logger.Warn("broker: closing a client's connection", "client", conn.RemoteAddr().String(), "reason", err)
		}
	})
}

func (s *Server) serve(l *Listener, conn net.Conn) error {
	admitted, err := l.admit(s.ctx, conn, s.cfg.FrameTimeout)
	if err != nil {
		return err
	}
	c := newConnection(s, admitted)
	c.client.session = session{server: l.Login, within: time.Now().Add(s.cfg.FrameTimeout)}
	return c.serve()
}

// Stop ends all connections and waits until their requests are done with.
func (s *Server) Stop() {
	s.cancel()
	for _, l := range s.cfg.Listeners {
		l.Close() //nolint:errcheck // closing a listener twice is an error that says nothing
	}
	s.mu.Lock()
	for conn := range s.conns {
		conn.Close() //nolint:errcheck // its goroutine sees it
	}
	s.mu.Unlock()
	s.done.Wait()
}

func (s *Server) apiVersions(_ context.Context, _ *Client, req kmsg.Request) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	resp.ApiKeys = s.versions
	return resp, nil
}

// api gives what answers a request, or why nothing does.
func (s *Server) api(key, version int16) (API, error) {
	api, ok := s.apis[key]
	switch {
	case !ok && kmsg.NameForKey(key) == "Unknown":
		return API{}, fmt.Errorf("unknown Kafka API key %d", key)
	case !ok:
		return API{}, fmt.Errorf("%s (API key %d) is not something the embedded broker does", kmsg.NameForKey(key), key)
	case version < api.Min || version > api.Max:
		return API{}, fmt.Errorf("version %d of %s: %d to %d are known", version, kmsg.NameForKey(key), api.Min, api.Max)
	}
	return api, nil
}
