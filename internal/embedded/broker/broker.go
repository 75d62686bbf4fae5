package broker

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

const (
	// DefaultMaxFrameBytes is Kafka's own socket.request.max.bytes.
	DefaultMaxFrameBytes = 100 << 20
	// DefaultFreeSpaceMargin leaves room for the other servers of the process
	// to write down where they are.
	DefaultFreeSpaceMargin = 256 << 20
	// DefaultPartitions is Kafka's own num.partitions.
	DefaultPartitions = 1

	// sequenceFile is where kfake keeps producer sequences at a clean stop.
	sequenceFile = "seq_windows.json"

	diskCheckInterval = 500 * time.Millisecond

	maxGroupSessionTimeout = 30 * time.Minute // Kafka's group.max.session.timeout.ms
)

// Config says where the broker listens and keeps its data.
type Config struct {
	// Addr is the host:port to listen on; port 0 takes a free one.
	Addr string
	// Advertise is the host:port that clients are told to connect to. Empty means
	// the address listened on, with the loopback address for a wildcard host.
	Advertise string
	// AddrSetting is the name of the flag or variable that sets Addr, for
	// error messages, such as "--kafka-listen". May be empty.
	AddrSetting string
	// DataDir holds everything the broker keeps; it is made when absent. Empty
	// means that nothing outlives Stop.
	DataDir string
	// SyncWrites has every batch and offset commit written through to the disk
	// before it is acknowledged. Without it, acknowledged data survives the end
	// of the process but not of the machine.
	SyncWrites bool
	// Partitions is the number of partitions of topics that are created without
	// one, automatically created ones included. 0 means DefaultPartitions.
	Partitions int
	// MaxFrameBytes is the size above which a request closes its connection. 0
	// means DefaultMaxFrameBytes.
	MaxFrameBytes int
	// FreeSpaceMargin is how many bytes must be free on DataDir's file system
	// for records, offset commits and new topics to be accepted. 0 means
	// DefaultFreeSpaceMargin; negative turns the check off.
	FreeSpaceMargin int64
	// FreeSpace gives the free bytes of the file system that holds dir. Nil asks
	// the operating system.
	FreeSpace func(dir string) (int64, error)
	// Logger gets warnings and errors. Nil means slog.Default.
	Logger *slog.Logger
}

// Validate reports what in the configuration can't work.
func (c Config) Validate() error {
	var errs []error
	if _, port, err := net.SplitHostPort(c.Addr); err != nil {
		errs = append(errs, fmt.Errorf("broker address %q is not host:port: %w", c.Addr, err))
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		errs = append(errs, fmt.Errorf("broker address %q has no port number between 0 and 65535", c.Addr))
	}
	if c.Advertise != "" {
		if _, port, err := net.SplitHostPort(c.Advertise); err != nil || port == "" || port == "0" {
			errs = append(errs, fmt.Errorf("advertised broker address %q is not host:port", c.Advertise))
		}
	}
	if c.Partitions < 0 {
		errs = append(errs, fmt.Errorf("%d default partitions: need at least 1", c.Partitions))
	}
	if c.MaxFrameBytes < 0 {
		errs = append(errs, fmt.Errorf("largest frame of %d bytes: need a positive number", c.MaxFrameBytes))
	}
	return errors.Join(errs...)
}

// Broker is one embedded broker. Its methods may be called from any goroutine.
type Broker struct {
	cfg Config
	log *slog.Logger

	mu      sync.Mutex // guards what follows; held while starting and stopping
	running *instance
}

// instance is what exists between a Start and the Stop after it.
type instance struct {
	cluster *kfake.Cluster
	guard   *guardListener
	lock    *Lock
	disk    *diskWatch
}

// New makes a broker that Start brings up.
func New(cfg Config) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Partitions == 0 {
		cfg.Partitions = DefaultPartitions
	}
	if cfg.MaxFrameBytes == 0 {
		cfg.MaxFrameBytes = DefaultMaxFrameBytes
	}
	if cfg.FreeSpaceMargin == 0 {
		cfg.FreeSpaceMargin = DefaultFreeSpaceMargin
	}
	if cfg.FreeSpace == nil {
		cfg.FreeSpace = freeSpace
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
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
	inst := &instance{}
	if err := b.start(inst); err != nil {
		return errors.Join(err, b.stop(inst))
	}
	b.running = inst
	return nil
}

