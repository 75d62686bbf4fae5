package ledger

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/orderflow/orderflow/internal/kafka"
)

// ViewConfig says what a View reads from.
type ViewConfig struct {
	Kafka kafka.Config
	// SnapshotDir is the directory of the ledger's snapshots; see ReaderConfig.
	SnapshotDir string
	// Skips is told of the records that are passed over. Nil means nobody is.
	Skips *kafka.Skips
	// Logger gets the view's log. Nil means none.
	Logger *slog.Logger
}

// View follows the whole ledger and answers what there is. It is safe for concurrent use.
type View struct {
	cfg      ViewConfig
	registry *kafka.Registry

	mu      sync.Mutex
	ready   bool
	reader  *Reader
	stocks  []Stock
	lastSet map[string]Source
	halted  error         // why the view stands still until somebody does something
	changed chan struct{} // closed and replaced at each change
}

// NewView returns a view that knows nothing until it runs.
func NewView(cfg ViewConfig) (*View, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	registry, err := kafka.NewRegistry(cfg.Kafka)
	if err != nil {
		return nil, fmt.Errorf("setting up the view of the stock ledger: %w", err)
	}
	return &View{cfg: cfg, registry: registry, changed: make(chan struct{})}, nil
}

// Run follows the ledger until ctx ends. When it cannot be read, for instance because
// the topic does not exist yet, Run tries again.
func (v *View) Run(ctx context.Context) error {
	kafka.Keep(ctx, v.cfg.Logger, "following the stock ledger", func(ctx context.Context, progress func()) error {
		err := v.follow(ctx, progress)
		if kafka.Lasting(err) {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.halted = err
		}
		return err
	})
	return nil
}

// Halted returns why the view stands still until somebody does something, and nil when it
// does not. What it answers is old then.
func (v *View) Halted() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.halted
}

func (v *View) follow(ctx context.Context, progress func()) error {
	reader, err := NewReader(ReaderConfig{Kafka: v.cfg.Kafka, Registry: v.registry, SnapshotDir: v.cfg.SnapshotDir, Skips: v.cfg.Skips, Logger: v.cfg.Logger})
	if err != nil {
		return err
	}
	defer reader.Close()
	if err := reader.AddAll(ctx); err != nil {
		return err
	}
	if err := reader.CatchUp(ctx); err != nil {
		return err
	}
	progress()
	for {
		v.publish(reader)
		if err := reader.Poll(ctx); err != nil {
			return err
		}
	}
}

// publish makes what the reader knows visible to the callers of the view.
func (v *View) publish(r *Reader) {
	var stocks []Stock
	for _, partition := range r.Partitions() {
		stocks = append(stocks, r.Fold(partition).Stocks()...)
	}
	slices.SortFunc(stocks, func(a, b Stock) int { return cmp.Compare(a.Product, b.Product) })
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ready, v.reader, v.stocks, v.lastSet, v.halted = true, r, stocks, r.lastSets(), nil
	close(v.changed)
	v.changed = make(chan struct{})
}

// Ready reports whether the ledger has been read to its end once.
func (v *View) Ready() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ready
}

// Stocks returns what there is of every product that the ledger names, by name.
func (v *View) Stocks() []Stock {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.stocks)
}

// Reservation returns what became of an order's reserve-request, and false when none
// has been read.
func (v *View) Reservation(orderID string) (Reservation, bool) {
	v.mu.Lock()
	reader := v.reader
	v.mu.Unlock()
	if reader == nil {
		return Reservation{}, false
	}
	return reader.Reservation(orderID)
}

// WaitApplied waits until the ledger has a stock-set of product that comes from source
// or from a later record, and reports false when ctx ended first.
func (v *View) WaitApplied(ctx context.Context, product string, source Source) bool {
	for {
		v.mu.Lock()
		last, changed := v.lastSet[product], v.changed
		v.mu.Unlock()
		if last.Topic == source.Topic && last.Partition == source.Partition && last.Offset >= source.Offset {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
