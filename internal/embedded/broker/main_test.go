package broker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/kafka"
)

// childDir has the test binary be a broker on that data directory, for tests
// that need a process to kill.
const childDir = "BROKER_TEST_DATA_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: dir})
	if err == nil {
		err = b.Start(context.Background())
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(b.Addr())
	// A closed standard input is the wish to stop; nothing is ever written to it.
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	if err := b.Stop(); err != nil {
		os.Exit(1)
	}
}

// child is a broker in a process of its own.
type child struct {
	cmd  *exec.Cmd
	addr string
	stop func() error
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, line)
	c := &child{cmd: cmd, addr: strings.TrimSpace(line)}
	c.stop = sync.OnceValue(func() error { return errors.Join(in.Close(), cmd.Wait()) })
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = c.stop()
	})
	require.NotContains(t, c.addr, "error:")
	return c
}

func (c *child) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, c.cmd.Process.Kill())
	_ = c.stop() // it says that the process was killed
}

func start(t *testing.T, cfg broker.Config) *broker.Broker {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b, err := broker.New(cfg)
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Stop()) })
	return b
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kafka.NewClient(kafka.Config{Brokers: []string{addr}, Logger: slog.New(slog.DiscardHandler)}, opts...)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return cl
}

func createTopic(t *testing.T, cl *kgo.Client, topic string, partitions int32, configs map[string]string) {
	t.Helper()
	values := map[string]*string{}
	for k, v := range configs {
		values[k] = &v
	}
	resp, err := kadm.NewClient(cl).CreateTopic(t.Context(), partitions, -1, values, topic)
	require.NoError(t, err)
	require.NoError(t, resp.Err)
}

// produce writes n records to a topic, named from first on, and waits until
// they are acknowledged.
func produce(t *testing.T, cl *kgo.Client, topic string, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		cl.Produce(t.Context(), &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "v%d", i)}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	require.NoError(t, cl.Flush(t.Context()))
}

// consume reads a topic from its start until it has n different values.
func consume(t *testing.T, addr, topic string, n int) []*kgo.Record {
	t.Helper()
	cl := client(t, addr, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	values := map[string]bool{}
	var records []*kgo.Record
	for len(values) < n {
		fetches := cl.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			values[string(r.Value)] = true
			records = append(records, r)
		})
	}
	return records
}
