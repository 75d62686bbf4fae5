package broker

import (
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// installRefusals has the cluster refuse what it can't keep its promises for:
// transactions, whose records can be lost by a kill -9, and changes of broker
// settings, which could set compaction and retention going.
func installRefusals(cluster *kfake.Cluster, log *slog.Logger) {
	cluster.Fault(
		kfake.Fault{
			Keys:  []kmsg.Key{kmsg.InitProducerID},
			Err:   kerr.TransactionalIDAuthorizationFailed,
			Count: -1,
			When: func(req kmsg.Request) bool {
				id := req.(*kmsg.InitProducerIDRequest).TransactionalID
				if id == nil {
					return false
				}
				log.Warn("broker: refusing a transactional producer: the embedded broker has no transactions; use a real Kafka for them", "transactional_id", *id)
				return true
			},
		},
		kfake.Fault{
			Keys:  []kmsg.Key{kmsg.AlterConfigs, kmsg.IncrementalAlterConfigs},
			Err:   kerr.PolicyViolation,
			Count: -1,
			When:  altersBroker,
		},
	)
}

func altersBroker(req kmsg.Request) bool {
	switch req := req.(type) {
	case *kmsg.AlterConfigsRequest:
		for _, r := range req.Resources {
			if r.ResourceType == kmsg.ConfigResourceTypeBroker {
				return true
			}
		}
	case *kmsg.IncrementalAlterConfigsRequest:
		for _, r := range req.Resources {
			if r.ResourceType == kmsg.ConfigResourceTypeBroker {
				return true
			}
		}
	}
	return false
}
