package inventory

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
)

// Producer writes records. It returns when they are acknowledged, or when it is not
// known whether they are there; a kgo.Client is one.
type Producer interface {
	ProduceSync(ctx context.Context, records ...*kgo.Record) kgo.ProduceResults
}

// Ledger is the stock ledger as far as it has been read; a ledger.Reader is one, and
// says what the methods do.
type Ledger interface {
	Add(partition int32)
	CatchUp(ctx context.Context) error
	Fold(partition int32) *ledger.Fold
	ReadTo(ctx context.Context, ends map[int32]int64) error
}

// Worker is the work of an instance on its records without the connections, for
// whoever brings other ones: the simulation does.
type Worker struct{ worker *worker }

// WorkerConfig says what a Worker works over.
type WorkerConfig struct {
	Producer Producer
	Ledger   Ledger
	// PartitionOf says in which of the LedgerPartitions a product's entries are.
	PartitionOf      func(product string) int32
	LedgerPartitions int32
	// Entries and Results encode ledger entries and check results.
	Entries, Results *kafka.Encoder
}

// Worker returns a worker that does what Run does with records.
func (s *Service) Worker(cfg WorkerConfig) *Worker {
	return &Worker{&worker{
		Service: s, client: cfg.Producer, reader: cfg.Ledger, partitionOf: cfg.PartitionOf, ledgerPartitions: cfg.LedgerPartitions,
		entries: cfg.Entries, results: cfg.Results, progress: func() {},
	}}
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
