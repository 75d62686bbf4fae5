package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/orderflow/orderflow/internal/credentials"
	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
	"github.com/orderflow/orderflow/internal/listen"
)

const (
	// DefaultMaxFrameBytes is Kafka's own socket.request.max.bytes.
	DefaultMaxFrameBytes = 100 << 20
	// DefaultFreeSpaceMargin leaves room for the other servers of the process
	// to write down where they are.
	DefaultFreeSpaceMargin = 256 << 20
	// DefaultPartitions is Kafka's own num.partitions.
	DefaultPartitions = 1
	// DefaultMaxConnections is far above what one machine's services need.
	DefaultMaxConnections = 2000
)

// Config says where the broker listens and keeps its data.
type Config struct {
	// Addr is the host:port to listen on; port 0 takes a free one.
	Addr string
	// Listen opens Addr. Nil means the operating system's network.
	Listen func(ctx context.Context, network, addr string) (net.Listener, error)
	// Advertise is the host:port that clients are told to connect to. Empty means
	// the address listened on, with the loopback address for a wildcard host.
	Advertise string
	// AddrSetting is the name of the flag or variable that sets Addr, for
	// error messages, such as "--kafka-listen". May be empty.
	AddrSetting string
	// TLS makes clients speak TLS, when it names files.
	TLS listen.TLS
	// Credentials are those with which clients log in, by SASL SCRAM and, with TLS,
	// by PLAIN; nil lets everybody in.
	Credentials *credentials.Store
	// DataDir holds everything the broker keeps; it is made when absent. Empty
	// means that everything is kept in memory and nothing outlives Stop.
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
	// MaxConnections is how many clients can be connected at a time; more are
	// turned away. 0 means DefaultMaxConnections.
	MaxConnections int
	// FrameTimeout is how long a client may take to send a request that it began,
	// or to take an answer. 0 means 30 seconds.
	FrameTimeout time.Duration
	// FreeSpaceMargin is how many bytes must be free on DataDir's file system
	// for records, offset commits and new topics to be accepted. 0 means
	// DefaultFreeSpaceMargin; negative turns the check off.
	FreeSpaceMargin int64
	// FreeSpace gives the free bytes of the file system that holds dir. Nil asks
	// the operating system.
	FreeSpace func(dir string) (int64, error)
	// ProtectGroup tells for which consumer groups retention keeps what they have
	// not read yet, however old it is. Nil means all that have committed an offset.
	ProtectGroup func(group string) bool
	// Unread gives the first offset of a partition that somebody who doesn't
	// commit offsets still needs; false when nobody does. It may be nil.
	Unread func(topic string, partition int32) (offset int64, needed bool)
	// Files is where DataDir is. Nil means the operating system's file system.
	Files disk.FS
	// Now is the clock for timestamps and retention. Nil means the system's.
	Now func() time.Time
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
		host, port, err := net.SplitHostPort(c.Advertise)
		if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || n == 0 || host == "" {
			errs = append(errs, fmt.Errorf("advertised broker address %q is not host:port", c.Advertise))
		}
	}
	if c.Partitions < 0 {
		errs = append(errs, fmt.Errorf("%d default partitions: need at least 1", c.Partitions))
	}
	if c.MaxFrameBytes < 0 {
		errs = append(errs, fmt.Errorf("largest frame of %d bytes: need a positive number", c.MaxFrameBytes))
	}
	if c.MaxConnections < 0 {
		errs = append(errs, fmt.Errorf("%d connections: need at least 1", c.MaxConnections))
	}
	if c.FrameTimeout < 0 {
		errs = append(errs, fmt.Errorf("%s to send a request: need a positive duration", c.FrameTimeout))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Partitions == 0 {
		c.Partitions = DefaultPartitions
	}
	if c.MaxFrameBytes == 0 {
		c.MaxFrameBytes = DefaultMaxFrameBytes
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = DefaultMaxConnections
	}
	if c.FreeSpaceMargin == 0 {
		c.FreeSpaceMargin = DefaultFreeSpaceMargin
	}
	if c.FreeSpace == nil {
		c.FreeSpace = freeSpace
	}
	if c.ProtectGroup == nil {
		c.ProtectGroup = func(string) bool { return true }
	}
	if c.Unread == nil {
		c.Unread = func(string, int32) (int64, bool) { return 0, false }
	}
	if c.Files == nil {
		c.Files = disk.OS{}
		if c.DataDir == "" {
			c.Files = disk.NewMemory()
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}
