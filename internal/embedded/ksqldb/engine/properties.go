package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// setting is a property of the server: its default, and whether a request may
// change it.
type setting struct {
	name     string
	value    string
	null     bool // the default is null
	editable bool
	perQuery bool
}

// settings are the properties that the engine acts upon, for SHOW PROPERTIES.
var settings = []setting{
	{name: "ksql.assert.schema.default.timeout.ms", value: "1000"},
	{name: "ksql.assert.topic.default.timeout.ms", value: "1000"},
	{name: "ksql.connect.request.timeout.ms", value: "5000"},
	{name: "ksql.connect.url"},
	{name: "ksql.functions.collect_list.limit", null: true},
	{name: "ksql.functions.collect_set.limit", null: true},
	{name: "ksql.hidden.topics", value: hiddenTopics},
	{name: "ksql.insert.into.values.enabled", value: "true"},
	{name: logRows, value: "false"},
	{name: logStreamCreate, value: "true"},
	{name: logStreamName, value: "KSQL_PROCESSING_LOG"},
	{name: logTopicCreate, value: "true"},
	{name: logTopicName},
	{name: "ksql.max.push.queries", value: strconv.Itoa(defaultMaxPushQueries)},
	{name: "ksql.nested.error.set.null", value: "true", editable: true, perQuery: true},
	{name: "ksql.output.topic.name.prefix"},
	{name: "ksql.persistence.default.format.key", value: "KAFKA"},
	{name: "ksql.persistence.default.format.value", null: true},
	{name: "ksql.persistence.wrap.single.values", null: true},
	{name: "ksql.pull.queries.enable", value: "true"},
	{name: "ksql.query.error.max.queue.size", value: "10"},
	{name: "ksql.query.pull.limit.clause.enabled", value: "true"},
	{name: "ksql.query.pull.range.scan.enabled", value: "true"},
	{name: "ksql.query.pull.stream.enabled", value: "true"},
	{name: "ksql.query.pull.table.scan.enabled", value: "true", editable: true, perQuery: true},
	{name: "ksql.schema.registry.url"},
	{name: "ksql.service.id"},
	{name: "ksql.streams.auto.offset.reset", null: true, editable: true},
	{name: "ksql.streams.bootstrap.servers"},
	{name: "ksql.streams.state.dir"},
	{name: "ksql.suppress.enabled", value: "true"},
	{name: "ksql.timestamp.throw.on.invalid", value: "false", editable: true, perQuery: true},
	{name: "ksql.variable.substitution.enable", value: "true"},
}

// streamsPrefix may precede the names of Kafka's own properties.
const streamsPrefix = "ksql.streams."

// prohibited may not be set by requests.
var prohibited = []string{
	"ksql.service.id", "ksql.extension.dir", "ksql.streams.bootstrap.servers", "bootstrap.servers", "application.id", "ksql.streams.application.id",
}

// kafkaProperties are the names that Kafka Streams and its clients know.
var kafkaProperties = words(`
acceptable.recovery.lag acks allow.auto.create.topics application.id application.server auto.commit.interval.ms
auto.include.jmx.reporter auto.offset.reset batch.size bootstrap.servers buffer.memory buffered.records.per.partition
built.in.metrics.version cache.max.bytes.buffering check.crcs client.dns.lookup client.id client.rack
commit.interval.ms compression.type connections.max.idle.ms default.api.timeout.ms default.client.supplier
default.deserialization.exception.handler default.dsl.store default.key.serde default.production.exception.handler
default.timestamp.extractor default.value.serde delivery.timeout.ms dsl.store.suppliers.class enable.auto.commit
enable.idempotence enable.metrics.push exclude.internal.topics fetch.max.bytes fetch.max.wait.ms fetch.min.bytes
group.id group.instance.id group.protocol group.remote.assignor heartbeat.interval.ms interceptor.classes
isolation.level key.deserializer key.serializer linger.ms log.summary.interval.ms max.block.ms
max.in.flight.requests.per.connection max.partition.fetch.bytes max.poll.interval.ms max.poll.records
max.request.size max.task.idle.ms max.warmup.replicas metadata.max.age.ms metadata.max.idle.ms
metadata.recovery.strategy metric.reporters metrics.num.samples metrics.recording.level metrics.sample.window.ms
num.standby.replicas num.stream.threads partition.assignment.strategy partitioner.adaptive.partitioning.enable
partitioner.availability.timeout.ms partitioner.class partitioner.ignore.keys poll.ms probing.rebalance.interval.ms
processing.exception.handler processing.guarantee rack.aware.assignment.non_overlap_cost
rack.aware.assignment.strategy rack.aware.assignment.tags rack.aware.assignment.traffic_cost receive.buffer.bytes
reconnect.backoff.max.ms reconnect.backoff.ms repartition.purge.interval.ms replication.factor request.timeout.ms
retries retry.backoff.max.ms retry.backoff.ms rocksdb.config.setter security.protocol security.providers
send.buffer.bytes session.timeout.ms socket.connection.setup.timeout.max.ms socket.connection.setup.timeout.ms
state.cleanup.delay.ms state.dir statestore.cache.max.bytes task.assignor.class task.timeout.ms
topology.optimization transaction.timeout.ms transactional.id upgrade.from value.deserializer value.serializer
window.size.ms windowed.inner.class.serde windowstore.changelog.additional.retention.ms`)

