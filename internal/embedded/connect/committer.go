package connect

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// committer commits how far a sink's records are where they belong, now and then:
// what is delivered again after a crash does no harm.
type committer struct {
	client *kgo.Client
	now    func() time.Time
	// records has the last record of each partition since the last commit.
	records map[topicPartition]*kgo.Record
	since   time.Time // of the first of them
}

type topicPartition struct {
	topic     string
	partition int32
}

// reached notes records that are where they belong.
func (c *committer) reached(records []*kgo.Record) {
	if len(records) == 0 {
		return
	}
	if len(c.records) == 0 {
		c.records, c.since = map[topicPartition]*kgo.Record{}, c.now()
	}
	for _, r := range records {
		c.records[topicPartition{r.Topic, r.Partition}] = r
	}
}

// due reports whether it is time for a commit.
func (c *committer) due() bool {
	return len(c.records) > 0 && c.now().Sub(c.since) >= commitInterval
}

// pollContext bounds a poll, so that what was reached is committed in time when
// nothing more comes.
func (c *committer) pollContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if len(c.records) == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, max(commitInterval-c.now().Sub(c.since), time.Millisecond))
}

// commit writes what was reached.
func (c *committer) commit(ctx context.Context) error {
	if len(c.records) == 0 {
		return nil
	}
	list := make([]*kgo.Record, 0, len(c.records))
	for _, r := range c.records {
		list = append(list, r)
	}
	ctx, cancel := context.WithTimeout(ctx, taskStopTimeout)
	defer cancel()
	if err := c.client.CommitRecords(ctx, list...); err != nil {
		return errors.Join(errors.New("committing offsets failed"), err)
	}
	c.records = nil
	return nil
}
