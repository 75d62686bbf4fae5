package connect

import (
	"context"
	"errors"
	"fmt"

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
	for ctx.Err() == nil {
		records, err := source.Poll(ctx)
		if err != nil {
			return err
		}
		if len(records) > 0 {
			if err := w.deliver(ctx, c, t, p, records); err != nil {
				return err
			}
		}
	}
	return nil
}

// deliver writes the records of one poll to their topics, and then how far the
// source was read.
func (w *worker) deliver(ctx context.Context, c *connector, t *task, p *pipeline, records []*plugin.Record) error {
	produced := make([]*kgo.Record, 0, len(records))
	reached := map[string]storedOffset{}
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
			reached[partText(r.SourcePartition)] = storedOffset{r.SourcePartition, r.SourceOffset}
		}
	}
	// What came before a record that fails the task is delivered all the same.
	if err := w.store.client.ProduceSync(ctx, produced...).FirstErr(); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("writing to topic %s: %w", produced[0].Topic, err)
	}
	for _, r := range produced {
		w.usedTopic(c, t.id, r.Topic)
	}
	if len(reached) > 0 {
		list := make([]storedOffset, 0, len(reached))
		for _, text := range sortedKeys(reached) {
			list = append(list, reached[text])
		}
		// The records are out, so their offsets follow even if the task ends.
		if err := w.store.saveOffsets(context.WithoutCancel(ctx), c.name, list); err != nil {
			return err
		}
	}
	return failed
}
