package connect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// runSource runs a source task until it fails or ctx ends.
func (w *worker) runSource(ctx context.Context, c *connector, t *task, source plugin.SourceTask, settings map[string]string) (err error) {
	p, err := w.newPipeline(settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	offsets := func(partition map[string]any) map[string]any { return w.store.offset(c.name, partition) }
	if err := source.Start(ctx, w.environment(c), settings, offsets); err != nil {
		return err
	}
	w.setTask(c, t, status{state: stateRunning})
	reached := &sourceOffsets{store: w.store, connector: c.name, pending: map[string]storedOffset{}}
	// What was delivered is known to be so even if the task fails or ends.
	defer func() { err = errors.Join(err, reached.save(context.WithoutCancel(ctx))) }()
	defer w.saveOffsetsNowAndThen(ctx, reached)()
	for ctx.Err() == nil {
		records, err := source.Poll(ctx)
		if err != nil {
			return err
		}
		if len(records) > 0 {
			if err := w.deliver(ctx, c, t, p, records, reached); err != nil {
				return err
			}
		}
		if w.cfg.OffsetFlushInterval <= 0 {
			// The records are out, so their offsets follow even if the task ends.
			if err := reached.save(context.WithoutCancel(ctx)); err != nil {
				w.log.Warn("connect: offsets were not written, trying again", "connector", c.name, "error", err)
			}
		}
	}
	return nil
}

// sourceOffsets are those that a source task reached and that are not written.
type sourceOffsets struct {
	store     *store
	connector string

	saving  sync.Mutex // held while offsets are written, so that they stay in order
	mu      sync.Mutex // guards pending
	pending map[string]storedOffset
}

func (o *sourceOffsets) reach(partition, offset map[string]any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pending[partText(partition)] = storedOffset{partition, offset}
}

// save writes what was reached. What can't be written stays for the next time.
func (o *sourceOffsets) save(ctx context.Context) error {
	o.saving.Lock()
	defer o.saving.Unlock()
	o.mu.Lock()
	taken := o.pending
	o.pending = map[string]storedOffset{}
	o.mu.Unlock()
	if len(taken) == 0 {
		return nil
	}
	list := make([]storedOffset, 0, len(taken))
	for _, text := range sortedKeys(taken) {
		list = append(list, taken[text])
	}
	err := o.store.saveOffsets(ctx, o.connector, list)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		maps.Copy(taken, o.pending)
		o.pending = taken
	}
	return err
}

// saveOffsetsNowAndThen writes offsets at the interval that is set, until what it
// gives is called; without an interval they are written with each batch.
func (w *worker) saveOffsetsNowAndThen(ctx context.Context, reached *sourceOffsets) func() {
	ctx, cancel := context.WithCancel(ctx)
	if w.cfg.OffsetFlushInterval <= 0 {
		return cancel
	}
	var saving sync.WaitGroup
	saving.Go(func() {
		for w.cfg.Clock.Sleep(ctx, w.cfg.OffsetFlushInterval) == nil {
			if err := reached.save(context.WithoutCancel(ctx)); err != nil {
				w.log.Warn("connect: offsets were not written, trying again", "connector", reached.connector, "error", err)
			}
		}
	})
	return func() {
		cancel()
		saving.Wait()
	}
}

// deliver writes the records of one poll to their topics, and then how far the
// source was read.
func (w *worker) deliver(ctx context.Context, c *connector, t *task, p *pipeline, records []*plugin.Record, reached *sourceOffsets) error {
	produced := make([]*kgo.Record, 0, len(records))
	offsets := make([]*plugin.Record, 0, len(records))
	var failed error
	for _, r := range records {
		record, err := p.toKafka(ctx, r)
		if err != nil {
			if passing(ctx, err) {
				return nil
			}
			if !p.errors.all {
				failed = exceeded(err)
				break
			}
			p.errors.tell(w, c, t.id, err, "topic", r.Topic)
			continue
		}
		if record == nil {
			continue // as with the real worker, the offset of what is left out is not kept
		}
		produced = append(produced, record)
		if r.SourceOffset != nil {
			offsets = append(offsets, r)
		}
	}
	// What came before a record that fails the task is delivered all the same.
	if err := w.store.deliver(ctx, c.name, produced...); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("writing to topic %s: %w", produced[0].Topic, err)
	}
	for _, r := range produced {
		w.usedTopic(c, t.id, r.Topic)
	}
	for _, r := range offsets {
		reached.reach(r.SourcePartition, r.SourceOffset)
	}
	return failed
}
