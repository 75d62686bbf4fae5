package api

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embeddedtest"
)

// blackhole swallows the broker's answers for a while.
type blackhole struct {
	swallow atomic.Bool

	mu    sync.Mutex
	conns []net.Conn
}

// end ends the connections on which something was swallowed.
func (b *blackhole) end() {
	b.swallow.Store(false)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		_ = c.Close()
	}
}

// A record that was sent and never answered doesn't hold up its request, and gives its id to
// no other order.
func TestARequestEndsWhileKafkaDoesNotAnswer(t *testing.T) {
	cfg := embeddedtest.Start(t)
	embeddedtest.ApplyTopics(t, cfg)
	broker := cfg.Brokers[0]
	b := &blackhole{}
	own := cfg
	own.Options = []kgo.Opt{kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, broker)
		if err != nil {
			return nil, err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.conns = append(b.conns, c)
		return &holeConn{Conn: c, b: b}, nil
	})}
	p, err := newKafkaPublisher(own)
	require.NoError(t, err)
	defer p.close()
	require.NoError(t, p.PublishOrder(t.Context(), goodOrderValue))
	b.swallow.Store(true)
	p.timeout = 100 * time.Millisecond
	require.ErrorIs(t, p.PublishOrder(t.Context(), goodOrderValue), errUnsettled)
	assert.True(t, p.OrderUnsettled(goodOrderValue.ID))
	b.end()
	require.Eventually(t, func() bool { return !p.OrderUnsettled(goodOrderValue.ID) }, 30*time.Second, time.Millisecond)
}

// holeConn takes requests and never hands over an answer while its hole swallows.
type holeConn struct {
	net.Conn
	b *blackhole
}

func (c *holeConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for c.b.swallow.Load() && err == nil {
		n, err = c.Conn.Read(p)
	}
	return n, err
}
