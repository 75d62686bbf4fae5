package connect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The topics that keep the worker's state, named as Connect's own examples and
// Confluent's images name them.
const (
	ConfigsTopic = "connect-configs"
	OffsetsTopic = "connect-offsets"
	StatusTopic  = "connect-status"
)

// The beginnings of keys in the configs and status topics.
const (
	connectorKey       = "connector-"
	targetKey          = "target-state-"
	taskKey            = "task-"
	commitKey          = "commit-"
	connectorStatusKey = "status-connector-"
	taskStatusKey      = "status-task-"
	topicStatusKey     = "status-topic-"
	topicStatusMiddle  = ":connector-"
)

// store keeps the worker's state in three topics, in Connect's own formats.
type store struct {
	kafka  []kgo.Opt // of every client
	client *kgo.Client
	log    *slog.Logger

	mu      sync.Mutex
	offsets map[string]map[string]storedOffset // by connector and partition text
}

type storedOffset struct {
	partition map[string]any
	offset    map[string]any
}

// saved is what the topics say of a connector.
type saved struct {
	config map[string]string
	target string
	topics map[string]bool
}

func openStore(cfg Config) (*store, error) {
	client, err := kgo.NewClient(append(cfg.kafka(),
		kgo.ClientID(clientID),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.AllowAutoTopicCreation(),
		kgo.UnknownTopicRetries(unknownTopicRetries),
	)...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka: %w", err)
	}
	return &store{kafka: cfg.kafka(), client: client, log: cfg.Logger, offsets: map[string]map[string]storedOffset{}}, nil
}

func (s *store) close() { s.client.Close() }

// load makes the topics when they are missing and reads them.
func (s *store) load(ctx context.Context) (map[string]*saved, error) {
	admin := kadm.NewClient(s.client)
	policy := "compact"
	created, err := admin.CreateTopics(ctx, 1, -1, map[string]*string{"cleanup.policy": &policy}, ConfigsTopic, OffsetsTopic, StatusTopic)
	if err != nil {
		return nil, fmt.Errorf("creating the worker's topics: %w", err)
	}
	for _, topic := range created.Sorted() {
		if topic.Err != nil && !errors.Is(topic.Err, kerr.TopicAlreadyExists) {
			return nil, fmt.Errorf("creating topic %s: %w", topic.Topic, topic.Err)
		}
	}
	connectors := map[string]*saved{}
	err = s.read(ctx, admin, func(r *kgo.Record) error {
		switch r.Topic {
		case ConfigsTopic:
			return applyConfig(connectors, r)
		case OffsetsTopic:
			return s.applyOffset(r)
		default:
			return applyStatus(connectors, r)
		}
	})
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(connectors, func(_ string, c *saved) bool { return c.config == nil })
	return connectors, nil
}

// read hands all records of the topics to apply; those of one topic in order,
// configs before status.
func (s *store) read(ctx context.Context, admin *kadm.Client, apply func(*kgo.Record) error) error {
	ends, err := admin.ListEndOffsets(ctx, ConfigsTopic, OffsetsTopic, StatusTopic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("reading where the worker's topics end: %w", err)
	}
	missing := map[string]map[int32]int64{}
	from := map[string]map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset == 0 {
			return
		}
		if missing[o.Topic] == nil {
			missing[o.Topic], from[o.Topic] = map[int32]int64{}, map[int32]kgo.Offset{}
		}
		missing[o.Topic][o.Partition] = o.Offset
		from[o.Topic][o.Partition] = kgo.NewOffset().AtStart()
	})
	if len(from) == 0 {
		return nil
	}
	consumer, err := kgo.NewClient(append(slices.Clip(s.kafka),
		kgo.ClientID(clientID),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.KeepControlRecords(),
		kgo.ConsumePartitions(from),
	)...)
	if err != nil {
		return fmt.Errorf("connecting to Kafka: %w", err)
	}
	defer consumer.Close()
	for len(missing) > 0 {
		fetches := consumer.PollFetches(ctx)
		if errs := fetches.Errors(); len(errs) > 0 {
			return fmt.Errorf("reading topic %s: %w", errs[0].Topic, errs[0].Err)
		}
		for _, r := range fetches.Records() {
			if !r.Attrs.IsControl() {
				if err := apply(r); err != nil {
					s.log.Warn("connect: skipping a record that can't be read", "topic", r.Topic, "offset", r.Offset, "error", err)
				}
			}
			if r.Offset+1 >= missing[r.Topic][r.Partition] {
				delete(missing[r.Topic], r.Partition)
				if len(missing[r.Topic]) == 0 {
					delete(missing, r.Topic)
				}
			}
		}
	}
	return nil
}

