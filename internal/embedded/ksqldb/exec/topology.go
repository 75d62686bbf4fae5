// Package exec runs queries: operators that take one record after the other and
// give the records that follow from it.
//
// A Topology is one query. It is cut into sub-topologies where rows travel
// through an internal topic to the task of their new key; each sub-topology has
// one Task per partition. A task is a pure step function over (state, record):
// no clock, no goroutine, no network, no randomness, and nothing in its outputs
// depends on the order of a Go map. The server's runtime, the conformance runner
// and a simulator drive the same tasks.
//
// Invariants: a task is used by one goroutine at a time; everything that it
// must remember between records lies in its stores once Flush has returned, so
// a task made anew over saved stores goes on exactly as the old one would have;
// a record that can't be read or computed is reported and skipped, and never
// stops the task.
package exec

import (
	"errors"
	"fmt"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Topology is one query, ready to run. It is immutable and may be shared.
type Topology struct {
	// Subs are the sub-topologies; Subs[i].ID is i.
	Subs []*SubTopology
	// Operators are the steps of the query, its end first; their positions here
	// are those in the counts of Metrics.
	Operators []Operator
	// Internal are the topics between the sub-topologies, in the order in which
	// they have to be created.
	Internal []InternalTopic
	// Materialization describes the query's table for pull queries; nil when
	// the query keeps none.
	Materialization *Materialization
	// Schema is the shape of the result rows.
	Schema *types.Schema
	// Windowed is the kind of window that the keys of the result carry.
	Windowed types.WindowKind
	// Changelog reports whether the result is a table.
	Changelog bool
	// Limit is the LIMIT of a transient query, to be enforced over all tasks by
	// who takes the rows; nil without one.
	Limit *int
}

// SubTopology is a part of a query whose operators pass rows directly to each
// other.
type SubTopology struct {
	// ID is the position in Topology.Subs; with the partition it names a task.
	ID int
	// Sources are the topics it reads. A topic occurs once.
	Sources []Source
	// Stores are the stores that its tasks ask for.
	Stores []StoreInfo
	// Writes are the topics that its tasks write to, internal ones included.
	Writes []string
	// CoPartitioned are groups of its source topics that are read by key
	// together and so must have equal numbers of partitions.
	CoPartitioned [][]string

	terminals []wire
	operators int // of the whole topology
}

// Source is a topic that a sub-topology reads.
type Source struct {
	Topic string
	// Table reports that the topic is read as a changelog. Where it is read
	// both as a stream and as a table, it is true.
	Table bool
	// Window is the kind of window that the topic's keys carry.
	Window types.WindowKind
	// Internal is true for the topics of Topology.Internal.
	Internal bool
	// Offsets is where a new query begins: "earliest", "latest" or "" for the
	// default of the query's properties.
	Offsets string
}

// StoreInfo is a store of a sub-topology's tasks.
type StoreInfo struct {
	Name string
	// Retention is how many milliseconds of stream time its rows live; 0 means
	// for ever. Tasks delete what is older themselves.
	Retention int64
}

// InternalTopic is a topic between two sub-topologies.
type InternalTopic struct {
	// Name is the whole topic name, application id included.
	Name string
	// Writers and Readers are the sub-topologies on both ends.
	Writers []int
	Readers []int
}

// TaskEnv is what a task gets from who runs it. Emit and Stores are required.
type TaskEnv struct {
	// Partition is the partition of all source topics that the task reads.
	Partition int32
	// Stores are the task's stores.
	Stores state.Stores
	// Emit takes a record to be written. The byte slices of o are valid until
	// Emit returns; Headers may be kept.
	Emit func(o Output)
	// Row takes a row of a transient query's result. The row and its slices are
	// valid until Row returns, its values may be kept.
	Row func(r *types.Row)
	// Problem takes what is written to the processing log.
	Problem func(p ProcessingError)
	// Metrics counts; nil for none.
	Metrics *Metrics
}

// InRecord is a record of a source topic.
type InRecord struct {
	Topic     string
	Partition int32
	Offset    int64
	// Key and Value are nil where the record's are null. They must stay
	// unchanged while Process runs.
	Key   []byte
	Value []byte
	// Time is the record's timestamp in epoch milliseconds.
	Time    int64
	Headers []types.Header
}

// Output is a record to be written.
type Output struct {
	Topic string
	// Key and Value are nil for null.
	Key   []byte
	Value []byte
	// PartitionKey are the bytes that decide the partition: the key without its
	// window, or the key of another column for the internal topics of joins. A
	// nil one leaves the choice to the writer, as for any record without key.
	PartitionKey []byte
	// Partition is the partition to write to, or -1 to go by PartitionKey.
	Partition int32
	// Time is the record's timestamp in epoch milliseconds.
	Time    int64
	Headers []types.Header
	// Internal is true for records of internal topics.
	Internal bool
}

// NewTask makes the task of one partition. The error says which store could not
// be opened or read.
func (s *SubTopology) NewTask(env TaskEnv) (*Task, error) {
	if env.Problem == nil {
		env.Problem = func(ProcessingError) {}
	}
	if env.Row == nil {
		env.Row = func(*types.Row) {}
	}
	if env.Metrics == nil {
		env.Metrics = &Metrics{}
	}
	t := &Task{env: env, sources: make(map[string][]reader, len(s.Sources)), counts: make([]OperatorCounts, s.operators)}
	env.Metrics.begin(s.operators)
	t.nested = func(step string, err error) { t.problem(RecordError, step, "", err.Error(), errors.Unwrap(err)) }
	for _, w := range s.terminals {
		if err := w(t, nil); err != nil {
			return nil, fmt.Errorf("making the task of sub-topology %d, partition %d: %w", s.ID, env.Partition, err)
		}
	}
	return t, nil
}

// Task runs a sub-topology for one partition.
type Task struct {
	env     TaskEnv
	sources map[string][]reader
	flush   []func() error
	counts  []OperatorCounts
	current int      // the operator at work
	wiring  int      // the operator being made
	rec     InRecord // that is being processed
	nested  func(step string, err error)
}

// Process takes one record and emits everything that follows from it before it
// returns. A record that can't be read or computed is a Problem and no error;
// an error means that the task can't go on: a store failed or a result could
// not be written in its format.
func (t *Task) Process(rec InRecord) error {
	ops := t.sources[rec.Topic]
	if len(ops) == 0 {
		return fmt.Errorf("processing offset %d of partition %d of topic %s: this task doesn't read the topic", rec.Offset, rec.Partition, rec.Topic)
	}
	t.env.Metrics.RecordsIn.Add(1)
	t.rec = rec
	for _, op := range ops {
		t.current = op.operator
		t.counts[op.operator].In++
		if err := op.read(&t.rec); err != nil {
			return fmt.Errorf("processing offset %d of partition %d of topic %s: %w", rec.Offset, rec.Partition, rec.Topic, err)
		}
	}
	t.rec = InRecord{}
	return nil
}

// Flush writes to the stores what operators keep in memory, such as stream
// times, and brings the operators' counts in Metrics up to date. It has to be called before the stores are committed.
func (t *Task) Flush() error {
	for _, f := range t.flush {
		if err := f(); err != nil {
			return fmt.Errorf("flushing a task: %w", err)
		}
	}
	t.env.Metrics.publish(t.counts)
	return nil
}

// PartitionCounts gives the number of partitions of every internal topic from
// those of the source topics, as Kafka Streams does: the number of the topics
// it has to match, or else the largest number among the topics its rows come
// from. An internal topic that exists keeps its number, given in present like
// those of the source topics. The error names topics that must match and don't.
func (t *Topology) PartitionCounts(present map[string]int32) (map[string]int32, error) {
	counts := map[string]int32{}
	for _, in := range t.Internal {
		if n := present[in.Name]; n > 0 {
			counts[in.Name] = n
		}
	}
	of := func(topic string) int32 {
		if n, ok := counts[topic]; ok {
			return n
		}
		return present[topic]
	}
	for range len(t.Internal) + 1 {
		for _, in := range t.Internal {
			if present[in.Name] > 0 {
				continue
			}
			if n := t.internalCount(in, of); n > counts[in.Name] {
				counts[in.Name] = n
			}
		}
	}
	for _, sub := range t.Subs {
		for _, group := range sub.CoPartitioned {
			for _, topic := range group[1:] {
				if a, b := of(group[0]), of(topic); a != b {
					return nil, fmt.Errorf("topic %s has %d partitions and topic %s has %d: topics that are joined need equal numbers of partitions%s",
						group[0], a, topic, b, t.adviceOn(group[0], topic))
				}
			}
		}
	}
	return counts, nil
}

// adviceOn says what helps where one of two topics is internal: it was made when
// its sources had another number of partitions.
func (t *Topology) adviceOn(topics ...string) string {
	if !slices.ContainsFunc(topics, t.isInternal) {
		return ""
	}
	return "; partitions were added to a source after the query began: drop the query and create it again"
}

func (t *Topology) internalCount(in InternalTopic, of func(string) int32) int32 {
	var n int32
	for _, id := range in.Readers {
		for _, group := range t.Subs[id].CoPartitioned {
			if !slices.Contains(group, in.Name) {
				continue
			}
			for _, topic := range group {
				if !t.isInternal(topic) {
					return of(topic)
				}
				n = max(n, of(topic))
			}
		}
	}
	for _, id := range in.Writers {
		for _, src := range t.Subs[id].Sources {
			if src.Topic != in.Name {
				n = max(n, of(src.Topic))
			}
		}
	}
	return n
}

func (t *Topology) isInternal(topic string) bool {
	return slices.ContainsFunc(t.Internal, func(in InternalTopic) bool { return in.Name == topic })
}
