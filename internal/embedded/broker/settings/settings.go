// Package settings knows the settings of topics and of the broker: their names,
// types, defaults and rules, as Kafka 3.9 has them.
//
// Invariant: a setting that is accepted is either honoured, or is one that can't
// make a difference on a single broker (such as replication throttles); values
// that would have to be honoured and aren't are refused.
package settings

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderflow/orderflow/internal/embedded/broker/commitlog"
	"github.com/orderflow/orderflow/internal/embedded/broker/refusal"
)

// Type is the type of a setting, with the numbers of the protocol.
type Type int8

// The types that settings have.
const (
	Boolean Type = 1
	String  Type = 2
	Int     Type = 3
	Long    Type = 5
	Double  Type = 6
	List    Type = 7
)

// Names of topic settings that the broker looks at.
const (
	CleanupPolicy    = "cleanup.policy"
	CompressionType  = "compression.type"
	DeleteRetention  = "delete.retention.ms"
	MaxMessageBytes  = "max.message.bytes"
	MinDirtyRatio    = "min.cleanable.dirty.ratio"
	MinCompactionLag = "min.compaction.lag.ms"
	MaxCompactionLag = "max.compaction.lag.ms"
	RetentionBytes   = "retention.bytes"
	RetentionMs      = "retention.ms"
	SegmentBytes     = "segment.bytes"
	SegmentMs        = "segment.ms"
	TimestampAfter   = "message.timestamp.after.max.ms"
	TimestampBefore  = "message.timestamp.before.max.ms"
	TimestampType    = "message.timestamp.type"
)

// MaxValueBytes is how long a value can be: as long as Kafka's strings were before
// their lengths became compact.
const MaxValueBytes = 1<<15 - 1

const forever = "9223372036854775807"

// Definition describes one setting.
type Definition struct {
	Name    string
	Type    Type
	Default string
	// Broker is the broker setting that gives a topic its default, if any.
	Broker string
	// check gives what is wrong with a value, in Kafka's words; "" when nothing is.
	check func(value string) string
}

var topicDefinitions = []Definition{
	{CleanupPolicy, List, "delete", "log.cleanup.policy", listOf("compact", "delete")},
	{CompressionType, String, "producer", "compression.type", oneOf("producer")},
	{DeleteRetention, Long, "86400000", "log.cleaner.delete.retention.ms", atLeast(0)},
	{"file.delete.delay.ms", Long, "60000", "log.segment.delete.delay.ms", atLeast(0)},
	{"flush.messages", Long, forever, "log.flush.interval.messages", atLeast(1)},
	{"flush.ms", Long, forever, "log.flush.interval.ms", atLeast(0)},
	{"follower.replication.throttled.replicas", List, "", "", nil},
	{"index.interval.bytes", Int, "4096", "log.index.interval.bytes", atLeast(0)},
	{"leader.replication.throttled.replicas", List, "", "", nil},
	{MaxCompactionLag, Long, forever, "log.cleaner.max.compaction.lag.ms", atLeast(1)},
	{MaxMessageBytes, Int, "1048588", "message.max.bytes", atLeast(0)},
	{TimestampAfter, Long, forever, "log.message.timestamp.after.max.ms", atLeast(0)},
	{TimestampBefore, Long, forever, "log.message.timestamp.before.max.ms", atLeast(0)},
	{TimestampType, String, "CreateTime", "log.message.timestamp.type", oneOf("CreateTime", "LogAppendTime")},
	{MinDirtyRatio, Double, "0.5", "log.cleaner.min.cleanable.ratio", ratio},
	{MinCompactionLag, Long, "0", "log.cleaner.min.compaction.lag.ms", atLeast(0)},
	{"min.insync.replicas", Int, "1", "min.insync.replicas", atLeast(1)},
	{"preallocate", Boolean, "false", "log.preallocate", oneOf("false")},
	{"remote.storage.enable", Boolean, "false", "", oneOf("false")},
	{RetentionBytes, Long, "-1", "log.retention.bytes", atLeast(-1)},
	{RetentionMs, Long, "604800000", "log.retention.ms", atLeast(-1)},
	{SegmentBytes, Int, "1073741824", "log.segment.bytes", atLeast(14)},
	{"segment.index.bytes", Int, "10485760", "log.index.size.max.bytes", atLeast(4)},
	{"segment.jitter.ms", Long, "0", "log.roll.jitter.ms", atLeast(0)},
	{SegmentMs, Long, "604800000", "log.roll.ms", atLeast(1)},
	{"unclean.leader.election.enable", Boolean, "false", "unclean.leader.election.enable", oneOf("true", "false")},
}

var byName = func() map[string]Definition {
	m := map[string]Definition{}
	for _, d := range topicDefinitions {
		m[d.Name] = d
	}
	return m
}()

