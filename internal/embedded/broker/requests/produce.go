package requests

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/refusal"
	"github.com/orderflow/orderflow/internal/embedded/broker/wire"
)

// produce answers Produce: it stores the batch of each partition.
func (s *Server) produce(ctx context.Context, from *wire.Client, req *kmsg.ProduceRequest) (kmsg.Response, error) {
	var refused error
	switch {
	case req.TransactionID != nil:
		refused = refusal.New(kerr.TransactionalIDAuthorizationFailed, "the embedded broker has no transactions")
	case req.Acks < -1 || req.Acks > 1:
		refused = refusal.New(kerr.InvalidRequiredAcks, "acks of %d", req.Acks)
	case s.full.Load():
		refused = refusal.New(kerr.KafkaStorageError, "too little disk space is free")
	}
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	var waits []func(context.Context)
	resp.Topics = make([]kmsg.ProduceResponseTopic, len(req.Topics))
	for i := range req.Topics {
		t, rt := &req.Topics[i], &resp.Topics[i]
		rt.Topic = t.Topic
		rt.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(t.Partitions))
		topic := s.cfg.Catalog.Topic(t.Topic)
		for j := range t.Partitions {
			p, rp := &t.Partitions[j], &rt.Partitions[j]
			rp.Default()
			rp.Partition = p.Partition
			if refused != nil {
				fail(rp, refused)
				continue
			}
			if topic == nil || topic.Partition(p.Partition) == nil {
				fail(rp, kerr.UnknownTopicOrPartition)
				continue
			}
			log := topic.Partition(p.Partition)
			appended, err := log.Append(p.Records, topic.Log())
			if err != nil {
				s.warnStorage(err)
				fail(rp, err)
				continue
			}
			rp.BaseOffset, rp.LogAppendTime, rp.LogStartOffset = appended.Base, appended.Time, appended.Start
			if req.Acks != 0 {
				waits = append(waits, func(ctx context.Context) {
					if err := log.Durable(ctx, appended); err != nil {
						fail(rp, err)
					}
				})
			}
		}
	}
	s.waitDurable(ctx, waits, time.Duration(req.TimeoutMillis)*time.Millisecond)
	if req.Acks != 0 {
		return resp, nil
	}
	// Who wants no answer is told by the end of the connection.
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return nil, fmt.Errorf("storing records of %s-%d without acknowledgement: %w", t.Topic, p.Partition, kerr.ErrorForCode(p.ErrorCode))
			}
		}
	}
	return nil, nil
}

func fail(rp *kmsg.ProduceResponseTopicPartition, err error) {
	rp.ErrorCode, rp.BaseOffset, rp.LogStartOffset, rp.LogAppendTime = code(err), -1, -1, -1
	rp.ErrorMessage = message(err)
}

// waitDurable waits until all partitions of a request are on the disk, at the
// same time, so that the request takes as long as the slowest.
func (s *Server) waitDurable(ctx context.Context, waits []func(context.Context), timeout time.Duration) {
	if len(waits) == 0 || !s.cfg.Sync {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, max(timeout, time.Second))
	defer cancel()
	done := make(chan struct{}, len(waits))
	for _, wait := range waits[1:] {
		go func() {
			wait(ctx)
			done <- struct{}{}
		}()
	}
	waits[0](ctx)
	for range waits[1:] {
		<-done
	}
}

// fullDiskInterval is how long a full disk isn't logged again: every request meets it.
const fullDiskInterval = 10 * time.Second

// warnStorage logs that the disk failed; it is the only error of a request that
// isn't the client's.
func (s *Server) warnStorage(err error) {
	if !errors.Is(err, kerr.KafkaStorageError) {
		return
	}
	if errors.Is(err, syscall.ENOSPC) {
		now, last := s.cfg.Now().UnixNano(), s.fullLogged.Load()
		if last != 0 && now-last < int64(fullDiskInterval) || !s.fullLogged.CompareAndSwap(last, now) {
			return
		}
	}
	s.log.Error("broker: records could not be written and are refused; the client tries again", "error", err)
}
