package api

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embeddedtest"
)

// blackhole says whether answers of the broker are swallowed.
type blackhole struct {
	swallow atomic.Bool
}

// A record that was sent and never answered holds up neither its request nor lets another order have its id.
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
		return &holeConn{Conn: c, b: b}, nil
	})}
	p, err := newKafkaPublisher(own)
	require.NoError(t, err)
	defer p.close()
	require.NoError(t, p.PublishOrder(t.Context(), goodOrderValue))
	b.swallow.Store(true)
	start := time.Now()
	require.ErrorIs(t, p.PublishOrder(t.Context(), goodOrderValue), errUnsettled)
	assert.Less(t, time.Since(start), publishTimeout+5*time.Second)
	assert.True(t, p.OrderUnsettled(goodOrderValue.ID))
	b.swallow.Store(false)
	require.Eventually(t, func() bool { return !p.OrderUnsettled(goodOrderValue.ID) }, 60*time.Second, 10*time.Millisecond)
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
