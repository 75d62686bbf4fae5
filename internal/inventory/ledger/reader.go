package ledger

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

// defaultSnapshotEvery is how many entries of a partition are between two snapshots, at least.
const defaultSnapshotEvery = 20_000

// ReaderConfig says what a Reader reads.
type ReaderConfig struct {
	// Kafka says which brokers to use.
	Kafka kafka.Config
	// Registry decodes the entries.
	Registry *kafka.Registry
	// SnapshotDir is the directory of snapshots, which bound how much of the ledger is read
	// at the start. It is made when needed; several readers may share it. Empty: none.
	SnapshotDir string
	// SnapshotEvery is how many entries of a partition are between two snapshots, at
	// least; there are more when the partition's orders are many, so that writing them
	// costs a bounded share of the work. 0 means 20,000.
	SnapshotEvery int
	// Skips is told of the records that are passed over. Nil means nobody is.
	Skips *kafka.Skips
	// Logger gets the reader's log. Nil means none.
	Logger *slog.Logger
}

// Reader keeps the folds of ledger partitions. A partition that is read stays so: a
// fold is right whoever writes, and is there at once when it is needed again. One
// goroutine uses a Reader, but for Reservation.
type Reader struct {
	*kafka.Follower
	cfg     ReaderConfig
	decoder *Decoder
	// added has the partitions that are not followed yet.
	added map[int32]struct{}
	// mu is held while a fold changes and while Reservation looks into them.
	mu    sync.Mutex
	folds map[int32]*Fold
	// lastSet has, per partition, the source of the last stock-set, by product.
	lastSet map[int32]map[string]Source
	// last has the last record that was folded in or passed over, by partition; fresh how
	// many since the last snapshot.
	last  map[int32]*kgo.Record
	fresh map[int32]int

	saving sync.WaitGroup
	// slot has a place for the one snapshot that is being written.
	slot chan struct{}
}

// NewReader returns a reader of no partitions; Add names those to read.
func NewReader(cfg ReaderConfig) (*Reader, error) {
	if cfg.SnapshotEvery == 0 {
		cfg.SnapshotEvery = defaultSnapshotEvery
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	decoder, err := NewDecoder(cfg.Registry)
	if err != nil {
		return nil, err
	}
	r := &Reader{
		cfg: cfg, decoder: decoder, added: map[int32]struct{}{}, folds: map[int32]*Fold{}, lastSet: map[int32]map[string]Source{},
		last: map[int32]*kgo.Record{}, fresh: map[int32]int{}, slot: make(chan struct{}, 1),
	}
	follower, err := kafka.NewFollower(cfg.Kafka, order.TopicInventoryLedger, r.apply)
	if err != nil {
		return nil, err
	}
	r.Follower = follower
	return r, nil
}

// Close ends the reading and leaves snapshots of what has been read.
func (r *Reader) Close() {
	r.Follower.Close()
	r.saving.Wait()
	if r.cfg.SnapshotDir == "" {
		return
	}
	for partition, n := range r.fresh {
		if n > 0 {
			r.save(partition, r.snapshot(partition).encode())
		}
	}
}

// Add starts reading a partition, from its snapshot on when there is a usable one. One that
// is read already goes on.
func (r *Reader) Add(partition int32) {
	switch {
	case r.Follows(partition):
	case r.cfg.SnapshotDir == "":
		r.Follower.Add(partition)
	default:
		r.added[partition] = struct{}{}
	}
}

// AddAll starts reading every partition that the topic has now.
func (r *Reader) AddAll(ctx context.Context) error {
	partitions, err := r.Exist(ctx)
	for _, p := range partitions {
		r.Add(p)
	}
	return err
}

// CatchUp folds in everything up to what the end of each partition is now.
func (r *Reader) CatchUp(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	return r.Follower.CatchUp(ctx)
}

// ReadTo folds in entries until the position in each of the partitions that target names
// is at least the given offset.
func (r *Reader) ReadTo(ctx context.Context, target map[int32]int64) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	return r.Follower.ReadTo(ctx, target)
}

