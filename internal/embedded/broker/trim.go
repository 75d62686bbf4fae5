package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// trimmer limits DeleteRecords requests: the newest record of a partition
// stays, since a fully trimmed partition would restart at offset 0, and topics
// with a policy of "compact" are refused.
type trimmer struct {
	cluster *kfake.Cluster
	closed  <-chan struct{}

	mu      sync.Mutex
	refused map[string]*kfake.FaultHandle // topics with compact; guarded by mu
}

func newTrimmer(cluster *kfake.Cluster, closed <-chan struct{}) *trimmer {
	return &trimmer{cluster: cluster, closed: closed, refused: map[string]*kfake.FaultHandle{}}
}

// limit returns the frame of a DeleteRecords request with its offsets lowered to
// what may be deleted.
func (t *trimmer) limit(frame []byte) ([]byte, error) {
	reader := kbin.Reader{Src: frame[frameSizeBytes:]}
	reader.Int16() // API key
	version := reader.Int16()
	reader.Int32() // correlation id
	reader.NullableString()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.SetVersion(version)
	if req.IsFlexible() {
		kmsg.SkipTags(&reader)
	}
	if !reader.Ok() {
		return nil, errors.New("a DeleteRecords request with a broken header")
	}
	head := len(frame) - len(reader.Src)
	if err := req.ReadFrom(reader.Src); err != nil {
		return nil, fmt.Errorf("reading a DeleteRecords request: %w", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range req.Topics {
			t.limitTopic(&req.Topics[i])
		}
	}()
	select {
	case <-done:
	case <-t.closed: // the cluster may never answer again
		return nil, net.ErrClosed
	}
	out := req.AppendTo(frame[:head:head])
	binary.BigEndian.PutUint32(out, uint32(len(out)-frameSizeBytes))
	return out, nil
}

func (t *trimmer) limitTopic(topic *kmsg.DeleteRecordsRequestTopic) {
	info := t.cluster.TopicInfo(topic.Topic)
	if info == nil {
		return // kfake answers that it doesn't exist
	}
	policy := info.Configs["cleanup.policy"]
	t.refuse(topic.Topic, policy != nil && strings.Contains(*policy, "compact"))
	for i := range topic.Partitions {
		p := &topic.Partitions[i]
		part := t.cluster.PartitionInfo(topic.Topic, p.Partition)
		if part == nil || p.Offset > part.HighWatermark {
			continue // kfake answers what is wrong
		}
		newest := max(part.HighWatermark-1, part.LogStartOffset)
		if p.Offset == -1 || p.Offset > newest {
			p.Offset = newest
		}
	}
}

// refuse has kfake answer POLICY_VIOLATION, Kafka's own answer, to deleting
// records of a compacted topic, or no longer do so.
func (t *trimmer) refuse(topic string, refuse bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	handle, refused := t.refused[topic]
	switch {
	case refuse && !refused:
		t.refused[topic] = t.cluster.Fault(kfake.Fault{
			Keys:  []kmsg.Key{kmsg.DeleteRecords},
			Topic: topic,
			Err:   kerr.PolicyViolation,
			Count: -1,
		})
	case !refuse && refused:
		handle.Remove()
		delete(t.refused, topic)
	}
}
