package peers

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The topics in which the worker keeps its state. They are not those of the embedded
// worker, so that both can use one broker.
const (
	connectConfigsTopic = "peer-connect-configs"
	connectOffsetsTopic = "peer-connect-offsets"
	connectStatusTopic  = "peer-connect-status"
)

// connectLogging makes the worker write warnings to its output.
const connectLogging = `log4j.rootLogger=WARN, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=[%d] %p %X{connector.context}%m (%c:%L)%n
`

// connectStart bounds the start of a worker.
const connectStart = time.Minute

// ConnectConfig says how a Connect worker is started.
type ConnectConfig struct {
	// Brokers is the address of Kafka.
	Brokers string
	// Settings are added to the worker's properties, and replace those that the
	// package chooses.
	Settings map[string]string
	// Env is added to the worker's environment, "NAME=value".
	Env []string
}

// Connect is a real Apache Kafka Connect worker in distributed mode, alone in its
// cluster. It has the connectors of connect-file, and all transformations, predicates
// and converters of Apache Kafka. Its keys are strings and its values JSON with
// schemas unless a connector says otherwise.
type Connect struct {
	// URL is the address of its REST interface.
	URL string

	process *Process
}

// StartConnect starts a worker and waits until it takes requests.
func StartConnect(t testing.TB, c ConnectConfig) *Connect {
	t.Helper()
	var artifacts []string
	for _, name := range []string{"connect-runtime", "connect-file", "connect-json", "connect-transforms", "connect-basic-auth-extension"} {
		artifacts = append(artifacts, "org.apache.kafka:"+name+":"+kafkaVersion)
	}
	classes := Classpath(Jars(t, append(artifacts, "org.slf4j:slf4j-reload4j:1.7.36")...))
	port := strconv.Itoa(FreePort(t))
	settings := map[string]string{
		"bootstrap.servers":                 c.Brokers,
		"group.id":                          "peer-connect",
		"listeners":                         "http://127.0.0.1:" + port,
		"rest.advertised.host.name":         "127.0.0.1",
		"key.converter":                     "org.apache.kafka.connect.storage.StringConverter",
		"value.converter":                   "org.apache.kafka.connect.json.JsonConverter",
		"config.storage.topic":              connectConfigsTopic,
		"config.storage.replication.factor": "1",
		"offset.storage.topic":              connectOffsetsTopic,
		"offset.storage.replication.factor": "1",
		"offset.storage.partitions":         "1",
		"offset.flush.interval.ms":          "500",
		"status.storage.topic":              connectStatusTopic,
		"status.storage.replication.factor": "1",
		"status.storage.partitions":         "1",
		"plugin.discovery":                  "hybrid_warn",
	}
	maps.Copy(settings, c.Settings)
	var properties strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&properties, "%s=%s\n", name, settings[name])
	}
	dir := t.TempDir()
	file, logging := filepath.Join(dir, "worker.properties"), filepath.Join(dir, "log4j.properties")
	require.NoError(t, os.WriteFile(file, []byte(properties.String()), 0o644))
	require.NoError(t, os.WriteFile(logging, []byte(connectLogging), 0o644))
	w := &Connect{URL: "http://127.0.0.1:" + port}
	w.process = Start(t, Command{
		Name: "connect", Path: "java", Dir: dir, Env: c.Env, Timeout: connectStart,
		Args: []string{"-Xms128m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Dlog4j.configuration=file:" + logging, "-cp", classes,
			"org.apache.kafka.connect.cli.ConnectDistributed", file},
		Ready: answersOK(w.URL + "/health"),
	})
	return w
}

// Output is the end of what the worker wrote.
func (w *Connect) Output() string { return w.process.Output() }

// Stop stops the worker.
func (w *Connect) Stop() { w.process.Stop() }
