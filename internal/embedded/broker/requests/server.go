package requests

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/catalog"
	"github.com/orderflow/orderflow/internal/embedded/broker/group"
	"github.com/orderflow/orderflow/internal/embedded/broker/settings"
	"github.com/orderflow/orderflow/internal/embedded/broker/wire"
)

// NodeID is the number of the one broker.
const NodeID = 1

// What everybody may do with a topic and with the cluster, as bits of Kafka's
// operations.
const (
	topicOperations   = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	clusterOperations = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
)

// Config configures a Server.
type Config struct {
	Catalog *catalog.Catalog
	Groups  *group.Coordinator
	// Host and Port are what clients are told to connect to.
	Host string
	Port int32
	// Partitions is how many a topic gets that is created without a number.
	Partitions int
	// Sync says that records are acknowledged once they are on the disk.
	Sync bool
	// AutoCreate has a topic created that a client asks for.
	AutoCreate bool
	// Broker are the broker's settings, to be shown.
	Broker []settings.BrokerValue
	// DataDir is where the data is, to be shown.
	DataDir string
	// DiskSpace gives the bytes of the data's file system, all and free ones.
	DiskSpace func() (total, free int64, err error)
	// MaxFetchBytes is how many bytes of records one answer has at most, but for
	// one batch that is larger.
	MaxFetchBytes int
	// MaxSessions is how many fetch sessions are kept.
	MaxSessions int
	Now         func() time.Time
	Logger      *slog.Logger
}

// Server answers requests. Its methods may be called from any goroutine.
type Server struct {
	cfg      Config
	log      *slog.Logger
	sessions *sessions
	full     atomic.Bool
	// fullLogged is when a full disk was logged last, in nanoseconds; 0 for never.
	fullLogged atomic.Int64
}

// New makes a Server.
func New(cfg Config) *Server {
	return &Server{cfg: cfg, log: cfg.Logger, sessions: newSessions(cfg.MaxSessions, cfg.Now)}
}

// SetFull has everything refused that needs disk space, or no longer so.
func (s *Server) SetFull(full bool) { s.full.Store(full) }

// Close ends the fetch sessions.
func (s *Server) Close() { s.sessions.close() }

// APIs are the requests that are answered.
func (s *Server) APIs() []wire.API {
	return []wire.API{
		// Versions 0 to 2 of Produce and 0 to 3 of Fetch carry message formats of
		// before Kafka 0.11.
		{Key: kmsg.Produce, Min: 3, Max: 11, Waits: true, Handle: handle(s.produce)},
		{Key: kmsg.Fetch, Min: 4, Max: 16, Waits: true, Handle: handle(s.fetch)},
		{Key: kmsg.ListOffsets, Min: 1, Max: 9, Handle: handle(s.listOffsets)},
		{Key: kmsg.Metadata, Min: 0, Max: 12, Handle: handle(s.metadata)},
		{Key: kmsg.OffsetCommit, Min: 2, Max: 9, Handle: handle(s.offsetCommit)},
		{Key: kmsg.OffsetFetch, Min: 1, Max: 9, Handle: handle(s.offsetFetch)},
		{Key: kmsg.FindCoordinator, Min: 0, Max: 6, Handle: handle(s.findCoordinator)},
		{Key: kmsg.JoinGroup, Min: 0, Max: 9, Waits: true, Handle: handle(s.joinGroup)},
		{Key: kmsg.Heartbeat, Min: 0, Max: 4, Handle: handle(s.heartbeat)},
		{Key: kmsg.LeaveGroup, Min: 0, Max: 5, Handle: handle(s.leaveGroup)},
		{Key: kmsg.SyncGroup, Min: 0, Max: 5, Waits: true, Handle: handle(s.syncGroup)},
		{Key: kmsg.DescribeGroups, Min: 0, Max: 5, Handle: handle(s.describeGroups)},
		{Key: kmsg.ListGroups, Min: 0, Max: 5, Handle: handle(s.listGroups)},
		{Key: kmsg.CreateTopics, Min: 2, Max: 7, Handle: handle(s.createTopics)},
		{Key: kmsg.DeleteTopics, Min: 1, Max: 6, Handle: handle(s.deleteTopics)},
		{Key: kmsg.DeleteRecords, Min: 0, Max: 2, Handle: handle(s.deleteRecords)},
		{Key: kmsg.InitProducerID, Min: 0, Max: 5, Handle: handle(s.initProducerID)},
		{Key: kmsg.OffsetForLeaderEpoch, Min: 2, Max: 4, Handle: handle(s.offsetForLeaderEpoch)},
		{Key: kmsg.DescribeConfigs, Min: 1, Max: 4, Handle: handle(s.describeConfigs)},
		{Key: kmsg.AlterConfigs, Min: 0, Max: 2, Handle: handle(s.alterConfigs)},
		{Key: kmsg.DescribeLogDirs, Min: 1, Max: 4, Handle: handle(s.describeLogDirs)},
		{Key: kmsg.CreatePartitions, Min: 0, Max: 3, Handle: handle(s.createPartitions)},
		{Key: kmsg.DeleteGroups, Min: 0, Max: 2, Handle: handle(s.deleteGroups)},
		{Key: kmsg.IncrementalAlterConfigs, Min: 0, Max: 1, Handle: handle(s.incrementalAlterConfigs)},
		{Key: kmsg.OffsetDelete, Min: 0, Max: 0, Handle: handle(s.offsetDelete)},
		{Key: kmsg.DescribeCluster, Min: 0, Max: 1, Handle: handle(s.describeCluster)},
	}
}

// handle makes an API's handler of a method for one kind of request.
func handle[Q kmsg.Request, R kmsg.Response](h func(context.Context, *wire.Client, Q) (R, error)) func(context.Context, *wire.Client, kmsg.Request) (kmsg.Response, error) {
	return func(ctx context.Context, from *wire.Client, req kmsg.Request) (kmsg.Response, error) {
		typed, ok := req.(Q)
		if !ok {
			return nil, errors.New("the request is of another kind than its key says")
		}
		return h(ctx, from, typed)
	}
}

// code gives the protocol's number of an error, 0 for none.
func code(err error) int16 {
	if err == nil {
		return 0
	}
	var k *kerr.Error
	if errors.As(err, &k) {
		return k.Code
	}
	return kerr.UnknownServerError.Code
}

// message gives an error's text for the client, without the protocol's own words
// for it, which the client has; nil when there are no others.
func message(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	var k *kerr.Error
	if errors.As(err, &k) {
		if text == k.Error() {
			return nil
		}
		text = strings.TrimSuffix(text, ": "+k.Error())
	}
	return kmsg.StringPtr(text)
}
