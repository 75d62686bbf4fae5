package connect

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// delivery is one record on its way to a sink.
type delivery struct {
	record *kgo.Record
	done   bool // guarded by the progress's mu
}

type topicPartition struct {
	topic     string
	partition int32
}

// progress knows which records of a sink are where they belong, in whatever order
// they get there, and commits how far each partition is: what is delivered again
// after a crash does no harm.
type progress struct {
	now   func() time.Time
	every time.Duration

	mu sync.Mutex // guards what follows
	// open has what was read of each partition and not passed, in order.
	open map[topicPartition][]*delivery
	// passed has the last record of each partition of which all before it are where
	// they belong, since the last commit.
	passed map[topicPartition]*kgo.Record
	next   time.Time // when to commit
}

func newProgress(now func() time.Time, every time.Duration) *progress {
	return &progress{now: now, every: every, open: map[topicPartition][]*delivery{}, passed: map[topicPartition]*kgo.Record{}, next: now().Add(every)}
}

// begin notes records that were read.
func (p *progress) begin(records []*kgo.Record) []*delivery {
	list := make([]*delivery, len(records))
	all := make([]delivery, len(records))
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, r := range records {
		all[i].record, list[i] = r, &all[i]
		at := topicPartition{r.Topic, r.Partition}
		p.open[at] = append(p.open[at], list[i])
	}
	return list
}

// end notes records that are where they belong, or need not get there.
func (p *progress) end(list ...*delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range list {
		d.done = true
	}
	for _, d := range list {
		at := topicPartition{d.record.Topic, d.record.Partition}
		open := p.open[at]
		n := 0
		for n < len(open) && open[n].done {
			n++
		}
		if n == 0 {
			continue
		}
		p.passed[at] = open[n-1].record
		if p.open[at] = open[n:]; n == len(open) {
			delete(p.open, at)
		}
	}
}

// forget drops partitions that somebody else reads from now on.
func (p *progress) forget(partitions map[string][]int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for topic, list := range partitions {
		for _, partition := range list {
			delete(p.open, topicPartition{topic, partition})
			delete(p.passed, topicPartition{topic, partition})
		}
	}
}

// pollContext bounds a poll, so that what is under way is looked at in time when
// nothing more comes.
func (p *progress) pollContext(ctx context.Context) (context.Context, context.CancelFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.open) == 0 && len(p.passed) == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, max(p.next.Sub(p.now()), time.Millisecond))
}

// due reports whether it is time for a commit.
func (p *progress) due() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); !now.Before(p.next) {
		p.next = now.Add(p.every)
		return true
	}
	return false
}

// commit writes how far the partitions are.
func (p *progress) commit(ctx context.Context, client *kgo.Client) error {
	p.mu.Lock()
	list := make([]*kgo.Record, 0, len(p.passed))
	for _, r := range p.passed {
		list = append(list, r)
	}
	p.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, taskStopTimeout)
	defer cancel()
	if err := client.CommitRecords(ctx, list...); err != nil {
		return fmt.Errorf("committing offsets: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range list {
		if at := (topicPartition{r.Topic, r.Partition}); p.passed[at] == r {
			delete(p.passed, at)
		}
	}
	return nil
}
