package tail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// fetchBytes and partitionBytes bound what a fetch gives.
	fetchBytes     = 8 << 20
	partitionBytes = 1 << 20
	// pastWait is how long a broker may look for records that should be there.
	pastWait = 100 * time.Millisecond
	// pastTries is how often a read is tried again while leaders change.
	pastTries = 20
)

// ReadAt reads from an offset on, without following the partition: up to about a
// megabyte of records, none when the partition ends there.
func (r *Reader) ReadAt(ctx context.Context, p Partition, offset int64) (Batch, error) {
	return r.readOf(ctx, p, nil, offset)
}

// readOf is ReadAt, of one topic of that name only unless it is nil.
func (r *Reader) readOf(ctx context.Context, p Partition, topic *topicID, offset int64) (Batch, error) {
	for try := 0; ; try++ {
		at, known, err := r.leader(ctx, p)
		if err == nil && topic != nil && at.topic != *topic {
			err = errAnew
		}
		var b Batch
		if err == nil {
			b, err = r.readAt(ctx, p, at, offset)
		}
		if known && (errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, errAnew)) {
			r.forget(p) // the topic may have been deleted and made anew since
			continue
		}
		if err == nil || ctx.Err() != nil || try == pastTries || !passing(err) {
			if err != nil {
				err = fmt.Errorf("reading %s from offset %d: %w", p, offset, explain(p, offset, err))
			}
			return b, err
		}
		r.forget(p)
		if err := wait(ctx, retryPause); err != nil {
			return Batch{}, err
		}
	}
}

func (r *Reader) readAt(ctx context.Context, p Partition, at place, offset int64) (Batch, error) {
	req := newFetch(pastWait)
	req.SessionEpoch = -1
	addPartition(req, p, at.topic, offset)
	resp, err := req.RequestWith(ctx, broker{r.past, at.broker})
	if err != nil {
		return Batch{}, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return Batch{}, err
	}
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			rp := &resp.Topics[i].Partitions[j]
			if rp.Partition != p.Partition {
				continue // there is but one topic
			}
			return parse(p, offset, rp)
		}
	}
	return Batch{}, errors.New("the broker's answer lacks the partition")
}

// broker sends requests to one broker.
type broker struct {
	client *kgo.Client
	id     int32
}

func (b broker) Request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	return b.client.Broker(int(b.id)).Request(ctx, req)
}

func newFetch(wait time.Duration) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis = int32(wait.Milliseconds())
	req.MinBytes = 1
	req.MaxBytes = fetchBytes
	req.IsolationLevel = 1
	return req
}

// addPartition adds a partition to a fetch. Those of a topic come one after the
// other.
func addPartition(req *kmsg.FetchRequest, p Partition, topic topicID, offset int64) {
	if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != p.Topic || req.Topics[n-1].TopicID != topic {
		t := kmsg.NewFetchRequestTopic()
		t.Topic, t.TopicID = p.Topic, topic
		req.Topics = append(req.Topics, t)
	}
	t := &req.Topics[len(req.Topics)-1]
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = p.Partition, offset, partitionBytes
	t.Partitions = append(t.Partitions, rp)
}

var decompressor = kgo.DefaultDecompressor()

// parse reads the records of an answer.
func parse(p Partition, offset int64, rp *kmsg.FetchResponseTopicPartition) (Batch, error) {
	if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
		return Batch{}, err
	}
	fp, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		KeepControlRecords: true, Offset: offset, IsolationLevel: kgo.ReadCommitted(), Topic: p.Topic, Partition: p.Partition,
	}, rp, decompressor, nil)
	end := rp.LastStableOffset
	if end < 0 {
		end = rp.HighWatermark
	}
	b := Batch{Records: fp.Records, Next: max(next, offset), End: end}
	if fp.Err != nil {
		return b, &damagedError{fp.Err}
	}
	return b, nil
}

// damagedError says that what a broker gave can't be read.
type damagedError struct{ err error }

func (e *damagedError) Error() string { return "the broker's answer is damaged: " + e.err.Error() }
func (e *damagedError) Unwrap() error { return e.err }

// passing reports whether an error goes by itself, once it is known who leads the
// partition now.
func passing(err error) bool {
	var kafka *kerr.Error
	if errors.As(err, &kafka) {
		return kafka.Retriable && !errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.FencedLeaderEpoch)
	}
	var damaged *damagedError
	return !errors.As(err, &damaged) && !errors.Is(err, kgo.ErrClientClosed) && !errors.Is(err, errMissing) && !errors.Is(err, errAnew) && !errors.Is(err, context.Canceled)
}

// explain says in full what the errors mean that come from changes to a topic.
func explain(p Partition, offset int64, err error) error {
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		return fmt.Errorf("%s has no offset %d any more: its records were removed before they were read, or the topic was deleted and made anew: %w", p, offset, err)
	case errors.Is(err, errAnew):
		return fmt.Errorf("reading topic %s: %w", p.Topic, errAnew)
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, errMissing):
		return fmt.Errorf("topic %s does not exist or has no partition %d any more: it was deleted while it was being read; drop what reads it, or create it again: %w", p.Topic, p.Partition, err)
	default:
		return err
	}
}

// retryPause is how long reading waits when a broker can't be asked or leads
// partitions no longer.
const retryPause = 50 * time.Millisecond

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
