package api

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/order"
)

const (
	// statesTable is ksqlDB's table of orders; see the query orders_by_id.
	statesTable = "ORDER_STATES"
	// confirmInterval is how often ksqlDB is asked how far the table is, and
	// confirmHurry how often while the table lacks what is not remembered.
	confirmInterval = 5 * time.Second
	confirmHurry    = time.Second
	// confirmTimeout bounds one such question.
	confirmTimeout = 5 * time.Second
	// arrivalsSpan bounds how many records of a partition are read at the start.
	arrivalsSpan = 1 << 18
	// arrivalsFetch bounds how many bytes are fetched at a time.
	arrivalsFetch = 4 << 20
)

// arrivalsFeed reads orders.v1 for arrivals.
type arrivalsFeed struct {
	arrivals *arrivals
	cfg      kafka.Config
	// table says up to which offset of each partition the table has everything; one that
	// it leaves out is at 0.
	table func(context.Context) (map[int32]int64, error)
}

// tableOffsets asks ksqlDB how far the query of its table of orders has read orders.v1, by
// its commits. A pull query sees what was committed before it, so this is a lower bound of
// what the table has.
func tableOffsets(ctx context.Context, client *ksql.Client) (map[int32]int64, error) {
	groups, err := client.WriterOffsets(ctx, statesTable)
	if err != nil {
		return nil, err
	}
	if len(groups) != 1 {
		return nil, fmt.Errorf("asking how far %s is: one query should write it, %d do", statesTable, len(groups))
	}
	offsets := map[int32]int64{}
	for _, topic := range groups[0].Topics {
		if topic.Topic != order.TopicOrders {
			continue
		}
		for _, o := range topic.Offsets {
			offsets[o.Partition] = max(0, o.Committed)
		}
	}
	return offsets, nil
}

// run reads until ctx ends.
func (f *arrivalsFeed) run(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.confirm(ctx)
	}()
	kafka.Keep(ctx, f.arrivals.log, "following the new orders of "+order.TopicOrders, f.follow)
	<-done
}

// confirm keeps asking how far the table is.
func (f *arrivalsFeed) confirm(ctx context.Context) {
	interval := confirmInterval
	for {
		timer := time.NewTimer(interval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		table, err := f.askTable(ctx)
		if err == nil {
			f.arrivals.confirm(table)
		} else {
			// What was known stays true, so more has to be remembered meanwhile.
			f.arrivals.log.Debug("asking how far ksqlDB's table of orders is failed", "error", err)
		}
		interval = confirmInterval
		if f.arrivals.behind() {
			interval = confirmHurry
		}
	}
}

func (f *arrivalsFeed) askTable(ctx context.Context) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	return f.table(ctx)
}

// follow reads from where it was, or from where the table is, until something fails.
//
// A record of ours is acknowledged while a transaction of ksqlDB before it is open, and
// then it counts; so this reader does not wait for transactions to end.
func (f *arrivalsFeed) follow(ctx context.Context, progress func()) error {
	client, err := kafka.NewClient(f.cfg, kgo.FetchIsolationLevel(kgo.ReadUncommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxBytes(arrivalsFetch), kgo.FetchMaxPartitionBytes(arrivalsFetch))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, order.TopicOrders)
	var ends kadm.ListedOffsets
	if err == nil {
		err = starts.Error()
	}
	if err == nil {
		ends, err = admin.ListEndOffsets(ctx, order.TopicOrders)
	}
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("looking up the offsets of %s: %w", order.TopicOrders, err)
	}
	from, ok := f.arrivals.resume(bounds(starts), bounds(ends))
	if !ok {
		table, err := f.askTable(ctx)
		if err != nil {
			return err
		}
		from = f.arrivals.begin(bounds(starts), bounds(ends), table)
	}
	at := map[int32]kgo.Offset{}
	for partition, offset := range from {
		at[int32(partition)] = kgo.NewOffset().At(offset)
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{order.TopicOrders: at})
	progress()
	for {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("reading %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			if err := f.arrivals.take(ctx, it.Next()); err != nil {
				return err
			}
		}
	}
}

// bounds returns offsets by partition.
func bounds(listed kadm.ListedOffsets) []int64 {
	list := make([]int64, len(listed[order.TopicOrders]))
	for partition, o := range listed[order.TopicOrders] {
		list[partition] = o.Offset
	}
	return list
}

// resume returns where each partition is to be read on. It reports false when reading has
// to begin: there was none before, or the topic is another one now.
func (a *arrivals) resume(starts, ends []int64) (from []int64, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.partitions == nil || len(a.partitions) != len(ends) {
		return nil, false
	}
	for i, p := range a.partitions {
		if p.next < starts[i] || p.next > ends[i] {
			return nil, false
		}
		from = append(from, p.next)
	}
	return from, true
}

// begin forgets everything and returns from where on each partition is to be read, so that
// what the table lacks is remembered as far as memory suffices.
func (a *arrivals) begin(starts, ends []int64, table map[int32]int64) (from []int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.epoch++
	a.partitions, a.byID, a.used = nil, map[string]*arrival{}, 0
	for i, end := range ends {
		p := &arrivalPartition{goal: end, table: table[int32(i)]}
		if p.table > end {
			p.table = 0 // it speaks of an earlier topic of the name
		}
		p.start = p.table
		p.next = max(p.table, starts[i])
		if far := end - arrivalsSpan; far > p.next {
			p.start, p.next = far, far
		}
		a.partitions = append(a.partitions, p)
		from = append(from, p.next)
	}
	a.wake()
	return from
}
