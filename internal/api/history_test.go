package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/schemas"
)

func check(t order.CheckType, r order.Result) checkEvent {
	return checkEvent{Validation: order.Validation{OrderID: "o-1", CheckType: t, Result: r}}
}

// short is the result of the inventory's check of an order that asked for too much.
func short(asked, available int64) checkEvent {
	c := check(order.InventoryCheck, order.Fail)
	c.Asked, c.Available = &asked, &available
	return c
}

func (f *fixture) getHistory(query string) historyJSON {
	f.t.Helper()
	a := f.do("GET", "/v1/orders/o-1/history"+query, "")
	require.Equal(f.t, http.StatusOK, a.code, a.body)
	// Values are of different kinds, so that only their number is compared here.
	var got historyJSON
	require.NoError(f.t, json.Unmarshal([]byte(a.body), &got))
	return got
}

func TestHistorySaysWhyAnOrderFailed(t *testing.T) {
	at := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		order       order.Order
		checks      []checkEvent
		reservation *ledger.Reservation
		want        []failure
	}{
		"nothing failed": {goodOrderValue, []checkEvent{check(order.FraudCheck, order.Pass)}, nil, []failure{}},
		"stock": {
			goodOrderValue, []checkEvent{check(order.InventoryCheck, order.Fail), check(order.InventoryCheck, order.Fail)},
			&ledger.Reservation{Product: "JUMPERS", Quantity: 2, Available: 1, Result: order.Fail},
			[]failure{{order.InventoryCheck, order.Fail, "2 units of JUMPERS were asked for, 1 were available."}},
		},
		"stock as the check's record told it": {
			goodOrderValue, []checkEvent{short(7, 4)}, &ledger.Reservation{Product: "JUMPERS", Quantity: 2, Available: 1, Result: order.Fail},
			[]failure{{order.InventoryCheck, order.Fail, "7 units of JUMPERS were asked for, 4 were available."}},
		},
		"the first result counts": {goodOrderValue, []checkEvent{check(order.FraudCheck, order.Pass), check(order.FraudCheck, order.Fail)}, nil, []failure{}},
		"details and stock": {
			order.Order{ID: "o-1", State: order.Failed, Product: order.Jumpers, Quantity: -1},
			[]checkEvent{check(order.InventoryCheck, order.Fail), check(order.OrderDetailsCheck, order.Fail), check(order.FraudCheck, order.Error)}, nil,
			[]failure{
				{order.InventoryCheck, order.Fail, "The quantity is -1; at least 1 must be ordered."},
				{order.OrderDetailsCheck, order.Fail, "The quantity is -1; at least 1 must be ordered."},
				{order.FraudCheck, order.Error, "The check did not come to a result."},
			},
		},
		"price": {
			order.Order{ID: "o-1", State: order.Failed, Product: order.Jumpers, Quantity: 1, Price: -0.5}, []checkEvent{check(order.OrderDetailsCheck, order.Fail)}, nil,
			[]failure{{order.OrderDetailsCheck, order.Fail, "The price is -0.5; it must not be negative."}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.store.put(c.order)
			f.store.submitted = at
			for i, v := range c.checks {
				f.history.events = append(f.history.events, event{Kind: eventCheck, Time: at.Add(time.Duration(i) * time.Second), Value: v})
			}
			if c.reservation != nil {
				f.stock.reservations["o-1"] = *c.reservation
			}
			got := f.getHistory("")
			assert.Equal(t, c.want, got.Failures)
			assert.Equal(t, c.order, got.Order)
			assert.True(t, got.Complete)
			assert.Equal(t, at.Add(-time.Minute), f.history.since.UTC())
		})
	}
}

func TestHistoryTellsWhenItIsNotWhole(t *testing.T) {
	f := newFixture(t)
	f.store.put(goodOrderValue)
	f.history.events = []event{{Kind: eventOrder, Value: goodOrderValue}}
	f.history.block = true
	got := f.getHistory("?timeout=20")
	assert.False(t, got.Complete)
	assert.Len(t, got.Events, 1)
	assert.False(t, f.getHistory("?timeout=0").Complete)

	f.history.block, f.history.err = false, errors.New("no broker")
	f.problem(f.do("GET", "/v1/orders/o-1/history", ""), http.StatusServiceUnavailable)
	f.problem(f.do("GET", "/v1/orders/o-2/history", ""), http.StatusNotFound)
	f.problem(f.do("GET", "/v1/orders/o-1/history?timeout=x", ""), http.StatusBadRequest)
}

func TestEventsOfOneTimeStandInTheOrderOfTheirCauses(t *testing.T) {
	at := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	want := []any{
		goodOrderValue, order.Payment{ID: "p-1"}, reservationEvent{Entry: ledger.ReserveRequest}, check(order.InventoryCheck, order.Pass),
		inState(goodOrderValue, order.Validated), shipmentEvent{}, inState(goodOrderValue, order.Shipped), reservationEvent{Entry: ledger.Ship}, emailEvent{},
	}
	var events []event
	for i := range want {
		events = append(events, event{Time: at, Value: want[len(want)-1-i]})
	}
	sortEvents(events)
	var got []any
	for _, e := range events {
		got = append(got, e.Value)
	}
	assert.Equal(t, want, got)
}

