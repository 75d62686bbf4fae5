package inventory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/telemetry"
)

var inputTopics = []string{order.TopicOrdersByProduct, order.TopicWarehouseInventory}

// worker is one membership in the consumer group. One goroutine uses it.
type worker struct {
	*Service
	client Producer
	reader Ledger
	// partitionOf says in which ledger partition a product's entries are.
	partitionOf      func(product string) int32
	ledgerPartitions int32
	entries          *kafka.Encoder
	results          *kafka.Encoder
	progress         func()
}

// work consumes until ctx ends or something fails. progress is called once there are partitions.
func (s *Service) work(ctx context.Context, progress func()) error {
	w := &worker{Service: s, progress: progress}
	var err error
	if w.entries, err = s.registry.Encoder(ctx, order.ValueSubject(order.TopicInventoryLedger)); err != nil {
		return err
	}
	if w.results, err = s.registry.Encoder(ctx, order.ValueSubject(order.TopicValidations)); err != nil {
		return err
	}
	reader, err := ledger.NewReader(ledger.ReaderConfig{
		Kafka: s.cfg.Kafka, Registry: s.registry, SnapshotDir: s.cfg.SnapshotDir, Skips: s.skips, Logger: s.log,
	})
	if err != nil {
		return err
	}
	defer reader.Close()
	w.reader = reader
	partitioner := kgo.StickyKeyPartitioner(nil)
	group, err := kafka.NewGroup(s.cfg.Kafka, kafka.GroupConfig{
		Group:    s.cfg.Group,
		Topics:   inputTopics,
		Assigned: w.takeOver,
		Handle:   w.batch,
		Options:  []kgo.Opt{kgo.RecordPartitioner(partitioner)},
	})
	if err != nil {
		return err
	}
	defer group.Close()
	w.client = group.Client()
	partitions, err := group.CheckTopics(ctx, append([]string{order.TopicInventoryLedger, order.TopicValidations}, inputTopics...)...)
	if err != nil {
		return err
	}
	w.ledgerPartitions = int32(partitions[order.TopicInventoryLedger])
	topic := partitioner.ForTopic(order.TopicInventoryLedger)
	w.partitionOf = func(product string) int32 {
		return int32(topic.Partition(&kgo.Record{Key: []byte(product)}, int(w.ledgerPartitions)))
	}
	return group.Run(ctx)
}

// takeOver folds the ledger of newly assigned partitions to its end.
func (w *worker) takeOver(ctx context.Context, partitions []int32) error {
	for _, p := range partitions {
		if p < w.ledgerPartitions {
			w.reader.Add(p)
		}
	}
	if len(partitions) > 0 {
		if err := w.reader.CatchUp(ctx); err != nil {
			return err
		}
		w.log.Info("took over stock", "partitions", partitions)
	}
	w.ready.Store(true)
	w.halted.Store(nil)
	w.progress()
	return nil
}

// batch writes what the records mean to the ledger, reads it back, and sends the check results.
func (w *worker) batch(ctx context.Context, records []*kgo.Record) error {
	start := time.Now()
	var entries []ledger.Entry
	var requests []time.Time // when the orders that ask for stock were taken
	for _, rec := range records {
		e, ok, err := decode(ctx, w.registry, rec)
		var not *notAnEntry
		switch {
		case errors.As(err, &not):
			w.skips.Skip(rec, not)
		case err != nil:
			return fmt.Errorf("reading %s partition %d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
		case ok:
			entries = append(entries, e)
			if e.Kind == ledger.ReserveRequest {
				requests = append(requests, rec.Timestamp)
			}
		}
	}
	if err := w.write(ctx, entries); err != nil {
		return err
	}
	if err := w.answer(ctx, entries, start); err != nil {
		return err
	}
	for _, asked := range requests {
		w.metrics.reservation.Observe(time.Since(asked).Seconds())
	}
	w.metrics.batch.Observe(time.Since(start).Seconds())
	return nil
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
// asks again gets the same answer again. start is when the work on the entries began.
func (w *worker) answer(ctx context.Context, entries []ledger.Entry, start time.Time) (err error) {
	var records []*kgo.Record
	var spans []*telemetry.Span
	defer func() {
		for _, span := range spans {
			span.End(err)
		}
	}()
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
		orderCtx, span := w.cfg.Tracing.Order(ctx, e.OrderID, "stock reserved", start)
		spans = append(spans, span)
		records = append(records, &kgo.Record{Topic: order.TopicValidations, Key: []byte(e.OrderID), Value: value, Headers: r.Headers(), Context: orderCtx})
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
