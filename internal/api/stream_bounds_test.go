package api

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
)

func TestAnOrderStreamGoesOnBehindAnAmountThatJSONHasNoWordFor(t *testing.T) {
	s, _, cfg := startService(t)
	url := "http://" + s.Addr() + streamPath
	write := func(id string, price float64) {
		o := goodOrderValue
		o.ID, o.Price = id, price
		kafkatest.Produce(t, cfg, &kgo.Record{Topic: order.TopicOrders, Key: []byte(o.ID), Value: kafkatest.Encode(t, cfg, order.ValueSubject(order.TopicOrders), o)})
	}
	stream := openEvents(t, url, "")
	stream.next()
	write("same", math.NaN())
	write("same", 5)
	assert.Equal(t, 5.0, stream.order().Price)
}

func TestAnInstanceKeepsToTheContentThatItAcknowledged(t *testing.T) {
	f := newFixture(t)
	require.Equal(t, http.StatusCreated, f.do("POST", "/v1/orders", goodOrder).code)
	// Another instance let the same id through at the same moment; ksqlDB's push query tells
	// of every record of orders.v1.
	other := goodOrderValue
	other.Quantity++
	f.handlers.watch.seen(other)
	assert.Equal(t, http.StatusOK, f.do("POST", "/v1/orders", goodOrder).code)
}

func TestOnlySomeStreamsReadWhatTheyMissedAtTheSameTime(t *testing.T) {
	s, _, cfg := startService(t)
	kafkatest.Produce(t, cfg, &kgo.Record{Topic: order.TopicOrders, Key: []byte("o-1"), Value: kafkatest.Encode(t, cfg, order.ValueSubject(order.TopicOrders), goodOrderValue)})
	for range resumeReaders {
		s.handlers.resumeSlots <- struct{}{}
	}
	stream := openEvents(t, "http://"+s.Addr()+streamPath, "0:-1,1:-1,2:-1,3:-1")
	name, _ := stream.next()
	assert.Empty(t, name)
	got := make(chan order.Order, 1)
	go func() { got <- stream.order() }()
	assert.Never(t, func() bool { return len(got) > 0 }, 300*time.Millisecond, 50*time.Millisecond)
	<-s.handlers.resumeSlots
	assert.Equal(t, "o-1", (<-got).ID)
}
