package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/broker/catalog"
	"github.com/orderflow/orderflow/internal/embedded/broker/commitlog"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
	"github.com/orderflow/orderflow/internal/embedded/broker/group"
	"github.com/orderflow/orderflow/internal/embedded/broker/journal"
	"github.com/orderflow/orderflow/internal/embedded/broker/requests"
	"github.com/orderflow/orderflow/internal/embedded/broker/settings"
	"github.com/orderflow/orderflow/internal/embedded/broker/wire"
)

const (
	groupsFile = "groups"
	memoryDir  = "memory" // the data directory in a file system in memory

	diskCheckInterval = 500 * time.Millisecond
	housekeepInterval = 30 * time.Second

	// openFiles is how many files are kept open beside those in use.
	openFiles = 256
	// maxFetchBytes is how many bytes of records one answer has, at most.
	maxFetchBytes = 16 << 20
	// maxBufferedBytes is how many bytes of requests are in memory at a time.
	maxBufferedBytes = 128 << 20
	maxFetchSessions = 1000 // Kafka's max.incremental.fetch.session.cache.slots

	minGroupSessionTimeout = 6 * time.Second  // Kafka's group.min.session.timeout.ms
	maxGroupSessionTimeout = 30 * time.Minute // Kafka's group.max.session.timeout.ms
	maxOffsetMetadata      = 4096             // Kafka's offset.metadata.max.bytes
)

// Broker is one embedded broker. Its methods may be called from any goroutine.
type Broker struct {
	cfg Config
	log *slog.Logger

	lack atomic.Pointer[error] // of disk space, for which records are refused

	mu      sync.Mutex // guards what follows; held while starting and stopping
	running *instance
}

// instance is what exists between a Start and the Stop after it. Fields are nil
// until they are started.
type instance struct {
	addr     string // that clients are told
	lock     *Lock
	listener net.Listener
	inner    *inner // nil unless the broker is protected
	handles  *disk.Handles
	catalog  *catalog.Catalog
	journal  *journal.Journal
	groups   *group.Coordinator
	requests *requests.Server
	server   *wire.Server

	mechanisms []string // of SASL

	quit chan struct{} // closed to end the background work
	work sync.WaitGroup
}

// New makes a broker that Start brings up.
func New(cfg Config) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Broker{cfg: cfg, log: cfg.Logger}, nil
}

// Start locks and repairs the data directory, loads it and begins to answer
// clients. It returns when clients can connect. A start while running does
// nothing; a start after a stop brings the broker up again. ctx bounds the
// start alone. The error is ErrLocked when another process has the directory.
func (b *Broker) Start(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running != nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("starting the broker: %w", err)
	}
	inst := &instance{quit: make(chan struct{})}
	if err := b.start(ctx, inst); err != nil {
		return errors.Join(err, b.stop(inst))
	}
	b.running = inst
	return nil
}

func (b *Broker) start(ctx context.Context, inst *instance) error {
	dir := b.cfg.DataDir
	files := b.cfg.Files
	if dir == "" {
		dir = memoryDir
		if _, ok := files.(*disk.Memory); ok {
			files = disk.NewMemory() // nothing outlives Stop
		}
	}
	if err := files.MkdirAll(dir); err != nil {
		return fmt.Errorf("making the broker's data directory: %w", err)
	}
	if b.cfg.DataDir != "" {
		lock, err := LockDir(dir)
		if err != nil {
			return err
		}
		inst.lock = lock
		if err := refuseForeign(files, dir); err != nil {
			return err
		}
	}
	ln, err := b.listen(ctx)
	if err != nil {
		return err
	}
	inst.listener = ln
	inst.addr = b.advertised(ln.Addr())
	if err := b.load(inst, files, dir); err != nil {
		return fmt.Errorf("loading the broker's data in %s: %w", dir, err)
	}
	listeners, err := b.listeners(ctx, inst)
	if err != nil {
		return err
	}
	host, port, err := splitAddr(inst.addr)
	if err != nil {
		return err
	}
	inst.requests = requests.New(requests.Config{
		Catalog: inst.catalog, Groups: inst.groups,
		Host: host, Port: port, Partitions: b.cfg.Partitions, Sync: b.cfg.SyncWrites, AutoCreate: true,
		Broker: b.settings(inst, dir), DataDir: dir, DiskSpace: b.diskSpace,
		MaxFetchBytes: maxFetchBytes, MaxSessions: maxFetchSessions,
		Now: b.cfg.Now, Logger: b.log,
	})
	inst.server = wire.New(wire.Config{
		Listeners: listeners, MaxFrame: b.cfg.MaxFrameBytes, MaxBuffered: maxBufferedBytes,
		FrameTimeout: b.cfg.FrameTimeout, Logger: b.log,
	}, inst.requests.APIs())
	b.background(inst)
	inst.server.Start()
	return nil
}