func get(connectors map[string]*saved, name string) *saved {
	c := connectors[name]
	if c == nil {
		c = &saved{target: stateStarted, topics: map[string]bool{}}
		connectors[name] = c
	}
	return c
}

func applyConfig(connectors map[string]*saved, r *kgo.Record) error {
	key := string(r.Key)
	if name, ok := strings.CutPrefix(key, connectorKey); ok {
		c := get(connectors, name)
		if r.Value == nil {
			c.config, c.target = nil, stateStarted
			return nil
		}
		var value struct {
			Properties map[string]string `json:"properties"`
		}
		if err := json.Unmarshal(r.Value, &value); err != nil {
			return err
		}
		c.config = value.Properties
		return nil
	}
	if name, ok := strings.CutPrefix(key, targetKey); ok {
		c := get(connectors, name)
		if r.Value == nil {
			c.target = stateStarted
			return nil
		}
		var value struct {
			State string `json:"state"`
			V2    string `json:"state.v2"`
		}
		if err := json.Unmarshal(r.Value, &value); err != nil {
			return err
		}
		if c.target = value.V2; c.target == "" {
			c.target = value.State
		}
	}
	return nil
}

func applyStatus(connectors map[string]*saved, r *kgo.Record) error {
	rest, ok := strings.CutPrefix(string(r.Key), topicStatusKey)
	if !ok {
		return nil
	}
	topic, name, ok := strings.Cut(rest, topicStatusMiddle)
	if !ok {
		return fmt.Errorf("the key %s names no connector", r.Key)
	}
	c := get(connectors, name)
	if r.Value == nil {
		delete(c.topics, topic)
	} else {
		c.topics[topic] = true
	}
	return nil
}

func (s *store) applyOffset(r *kgo.Record) error {
	var key []json.RawMessage
	if err := json.Unmarshal(r.Key, &key); err != nil {
		return err
	}
	var name string
	if len(key) != 2 || json.Unmarshal(key[0], &name) != nil {
		return fmt.Errorf("the key %s is not a connector and a partition", r.Key)
	}
	partition, err := decodeParts(key[1])
	if err != nil {
		return err
	}
	var offset map[string]any
	if r.Value != nil {
		if offset, err = decodeParts(r.Value); err != nil {
			return err
		}
	}
	s.remember(name, partition, offset)
	return nil
}

// decodeParts reads an object; whole numbers become int64.
func decodeParts(raw []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, err
	}
	for k, v := range m {
		if n, ok := v.(json.Number); ok {
			if i, err := n.Int64(); err == nil {
				m[k] = i
			} else if m[k], err = n.Float64(); err != nil {
				return nil, fmt.Errorf("%s is not a number: %s", k, n)
			}
		}
	}
	return m, nil
}

func (s *store) remember(name string, partition, offset map[string]any) {
	text := partText(partition)
	s.mu.Lock()
	defer s.mu.Unlock()
	if offset == nil {
		delete(s.offsets[name], text)
		return
	}
	if s.offsets[name] == nil {
		s.offsets[name] = map[string]storedOffset{}
	}
	s.offsets[name][text] = storedOffset{partition, offset}
}

// partText writes a partition so that equal ones have equal text.
func partText(partition map[string]any) string {
	text, err := json.Marshal(partition)
	if err != nil {
		return fmt.Sprint(partition)
	}
	return string(text)
}

// offset looks up how far a source partition was read.
func (s *store) offset(name string, partition map[string]any) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.offsets[name][partText(partition)].offset)
}

// offsetsOf lists the source offsets of a connector.
func (s *store) offsetsOf(name string) []storedOffset {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []storedOffset{}
	for _, text := range sortedKeys(s.offsets[name]) {
		list = append(list, s.offsets[name][text])
	}
	return list
}

