package analyze

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
)

// Config is what analysis needs of the settings in force.
type Config struct {
	// DefaultKeyFormat and DefaultValueFormat apply where a statement names no
	// format; the latter may be empty.
	DefaultKeyFormat   string
	DefaultValueFormat string
	// WrapSingleValues is ksql.persistence.wrap.single.values; nil leaves it to
	// the format.
	WrapSingleValues *bool
	// OutputTopicPrefix goes before the names of sink topics that a statement
	// does not name.
	OutputTopicPrefix string
	// OffsetReset is auto.offset.reset: "earliest", "latest", "none" or "".
	OffsetReset string
	// SinkPartitions and SinkReplicas are for sink topics where neither the
	// statement nor the source says; 0 means unknown.
	SinkPartitions int
	SinkReplicas   int
	// PullEnabled, TableScanEnabled, StreamPullEnabled, LimitEnabled and
	// RangeScanEnabled switch features of pull queries; SuppressEnabled is EMIT
	// FINAL, InsertValuesEnabled is INSERT … VALUES.
	PullEnabled         bool
	TableScanEnabled    bool
	StreamPullEnabled   bool
	LimitEnabled        bool
	RangeScanEnabled    bool
	SuppressEnabled     bool
	InsertValuesEnabled bool
	// Properties are all settings in force by their full names. They are kept
	// with the queries that a statement makes.
	Properties map[string]string
}

// DefaultConfig has ksqlDB's defaults.
func DefaultConfig() Config {
	return Config{
		DefaultKeyFormat: format.Kafka,
		PullEnabled:      true, TableScanEnabled: true, StreamPullEnabled: true,
		LimitEnabled: true, RangeScanEnabled: true, SuppressEnabled: true, InsertValuesEnabled: true,
	}
}

// ConfigFrom reads settings by their names, with or without the prefix
// "ksql.streams."; names it has no use for are kept in Properties.
func ConfigFrom(properties map[string]string) (Config, error) {
	c := DefaultConfig()
	c.Properties = maps.Clone(properties)
	get := func(names ...string) (string, bool) {
		for _, n := range names {
			if v, ok := properties[n]; ok {
				return v, true
			}
		}
		return "", false
	}
	if v, ok := get("ksql.persistence.default.format.key"); ok && v != "" {
		c.DefaultKeyFormat = v
	}
	if v, ok := get("ksql.persistence.default.format.value"); ok {
		c.DefaultValueFormat = v
	}
	if v, ok := get("ksql.output.topic.name.prefix"); ok {
		c.OutputTopicPrefix = v
	}
	if v, ok := get("auto.offset.reset", "ksql.streams.auto.offset.reset"); ok {
		c.OffsetReset = strings.ToLower(v)
	}
	if v, ok := get("ksql.persistence.wrap.single.values"); ok && v != "" {
		b, err := parseBool("ksql.persistence.wrap.single.values", v)
		if err != nil {
			return c, err
		}
		c.WrapSingleValues = &b
	}
	for name, field := range map[string]*int{
		"ksql.sink.partitions": &c.SinkPartitions,
		"ksql.sink.replicas":   &c.SinkReplicas,
	} {
		if v, ok := get(name); ok {
			n, err := strconv.Atoi(v)
			if err != nil {
				return c, fmt.Errorf("setting %s to %q: a whole number is needed", name, v)
			}
			*field = n
		}
	}
	for name, field := range map[string]*bool{
		"ksql.pull.queries.enable":             &c.PullEnabled,
		"ksql.query.pull.table.scan.enabled":   &c.TableScanEnabled,
		"ksql.query.pull.stream.enabled":       &c.StreamPullEnabled,
		"ksql.query.pull.limit.clause.enabled": &c.LimitEnabled,
		"ksql.query.pull.range.scan.enabled":   &c.RangeScanEnabled,
		"ksql.suppress.enabled":                &c.SuppressEnabled,
		"ksql.insert.into.values.enabled":      &c.InsertValuesEnabled,
	} {
		if v, ok := get(name); ok {
			b, err := parseBool(name, v)
			if err != nil {
				return c, err
			}
			*field = b
		}
	}
	return c, nil
}

func parseBool(name, text string) (bool, error) {
	b, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, fmt.Errorf("setting %s to %q: true or false is needed", name, text)
	}
	return b, nil
}
