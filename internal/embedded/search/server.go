package search

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/orderflow/orderflow/internal/listen"
)

// What the server says it is.
const (
	version      = "8.14.3"
	indexVersion = "8505000"
)

const (
	// DefaultRefreshInterval is how long a write may be unseen by searches. A
	// shorter one makes more and smaller segments, which cost more to merge.
	DefaultRefreshInterval = 200 * time.Millisecond
	// DefaultWriteLimit is how many bytes of writes are carried out at the same time.
	DefaultWriteLimit = 64 << 20
	// DefaultClusterName and DefaultNodeName are what the server calls itself.
	DefaultClusterName = "orderflow"
	DefaultNodeName    = "orderflow-1"

	stopTimeout = time.Second
)

// Config says where the server listens and keeps its data.
type Config struct {
	// Addr is the host:port to listen on; port 0 takes a free one. It is not used
	// when only Handler is served.
	Addr string
	// AddrSetting is the name of the flag or variable that sets Addr, for error
	// messages. May be empty.
	AddrSetting string
	// DataDir keeps the documents and indexes; it is created when missing. Empty
	// means memory alone.
	DataDir string
	// Sync makes every write wait for the disk. Without it a write survives the end of
	// the process at any moment, but not that of the machine.
	Sync bool
	// FS holds the documents, while the inverted indexes, which are made anew when they
	// are missing, are always files of the operating system. Nil means its file system.
	FS vfs.FS
	// RefreshInterval is how long a write may be unseen by searches of an index
	// that doesn't set it. Zero means DefaultRefreshInterval, negative means until
	// a request asks for it.
	RefreshInterval time.Duration
	// WriteLimit bounds the bodies of the writes that are carried out at the same time,
	// in bytes; what goes beyond is refused with status 429. Zero means
	// DefaultWriteLimit.
	WriteLimit int64
	// ClusterName and NodeName are shown to clients. Empty means the defaults.
	ClusterName, NodeName string
	// Clock tells the time for creation dates and date math. Nil means time.Now.
	Clock func() time.Time
	// Logger gets warnings and errors. Nil means slog.Default.
	Logger *slog.Logger
}

// Validate reports what in the configuration can't work.
func (c Config) Validate() error {
	if c.Addr != "" {
		if _, _, err := net.SplitHostPort(c.Addr); err != nil {
			return fmt.Errorf("the search server's address %q is not host:port: %w", c.Addr, err)
		}
	}
	return nil
}

func (c *Config) fillIn() {
	if c.RefreshInterval == 0 {
		c.RefreshInterval = DefaultRefreshInterval
	}
	if c.WriteLimit == 0 {
		c.WriteLimit = DefaultWriteLimit
	}
	if c.ClusterName == "" {
		c.ClusterName = DefaultClusterName
	}
	if c.NodeName == "" {
		c.NodeName = DefaultNodeName
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

// Server is one search server. Its methods may be called from any goroutine.
type Server struct {
	cfg    Config
	routes *routeNode

	startMu sync.Mutex     // held while starting and stopping
	server  *listen.Server // nil while not started

	columns  *columnCache
	writing  atomic.Int64 // bytes of the writes at work
	contexts contexts

	// requests is held by every request, so that nothing is closed under it.
	requests sync.RWMutex

	// catalog guards what follows. Creating and deleting indexes and templates
	// takes it for writing.
	catalog   sync.RWMutex
	store     *store // nil while not open
	uuid      string
	nodeID    string
	indices   map[string]*index
	templates map[templateKind]map[string]*node
	settings  map[string]string // persistent cluster settings
}

// New makes a server that Start or Open brings up.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.fillIn()
	return &Server{cfg: cfg, routes: buildRoutes(), columns: newColumnCache()}, nil
}

// Open opens the data directory; Handler answers with errors before. A second
// open does nothing.
func (s *Server) Open() error {
	s.catalog.Lock()
	defer s.catalog.Unlock()
	if s.store != nil {
		return nil
	}
	st, err := openStore(s.cfg)
	if err != nil {
		return err
	}
	s.store = st
	if err := s.load(); err != nil {
		return errors.Join(err, s.closeAll())
	}
	return nil
}

// load reads the catalog and opens every index.
func (s *Server) load() error {
	var err error
	if s.uuid, err = s.store.stableID(keyCluster); err != nil {
		return err
	}
	if s.nodeID, err = s.store.stableID(keyNode); err != nil {
		return err
	}
	s.indices = map[string]*index{}
	if err := s.loadTemplates(); err != nil {
		return err
	}
	if err := s.loadSettings(); err != nil {
		return err
	}
	var found []*index
	err = s.store.scan([]byte{keyIndex}, nil, func(key, value []byte) (bool, error) {
		ix, err := decodeIndex(s, string(key[1:]), value)
		found = append(found, ix)
		return true, err
	})
	if err != nil {
		return err
	}
	for _, ix := range found {
		if err := ix.open(); err != nil {
			return err
		}
		s.indices[ix.name] = ix
	}
	return s.sweep()
}

// sweep removes the inverted indexes that no index has: those of indexes whose deletion
// was interrupted.
func (s *Server) sweep() error {
	if s.store.dir == "" {
		return nil
	}
	kept := map[string]bool{}
	for _, ix := range s.indices {
		kept[ix.engine.path] = true
	}
	entries, err := os.ReadDir(s.store.dir)
	if err != nil {
		return fmt.Errorf("looking for what deleted indexes have left: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(s.store.dir, e.Name())
		if _, err := strconv.ParseUint(e.Name(), 10, 32); err != nil || kept[path] {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("removing what a deleted index has left: %w", err)
		}
	}
	return nil
}

// closeAll closes every index and the store. The caller holds catalog.
func (s *Server) closeAll() error {
	s.contexts.freeAll(true)
	var errs []error
	for _, ix := range s.indices {
		ix.writes.Lock()
		errs = append(errs, ix.engine.close())
		ix.writes.Unlock()
	}
	s.indices = nil
	errs = append(errs, s.store.close())
	s.store = nil
	return errors.Join(errs...)
}

// Start opens the data directory and begins to answer on the configured address.
// It returns when clients can connect. ctx bounds the start alone. A start while
// running does nothing.
func (s *Server) Start(ctx context.Context) error {
	s.startMu.Lock()
	defer s.startMu.Unlock()
	if s.server != nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	server, err := listen.Bind(ctx, listen.Config{
		Name: "Elasticsearch", Addr: s.cfg.Addr, Setting: s.cfg.AddrSetting, Logger: s.cfg.Logger,
		BodyTimeout: bodyTimeout,
	})
	if err != nil {
		return err
	}
	if err := s.Open(); err != nil {
		return errors.Join(err, server.Stop(0))
	}
	server.Start(s.Handler())
	s.server = server
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

// Stop waits a second for requests to end, then ends them, and closes the data
// directory. A stop while not running does nothing; a start after it brings the
// server up again.
func (s *Server) Stop() error {
	s.startMu.Lock()
	defer s.startMu.Unlock()
	var err error
	if s.server != nil {
		err = s.server.Stop(stopTimeout)
		s.server = nil
	}
	s.requests.Lock()
	defer s.requests.Unlock()
	s.catalog.Lock()
	defer s.catalog.Unlock()
	if s.store == nil {
		return err
	}
	return errors.Join(err, s.closeAll())
}

// sorted gives all indexes by name. The caller holds catalog.
func (s *Server) sorted() []*index {
	var list []*index
	for _, name := range slices.Sorted(maps.Keys(s.indices)) {
		list = append(list, s.indices[name])
	}
	return list
}