// produce writes records and returns when they are acknowledged, after writeTimeout
// at the latest. The client's own limit for that is no use here: it counts from a
// record's timestamp, and those of connectors' records are as old as what they tell.
func (s *store) produce(ctx context.Context, records ...*kgo.Record) error {
	limited, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := s.client.ProduceSync(limited, records...).FirstErr()
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return fmt.Errorf("no acknowledgement of Kafka within %s: %w", writeTimeout, err)
	}
	return err
}

// deliver writes records of a task and returns when they are acknowledged, or ctx ends:
// as with the real worker, a Kafka that takes nothing for a while holds a task up and
// does not fail it, since nobody would start it again.
func (s *store) deliver(ctx context.Context, connector string, records ...*kgo.Record) error {
	late := time.AfterFunc(writeTimeout, func() {
		s.log.Warn("connect: Kafka does not take records, waiting", "connector", connector, "for", writeTimeout)
	})
	defer late.Stop()
	return s.client.ProduceSync(ctx, records...).FirstErr()
}

// saveOffsets writes source offsets and returns when they are acknowledged.
func (s *store) saveOffsets(ctx context.Context, name string, list []storedOffset) error {
	records := make([]*kgo.Record, len(list))
	for i, o := range list {
		key, err := json.Marshal([]any{name, o.partition})
		if err != nil {
			return fmt.Errorf("writing an offset: %w", err)
		}
		records[i] = &kgo.Record{Topic: OffsetsTopic, Key: key}
		if o.offset != nil {
			if records[i].Value, err = json.Marshal(o.offset); err != nil {
				return fmt.Errorf("writing an offset: %w", err)
			}
		}
	}
	if err := s.produce(ctx, records...); err != nil {
		return fmt.Errorf("writing to topic %s: %w", OffsetsTopic, err)
	}
	for _, o := range list {
		s.remember(name, o.partition, o.offset)
	}
	return nil
}

// write appends records to the configs topic and returns when they are
// acknowledged. A nil value is a tombstone.
func (s *store) write(ctx context.Context, entries ...entry) error {
	records := make([]*kgo.Record, len(entries))
	for i, e := range entries {
		records[i] = &kgo.Record{Topic: ConfigsTopic, Key: []byte(e.key)}
		if e.value != nil {
			value, err := json.Marshal(e.value)
			if err != nil {
				return fmt.Errorf("writing %s: %w", e.key, err)
			}
			records[i].Value = value
		}
	}
	if err := s.produce(ctx, records...); err != nil {
		return fmt.Errorf("writing to topic %s: %w", ConfigsTopic, err)
	}
	return nil
}

type entry struct {
	key   string
	value any
}

func configEntry(name string, config map[string]string) entry {
	return entry{connectorKey + name, map[string]any{"properties": config}}
}

func targetEntry(name, target string) entry {
	if target == stateStopped {
		// Older workers know no STOPPED and take this for PAUSED.
		return entry{targetKey + name, map[string]any{"state": statePaused, "state.v2": target}}
	}
	return entry{targetKey + name, map[string]any{"state": target, "state.v2": target}}
}

// tell appends a record to the status topic without waiting: the state there is
// for others to read, the worker itself begins anew.
func (s *store) tell(key string, value any) {
	r := &kgo.Record{Topic: StatusTopic, Key: []byte(key)}
	if value != nil {
		raw, err := json.Marshal(value)
		if err != nil {
			s.log.Warn("connect: writing a status", "key", key, "error", err)
			return
		}
		r.Value = raw
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	s.client.Produce(ctx, r, func(r *kgo.Record, err error) {
		cancel()
		if err != nil && !errors.Is(err, kgo.ErrClientClosed) {
			s.log.Warn("connect: writing a status", "key", key, "error", err)
		}
	})
}

// flush waits for what was told, a moment at most.
func (s *store) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := s.client.Flush(ctx); err != nil {
		s.log.Warn("connect: some statuses were not written", "error", err)
	}
}

func topicEntry(name, topic string, task int, now time.Time) (string, any) {
	return topicStatusKey + topic + topicStatusMiddle + name,
		map[string]any{"topic": map[string]any{"name": topic, "connector": name, "task": task, "discoverTimestamp": now.UnixMilli()}}
}
