package layout

import "github.com/twmb/franz-go/pkg/kmsg"

var (
	flag  = number(1)
	int8s = number(1)
	i16   = number(2)
	i32   = number(4)
	i64   = number(8)
	uuid  = number(16)
	str   = field{kind: text, last: forEver}
	data  = field{kind: blob, last: forEver}

	strs = plainList[string](str)
	i32s = plainList[int32](i32)
)

// replicaState is what a follower says of itself in a tag of Fetch.
var replicaState = []field{i32, i64}

// requests has the fields of each kind of request in their order.
var requests = map[kmsg.Key]request{
	kmsg.Produce: {flexible: 9, fields: []field{
		str.since(3), i16, i32,
		listOf[kmsg.ProduceRequestTopic](str.until(12), uuid.since(13),
			listOf[kmsg.ProduceRequestTopicPartition](i32, data)),
	}},
	kmsg.Fetch: {flexible: 12, structures: map[uint32][]field{1: replicaState}, fields: []field{
		i32.until(14), i32, i32, i32.since(3), int8s.since(4), i32.since(7), i32.since(7),
		listOf[kmsg.FetchRequestTopic](str.until(12), uuid.since(13),
			listOf[kmsg.FetchRequestTopicPartition](i32, i32.since(9), i64, i32.since(12), i64.since(5), i32)),
		listOf[kmsg.FetchRequestForgottenTopic](str.until(12), uuid.since(13), i32s).since(7),
		str.since(11),
	}},
	kmsg.ListOffsets: {flexible: 6, fields: []field{
		i32, int8s.since(2),
		listOf[kmsg.ListOffsetsRequestTopic](str,
			listOf[kmsg.ListOffsetsRequestTopicPartition](i32, i32.since(4), i64, i32.until(0))),
		i32.since(10),
	}},
	kmsg.Metadata: {flexible: 9, fields: []field{
		listOf[kmsg.MetadataRequestTopic](uuid.since(10), str),
		flag.since(4), flag.since(8).until(10), flag.since(8),
	}},
	kmsg.OffsetCommit: {flexible: 8, fields: []field{
		str, i32.since(1), str.since(1), str.since(7), i64.since(2).until(4),
		listOf[kmsg.OffsetCommitRequestTopic](str.until(9), uuid.since(10),
			listOf[kmsg.OffsetCommitRequestTopicPartition](i32, i64, i64.since(1).until(1), i32.since(6), str)),
	}},
	kmsg.OffsetFetch: {flexible: 6, fields: []field{
		str.until(7),
		listOf[kmsg.OffsetFetchRequestTopic](str, i32s).until(7),
		listOf[kmsg.OffsetFetchRequestGroup](str, str.since(9), i32.since(9),
			listOf[kmsg.OffsetFetchRequestGroupTopic](str.until(9), uuid.since(10), i32s)).since(8),
		flag.since(7),
	}},
	kmsg.FindCoordinator: {flexible: 3, fields: []field{str.until(3), int8s.since(1), strs.since(4)}},
	kmsg.JoinGroup: {flexible: 6, fields: []field{
		str, i32, i32.since(1), str, str.since(5), str,
		listOf[kmsg.JoinGroupRequestProtocol](str, data),
		str.since(8),
	}},
	kmsg.Heartbeat: {flexible: 4, fields: []field{str, i32, str, str.since(3)}},
	kmsg.LeaveGroup: {flexible: 4, fields: []field{
		str, str.until(2),
		listOf[kmsg.LeaveGroupRequestMember](str, str, str.since(5)).since(3),
	}},
	kmsg.SyncGroup: {flexible: 4, fields: []field{
		str, i32, str, str.since(3), str.since(5), str.since(5),
		listOf[kmsg.SyncGroupRequestGroupAssignment](str, data),
	}},
	kmsg.DescribeGroups: {flexible: 5, fields: []field{strs, flag.since(3)}},
	kmsg.ListGroups:     {flexible: 3, fields: []field{strs.since(4), strs.since(5)}},
	kmsg.CreateTopics: {flexible: 5, fields: []field{
		listOf[kmsg.CreateTopicsRequestTopic](str, i32, i16,
			listOf[kmsg.CreateTopicsRequestTopicReplicaAssignment](i32, i32s),
			listOf[kmsg.CreateTopicsRequestTopicConfig](str, str)),
		i32, flag.since(1),
	}},
	kmsg.DeleteTopics: {flexible: 4, fields: []field{
		strs.until(5),
		listOf[kmsg.DeleteTopicsRequestTopic](str, uuid).since(6),
		i32,
	}},
	kmsg.DeleteRecords: {flexible: 2, fields: []field{
		listOf[kmsg.DeleteRecordsRequestTopic](str, listOf[kmsg.DeleteRecordsRequestTopicPartition](i32, i64)),
		i32,
	}},
	kmsg.InitProducerID: {flexible: 2, fields: []field{str, i32, i64.since(3), i16.since(3)}},
	kmsg.OffsetForLeaderEpoch: {flexible: 4, fields: []field{
		i32.since(3),
		listOf[kmsg.OffsetForLeaderEpochRequestTopic](str,
			listOf[kmsg.OffsetForLeaderEpochRequestTopicPartition](i32, i32.since(2), i32)),
	}},
	kmsg.DescribeConfigs: {flexible: 4, fields: []field{
		listOf[kmsg.DescribeConfigsRequestResource](int8s, str, strs),
		flag.since(1), flag.since(3),
	}},
	kmsg.AlterConfigs: {flexible: 2, fields: []field{
		listOf[kmsg.AlterConfigsRequestResource](int8s, str, listOf[kmsg.AlterConfigsRequestResourceConfig](str, str)),
		flag,
	}},
	kmsg.DescribeLogDirs: {flexible: 2, fields: []field{listOf[kmsg.DescribeLogDirsRequestTopic](str, i32s)}},
	kmsg.CreatePartitions: {flexible: 2, fields: []field{
		listOf[kmsg.CreatePartitionsRequestTopic](str, i32, listOf[kmsg.CreatePartitionsRequestTopicAssignment](i32s)),
		i32, flag,
	}},
	kmsg.DeleteGroups: {flexible: 2, fields: []field{strs}},
	kmsg.IncrementalAlterConfigs: {flexible: 1, fields: []field{
		listOf[kmsg.IncrementalAlterConfigsRequestResource](int8s, str,
			listOf[kmsg.IncrementalAlterConfigsRequestResourceConfig](str, int8s, str)),
		flag,
	}},
	kmsg.OffsetDelete: {flexible: forEver, fields: []field{
		str,
		listOf[kmsg.OffsetDeleteRequestTopic](str, listOf[kmsg.OffsetDeleteRequestTopicPartition](i32)),
	}},
	kmsg.DescribeCluster:  {flexible: 0, fields: []field{flag, int8s.since(1), flag.since(2)}},
	kmsg.ApiVersions:      {flexible: 3, fields: []field{str.since(3), str.since(3)}},
	kmsg.SASLHandshake:    {flexible: forEver, fields: []field{str}},
	kmsg.SASLAuthenticate: {flexible: 2, fields: []field{data}},
}
