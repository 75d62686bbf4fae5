package broker_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker"
)

// syncBuffer collects a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	return conn
}

func TestHalfAFrameIsNotWaitedForForEver(t *testing.T) {
	var logged syncBuffer
	b := start(t, broker.Config{FrameTimeout: 50 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	for name, part := range map[string][]byte{
		"half a size":  {0, 0},
		"half a frame": head(100, 3, 1),
	} {
		conn := dial(t, b.Addr())
		_, err := conn.Write(part)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, conn)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, name)
	}
	assert.Contains(t, logged.String(), "not sent to its end")
	idle := dial(t, b.Addr()) // a client that says nothing may stay
	_, err := idle.Write(head(10, int16(kmsg.ApiVersions), 0))
	require.NoError(t, err)
	_, err = io.ReadFull(idle, make([]byte, 10))
	require.NoError(t, err)
}

func TestConnectionsAreLimited(t *testing.T) {
	var logged syncBuffer
	b := start(t, broker.Config{MaxConnections: 3, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	served := func(conn net.Conn) bool {
		if _, err := conn.Write(head(10, int16(kmsg.ApiVersions), 0)); err != nil {
			return false
		}
		_, err := io.ReadFull(conn, make([]byte, 8))
		return err == nil
	}
	var conns []net.Conn
	for range 3 {
		conn := dial(t, b.Addr())
		require.True(t, served(conn))
		conns = append(conns, conn)
	}
	require.False(t, served(dial(t, b.Addr())))
	require.False(t, served(dial(t, b.Addr())))
	require.NoError(t, conns[0].Close())
	require.Eventually(t, func() bool { return served(dial(t, b.Addr())) }, 10*time.Second, time.Millisecond)
	assert.Contains(t, logged.String(), "refusing connections")
}

// Requests that are sent without waiting are answered in their order.
func TestPipelinedRequests(t *testing.T) {
	b := start(t, broker.Config{})
	conn := dial(t, b.Addr())
	const n = 200
	var all []byte
	for i := range n {
		h := head(10, int16(kmsg.ApiVersions), 0)
		h[11] = byte(i) // the correlation id's last byte
		all = append(all, h...)
	}
	_, err := conn.Write(all)
	require.NoError(t, err)
	for i := range n {
		var size [4]byte
		_, err := io.ReadFull(conn, size[:])
		require.NoError(t, err)
		answer := make([]byte, int(size[2])<<8|int(size[3]))
		_, err = io.ReadFull(conn, answer)
		require.NoError(t, err)
		require.Equal(t, byte(i), answer[3])
	}
}
