package runtime

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// consumer makes a Kafka consumer of the given partitions. Like all readers here
// it sees committed records only, and control records too, since they take an
// offset.
func (r *Runtime) consumer(name string, offsets map[string]map[int32]kgo.Offset) (*kgo.Client, error) {
	c, err := kgo.NewClient(
		kgo.SeedBrokers(r.cfg.Brokers...),
		kgo.ClientID("ksqldb-"+name),
		kgo.ConsumePartitions(offsets),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(4<<20),
		kgo.FetchMaxPartitionBytes(1<<20),
		kgo.MetadataMinAge(100*time.Millisecond),
	)
	if err != nil {
		return nil, fmt.Errorf("making the Kafka consumer %s: %w", name, err)
	}
	return c, nil
}

// extents asks where source topics begin and where their committed records end.
func (r *Runtime) extents(ctx context.Context, topics []string) (starts, ends kadm.ListedOffsets, err error) {
	if starts, err = r.admin.ListStartOffsets(ctx, topics...); err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("asking where source topics begin: %w", err)
	}
	if ends, err = r.admin.ListCommittedOffsets(ctx, topics...); err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("asking where source topics end: %w", err)
	}
	return starts, ends, nil
}
