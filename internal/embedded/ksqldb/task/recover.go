package task

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
)

// Recover writes the outputs that the loaded commits of tasks hold and the output
// partitions don't. The tasks write to one Log.
func Recover(ctx context.Context, log Log, logger *slog.Logger, tasks []*Task) error {
	from := map[tail.Partition]int64{}
	for _, t := range tasks {
		if len(t.pending) == 0 {
			continue
		}
		for _, b := range t.bounds {
			p := tail.Partition{Topic: b.Topic, Partition: b.Partition}
			if known, ok := from[p]; !ok || b.Offset < known {
				from[p] = b.Offset
			}
		}
	}
	if len(from) == 0 {
		return nil
	}
	written, err := log.Written(ctx, from)
	if err != nil {
		return fmt.Errorf("looking for outputs that were sent before the restart: %w", err)
	}
	for _, t := range tasks {
		if len(t.pending) == 0 {
			continue
		}
		all := len(t.pending)
		t.pending = slices.DeleteFunc(t.pending, func(p state.Pending) bool { return written[t.tag][p.Seq] })
		if len(t.pending) > 0 {
			logger.Info("sending outputs that a crash left unsent", "query", t.cfg.ID.Query,
				"sub_topology", t.cfg.ID.Sub, "partition", t.cfg.ID.Partition, "committed", all, "unsent", len(t.pending))
		}
		if err := t.send(ctx); err != nil {
			return err
		}
		t.pending = nil
	}
	return nil
}
