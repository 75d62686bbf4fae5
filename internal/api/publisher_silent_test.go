package api

import (
	"context"
	"net"
	"net/http"
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

// startBehindHole makes a publisher whose connections lead through a hole.
func startBehindHole(t *testing.T) (*kafkaPublisher, *blackhole) {
	t.Helper()
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
	t.Cleanup(p.close)
	return p, b
}

// A record that was sent and never answered doesn't hold up its request, and gives its id to
// no other order.
func TestARequestEndsWhileKafkaDoesNotAnswer(t *testing.T) {
	p, b := startBehindHole(t)
	require.NoError(t, p.PublishOrder(t.Context(), goodOrderValue))
	b.swallow.Store(true)
	p.timeout = 100 * time.Millisecond
	require.ErrorIs(t, p.PublishOrder(t.Context(), goodOrderValue), errUnsettled)
	assert.True(t, p.OrderUnsettled(goodOrderValue.ID))
	b.end()
	require.Eventually(t, func() bool { return !p.OrderUnsettled(goodOrderValue.ID) }, 30*time.Second, time.Millisecond)
}

// Nor does a payment that comes meanwhile, or right afterwards, take the id with other content.
func TestAnIDWhosePaymentKafkaDoesNotAnswerIsNoOtherPayments(t *testing.T) {
	p, b := startBehindHole(t)
	f := newFixture(t)
	f.handlers.publisher = p
	const other = `{"id":"p-1","orderId":"o-1","ccy":"EUR","amount":4}`
	require.Equal(t, http.StatusCreated, f.do("POST", "/v1/payments", `{"id":"p-0","orderId":"o-1","ccy":"EUR","amount":3}`).code)
	b.swallow.Store(true)
	p.timeout = 100 * time.Millisecond
	require.Equal(t, http.StatusServiceUnavailable, f.do("POST", "/v1/payments", `{"id":"p-1","orderId":"o-1","ccy":"EUR","amount":3}`).code)
	p.timeout = publishTimeout
	began := time.Now()
	require.Equal(t, http.StatusServiceUnavailable, f.do("POST", "/v1/payments", other).code)
	require.Less(t, time.Since(began), publishTimeout, "it is not sent at all")
	b.end()
	require.Eventually(t, func() bool { return f.do("POST", "/v1/payments", other).code == http.StatusConflict }, 30*time.Second, 10*time.Millisecond)
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
