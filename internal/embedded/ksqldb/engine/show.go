package engine

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/runtime"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// hiddenTopics are left out of SHOW TOPICS, ksqlDB's default of
// ksql.hidden.topics.
const hiddenTopics = "_confluent.*,__confluent.*,_schemas,__consumer_offsets,__transaction_state,connect-configs,connect-offsets,connect-status,connect-statuses"

type sourceEntry struct {
	Type        string `json:"type"`
	Name        string `json:"name"`
	Topic       string `json:"topic"`
	KeyFormat   string `json:"keyFormat"`
	ValueFormat string `json:"valueFormat"`
	IsWindowed  bool   `json:"isWindowed"`
}

func (e *Engine) sourcesOf(kind ast.SourceKind) []*catalog.Source {
	return slices.DeleteFunc(e.Catalog().Sources(), func(s *catalog.Source) bool { return s.Kind != kind })
}

func (e *Engine) showSources(ctx context.Context, text string, kind ast.SourceKind, extended bool) (any, error) {
	if extended {
		return e.describeSources(ctx, text, kind, true)
	}
	list := []sourceEntry{}
	for _, s := range e.sourcesOf(kind) {
		list = append(list, sourceEntry{
			kind.String(), s.Name, s.Topic.Name, keyFormat(s), s.Topic.Value.Name, s.Topic.Window != types.NoWindow,
		})
	}
	if kind == ast.Stream {
		return struct {
			head
			Streams  []sourceEntry `json:"streams"`
			Warnings []Warning     `json:"warnings"`
		}{head{"streams", text}, list, []Warning{}}, nil
	}
	return struct {
		head
		Tables   []sourceEntry `json:"tables"`
		Warnings []Warning     `json:"warnings"`
	}{head{"tables", text}, list, []Warning{}}, nil
}

// keyFormat is the format of a source's keys as ksqlDB shows it: also one without
// key columns has the format that it was declared with.
func keyFormat(s *catalog.Source) string {
	if s.Topic.Key.Name == format.None && len(s.Schema.Key) == 0 && strings.Contains(s.SQL, "KEY_FORMAT='"+format.Kafka+"'") {
		return format.Kafka
	}
	return s.Topic.Key.Name
}

type topicEntry struct {
	Name     string `json:"name"`
	Replicas []int  `json:"replicaInfo"`
}

type extendedTopicEntry struct {
	topicEntry
	Consumers int `json:"consumerCount"`
	Groups    int `json:"consumerGroupCount"`
}

func (e *Engine) showTopics(ctx context.Context, s *ast.ShowTopics) (any, error) {
	details, err := e.listTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the topics: %w", err)
	}
	list := []topicEntry{}
	for _, name := range slices.Sorted(maps.Keys(details)) {
		if !s.All && e.hidden.MatchString(name) {
			continue
		}
		entry := topicEntry{Name: name, Replicas: []int{}}
		for _, p := range details[name].Partitions.Sorted() {
			entry.Replicas = append(entry.Replicas, len(p.Replicas))
		}
		list = append(list, entry)
	}
	if !s.Extended {
		return struct {
			head
			Topics   []topicEntry `json:"topics"`
			Warnings []Warning    `json:"warnings"`
		}{head{"kafka_topics", s.Text()}, list, []Warning{}}, nil
	}
	consumers, groups, err := e.consumers(ctx)
	if err != nil {
		return nil, err
	}
	extended := []extendedTopicEntry{}
	for _, t := range list {
		extended = append(extended, extendedTopicEntry{t, consumers[t.Name], groups[t.Name]})
	}
	return struct {
		head
		Topics   []extendedTopicEntry `json:"topics"`
		Warnings []Warning            `json:"warnings"`
	}{head{"kafka_topics_extended", s.Text()}, extended, []Warning{}}, nil
}

// hiddenPattern matches the topics that belong to servers.
func hiddenPattern(properties map[string]string) (*regexp.Regexp, error) {
	list := hiddenTopics
	if v, ok := properties["ksql.hidden.topics"]; ok {
		list = v
	}
	pattern, err := regexp.Compile("^(?:" + strings.ReplaceAll(list, ",", "|") + ")$")
	if err != nil {
		return nil, fmt.Errorf("reading ksql.hidden.topics: %w", err)
	}
	return pattern, nil
}

