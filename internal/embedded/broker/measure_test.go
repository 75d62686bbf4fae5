package broker_test

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// measureRecords turns the measurement on: how many records of about 100 bytes
// it writes. It prints figures and checks only that every record is there.
const measureRecords = "BROKER_MEASURE_RECORDS"

// TestMeasure writes many records, kills the broker, and says how fast it came
// back and how much memory it took, before and after.
func TestMeasure(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(measureRecords))
	if err != nil {
		t.Skipf("set %s to the number of records to measure with", measureRecords)
	}
	const partitions = 4
	dir := t.TempDir()
	c := startChild(t, dir)
	cl := client(t, c.addr, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.MaxBufferedRecords(200_000))
	createTopic(t, cl, "orders", partitions, map[string]string{"retention.ms": "-1"})
	t.Logf("memory of the empty broker: %s", residentMemory(t, c))

	random := rand.NewChaCha8([32]byte{})
	began := time.Now()
	for i := range n {
		value := make([]byte, 90)
		random.Read(value) //nolint:errcheck // documented never to fail
		cl.Produce(t.Context(), &kgo.Record{Topic: "orders", Key: binary.BigEndian.AppendUint64(nil, uint64(i)), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	require.NoError(t, cl.Flush(t.Context()))
	took := time.Since(began)
	t.Logf("produced %d records in %s: %.0f/s; memory %s; %d MB on disk", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), residentMemory(t, c), diskUse(t, dir)>>20)
	c.kill(t)

	began = time.Now()
	c = startChild(t, dir)
	cl = client(t, c.addr)
	ends, err := kadm.NewClient(cl).ListEndOffsets(t.Context(), "orders")
	require.NoError(t, err)
	require.NoError(t, ends.Error())
	total := int64(0)
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	t.Logf("restart after kill -9 took %s, %d records; memory %s", time.Since(began).Round(time.Millisecond), total, residentMemory(t, c))
	require.EqualValues(t, n, total)

	began = time.Now()
	reader := client(t, c.addr, kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for read := 0; read < n; {
		fetches := reader.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		read += fetches.NumRecords()
	}
	took = time.Since(began)
	t.Logf("consumed in %s: %.0f/s; memory %s", took.Round(time.Millisecond), float64(n)/took.Seconds(), residentMemory(t, c))
	reader.Close()
	measureLatency(t, c)

	require.NoError(t, c.stop())
	began = time.Now()
	c = startChild(t, dir)
	t.Logf("restart after a clean stop took %s; memory %s", time.Since(began).Round(time.Millisecond), residentMemory(t, c))
}

// measureLatency sends single records and waits for each in a consumer.
func measureLatency(t *testing.T, c *child) {
	producer := client(t, c.addr, kgo.ProducerLinger(0))
	createTopic(t, producer, "single", 1, nil)
	consumer := client(t, c.addr, kgo.ConsumeTopics("single"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var times []time.Duration
	for range 5000 {
		began := time.Now()
		producer.Produce(t.Context(), &kgo.Record{Topic: "single", Value: make([]byte, 100)}, nil)
		require.Equal(t, 1, consumer.PollFetches(t.Context()).NumRecords())
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	t.Logf("produce to consume: p50 %s, p99 %s", times[len(times)/2], times[len(times)*99/100])
}

func residentMemory(t *testing.T, c *child) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return "unknown here"
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown here"
}

func diskUse(t *testing.T, dir string) int64 {
	t.Helper()
	var size int64
	require.NoError(t, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		return err
	}))
	return size
}
