// Package tail reads the partitions of a Kafka cluster once for all who follow
// them: one fetch loop a broker asks for what is new in every partition that has
// a follower, and hands it to all of them.
//
// A follower (Cursor) reads at its own pace. What was read and it has not taken
// yet is kept for it, up to a bound of bytes a partition; one that falls further
// behind loses its place at the tail and reads on by requests of its own until it
// has caught up. So a slow follower holds up nobody, and memory is bounded by
// partitions, not by followers.
//
// Invariants: a Cursor gives every committed record from its position on exactly
// once and in order, control records included; aborted records are left out. It
// reads one topic: when another one has taken its name, it ends with an error. The
// fetch loop never waits for a follower. A Cursor belongs to one goroutine. The
// lock of a Reader is taken before that of a partition, never the other way round.
package tail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Partition names a partition of a topic.
type Partition struct {
	Topic     string
	Partition int32
}

func (p Partition) String() string {
	return fmt.Sprintf("partition %d of topic %s", p.Partition, p.Topic)
}

// Config configures a Reader.
type Config struct {
	// Brokers are the addresses of the Kafka cluster.
	Brokers []string
	// KafkaOptions are added to those of every Kafka client. May be empty.
	KafkaOptions []kgo.Opt
	// ClientID is the name that the brokers know the reader by.
	ClientID string
	// Buffer is how many bytes of a partition's records are kept for the slowest
	// follower at its tail; 0 means 1 MiB.
	Buffer int
	// MaxWait is how long a fetch may wait for new records; 0 means 5 s.
	MaxWait time.Duration
	Logger  *slog.Logger
}

func (c *Config) setDefaults() {
	if c.Buffer == 0 {
		c.Buffer = 1 << 20
	}
	if c.MaxWait == 0 {
		c.MaxWait = 5 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Validate reports what is missing or out of range.
func (c *Config) Validate() error {
	switch {
	case len(c.Brokers) == 0:
		return errors.New("following topics needs the address of a Kafka broker")
	case c.Buffer < 0 || c.MaxWait < 0:
		return errors.New("the buffer and the wait for following topics must not be negative")
	}
	return nil
}

// ErrClosed is returned once the Reader is closed.
var ErrClosed = errors.New("the reader of topics was closed")

// Reader follows partitions.
type Reader struct {
	cfg  Config
	log  *slog.Logger
	tail *kgo.Client // has the long polls
	past *kgo.Client // reads what lies behind

	ctx    context.Context
	cancel context.CancelFunc
	loops  sync.WaitGroup

	mu       sync.Mutex
	leaders  map[Partition]place
	logs     map[Partition]*tailLog
	fetchers map[int32]*fetcher
	closed   bool
}

// New makes a Reader. It connects on first use.
func New(cfg Config) (*Reader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	var clients [2]*kgo.Client
	for i, name := range []string{"-tail", "-past"} {
		var err error
		clients[i], err = kgo.NewClient(append([]kgo.Opt{
			kgo.SeedBrokers(cfg.Brokers...),
			kgo.ClientID(cfg.ClientID + name),
			kgo.MetadataMinAge(100 * time.Millisecond),
		}, cfg.KafkaOptions...)...)
		if err != nil {
			if i > 0 {
				clients[0].Close()
			}
			return nil, fmt.Errorf("making a Kafka client to follow topics: %w", err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Reader{
		cfg: cfg, log: cfg.Logger, tail: clients[0], past: clients[1], ctx: ctx, cancel: cancel,
		leaders: map[Partition]place{}, logs: map[Partition]*tailLog{}, fetchers: map[int32]*fetcher{},
	}, nil
}

// Close ends all reading; cursors give ErrClosed from then on. It may be called
// twice.
func (r *Reader) Close() {
	r.mu.Lock()
	r.closed = true
	logs := make([]*tailLog, 0, len(r.logs))
	for _, l := range r.logs {
		logs = append(logs, l)
	}
	clear(r.logs)
	r.mu.Unlock()
	for _, l := range logs {
		l.fail(ErrClosed)
	}
	r.cancel()
	r.loops.Wait()
	r.tail.Close()
	r.past.Close()
}

// Start says where a follower begins.
type Start struct {
	Partition
	// Offset is that of the first record to read.
	Offset int64
	// End is where the partition's committed records ended when it was last asked.
	End int64
}

// Follow opens cursors, in the order of the starts. wake is called whenever one
// of them may have more to read; it must not block.
func (r *Reader) Follow(ctx context.Context, starts []Start, wake func()) ([]*Cursor, error) {
	partitions := make([]Partition, len(starts))
	for i := range starts {
		partitions[i] = starts[i].Partition
	}
	places, err := r.findLeaders(ctx, partitions)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	cursors := make([]*Cursor, len(starts))
	for i, s := range starts {
		l := r.logs[s.Partition]
		if l != nil && l.topic != places[s.Partition].topic {
			r.drop(l)
			l.fail(explain(l.Partition, s.Offset, errAnew))
			l = nil
		}
		if l == nil {
			l = newTailLog(s.Partition, places[s.Partition].topic, s.End, r.cfg.Buffer)
			r.logs[s.Partition] = l
			r.fetcher(places[s.Partition].broker).add(l)
		}
		cursors[i] = &Cursor{reader: r, log: l, next: s.Offset, wake: wake}
		l.join(cursors[i])
	}
	return cursors, nil
}

// leave takes a cursor from its partition, which is no longer read when it was
// the last.
func (r *Reader) leave(c *Cursor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.log.leave(c) > 0 || r.logs[c.log.Partition] != c.log {
		return
	}
	r.drop(c.log)
}

// drop stops reading a partition. The lock is held.
func (r *Reader) drop(l *tailLog) {
	delete(r.logs, l.Partition)
	if f := r.fetchers[l.broker]; f != nil {
		f.remove(l)
	}
}

// give hands an error to all followers of a partition. A later follower begins
// anew.
func (r *Reader) give(l *tailLog, err error) {
	r.mu.Lock()
	if r.logs[l.Partition] == l {
		r.drop(l)
	}
	delete(r.leaders, l.Partition)
	r.mu.Unlock()
	l.fail(err)
}

// fetcher gives the loop of a broker. The lock is held.
func (r *Reader) fetcher(broker int32) *fetcher {
	f := r.fetchers[broker]
	if f == nil {
		f = newFetcher(r, broker)
		r.fetchers[broker] = f
		r.loops.Go(f.run)
	}
	return f
}
