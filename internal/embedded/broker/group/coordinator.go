package group

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/broker/journal"
)

const (
	groupKey  = "group/"
	offsetKey = "offset/"
	separator = "\x00"

	// maxText is the length of Kafka's longest string before lengths became
	// compact, in bytes: that of a group's name.
	maxText = 1<<15 - 1
	// maxProtocols is how many ways of sharing the work a member can know.
	maxProtocols = 100
	// maxMemberBytes is what a member can say of itself, and be assigned; in Kafka
	// it has to fit into a record.
	maxMemberBytes = 1 << 20

	defaultMaxMembers = 10_000
)

// Config configures a Coordinator.
type Config struct {
	// Journal keeps the offsets; the caller closes it.
	Journal *journal.Journal
	// HasPartition tells whether a partition exists.
	HasPartition func(topic string, partition int32) bool
	// End gives the offset behind a partition's last record; nil when that isn't
	// known.
	End func(topic string, partition int32) int64
	// MinSession and MaxSession bound the members' session timeouts.
	MinSession, MaxSession time.Duration
	// InitialDelay is how long an empty group waits for more members than the
	// first.
	InitialDelay time.Duration
	// MaxMembers is how many members a group can have, Kafka's group.max.size. 0
	// means 10,000.
	MaxMembers int
	// MaxMetadata is how many bytes of metadata an offset can be committed with.
	MaxMetadata int
	Logger      *slog.Logger
}

// Coordinator has all groups. Its methods may be called from any goroutine.
type Coordinator struct {
	cfg Config

	mu     sync.Mutex
	groups map[string]*group
}

// topicPartition names one partition.
type topicPartition struct {
	topic     string
	partition int32
}

// storedGroup is how the journal keeps a group.
type storedGroup struct {
	ProtocolType string `json:"protocol_type"`
	Generation   int32  `json:"generation"`
}

// storedOffset is how the journal keeps a committed offset.
type storedOffset struct {
	Offset      int64  `json:"offset"`
	LeaderEpoch int32  `json:"leader_epoch"`
	Metadata    string `json:"metadata,omitempty"`
	Committed   int64  `json:"committed"` // milliseconds
}

// New makes a coordinator with the groups of a journal. Offsets of partitions that
// don't exist, as a crash leaves them in the midst of a topic's deletion, are dropped:
// a topic that gets the name later has nothing to do with them. Those behind the end of
// their partition, which lost records with the end of the machine, are set to it: what
// comes there now nobody has read.
func New(cfg Config) (*Coordinator, error) {
	if cfg.MaxMembers == 0 {
		cfg.MaxMembers = defaultMaxMembers
	}
	c := &Coordinator{cfg: cfg, groups: map[string]*group{}}
	for key, raw := range cfg.Journal.All(groupKey) {
		var s storedGroup
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, fmt.Errorf("reading what is known of group %q: %w", key, err)
		}
		g := c.obtain(strings.TrimPrefix(key, groupKey))
		g.protocolType, g.generation = s.ProtocolType, s.Generation
	}
	var stale []journal.Change
	for key, raw := range cfg.Journal.All(offsetKey) {
		name, tp, err := parseOffsetKey(key)
		if err != nil {
			return nil, err
		}
		if !cfg.HasPartition(tp.topic, tp.partition) {
			stale = append(stale, journal.Change{Key: key})
			continue
		}
		var o storedOffset
		if err := json.Unmarshal(raw, &o); err != nil {
			return nil, fmt.Errorf("reading a committed offset of group %q: %w", name, err)
		}
		if c.cfg.End != nil {
			if end := c.cfg.End(tp.topic, tp.partition); o.Offset > end {
				cfg.Logger.Warn("broker: a group had read records that are lost; it goes on with those that come in their place",
					"group", name, "topic", tp.topic, "partition", tp.partition, "committed", o.Offset, "end", end)
				o.Offset = end
				raw, err := json.Marshal(o)
				if err != nil {
					return nil, fmt.Errorf("setting back a committed offset of group %q: %w", name, err)
				}
				stale = append(stale, journal.Change{Key: key, Value: raw})
			}
		}
		c.obtain(name).offsets[tp] = o
	}
	if err := cfg.Journal.Apply(stale...); err != nil {
		return nil, fmt.Errorf("dropping the committed offsets of partitions that don't exist, or of records that don't: %w", err)
	}
	return c, nil
}

