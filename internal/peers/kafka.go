package peers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kafkaVersion is the version of Apache Kafka that tests run against.
const kafkaVersion = "3.9.1"

// Kafka is a real Apache Kafka broker (KRaft, one node).
type Kafka struct {
	// Addr is the broker's address.
	Addr string

	t       testing.TB
	java    []string // the arguments of java that start the broker
	process *Process
}

// StartKafka starts a broker with an empty data folder.
func StartKafka(t testing.TB) *Kafka {
	t.Helper()
	return startKafka(t, kafkaListeners{})
}

// kafkaListeners are what a broker has beside a listener that asks for nothing.
type kafkaListeners struct {
	extra     map[string]string // addresses by name
	protocols map[string]string // security protocols by name
	settings  string            // lines of server.properties
	format    []string          // arguments for formatting the data folder
}

func startKafka(t testing.TB, l kafkaListeners) *Kafka {
	t.Helper()
	classes := Classpath(Jars(t, "org.apache.kafka:kafka_2.13:"+kafkaVersion, "org.slf4j:slf4j-simple:1.7.36"))
	dir := t.TempDir()
	k := &Kafka{t: t, Addr: FreeAddr(t)}
	var addresses, protocols string
	for name, addr := range l.extra {
		addresses += "," + name + "://" + addr
		protocols += "," + name + ":" + l.protocols[name]
	}
	settings := filepath.Join(dir, "server.properties")
	require.NoError(t, os.WriteFile(settings, fmt.Appendf(nil, `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://%[1]s%[4]s,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://%[1]s%[4]s
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT%[5]s
log.dirs=%[3]s
num.partitions=1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
%[6]s`, k.Addr, FreePort(t), filepath.Join(dir, "data"), addresses, protocols, l.settings), 0o644))
	java := []string{"-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classes}
	format := append(java[:len(java):len(java)], "kafka.tools.StorageTool", "format", "--config", settings, "--cluster-id", "b3JkZXJmbG93LXBlZXJzMQ")
	out, err := exec.Command("java", append(format, l.format...)...).CombinedOutput()
	require.NoError(t, err, "formatting Kafka's data folder: %s", out)
	k.java = append(java[:len(java):len(java)], "kafka.Kafka", settings)
	k.Start()
	return k
}

// Start starts the broker again after Stop.
func (k *Kafka) Start() {
	k.t.Helper()
	k.process = Start(k.t, Command{Name: "kafka", Path: "java", Args: k.java, Ready: func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", k.Addr)
		if err != nil {
			return err
		}
		_ = conn.Close() // it was only a knock
		client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr))
		if err != nil {
			return err
		}
		defer client.Close()
		return client.Ping(ctx)
	}})
}

// Stop stops the broker, which keeps its data.
func (k *Kafka) Stop() { k.process.Stop() }
