package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// byKey has no state where records have keys, which is the only use it is put to.
var byKey = kgo.StickyKeyPartitioner(nil).ForTopic("")

// PartitionOf returns in which partition, of so many, the records of a key lie, by the
// rule that Kafka's own clients use.
func PartitionOf(key string, partitions int) int32 {
	return int32(byKey.Partition(&kgo.Record{Key: []byte(key)}, partitions))
}

// End returns the offset after the last record of a partition that all in-sync replicas have.
// Every record that was acknowledged before the call lies before it, and so may records
// of transactions that are open. It takes one request to the partition's leader.
func End(ctx context.Context, client *kgo.Client, topic string, partition int32) (int64, error) {
	one := kmsg.NewListOffsetsRequestTopicPartition()
	one.Partition = partition
	one.Timestamp = -1 // the end
	of := kmsg.NewListOffsetsRequestTopic()
	of.Topic = topic
	of.Partitions = append(of.Partitions, one)
	request := kmsg.NewPtrListOffsetsRequest()
	request.ReplicaID = -1
	request.Topics = append(request.Topics, of)
	response, err := request.RequestWith(ctx, client)
	if err == nil && (len(response.Topics) != 1 || len(response.Topics[0].Partitions) != 1) {
		err = fmt.Errorf("the answer is about %d topics", len(response.Topics))
	}
	if err == nil {
		err = kerr.ErrorForCode(response.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		return 0, fmt.Errorf("looking up the end of %s partition %d: %w", topic, partition, err)
	}
	return response.Topics[0].Partitions[0].Offset, nil
}