// begin starts to follow what was added, where its snapshot ends.
func (r *Reader) begin(ctx context.Context) error {
	found := map[int32]snapshot{}
	last := map[int32]int64{}
	for p := range r.added {
		s, err := loadSnapshot(r.cfg.SnapshotDir, p)
		switch {
		case err == nil && s.next > 0:
			found[p], last[p] = s, s.next-1
		case err != nil && !errors.Is(err, errNoSnapshot):
			r.cfg.Logger.Warn("reading the stock ledger from its start, since its snapshot cannot be used", "partition", p, "error", err)
		}
	}
	records, err := kafka.ReadRecords(ctx, r.cfg.Kafka, order.TopicInventoryLedger, last)
	if err != nil {
		return err
	}
	for p := range r.added {
		s, ok := found[p]
		rec := records[p]
		if ok && (rec == nil || digestOf(rec) != s.last) {
			r.cfg.Logger.Warn("reading the stock ledger from its start, since its snapshot is of another ledger", "partition", p, "offset", s.next)
			ok = false
		}
		if ok {
			r.mu.Lock()
			r.folds[p], r.lastSet[p], r.last[p] = s.fold, s.lastSet, rec
			r.mu.Unlock()
			r.cfg.Logger.Info("reading the stock ledger from its snapshot on", "partition", p, "offset", s.next)
		} else {
			s.next = 0
		}
		r.AddFrom(p, s.next)
	}
	clear(r.added)
	return nil
}

// Fold returns the fold of what has been read of a partition.
func (r *Reader) Fold(partition int32) *Fold {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fold(partition)
}

// Reservation returns what became of an order's reserve-request in any partition, and
// false when none has been read. It is safe for concurrent use.
func (r *Reader) Reservation(orderID string) (Reservation, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.folds {
		if found, ok := f.Reservation(orderID); ok {
			return found, true
		}
	}
	return Reservation{}, false
}

// lastSets returns the source of the last stock-set, by product.
func (r *Reader) lastSets() map[string]Source {
	all := map[string]Source{}
	for _, sets := range r.lastSet {
		maps.Copy(all, sets)
	}
	return all
}

func (r *Reader) fold(partition int32) *Fold {
	f := r.folds[partition]
	if f == nil {
		f = NewFold()
		r.folds[partition] = f
	}
	return f
}

func (r *Reader) apply(rec *kgo.Record) error {
	// Only fetching a schema takes time here, and that has a time limit of its own.
	e, err := r.decoder.Decode(context.Background(), rec)
	foreign := errors.Is(err, kafka.ErrForeign)
	if foreign {
		r.cfg.Skips.Skip(rec, err)
	} else if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.fold(rec.Partition)
	if !foreign && f.Apply(e) && e.Kind == StockSet {
		if r.lastSet[rec.Partition] == nil {
			r.lastSet[rec.Partition] = map[string]Source{}
		}
		r.lastSet[rec.Partition][e.Product] = e.Source
	}
	r.last[rec.Partition] = rec
	r.fresh[rec.Partition]++
	if r.cfg.SnapshotDir != "" && r.fresh[rec.Partition] >= max(r.cfg.SnapshotEvery, len(f.orders)/2) {
		r.saveLater(rec.Partition)
	}
	return nil
}

func (r *Reader) snapshot(partition int32) snapshot {
	last := r.last[partition]
	return snapshot{next: last.Offset + 1, last: digestOf(last), fold: r.fold(partition), lastSet: r.lastSet[partition]}
}

// saveLater writes a partition's snapshot while reading goes on. When another is being
// written, this one is tried again at the next entry.
func (r *Reader) saveLater(partition int32) {
	select {
	case r.slot <- struct{}{}:
	default:
		return
	}
	data := r.snapshot(partition).encode()
	r.fresh[partition] = 0
	r.saving.Go(func() {
		r.save(partition, data)
		<-r.slot
	})
}

func (r *Reader) save(partition int32, data []byte) {
	if err := saveSnapshot(r.cfg.SnapshotDir, partition, data); err != nil {
		r.cfg.Logger.Warn("the snapshot of the stock ledger was not written; the next start reads more of the ledger", "partition", partition, "error", err)
		return
	}
	r.cfg.Logger.Debug("snapshot of the stock ledger written", "partition", partition, "bytes", len(data))
}
