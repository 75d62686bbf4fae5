package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCausesAreBrokenIntoLines(t *testing.T) {
	assert.Equal(t, "top\nCaused by: short", withCause("top", "short"))
	assert.Equal(t, "top\nCaused by: Invalid value sometimes for configuration auto.offset.reset: String\n\tmust be one of: latest, earliest, none",
		withCause("top", "Invalid value sometimes for configuration auto.offset.reset: String must be one of: latest, earliest, none"))
}

func TestPropertiesThatCanBeSet(t *testing.T) {
	for name, known := range map[string]bool{
		"auto.offset.reset": true, "ksql.streams.auto.offset.reset": true, "ksql.streams.consumer.max.poll.records": true,
		"ksql.query.pull.table.scan.enabled": true, "ssl.keystore.location": true, "nope": false, "consumer.nope": false,
	} {
		assert.Equal(t, known, isKnown(name), name)
	}
	for _, c := range []struct{ name, value, want string }{
		{"auto.offset.reset", "Earliest", ""},
		{"ksql.streams.auto.offset.reset", "first", "Invalid value first for configuration auto.offset.reset: String must be one of: latest, earliest, none"},
		{"processing.guarantee", "exactly_once_v2", ""},
		{"processing.guarantee", "twice", "must be one of"},
		{"commit.interval.ms", "100", ""},
		{"commit.interval.ms", "-1", "must be at least 0"},
		{"cache.max.bytes.buffering", "much", "Not a number of type LONG"},
		{"ksql.query.pull.table.scan.enabled", "yes", "either true or false"},
	} {
		err := checkValue(c.name, c.value)
		if c.want == "" {
			assert.NoError(t, err, c.name)
			continue
		}
		assert.ErrorContains(t, err, c.want)
	}
	assert.ErrorContains(t, CheckProperty("auto.offset.reset", "bootstrap.servers"), ": [bootstrap.servers]")
}