func (b *Broker) start(inst *instance) error {
	if b.cfg.DataDir != "" {
		if err := os.MkdirAll(b.cfg.DataDir, 0o750); err != nil {
			return fmt.Errorf("making the broker's data directory: %w", err)
		}
		lock, err := LockDir(b.cfg.DataDir)
		if err != nil {
			return err
		}
		inst.lock = lock
		if err := repair(b.cfg.DataDir, b.log); err != nil {
			return fmt.Errorf("repairing the broker's data in %s: %w", b.cfg.DataDir, err)
		}
	}
	ln, err := b.listen()
	if err != nil {
		return err
	}
	inst.guard = newGuardListener(ln, b.cfg, b.log)
	cluster, err := kfake.NewCluster(b.options(inst.guard)...)
	if err != nil {
		return fmt.Errorf("loading the broker's data in %s: %w", b.cfg.DataDir, err)
	}
	inst.cluster = cluster
	installRefusals(cluster, b.log)
	if b.cfg.DataDir != "" {
		// The sequences hold for what was written until the last clean stop. Left
		// in place, they would be loaded again after a kill -9 and refuse
		// producers that have moved on since.
		if err := os.Remove(filepath.Join(b.cfg.DataDir, sequenceFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("clearing the producer sequences of the last run: %w", err)
		}
		if b.cfg.FreeSpaceMargin > 0 {
			inst.disk = newDiskWatch(cluster, b.cfg, b.log)
			inst.disk.check()
			inst.disk.run(diskCheckInterval)
		}
	}
	inst.guard.open(cluster)
	return nil
}

func (b *Broker) listen() (net.Listener, error) {
	ln, err := net.Listen("tcp", b.cfg.Addr)
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

func (b *Broker) options(guard *guardListener) []kfake.Opt {
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return guard, nil }),
		kfake.WithLogger(clusterLogger{b.log}),
		kfake.ClusterID(newClusterID()),
		kfake.AllowAutoTopicCreation(),
		kfake.DefaultNumPartitions(b.cfg.Partitions),
		kfake.GroupMaxSessionTimeout(maxGroupSessionTimeout),
		kfake.BrokerConfigs(map[string]string{
			// How often kfake compacts and applies retention: once in 285 years,
			// the longest that its ticker can take.
			"log.cleaner.backoff.ms": "9000000000000",
			// Offsets of groups that nobody is in are kept for a century.
			"offsets.retention.minutes": "52560000",
		}),
	}
	if b.cfg.DataDir != "" {
		opts = append(opts, kfake.DataDir(b.cfg.DataDir))
	}
	if b.cfg.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	return opts
}

// newClusterID makes the id that a new data directory gets, in Kafka's form:
// 16 random bytes in URL-safe base64.
func newClusterID() string {
	var id [16]byte
	rand.Read(id[:]) //nolint:errcheck // documented never to fail
	return base64.RawURLEncoding.EncodeToString(id[:])
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
	if inst.disk != nil {
		inst.disk.stop()
	}
	if inst.guard != nil {
		inst.guard.Close() //nolint:errcheck // closing a listener twice is an error that says nothing
	}
	if inst.cluster != nil {
		inst.cluster.Close()
	}
	if inst.lock == nil {
		return nil
	}
	if err := inst.lock.Unlock(); err != nil {
		return fmt.Errorf("releasing the broker's data directory: %w", err)
	}
	return nil
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
	return b.running.guard.Addr().String()
}

// clusterLogger hands kfake's warnings and errors to slog. Below that it logs
// each request.
type clusterLogger struct{ log *slog.Logger }

func (l clusterLogger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error("broker: " + fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("broker: " + fmt.Sprintf(format, args...))
	}
}