// load opens everything that is kept.
func (b *Broker) load(inst *instance, files disk.FS, dir string) error {
	inst.handles = disk.NewHandles(files, openFiles)
	env := &commitlog.Env{
		FS: files, Handles: inst.handles, Boot: bootID(), Sync: b.cfg.SyncWrites, Root: dir, Now: b.cfg.Now, Logger: b.log,
	}
	var err error
	if inst.catalog, err = catalog.Open(catalog.Config{Env: env, Dir: dir}); err != nil {
		return err
	}
	inst.journal, err = journal.Open(journal.Config{
		FS: files, Path: filepath.Join(dir, groupsFile), Sync: b.cfg.SyncWrites, Logger: b.log,
	})
	if err != nil {
		return err
	}
	inst.groups, err = group.New(group.Config{
		Journal: inst.journal,
		HasPartition: func(topic string, p int32) bool {
			t := inst.catalog.Topic(topic)
			return t != nil && t.Partition(p) != nil
		},
		End: func(topic string, p int32) int64 {
			_, end := inst.catalog.Topic(topic).Partition(p).Bounds()
			return end
		},
		MinSession: minGroupSessionTimeout, MaxSession: maxGroupSessionTimeout,
		MaxMetadata: maxOffsetMetadata, Logger: b.log,
	})
	return err
}

// foreign are names that brokers of another make left in their directories.
var foreign = []string{"meta.json", "topics.json", "partitions", "meta.properties"}

// refuseForeign keeps the broker from working beside data that it can't read.
func refuseForeign(files disk.FS, dir string) error {
	entries, err := files.List(dir)
	if err != nil {
		return fmt.Errorf("looking into the broker's data directory: %w", err)
	}
	for _, e := range entries {
		for _, name := range foreign {
			if e.Name == name {
				return fmt.Errorf("the data directory %s has data of another broker (%s), which this one can't read; "+
					"choose another data directory, or move this one away to begin anew", dir, name)
			}
		}
	}
	return nil
}

func (b *Broker) listen(ctx context.Context) (net.Listener, error) {
	open := b.cfg.Listen
	if open == nil {
		open = new(net.ListenConfig).Listen
	}
	ln, err := open(ctx, "tcp", b.cfg.Addr)
	if err == nil {
		return ln, nil
	}
	hint := ""
	if b.cfg.AddrSetting != "" {
		hint = " with " + b.cfg.AddrSetting
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listening for Kafka clients on %s: the port is in use; stop the other process or choose another address%s: %w", b.cfg.Addr, hint, err)
	}
	return nil, fmt.Errorf("listening for Kafka clients on %s; choose another address%s: %w", b.cfg.Addr, hint, err)
}

// advertised gives the address that clients are told.
func (b *Broker) advertised(addr net.Addr) string {
	if b.cfg.Advertise != "" {
		return b.cfg.Advertise
	}
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}

func splitAddr(addr string) (string, int32, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("the broker's address %q is not host:port: %w", addr, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("the broker's address %q has no port number: %w", addr, err)
	}
	return host, int32(n), nil
}