func offsetKeyOf(group string, tp topicPartition) string {
	return fmt.Sprintf("%s%s%s%s%s%d", offsetKey, group, separator, tp.topic, separator, tp.partition)
}

func parseOffsetKey(key string) (string, topicPartition, error) {
	// A group's name may have the separator in it, a topic's can't.
	parts := strings.Split(strings.TrimPrefix(key, offsetKey), separator)
	var tp topicPartition
	n := len(parts)
	if n >= 3 {
		tp.topic = parts[n-2]
		if _, err := fmt.Sscanf(parts[n-1], "%d", &tp.partition); err == nil {
			return strings.Join(parts[:n-2], separator), tp, nil
		}
	}
	return "", tp, fmt.Errorf("%q is not the key of a committed offset", key)
}

// obtain gives a group, made when there is none.
func (c *Coordinator) obtain(name string) *group {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.groups[name]
	if g == nil {
		g = newGroup(c, name)
		c.groups[name] = g
	}
	return g
}

// lookup gives a group, nil when there is none.
func (c *Coordinator) lookup(name string) *group {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.groups[name]
}

func (c *Coordinator) all() []*group {
	c.mu.Lock()
	defer c.mu.Unlock()
	groups := make([]*group, 0, len(c.groups))
	for _, name := range slices.Sorted(maps.Keys(c.groups)) {
		groups = append(groups, c.groups[name])
	}
	return groups
}

// Committed gives the lowest offset that the groups accepted by include have
// committed for a partition; false when none has. A group that has committed something
// for the topic but nothing for the partition has read nothing of it yet.
func (c *Coordinator) Committed(topic string, partition int32, include func(group string) bool) (int64, bool) {
	lowest, found := int64(0), false
	for _, g := range c.all() {
		if !include(g.name) {
			continue
		}
		g.mu.Lock()
		o, ok := g.offsets[topicPartition{topic, partition}]
		for tp := range g.offsets {
			if ok = ok || tp.topic == topic; ok {
				break
			}
		}
		g.mu.Unlock()
		if ok && (!found || o.Offset < lowest) {
			lowest, found = o.Offset, true
		}
	}
	return lowest, found
}

// ForgetTopic drops what was committed for a topic that was deleted: all of it or, when
// there is an error, nothing.
func (c *Coordinator) ForgetTopic(topic string) error {
	var changes []journal.Change
	forgotten := map[string][]topicPartition{}
	for key := range c.cfg.Journal.All(offsetKey) {
		name, tp, err := parseOffsetKey(key)
		if err != nil {
			return err
		}
		if tp.topic == topic {
			changes = append(changes, journal.Change{Key: key})
			forgotten[name] = append(forgotten[name], tp)
		}
	}
	if err := c.cfg.Journal.Apply(changes...); err != nil {
		return err
	}
	for name, partitions := range forgotten {
		g := c.lookup(name)
		if g == nil {
			continue
		}
		g.mu.Lock()
		for _, tp := range partitions {
			delete(g.offsets, tp)
		}
		g.mu.Unlock()
	}
	return nil
}

// Housekeep forgets groups that nobody is in and that have committed nothing.
func (c *Coordinator) Housekeep() error {
	var errs []error
	for _, g := range c.all() {
		c.mu.Lock()
		g.mu.Lock()
		if g.state == empty && len(g.offsets) == 0 && len(g.pending) == 0 {
			errs = append(errs, g.die())
		}
		g.mu.Unlock()
		c.mu.Unlock()
	}
	return errors.Join(errs...)
}

// Close ends all timers. Requests that wait are ended by their contexts.
func (c *Coordinator) Close() {
	for _, g := range c.all() {
		g.mu.Lock()
		g.stopTimers()
		g.state = dead
		g.mu.Unlock()
	}
}
