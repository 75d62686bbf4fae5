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

// positions are the offsets that a query has committed, by topic.
func (e *Engine) positions(ctx context.Context, c *catalog.Catalog, q *catalog.Query) (map[string][]partitionOffset, error) {
	commits, err := e.commits(ctx, c, q)
	if err != nil {
		return nil, err
	}
	found := map[string][]partitionOffset{}
	for _, task := range commits {
		for _, o := range task.offsets {
			found[o.topic] = append(found[o.topic], o.partitionOffset)
		}
	}
	for _, list := range found {
		slices.SortFunc(list, func(a, b partitionOffset) int { return cmp.Compare(a.Partition, b.Partition) })
	}
	return found, nil
}

// taskCommit says how far a task has read by its last commit.
type taskCommit struct {
	sub       int
	partition int32
	offsets   []topicOffset // in order of the topics
}

type topicOffset struct {
	topic string
	partitionOffset
}

// commits are the last commits of a query's tasks, beside the beginnings and ends
// of the partitions.
func (e *Engine) commits(ctx context.Context, c *catalog.Catalog, q *catalog.Query) ([]taskCommit, error) {
	topology, err := e.topology(ctx, c, q)
	if err != nil {
		return nil, nil //nolint:nilerr // a query that can't be built has read nothing, which its state shows
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
	var list []taskCommit
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
			task := taskCommit{sub: sub.ID, partition: p}
			for _, topic := range slices.Sorted(maps.Keys(last.Positions)) {
				start, _ := starts.Lookup(topic, p)
				end, _ := ends.Lookup(topic, p)
				task.offsets = append(task.offsets, topicOffset{topic, partitionOffset{p, start.Offset, end.Offset, last.Positions[topic]}})
			}
			list = append(list, task)
		}
	}
	return list, nil
}