// settings are the broker's settings, by Kafka's names.
func (b *Broker) settings(inst *instance, dir string) []settings.BrokerValue {
	set := func(name string, kind settings.Type, value string) settings.BrokerValue {
		return settings.BrokerValue{Name: name, Type: kind, Value: value, Set: true}
	}
	fixed := func(name string, kind settings.Type, value any) settings.BrokerValue {
		return settings.BrokerValue{Name: name, Type: kind, Value: fmt.Sprint(value)}
	}
	return settings.Broker(append(b.securitySettings(inst), []settings.BrokerValue{
		set("broker.id", settings.Int, strconv.Itoa(requests.NodeID)),
		set("node.id", settings.Int, strconv.Itoa(requests.NodeID)),
		set("log.dirs", settings.String, dir),
		set("num.partitions", settings.Int, strconv.Itoa(b.cfg.Partitions)),
		set("socket.request.max.bytes", settings.Int, strconv.Itoa(b.cfg.MaxFrameBytes)),
		set("max.connections", settings.Int, strconv.Itoa(b.cfg.MaxConnections)),
		fixed("auto.create.topics.enable", settings.Boolean, true),
		fixed("default.replication.factor", settings.Int, 1),
		fixed("delete.topic.enable", settings.Boolean, true),
		fixed("fetch.max.bytes", settings.Int, maxFetchBytes),
		fixed("group.initial.rebalance.delay.ms", settings.Int, 0),
		fixed("group.max.session.timeout.ms", settings.Int, maxGroupSessionTimeout.Milliseconds()),
		fixed("group.min.session.timeout.ms", settings.Int, minGroupSessionTimeout.Milliseconds()),
		fixed("max.incremental.fetch.session.cache.slots", settings.Int, maxFetchSessions),
		fixed("offset.metadata.max.bytes", settings.Int, maxOffsetMetadata),
		fixed("offsets.retention.minutes", settings.Int, math.MaxInt32), // they are kept
	}...))
}

// DiskError says how much space is missing while records are refused for it, and is nil
// otherwise. It answers at once.
func (b *Broker) DiskError() error {
	if lack := b.lack.Load(); lack != nil {
		return *lack
	}
	return nil
}

func (b *Broker) diskSpace() (total, free int64, err error) {
	if b.cfg.DataDir == "" {
		return -1, -1, nil
	}
	free, err = b.cfg.FreeSpace(b.cfg.DataDir)
	return -1, free, err
}

// Stop closes all connections, writes down the state and releases the data
// directory. A stop while not running does nothing.
func (b *Broker) Stop() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	inst := b.running
	if inst == nil {
		return nil
	}
	b.running = nil
	return b.stop(inst)
}

func (b *Broker) stop(inst *instance) error {
	var errs []error
	switch {
	case inst.server != nil:
		inst.server.Stop()
	case inst.listener != nil:
		errs = append(errs, inst.listener.Close())
		if inst.inner != nil {
			errs = append(errs, inst.inner.Close())
		}
	}
	close(inst.quit)
	inst.work.Wait()
	if inst.requests != nil {
		inst.requests.Close()
	}
	if inst.groups != nil {
		inst.groups.Close()
	}
	if inst.journal != nil {
		errs = append(errs, inst.journal.Close())
	}
	if inst.catalog != nil {
		errs = append(errs, inst.catalog.Close())
	}
	if inst.handles != nil {
		errs = append(errs, inst.handles.Close())
	}
	if err := errors.Join(errs...); err != nil {
		errs = []error{fmt.Errorf("closing the broker's data: %w", err)}
	}
	if inst.lock != nil {
		if err := inst.lock.Unlock(); err != nil {
			errs = append(errs, fmt.Errorf("releasing the broker's data directory: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Addr is the host:port that clients connect to, with the port that was taken
// when Config.Addr asked for a free one. It is empty while the broker doesn't
// run.
func (b *Broker) Addr() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running == nil {
		return ""
	}
	return b.running.addr
}

// bootID names the machine's run: what was written in it is still there, on the
// disk or in the system's memory. 0 when it isn't known.
func bootID() uint32 {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return 0
	}
	return commitlog.BootID(raw)
}