func TestHistoryIsReadFromTheTopics(t *testing.T) {
	var topics []string
	subjects := map[string]string{}
	for _, topic := range []string{
		order.TopicOrders, order.TopicPayments, order.TopicValidations, order.TopicInventoryLedger, order.TopicEmailLedger, order.TopicEmailDeadLetters, order.TopicShipments,
	} {
		topics = append(topics, topic)
		text, err := schemas.Files.ReadFile(order.ValueSubject(topic) + ".avsc")
		require.NoError(t, err)
		subjects[order.ValueSubject(topic)] = string(text)
	}
	s, _, cfg := startServiceWith(t, kafkatest.Start(t, 4, append(topics, order.TopicWarehouseInventory), subjects))
	require.Equal(t, http.StatusCreated, call(t, "POST", "http://"+s.Addr()+"/v1/orders", goodOrder).code)
	require.Equal(t, http.StatusCreated, call(t, "POST", "http://"+s.Addr()+"/v1/payments", goodPayment).code)

	at := time.Now()
	write := func(topic, key string, v any) {
		at = at.Add(time.Second)
		kafkatest.Produce(t, cfg, &kgo.Record{Topic: topic, Key: []byte(key), Value: kafkatest.Encode(t, cfg, order.ValueSubject(topic), v), Timestamp: at})
	}
	source := map[string]any{"sourceTopic": "t", "sourcePartition": 0, "sourceOffset": 0}
	with := func(fields map[string]any) map[string]any {
		for k, v := range source {
			fields[k] = v
		}
		return fields
	}
	write(order.TopicInventoryLedger, "JUMPERS", with(map[string]any{"kind": "STOCK_SET", "product": "JUMPERS", "orderId": "", "quantity": 1}))
	write(order.TopicInventoryLedger, "JUMPERS", with(map[string]any{"kind": "RESERVE_REQUEST", "product": "JUMPERS", "orderId": "o-1", "quantity": 2}))
	write(order.TopicInventoryLedger, "JUMPERS", with(map[string]any{"kind": "RESERVE_REQUEST", "product": "JUMPERS", "orderId": "o-11", "quantity": 2}))
	kafkatest.Produce(t, cfg, &kgo.Record{
		Topic: order.TopicValidations, Key: []byte("o-1"), Timestamp: at.Add(time.Second / 2),
		Value:   kafkatest.Encode(t, cfg, order.ValueSubject(order.TopicValidations), check(order.InventoryCheck, order.Fail).Validation),
		Headers: ledger.Reservation{Quantity: 2, Available: 1}.Headers(),
	})
	write(order.TopicOrders, "o-1", inState(goodOrderValue, order.Failed))
	mail := map[string]any{"orderId": "o-1", "paymentId": "p-1", "messageId": "<1@orderflow>", "recipient": "ann@example.com"}
	write(order.TopicEmailLedger, "o-1", with(mail))
	mail["reason"], mail["attempts"] = "full", 5
	write(order.TopicEmailDeadLetters, "o-1", mail)
	kafkatest.Produce(t, cfg, &kgo.Record{Topic: order.TopicValidations, Key: []byte("o-1"), Value: []byte("no check")})

	var a answer
	require.Eventually(t, func() bool {
		a = call(t, "GET", "http://"+s.Addr()+"/v1/orders/o-1/history", "")
		_, reserved := s.stockView.Reservation("o-1")
		return reserved && json.Valid([]byte(a.body))
	}, 10*time.Second, time.Millisecond)
	a = call(t, "GET", "http://"+s.Addr()+"/v1/orders/o-1/history", "")
	require.Equal(t, http.StatusOK, a.code, a.body)
	matchesSchema(t, "History", a.body)
	var got struct {
		Order    order.Order
		Failures []failure
		Complete bool
		Events   []struct {
			Kind, Topic string
			Offset      int64
			Value       map[string]any
		}
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &got))
	assert.True(t, got.Complete)
	assert.Equal(t, []failure{{order.InventoryCheck, order.Fail, "2 units of JUMPERS were asked for, 1 were available."}}, got.Failures)
	var kinds []string
	for _, e := range got.Events {
		kinds = append(kinds, e.Kind)
		assert.Contains(t, topics, e.Topic)
	}
	assert.Equal(t, []string{"ORDER", "PAYMENT", "RESERVATION", "CHECK", "ORDER", "EMAIL", "EMAIL_DEAD_LETTER"}, kinds)
	assert.EqualValues(t, 1, got.Events[3].Value["available"])
	assert.Equal(t, "full", got.Events[6].Value["reason"])
}

func TestCustomers(t *testing.T) {
	f := newFixture(t)
	f.store.customers[402] = customer{402, "Fay", "Ford", "fay@example.com", "1 Main St", "gold"}
	a := f.do("GET", "/v1/customers/402", "")
	require.Equal(t, http.StatusOK, a.code)
	assert.JSONEq(t, `{"id":402,"firstName":"Fay","lastName":"Ford","email":"fay@example.com","address":"1 Main St","level":"gold"}`, a.body)
	matchesSchema(t, "Customer", a.body)
	f.problem(f.do("GET", "/v1/customers/-1", ""), http.StatusNotFound)
	f.problem(f.do("GET", "/v1/customers/x", ""), http.StatusBadRequest)
	f.problem(f.do("GET", "/v1/customers/9223372036854775808", ""), http.StatusBadRequest)
	f.store.fail(errors.New("away"))
	f.problem(f.do("GET", "/v1/customers/402", ""), http.StatusServiceUnavailable)
}