func words(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

// isKnown reports whether ksqlDB, Kafka Streams or its clients have a property
// of this name.
func isKnown(name string) bool {
	name = strings.TrimPrefix(name, streamsPrefix)
	for _, prefix := range []string{"main.consumer.", "restore.consumer.", "global.consumer.", "consumer.", "producer.", "admin."} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			name = rest
			break
		}
	}
	if kafkaProperties[name] || strings.HasPrefix(name, "ssl.") || strings.HasPrefix(name, "sasl.") || strings.HasPrefix(name, "topic.") {
		return true
	}
	return strings.HasPrefix(name, "ksql.")
}

// checkValue says what is wrong with a property's value, in ksqlDB's words.
func checkValue(name, value string) error {
	invalid := func(what string) error {
		//nolint:staticcheck // ksqlDB's text
		return fmt.Errorf("Invalid value %s for configuration %s: %s", value, strings.TrimPrefix(name, streamsPrefix), what)
	}
	oneOf := func(allowed ...string) error {
		if slices.Contains(allowed, value) {
			return nil
		}
		return invalid("String must be one of: " + strings.Join(allowed, ", "))
	}
	switch strings.TrimPrefix(name, streamsPrefix) {
	case "auto.offset.reset":
		if slices.Contains([]string{"latest", "earliest", "none"}, strings.ToLower(value)) {
			return nil
		}
		return oneOf("latest", "earliest", "none")
	case "processing.guarantee":
		return oneOf("at_least_once", "exactly_once", "exactly_once_beta", "exactly_once_v2")
	case "commit.interval.ms", "cache.max.bytes.buffering", "statestore.cache.max.bytes":
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil {
			return invalid("Not a number of type LONG")
		}
		if n < 0 {
			return invalid("Value must be at least 0")
		}
	case "num.stream.threads":
		if _, err := strconv.ParseInt(strings.TrimSpace(value), 10, 32); err != nil {
			return invalid("Not a number of type INT")
		}
	case "ksql.query.pull.table.scan.enabled", "ksql.nested.error.set.null", "ksql.timestamp.throw.on.invalid":
		if v := strings.ToLower(strings.TrimSpace(value)); v != "true" && v != "false" {
			return invalid("Expected value to be either true or false")
		}
	}
	return nil
}

// typedValue is a property's value as answers show it: a number or a boolean where
// the property is one.
func typedValue(name, value string) any {
	switch strings.TrimPrefix(name, streamsPrefix) {
	case "acceptable.recovery.lag", "auto.commit.interval.ms", "batch.size", "buffer.memory", "buffered.records.per.partition", "cache.max.bytes.buffering",
		"commit.interval.ms", "fetch.max.bytes", "fetch.max.wait.ms", "fetch.min.bytes", "heartbeat.interval.ms", "linger.ms", "max.poll.interval.ms",
		"max.poll.records", "max.request.size", "max.task.idle.ms", "num.standby.replicas", "num.stream.threads", "poll.ms", "repartition.purge.interval.ms",
		"replication.factor", "request.timeout.ms", "retries", "retry.backoff.ms", "session.timeout.ms", "state.cleanup.delay.ms",
		"statestore.cache.max.bytes", "task.timeout.ms", "transaction.timeout.ms":
		if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
			return n
		}
	case "enable.auto.commit", "enable.idempotence", "ksql.query.pull.table.scan.enabled", "ksql.nested.error.set.null", "ksql.timestamp.throw.on.invalid":
		if b, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(value))); err == nil {
			return b
		}
	}
	return value
}