// consumers counts the consumers that read each topic, and their groups.
func (e *Engine) consumers(ctx context.Context) (consumers, groups map[string]int, err error) {
	described, err := e.admin.DescribeGroups(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("asking for the consumer groups: %w", err)
	}
	consumers, groups = map[string]int{}, map[string]int{}
	for _, g := range described.Sorted() {
		in := map[string]bool{}
		for _, m := range g.Members {
			assigned, ok := m.Assigned.AsConsumer()
			if !ok {
				continue
			}
			for _, t := range assigned.Topics {
				consumers[t.Topic] += len(t.Partitions)
				in[t.Topic] = true
			}
		}
		for topic := range in {
			groups[topic]++
		}
	}
	return consumers, groups, nil
}

type queryEntry struct {
	QueryString string         `json:"queryString"`
	Sinks       []string       `json:"sinks"`
	SinkTopics  []string       `json:"sinkKafkaTopics"`
	ID          string         `json:"id"`
	StatusCount map[string]int `json:"statusCount"`
	QueryType   string         `json:"queryType"`
	State       string         `json:"state"`
}

func (e *Engine) queryEntry(c *catalog.Catalog, q *catalog.Query) queryEntry {
	state := e.queryState(q.ID)
	entry := queryEntry{
		QueryString: q.SQL, Sinks: []string{}, SinkTopics: []string{}, ID: q.ID,
		StatusCount: map[string]int{state: 1}, QueryType: "PERSISTENT", State: streamsState(state),
	}
	if sink, ok := c.Source(q.Sink); ok && q.Kind != catalog.Materialization {
		entry.Sinks, entry.SinkTopics = []string{sink.Name}, []string{sink.Topic.Name}
	}
	return entry
}

// streamsState is a query's state as Kafka Streams has it, which goes on running
// while it is paused.
func streamsState(state string) string {
	if state == runtime.Paused {
		return runtime.Running
	}
	return state
}

func (e *Engine) queryState(id string) string {
	status, err := e.runtime.Status(id)
	if err != nil {
		return runtime.Errored
	}
	return status.State
}

func (e *Engine) showQueries(ctx context.Context, s *ast.ShowQueries) (any, error) {
	c := e.Catalog()
	if s.Extended {
		list := []queryDescription{}
		for _, q := range c.Queries() {
			d, err := e.queryDescription(ctx, c, q)
			if err != nil {
				return nil, err
			}
			list = append(list, d)
		}
		return struct {
			head
			Queries  []queryDescription `json:"queryDescriptions"`
			Warnings []Warning          `json:"warnings"`
		}{head{"query_descriptions", s.Text()}, list, []Warning{}}, nil
	}
	list := []queryEntry{}
	for _, q := range c.Queries() {
		list = append(list, e.queryEntry(c, q))
	}
	for _, q := range e.push.list() {
		list = append(list, queryEntry{
			QueryString: q.text, Sinks: []string{}, SinkTopics: []string{}, ID: q.ID,
			StatusCount: map[string]int{runtime.Running: 1}, QueryType: "PUSH", State: runtime.Running,
		})
	}
	return struct {
		head
		Queries  []queryEntry `json:"queries"`
		Warnings []Warning    `json:"warnings"`
	}{head{"queries", s.Text()}, list, []Warning{}}, nil
}

func (e *Engine) showTypes(text string) any {
	c := e.Catalog()
	list := map[string]fieldSchema{}
	for _, name := range c.TypeNames() {
		if t, ok := c.Type(name); ok {
			list[name] = schemaOf(t)
		}
	}
	return struct {
		head
		Types    map[string]fieldSchema `json:"types"`
		Warnings []Warning              `json:"warnings"`
	}{head{"type_list", text}, list, []Warning{}}
}

func showVariables(text string, sess *session) any {
	type variable struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	list := []variable{}
	for _, name := range slices.Sorted(maps.Keys(sess.variables)) {
		list = append(list, variable{name, sess.variables[name]})
	}
	return struct {
		head
		Variables []variable `json:"variables"`
		Warnings  []Warning  `json:"warnings"`
	}{head{"variables", text}, list, []Warning{}}
}

// topicPartitions tells how many partitions and replicas a topic has; both are 0
// where there is no such topic.
func topicPartitions(details kadm.TopicDetails, topic string) (partitions, replicas int) {
	d, ok := details[topic]
	if !ok || d.Err != nil {
		return 0, 0
	}
	for _, p := range d.Partitions {
		replicas = len(p.Replicas)
	}
	return len(d.Partitions), replicas
}
