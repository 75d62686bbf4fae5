package inventory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

const (
	// maxBatch bounds how many input records are worked on at once.
	maxBatch = 1000
	// batchTimeout bounds how long that may take, also while stopping.
	batchTimeout = 30 * time.Second
)

var inputTopics = []string{order.TopicOrdersByProduct, order.TopicWarehouseInventory}

// worker is one membership in the consumer group. One goroutine uses it, but for
// assigned, which the client calls.
type worker struct {
	*Service
	client *kgo.Client // group consumer and producer
	reader *ledger.Reader
	// partitionOf says in which ledger partition a product's entries are.
	partitionOf func(product string) int32
	entries     *kafka.Encoder
	results     *kafka.Encoder

	mu       sync.Mutex
	fresh    map[int32]bool // partitions assigned and not caught up; guarded by mu
	assigned bool           // guarded by mu
	wake     func()         // ends a running poll; guarded by mu
}

// work consumes until ctx ends or something fails. started is called once there are partitions.
func (s *Service) work(ctx context.Context, started func()) error {
	w := &worker{Service: s, fresh: map[int32]bool{}, wake: func() {}}
	var err error
	if w.entries, err = s.registry.Encoder(ctx, order.ValueSubject(order.TopicInventoryLedger)); err != nil {
		return err
	}
	if w.results, err = s.registry.Encoder(ctx, order.ValueSubject(order.TopicValidations)); err != nil {
		return err
	}
	if w.reader, err = ledger.NewReader(s.cfg.Kafka, s.registry); err != nil {
		return err
	}
	defer w.reader.Close()
	partitioner := kgo.StickyKeyPartitioner(nil)
	w.client, err = kafka.NewClient(s.cfg.Kafka,
		kgo.ConsumerGroup(s.cfg.Group),
		kgo.ConsumeTopics(inputTopics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		// Equal partitions of both topics belong together: they are about the same products.
		kgo.Balancers(kgo.RangeBalancer()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(w.onAssigned),
		kgo.RecordPartitioner(partitioner),
	)
	if err != nil {
		return err
	}
	defer w.client.CloseAllowingRebalance()
	n, err := w.checkTopics(ctx)
	if err != nil {
		return err
	}
	topic := partitioner.ForTopic(order.TopicInventoryLedger)
	w.partitionOf = func(product string) int32 {
		return int32(topic.Partition(&kgo.Record{Key: []byte(product)}, n))
	}
	for ctx.Err() == nil {
		if err := w.round(ctx, started); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// checkTopics makes sure that every topic exists and returns the ledger's number of partitions.
func (w *worker) checkTopics(ctx context.Context) (int, error) {
	topics, err := kadm.NewClient(w.client).ListTopics(ctx, append([]string{order.TopicInventoryLedger, order.TopicValidations}, inputTopics...)...)
	if err != nil {
		return 0, fmt.Errorf("looking up topics: %w", err)
	}
	for _, t := range topics {
		if t.Err != nil {
			return 0, fmt.Errorf("looking up topic %s (`orderflow topics apply` and `orderflow migrate apply` create it): %w", t.Topic, t.Err)
		}
	}
	return len(topics[order.TopicInventoryLedger].Partitions), nil
}

// onAssigned is called by the client while no batch is worked on.
func (w *worker) onAssigned(_ context.Context, _ *kgo.Client, assigned map[string][]int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.assigned = true
	for _, partitions := range assigned {
		for _, p := range partitions {
			w.fresh[p] = true
		}
	}
	w.wake()
}

// round waits for input records or an assignment and works on what came.
func (w *worker) round(ctx context.Context, started func()) error {
	pollCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.mu.Lock()
	w.wake = cancel
	if len(w.fresh) > 0 || (w.assigned && !w.Ready()) {
		cancel()
	}
	w.mu.Unlock()

	fetches := w.client.PollRecords(pollCtx, maxBatch)
	defer w.client.AllowRebalance()
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.Canceled) {
			return fmt.Errorf("reading %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	// What has begun is finished, even when ctx ends meanwhile.
	work, done := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer done()
	if err := w.takeOver(work, started); err != nil {
		return err
	}
	records := fetches.Records()
	if len(records) == 0 {
		return nil
	}
	start := time.Now()
	if err := w.batch(work, records); err != nil {
		return err
	}
	if err := w.client.CommitRecords(work, records...); err != nil {
		return fmt.Errorf("committing offsets: %w", err)
	}
	w.metrics.batch.Observe(time.Since(start).Seconds())
	return nil
}

// takeOver folds the ledger of newly assigned partitions to its end.
func (w *worker) takeOver(ctx context.Context, started func()) error {
	w.mu.Lock()
	assigned, fresh := w.assigned, len(w.fresh) > 0
	for p := range w.fresh {
		w.reader.Add(p)
	}
	clear(w.fresh)
	w.mu.Unlock()
	if !assigned {
		return nil
	}
	if fresh {
		if err := w.reader.CatchUp(ctx); err != nil {
			return err
		}
		w.log.Info("took over stock", "ledger_partitions", w.reader.Partitions())
	}
	if !w.ready.Swap(true) {
		started()
	}
	return nil
}

// batch writes what the records mean to the ledger, reads it back, and sends the check results.
func (w *worker) batch(ctx context.Context, records []*kgo.Record) error {
	var entries []ledger.Entry
	for _, rec := range records {
		e, ok, err := decode(ctx, w.registry, rec)
		var not *notAnEntry
		switch {
		case errors.As(err, &not):
			w.metrics.skipped.WithLabelValues(rec.Topic).Inc()
			w.log.Warn("passing over a record", "topic", rec.Topic, "partition", rec.Partition, "offset", rec.Offset, "reason", not.reason)
		case err != nil:
			return fmt.Errorf("reading %s partition %d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
		case ok:
			entries = append(entries, e)
		}
	}
	if err := w.write(ctx, entries); err != nil {
		return err
	}
	return w.answer(ctx, entries)
}

// write puts entries that are not yet in the ledger into it and reads them back.
func (w *worker) write(ctx context.Context, entries []ledger.Entry) error {
	var records []*kgo.Record
	for _, e := range entries {
		p := w.partitionOf(e.Product)
		// The partition is not one of the assigned ones when the topics have
		// different numbers of partitions. It is read all the same.
		w.reader.Add(p)
		if w.reader.Fold(p).Knows(e) {
			continue
		}
		rec, err := ledger.Record(w.entries, e)
		if err != nil {
			return err
		}
		records = append(records, rec)
		w.metrics.entries.WithLabelValues(string(e.Kind)).Inc()
	}
	if len(records) == 0 {
		return nil
	}
	if err := w.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("writing to %s: %w", order.TopicInventoryLedger, err)
	}
	ends := map[int32]int64{}
	for _, rec := range records {
		ends[rec.Partition] = max(ends[rec.Partition], rec.Offset+1)
	}
	if err := w.reader.ReadTo(ctx, ends); err != nil {
		return fmt.Errorf("reading back %s: %w", order.TopicInventoryLedger, err)
	}
	return nil
}

// answer sends the check result of every order that asked for stock. An order that
// asks again gets the same answer again.
func (w *worker) answer(ctx context.Context, entries []ledger.Entry) error {
	var records []*kgo.Record
	sent := map[string]bool{}
	for _, e := range entries {
		if e.Kind != ledger.ReserveRequest || sent[e.OrderID] {
			continue
		}
		sent[e.OrderID] = true
		p := w.partitionOf(e.Product)
		r, ok := w.reader.Fold(p).Reservation(e.OrderID)
		if !ok {
			return fmt.Errorf("answering order %s: its entry is not in %s partition %d", e.OrderID, order.TopicInventoryLedger, p)
		}
		value, err := w.results.Encode(order.Validation{OrderID: e.OrderID, CheckType: order.InventoryCheck, Result: r.Result})
		if err != nil {
			return err
		}
		records = append(records, &kgo.Record{Topic: order.TopicValidations, Key: []byte(e.OrderID), Value: value})
		w.metrics.checks.WithLabelValues(string(r.Result)).Inc()
		w.log.Debug("stock checked", "order", e.OrderID, "product", e.Product, "quantity", r.Quantity, "result", r.Result)
	}
	if len(records) == 0 {
		return nil
	}
	if err := w.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("writing to %s: %w", order.TopicValidations, err)
	}
	return nil
}