// checkOverrides refuses properties of a request that can't be set. statement is
// the text that answers show for it.
func checkOverrides(properties map[string]string, statement string) error {
	names := slices.Sorted(maps.Keys(properties))
	for _, name := range names {
		if err := checkValue(name, properties[name]); err != nil {
			return &Error{Code: CodeBadRequest, Message: withCause(
				fmt.Sprintf("Failed to coerce type of value '%s' for key '%s'", properties[name], name), err.Error())}
		}
	}
	if err := CheckProperty(names...); err != nil {
		return err
	}
	for _, name := range names {
		if !isKnown(name) {
			return &Error{Code: CodeServerError, Statement: statement, Message: fmt.Sprintf(
				"Not recognizable as ksql, streams, consumer, or producer property: '%s'", name)}
		}
	}
	return nil
}

// CheckOverrides refuses properties of a query's request that can't be set. The
// error is an *Error.
func CheckOverrides(properties map[string]string) error { return checkOverrides(properties, "") }

// CheckProperty refuses names of properties that requests may not set. The error
// is an *Error.
func CheckProperty(names ...string) error {
	var refused []string
	for _, name := range names {
		if slices.Contains(prohibited, name) {
			refused = append(refused, name)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return &Error{Code: CodeBadRequest, Message: fmt.Sprintf("One or more properties overrides set locally are prohibited by the KSQL server "+
		"(use UNSET to reset their default value): [%s]", strings.Join(refused, ", "))}
}

// withCause joins a message and the one of its cause as ksqlDB's answers do, the
// cause broken into lines of 80 characters.
func withCause(message, cause string) string {
	const width = 80
	var b strings.Builder
	b.WriteString(message + "\n")
	line := 0
	for i, word := range strings.Split("Caused by: "+cause, " ") {
		switch {
		case i == 0:
		case line+1+len(word) > width:
			b.WriteString("\n\t")
			line = 0
		default:
			b.WriteByte(' ')
			line++
		}
		b.WriteString(word)
		line += len(word)
	}
	return b.String()
}

type propertyEntry struct {
	Name     string  `json:"name"`
	Scope    string  `json:"scope"`
	Value    *string `json:"value"`
	Editable bool    `json:"editable"`
	Level    string  `json:"level"`
}

// showProperties lists the server's properties, with those of the session in
// place of the server's own.
func (e *Engine) showProperties(text string, sess *session) any {
	server := map[string]string{
		"ksql.connect.url": e.cfg.Connect, "ksql.schema.registry.url": e.cfg.SchemaRegistry, "ksql.service.id": e.cfg.ServiceID,
		"ksql.streams.bootstrap.servers": strings.Join(e.cfg.Brokers, ","), "ksql.streams.state.dir": e.cfg.DataDir,
	}
	maps.Copy(server, e.cfg.Properties)
	overridden := map[string]string{}
	for name, value := range sess.properties {
		overridden[strings.TrimPrefix(name, streamsPrefix)] = value
	}
	list, overwritten, defaults := []propertyEntry{}, []string{}, []string{}
	for _, s := range settings {
		entry := propertyEntry{Name: s.name, Scope: "KSQL", Value: &s.value, Editable: s.editable, Level: "SERVER"}
		if s.null {
			entry.Value = nil
		}
		if s.perQuery {
			entry.Level = "QUERY"
		}
		if v, ok := server[s.name]; ok {
			entry.Value = &v
		} else {
			defaults = append(defaults, s.name)
		}
		if v, ok := overridden[strings.TrimPrefix(s.name, streamsPrefix)]; ok {
			entry.Value = &v
			overwritten = append(overwritten, s.name)
		}
		list = append(list, entry)
		delete(server, s.name)
	}
	for _, name := range slices.Sorted(maps.Keys(server)) {
		value := server[name]
		list = append(list, propertyEntry{Name: name, Scope: "KSQL", Value: &value, Level: "SERVER"})
	}
	return struct {
		head
		Properties  []propertyEntry `json:"properties"`
		Overwritten []string        `json:"overwrittenProperties"`
		Defaults    []string        `json:"defaultProperties"`
		Warnings    []Warning       `json:"warnings"`
	}{head{"properties", text}, list, overwritten, defaults, []Warning{}}
}
