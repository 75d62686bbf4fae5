//go:build peers

package broker_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/access"
	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/peers"
)

const kafkaTools = "org.apache.kafka:kafka_2.13:3.9.1"

func TestPeerPythonClients(t *testing.T) {
	python := peers.Python(t, "confluent-kafka==2.16.1", "kafka-python==3.0.12")
	b := start(t, broker.Config{DataDir: t.TempDir()})
	out, err := exec.CommandContext(t.Context(), python, "testdata/clients.py", b.Addr()).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

func TestPeerJavaClients(t *testing.T) {
	classes := peers.Classpath(peers.Jars(t, kafkaTools, "org.slf4j:slf4j-simple:1.7.36"))
	b := start(t, broker.Config{DataDir: t.TempDir()})
	out, err := exec.CommandContext(t.Context(), "java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classes, "testdata/Clients.java", b.Addr()).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

// The command line tools that come with Kafka, the reader of segment files among
// them.
func TestPeerJavaTools(t *testing.T) {
	classes := peers.Classpath(peers.Jars(t, kafkaTools, "org.apache.kafka:kafka-tools:3.9.1", "org.slf4j:slf4j-simple:1.7.36"))
	dir := t.TempDir()
	b := start(t, broker.Config{DataDir: dir})
	run := func(in, class string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "java", append([]string{"-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classes, class}, args...)...)
		cmd.Stdin = strings.NewReader(in)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	at := []string{"--bootstrap-server", b.Addr()}
	run("", "org.apache.kafka.tools.TopicCommand", append(at, "--create", "--topic", "tools", "--partitions", "2")...)
	assert.Contains(t, run("", "org.apache.kafka.tools.TopicCommand", append(at, "--describe", "--topic", "tools")...), "PartitionCount: 2")
	run("one\ntwo\nthree\n", "kafka.tools.ConsoleProducer", append(at, "--topic", "tools")...)
	got := run("", "org.apache.kafka.tools.consumer.ConsoleConsumer", append(at, "--topic", "tools", "--group", "tools", "--from-beginning", "--max-messages", "3", "--timeout-ms", "20000")...)
	for _, want := range []string{"one", "two", "three"} {
		assert.Contains(t, got, want)
	}
	groups := run("", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", append(at, "--describe", "--group", "tools")...)
	assert.Contains(t, groups, "tools")
	run("", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", append(at, "--delete", "--group", "tools")...)
	require.NoError(t, b.Stop())
	logs, err := filepath.Glob(filepath.Join(dir, "topics", "*", "*", "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	dump := run("", "kafka.tools.DumpLogSegments", "--print-data-log", "--files", strings.Join(logs, ","))
	assert.Contains(t, dump, "payload: three")
}

func TestPeerKcat(t *testing.T) {
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		t.Skip("kcat is not installed (Debian: apt install kafkacat)")
	}
	b := start(t, broker.Config{DataDir: t.TempDir()})
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		var lines strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&lines, "%s-%d-%s\n", codec, i, strings.Repeat("x", 100))
		}
		cmd := exec.CommandContext(t.Context(), kcat, "-b", b.Addr(), "-P", "-t", "lines", "-z", codec, "-X", "enable.idempotence=true")
		cmd.Stdin = strings.NewReader(lines.String())
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	cmd := exec.CommandContext(t.Context(), kcat, "-b", b.Addr(), "-q", "-e", "-X", "auto.offset.reset=earliest", "-G", "kcat", "lines")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, 5000, strings.Count(string(out), "\n"))
}

// The clients at a broker that asks for TLS and a login.
func TestPeerLogins(t *testing.T) {
	b, as := protected(t, broker.Config{})
	run := func(t *testing.T, in, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Stdin = strings.NewReader(in)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	t.Run("Python", func(t *testing.T) {
		python := peers.Python(t, "confluent-kafka==2.16.1", "kafka-python==3.0.12")
		t.Log(run(t, "", python, "testdata/logins.py", b.Addr(), as.TLS.CAFile, as.Username, as.Password))
	})
	t.Run("kcat", func(t *testing.T) {
		kcat, err := exec.LookPath("kcat")
		if err != nil {
			t.Skip("kcat is not installed (Debian: apt install kafkacat)")
		}
		for _, mechanism := range []string{access.Plain, access.ScramSHA256, access.ScramSHA512} {
			login := []string{"-b", b.Addr(), "-t", "kcat-" + mechanism, "-X", "security.protocol=SASL_SSL", "-X", "ssl.ca.location=" + as.TLS.CAFile,
				"-X", "sasl.mechanism=" + mechanism, "-X", "sasl.username=" + as.Username, "-X", "sasl.password=" + as.Password}
			run(t, "one\ntwo\n", kcat, append(login, "-P")...)
			assert.Contains(t, run(t, "", kcat, append(login, "-C", "-e", "-q")...), "two\n")
		}
	})
	t.Run("Java", func(t *testing.T) {
		classes := peers.Classpath(peers.Jars(t, kafkaTools, "org.apache.kafka:kafka-tools:3.9.1", "org.slf4j:slf4j-simple:1.7.36"))
		for mechanism, module := range map[string]string{
			access.Plain: "plain.PlainLoginModule", access.ScramSHA256: "scram.ScramLoginModule", access.ScramSHA512: "scram.ScramLoginModule",
		} {
			settings := filepath.Join(t.TempDir(), "client.properties")
			require.NoError(t, os.WriteFile(settings, fmt.Appendf(nil, `security.protocol=SASL_SSL
ssl.truststore.type=PEM
ssl.truststore.location=%s
sasl.mechanism=%s
sasl.jaas.config=org.apache.kafka.common.security.%s required username="%s" password="%s";
`, as.TLS.CAFile, mechanism, module, as.Username, as.Password), 0o600))
			java := []string{"-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classes}
			run(t, "one\ntwo\n", "java", append(java, "kafka.tools.ConsoleProducer", "--bootstrap-server", b.Addr(), "--producer.config", settings, "--topic", "java-"+mechanism)...)
			got := run(t, "", "java", append(java, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", b.Addr(), "--consumer.config", settings,
				"--topic", "java-"+mechanism, "--from-beginning", "--max-messages", "2", "--timeout-ms", "20000")...)
			assert.Contains(t, got, "two")
			assert.Contains(t, run(t, "", "java", append(java, "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", b.Addr(), "--command-config", settings, "--list")...), "java-"+mechanism)
		}
	})
}
