//go:build peers

package connect_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/connect"
	"github.com/orderflow/orderflow/internal/peers"
)

// TestPeerSinkGoesOnAfterAKill has a real Kafka's group wait for a killed worker: the
// next one stops without waiting for it, and the one after goes on when the dead one's
// session ends.
func TestPeerSinkGoesOnAfterAKill(t *testing.T) {
	brokers := peers.StartKafka(t).Addr
	dir := t.TempDir()
	start := func() (*connect.Server, *cable) {
		c := &cable{dial: new(net.Dialer).DialContext}
		server, err := connect.New(connect.Config{Addr: "127.0.0.1:0", Brokers: []string{brokers}, KafkaOptions: []kgo.Opt{kgo.Dialer(c.Dial)}, AllowedPaths: []string{os.TempDir()}, Logger: testLogger()})
		require.NoError(t, err)
		require.NoError(t, server.Start(context.Background()))
		t.Cleanup(func() { require.NoError(t, server.Stop()) })
		return server, c
	}
	stop := func(server *connect.Server) time.Duration {
		began := time.Now()
		require.NoError(t, server.Stop())
		return time.Since(began)
	}
	server, _ := start()
	side := peerSide{t, "http://" + server.Addr(), brokers}
	client := side.client()
	defer client.Close()
	produce := func(value string) {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Value: []byte(value)}).FirstErr())
	}
	side.createTopic("in")
	out := filepath.Join(dir, "out.txt")
	produce("one")
	side.create("sink", map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "in", "value.converter": "org.apache.kafka.connect.storage.StringConverter"})
	side.waitFile(out, "one\n")
	began := time.Now()
	assert.Less(t, stop(server), 3*time.Second)

	server, c := start()
	produce("two")
	side.waitFile(out, "one\ntwo\n")
	t.Logf("connect: a sink goes on %s after a stop", time.Since(began))
	require.Eventually(t, func() bool {
		committed, err := kadm.NewClient(client).FetchOffsets(t.Context(), "connect-sink")
		at, ok := committed.Lookup("in", 0)
		return err == nil && ok && at.At == 2
	}, peerPatience, 20*time.Millisecond)
	killed := time.Now()
	c.sever()
	stop(server)

	server, _ = start()
	require.Eventually(t, func() bool {
		groups, err := kadm.NewClient(client).DescribeGroups(t.Context(), "connect-sink")
		return err == nil && groups["connect-sink"].State == "PreparingRebalance"
	}, peerPatience, 20*time.Millisecond)
	waited := stop(server)
	assert.Less(t, waited, 3*time.Second)

	start()
	produce("three")
	side.waitFile(out, "one\ntwo\nthree\n")
	t.Logf("connect: a worker that waits for a dead one stops within %s, a sink goes on %s after a kill", waited, time.Since(killed))
	assert.Less(t, time.Since(killed), 20*time.Second)
}
