package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

// ViewConfig says what a View reads from.
type ViewConfig struct {
	Kafka kafka.Config
	// Logger gets the view's log. Nil means none.
	Logger *slog.Logger
}

// View follows the whole ledger and answers what there is. It is safe for concurrent use.
type View struct {
	cfg      ViewConfig
	registry *kafka.Registry

	mu      sync.Mutex
	ready   bool
	stocks  []Stock
	lastSet map[string]Source
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

// The pauses between attempts to read the ledger: the first, and the longest.
const (
	firstRetry  = 50 * time.Millisecond
	longestWait = 2 * time.Second
)

// Run follows the ledger until ctx ends. When it cannot be read, for instance because
// the topic does not exist yet, Run tries again.
func (v *View) Run(ctx context.Context) error {
	pause := firstRetry
	for {
		err := v.follow(ctx, func() { pause = firstRetry })
		if ctx.Err() != nil {
			return nil
		}
		level := slog.LevelDebug
		if pause >= longestWait/2 {
			level = slog.LevelWarn
		}
		v.cfg.Logger.Log(ctx, level, "following the stock ledger failed, trying again", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, longestWait)
	}
}

func (v *View) follow(ctx context.Context, started func()) error {
	reader, err := NewReader(v.cfg.Kafka, v.registry)
	if err != nil {
		return err
	}
	defer reader.Close()
	topics, err := kadm.NewClient(reader.client).ListTopics(ctx, order.TopicInventoryLedger)
	if err != nil {
		return fmt.Errorf("looking up %s: %w", order.TopicInventoryLedger, err)
	}
	if err := topics.Error(); err != nil {
		return fmt.Errorf("looking up %s: %w", order.TopicInventoryLedger, err)
	}
	for _, p := range topics[order.TopicInventoryLedger].Partitions {
		reader.Add(p.Partition)
	}
	if len(reader.parts) == 0 {
		return errors.New("the topic " + order.TopicInventoryLedger + " has no partitions")
	}
	if err := reader.CatchUp(ctx); err != nil {
		return err
	}
	started()
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
	lastSet := map[string]Source{}
	for _, partition := range r.Partitions() {
		p := r.parts[partition]
		stocks = append(stocks, p.fold.Stocks()...)
		for product, source := range p.lastSet {
			lastSet[product] = source
		}
	}
	slices.SortFunc(stocks, func(a, b Stock) int { return cmp.Compare(a.Product, b.Product) })
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ready, v.stocks, v.lastSet = true, stocks, lastSet
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
