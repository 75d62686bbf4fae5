package email

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
)

// Producer writes records. It returns when they are acknowledged, or when it is not
// known whether they are there; a kgo.Client is one.
type Producer interface {
	ProduceSync(ctx context.Context, records ...*kgo.Record) kgo.ProduceResults
}

// Membership tells whether this instance still counts as one of its group; a
// kafka.Group is one.
type Membership interface {
	Confirm(ctx context.Context) error
}

// Worker is the work of an instance on its records without the connections, for
// whoever brings other ones: the simulation does.
type Worker struct{ worker *worker }

// WorkerConfig says what a Worker works over.
type WorkerConfig struct {
	Producer Producer
	Group    Membership
	// CatchUp hands what the ledger has beyond the last time to learn, record by record.
	CatchUp func(ctx context.Context, learn func(*kgo.Record) error) error
	Sender  Sender
	// Entries and Letters encode ledger entries and dead letters.
	Entries, Letters *kafka.Encoder
}

// ledgerFunc is the ledger of a Worker.
type ledgerFunc func(ctx context.Context) error

func (f ledgerFunc) CatchUp(ctx context.Context) error { return f(ctx) }

// Worker returns a worker that does what Run does with records.
func (s *Service) Worker(cfg WorkerConfig) *Worker {
	w := &worker{
		Service: s, sender: cfg.Sender, known: map[key]struct{}{}, client: cfg.Producer, group: cfg.Group, entries: cfg.Entries, letters: cfg.Letters,
		progress: func() {}, stopping: make(chan struct{}),
	}
	w.ledger = ledgerFunc(func(ctx context.Context) error { return cfg.CatchUp(ctx, w.learn) })
	return &Worker{w}
}

// TakeOver is called with newly assigned partitions before any of their records.
func (w *Worker) TakeOver(ctx context.Context, partitions []int32) error {
	return w.worker.takeOver(ctx, partitions)
}

// Handle does everything that input records call for. Their offsets may be committed
// when it has returned nil.
func (w *Worker) Handle(ctx context.Context, records []*kgo.Record) error {
	return w.worker.batch(ctx, records)
}
