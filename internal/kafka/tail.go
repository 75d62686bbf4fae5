package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Tail reads what comes into a topic from now on, until ctx ends or something fails, which
// it returns. started gets the offset of the next record of each partition before the
// first record is handed over.
func Tail(ctx context.Context, cfg Config, topic string, started func(next map[int32]int64), each func(*kgo.Record)) error {
	client, err := NewClient(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("looking up the end of %s: %w", topic, err)
	}
	next, from := map[int32]int64{}, map[int32]kgo.Offset{}
	for partition, end := range ends[topic] {
		next[partition] = end.Offset
		from[partition] = kgo.NewOffset().At(end.Offset)
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	started(next)
	for {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("reading %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
		fetches.EachRecord(each)
	}
}