// Topic gives the definitions of all topic settings, by name.
func Topic() []Definition { return slices.Clone(topicDefinitions) }

// Lookup gives the definition of a topic setting.
func Lookup(name string) (Definition, bool) {
	d, ok := byName[name]
	return d, ok
}

func atLeast(least int64) func(string) string {
	return func(value string) string {
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n < least {
			return fmt.Sprintf("Value must be at least %d", least)
		}
		return ""
	}
}

func oneOf(values ...string) func(string) string {
	return func(value string) string {
		if !slices.Contains(values, value) {
			return "String must be one of: " + strings.Join(values, ", ")
		}
		return ""
	}
}

func listOf(values ...string) func(string) string {
	return func(value string) string {
		for item := range strings.SplitSeq(value, ",") {
			if !slices.Contains(values, strings.TrimSpace(item)) {
				return "String must be one of: " + strings.Join(values, ", ")
			}
		}
		return ""
	}
}

func ratio(value string) string {
	if f, err := strconv.ParseFloat(value, 64); err == nil && !(f >= 0 && f <= 1) { // NaN included
		return "Value must be between 0 and 1"
	}
	return ""
}

// Check reports what is wrong with a value, in Kafka's words; the error wraps
// kerr.InvalidConfig.
func (d Definition) Check(value string) error {
	wrong := func(reason string) error {
		return refusal.New(kerr.InvalidConfig, "Invalid value %s for configuration %s: %s", value, d.Name, reason)
	}
	if len(value) > MaxValueBytes {
		return refusal.New(kerr.InvalidConfig, "Invalid value for configuration %s: it has %d bytes, %d are allowed", d.Name, len(value), MaxValueBytes)
	}
	switch d.Type {
	case Int:
		if _, err := strconv.ParseInt(value, 10, 32); err != nil {
			return wrong("Not a number of type INT")
		}
	case Long:
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return wrong("Not a number of type LONG")
		}
	case Double:
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			return wrong("Not a number of type DOUBLE")
		}
	case Boolean:
		if value != "true" && value != "false" {
			return wrong("Expected value to be either true or false")
		}
	}
	if d.check != nil {
		if reason := d.check(value); reason != "" {
			return wrong(reason)
		}
	}
	return nil
}

// Check reports what is wrong with the settings of a topic; the error wraps
// kerr.InvalidConfig.
func Check(values map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		d, ok := byName[name]
		if !ok {
			return refusal.New(kerr.InvalidConfig, "Unknown topic config name: %s", name)
		}
		if err := d.Check(values[name]); err != nil {
			return err
		}
	}
	return nil
}

// Values are the settings of a topic that differ from the defaults. They have
// been checked.
type Values map[string]string

// Get gives a setting's value, the default when it isn't set.
func (v Values) Get(name string) string {
	if value, ok := v[name]; ok {
		return value
	}
	return byName[name].Default
}

func (v Values) number(name string) int64 {
	n, _ := strconv.ParseInt(v.Get(name), 10, 64) // checked when it was set
	return n
}

func (v Values) duration(name string) time.Duration { return milliseconds(v.number(name)) }

func milliseconds(n int64) time.Duration {
	if n > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(n) * time.Millisecond
}

func (v Values) policy(name string) bool {
	for item := range strings.SplitSeq(v.Get(CleanupPolicy), ",") {
		if strings.TrimSpace(item) == name {
			return true
		}
	}
	return false
}

// Compacted reports whether only the newest record of a key need be kept.
func (v Values) Compacted() bool { return v.policy("compact") }

// Deleted reports whether old records may be removed.
func (v Values) Deleted() bool { return v.policy("delete") }

// Retention gives how long and how much of a topic is kept.
func (v Values) Retention() (age time.Duration, bytes int64) {
	return v.duration(RetentionMs), v.number(RetentionBytes)
}

// Compaction gives what compaction may remove.
func (v Values) Compaction() commitlog.Compaction {
	dirty, _ := strconv.ParseFloat(v.Get(MinDirtyRatio), 64) // checked when it was set
	return commitlog.Compaction{
		DirtyRatio: dirty, MinLag: v.duration(MinCompactionLag),
		DeleteRetention: v.duration(DeleteRetention), SegmentBytes: v.number(SegmentBytes),
	}
}

// Log gives what the topic's logs need to know.
func (v Values) Log() *commitlog.Settings {
	return &commitlog.Settings{
		SegmentBytes:  v.number(SegmentBytes),
		SegmentAge:    v.duration(SegmentMs),
		MaxBatchBytes: int(v.number(MaxMessageBytes)),
		AppendTime:    v.Get(TimestampType) == "LogAppendTime",
		Keys:          v.Compacted(),
		MaxBehind:     v.duration(TimestampBefore),
		MaxAhead:      v.duration(TimestampAfter),
	}
}
