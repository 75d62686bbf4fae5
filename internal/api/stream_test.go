package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
)

// events is a client of an event stream.
type events struct {
	t     *testing.T
	lines *bufio.Scanner
	close func()
	id    string // of the last event
}

func openEvents(t *testing.T, url, last string) *events {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	if last != "" {
		req.Header.Set(lastEventID, last)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	for res.StatusCode == http.StatusServiceUnavailable { // the topic's end is not followed yet
		require.NoError(t, res.Body.Close())
		<-time.After(time.Millisecond)
		res, err = http.DefaultClient.Do(req)
		require.NoError(t, err)
	}
	t.Cleanup(func() { res.Body.Close() })
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	return &events{t: t, lines: bufio.NewScanner(res.Body), close: cancel}
}

// next returns name and data of the next event; one without data has neither.
func (e *events) next() (name, data string) {
	e.t.Helper()
	for e.lines.Scan() {
		field, value, _ := strings.Cut(e.lines.Text(), ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			name = value
		case "data":
			data = value
		case "":
			if e.lines.Text() == "" {
				return name, data
			}
		}
	}
	e.t.Fatal("the stream ended", e.lines.Err())
	return "", ""
}

func (e *events) order() order.Order {
	e.t.Helper()
	name, data := e.next()
	require.Equal(e.t, "order", name)
	matchesSchema(e.t, "Order", data)
	var o order.Order
	require.NoError(e.t, json.Unmarshal([]byte(data), &o))
	return o
}

func TestOrderStreamGoesOnWhereItWasLeft(t *testing.T) {
	s, _, cfg := startService(t)
	url := "http://" + s.Addr() + streamPath
	write := func(from, to int) {
		for i := from; i < to; i++ {
			o := goodOrderValue
			o.ID = fmt.Sprint("o-", i)
			kafkatest.Produce(t, cfg, &kgo.Record{Topic: order.TopicOrders, Key: []byte(o.ID), Value: kafkatest.Encode(t, cfg, order.ValueSubject(order.TopicOrders), o)})
		}
	}
	require.Eventually(t, func() bool {
		_, _, ok := s.handlers.tail.join()
		return ok
	}, 10*time.Second, time.Millisecond)
	write(0, 5)
	require.Eventually(t, func() bool {
		s.handlers.tail.mu.Lock()
		defer s.handlers.tail.mu.Unlock()
		sum := int64(0)
		for _, offset := range s.handlers.tail.at {
			sum += offset + 1
		}
		return sum == 5
	}, 10*time.Second, time.Millisecond)

	stream := openEvents(t, url, "")
	name, _ := stream.next()
	assert.Empty(t, name, "what was before is not sent")
	write(5, 10)
	// Those of different partitions come in any order.
	var ids []string
	for range 3 {
		ids = append(ids, stream.order().ID)
	}
	left := stream.id
	stream.close()

	write(10, 12)
	resumed := openEvents(t, url, left)
	resumed.next()
	assert.Equal(t, left, resumed.id)
	for range 4 {
		ids = append(ids, resumed.order().ID)
	}
	assert.ElementsMatch(t, []string{"o-5", "o-6", "o-7", "o-8", "o-9", "o-10", "o-11"}, ids, "nothing is missing or doubled")
	write(12, 13)
	assert.Equal(t, "o-12", resumed.order().ID)

	all := openEvents(t, url, "0:-1")
	all.next()
	seen := map[string]bool{}
	for range 13 {
		seen[all.order().ID] = true
	}
	assert.Len(t, seen, 13)

	for _, bad := range []string{"x", "0", "99:1", "0:-2", "0:1,,"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		req.Header.Set(lastEventID, bad)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		res.Body.Close()
		assert.Equal(t, http.StatusBadRequest, res.StatusCode, bad)
	}
}

func TestOrderStreamNeedsItsTopic(t *testing.T) {
	f := newFixture(t)
	f.problem(f.do("GET", streamPath, ""), http.StatusServiceUnavailable)
}

func TestReadersThatAreTooSlowAreCutOff(t *testing.T) {
	tl := newTail(kafka.Config{}, nil, nil)
	tl.at = positions{0: -1}
	slow, at, ok := tl.join()
	require.True(t, ok)
	assert.Equal(t, positions{0: -1}, at)
	for i := range tailBuffer + 1 {
		tl.hand(&kgo.Record{Offset: int64(i)})
	}
	n := 0
	for range slow.records {
		n++
	}
	assert.Equal(t, tailBuffer, n)
	assert.Zero(t, tl.count())
	tl.leave(slow)

	quick, _, ok := tl.join()
	require.True(t, ok)
	tl.stop()
	_, ok = <-quick.records
	assert.False(t, ok)
	_, _, ok = tl.join()
	assert.False(t, ok)
}

func TestAnOrderCalledStreamHasAnAddress(t *testing.T) {
	f := newFixture(t)
	a := f.do("POST", "/v1/orders", strings.Replace(goodOrder, "o-1", "stream", 1))
	require.Equal(t, http.StatusCreated, a.code)
	a = f.do("GET", a.header.Get("Location"), "")
	require.Equal(t, http.StatusOK, a.code)
	assert.Contains(t, a.body, `"id":"stream"`)
}

func TestFraudStreamSendsTheListAndThenChanges(t *testing.T) {
	s, _, _ := startService(t)
	for _, addr := range []string{s.Addr(), s.FraudAddr()} {
		stream := openEvents(t, "http://"+addr+"/fraud/stream", "")
		stream.next()
		name, data := stream.next()
		assert.Equal(t, "suspect", name)
		assert.JSONEq(t, `{"customerId":402,"lastName":"Ford","firstName":"Fay","counts":4}`, data)
	}
	stream := openEvents(t, "http://"+s.Addr()+"/fraud/stream", "")
	stream.next()
	stream.next()
	s.handlers.fraud.apply(suspect{CustomerID: 402, LastName: "Ford", FirstName: "Fay", Counts: 5, windowStart: 1795298460000})
	_, data := stream.next()
	assert.Contains(t, data, `"counts":5`)
}
