package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
)

// offsetSummary says how far a query has read its topics.
type offsetSummary struct {
	Group  string         `json:"groupId"`
	Topics []topicSummary `json:"topicSummaries"`
}

type topicSummary struct {
	Topic   string            `json:"kafkaTopic"`
	Offsets []partitionOffset `json:"offsets"`
}

type partitionOffset struct {
	Partition int32 `json:"partition"`
	Start     int64 `json:"logStartOffset"`
	End       int64 `json:"logEndOffset"`
	Consumer  int64 `json:"consumerOffset"`
}

// offsetSummaries tell how far the queries that write a source have read, by
// their last commits.
func (e *Engine) offsetSummaries(ctx context.Context, c *catalog.Catalog, source string) ([]offsetSummary, error) {
	list := []offsetSummary{}
	for _, q := range c.Queries() {
		if q.Sink != source || q.Kind == catalog.Materialization {
			continue
		}
		positions, err := e.positions(ctx, c, q)
		if err != nil {
			return nil, fmt.Errorf("asking how far query %s has read: %w", q.ID, err)
		}
		if len(positions) == 0 {
			continue
		}
		summary := offsetSummary{Group: e.applicationID(q.ID), Topics: []topicSummary{}}
		for _, topic := range slices.Sorted(maps.Keys(positions)) {
			summary.Topics = append(summary.Topics, topicSummary{topic, positions[topic]})
		}
		list = append(list, summary)
	}
	return list, nil
}

// positions are the offsets that a query has committed, by topic, beside the
// beginnings and ends of the partitions.
func (e *Engine) positions(ctx context.Context, c *catalog.Catalog, q *catalog.Query) (map[string][]partitionOffset, error) {
	topology, err := e.topology(ctx, c, q)
	if err != nil {
		return nil, err
	}
	var topics []string
	for _, sub := range topology.Subs {
		for _, src := range sub.Sources {
			topics = append(topics, src.Topic)
		}
	}
	starts, err := e.admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	ends, err := e.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	found := map[string][]partitionOffset{}
	for _, sub := range topology.Subs {
		partitions := 0
		for _, src := range sub.Sources {
			partitions = max(partitions, len(ends[src.Topic]))
		}
		for p := range int32(partitions) {
			last, err := e.state.LastCommit(state.TaskID{Query: q.ID, Sub: sub.ID, Partition: p})
			if err != nil {
				return nil, err
			}
			if last == nil {
				continue
			}
			for topic, position := range last.Positions {
				start, _ := starts.Lookup(topic, p)
				end, _ := ends.Lookup(topic, p)
				found[topic] = append(found[topic], partitionOffset{p, start.Offset, end.Offset, position})
			}
		}
	}
	for _, list := range found {
		slices.SortFunc(list, func(a, b partitionOffset) int { return cmp.Compare(a.Partition, b.Partition) })
	}
	return found, nil
}
