package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/order"
)

const goodOrder = `{"id":"o-1","customerId":5,"state":"CREATED","product":"JUMPERS","quantity":2,"price":9.5}`

var goodOrderValue = order.Order{ID: "o-1", CustomerID: 5, State: order.Created, Product: order.Jumpers, Quantity: 2, Price: 9.5}

func inState(o order.Order, s order.State) order.Order {
	o.State = s
	return o
}

func TestNewOrderIsWrittenThenAnswered(t *testing.T) {
	f := newFixture(t)
	a := f.do("POST", "/v1/orders", goodOrder)
	assert.Equal(t, http.StatusCreated, a.code)
	assert.Equal(t, "/v1/orders/o-1", a.header.Get("Location"))
	assert.Equal(t, "application/json", a.header.Get("Content-Type"))
	assert.JSONEq(t, goodOrder, a.body)
	assert.Equal(t, []order.Order{goodOrderValue}, f.publisher.orders)
}

func TestSameOrderAgainGivesTheStoredOne(t *testing.T) {
	f := newFixture(t)
	require.Equal(t, http.StatusCreated, f.do("POST", "/v1/orders", goodOrder).code)
	a := f.do("POST", "/v1/orders", goodOrder)
	assert.Equal(t, http.StatusOK, a.code, "known from this instance's own memory")
	assert.JSONEq(t, goodOrder, a.body)

	other := inState(goodOrderValue, order.Validated)
	other.ID = "o-2"
	f.store.put(other)
	a = f.do("POST", "/v1/orders", strings.Replace(goodOrder, "o-1", "o-2", 1))
	assert.Equal(t, http.StatusOK, a.code, "known from ksqlDB")
	assert.Contains(t, a.body, `"VALIDATED"`)
	assert.Equal(t, "/v1/orders/o-2", a.header.Get("Location"))
	assert.Len(t, f.publisher.orders, 1)
}

func TestSameIDWithOtherContentIsAConflict(t *testing.T) {
	f := newFixture(t)
	f.store.put(inState(goodOrderValue, order.Failed))
	for _, change := range []string{
		strings.Replace(goodOrder, `"quantity":2`, `"quantity":3`, 1),
		strings.Replace(goodOrder, `"price":9.5`, `"price":9`, 1),
		strings.Replace(goodOrder, `"customerId":5`, `"customerId":6`, 1),
		strings.Replace(goodOrder, `JUMPERS`, `STOCKINGS`, 1),
	} {
		p := f.problem(f.do("POST", "/v1/orders", change), http.StatusConflict)
		assert.Equal(t, "#/id", p.Errors[0].Pointer)
	}
	assert.Empty(t, f.publisher.orders)
}

func TestWrongOrdersNeverReachTheTopic(t *testing.T) {
	f := newFixture(t)
	p := f.problem(f.do("POST", "/v1/orders", strings.Replace(goodOrder, `"quantity":2`, `"quantity":"2"`, 1)), http.StatusBadRequest)
	assert.Equal(t, "#/quantity", p.Errors[0].Pointer)
	assert.Equal(t, "/v1/orders", p.Instance)
	f.problem(f.do("POST", "/v1/orders", ""), http.StatusBadRequest)
	f.problem(f.do("POST", "/v1/orders", goodOrder+"x"), http.StatusBadRequest)
	p = f.problem(f.do("POST", "/v1/orders", goodOrder+strings.Repeat(" ", maxBody)), http.StatusRequestEntityTooLarge)
	assert.Equal(t, "#", p.Errors[0].Pointer)
	assert.Empty(t, f.publisher.orders)
}

func TestTwoRequestsAtTheSameInstantWriteOnce(t *testing.T) {
	f := newFixture(t)
	f.publisher.gate = make(chan struct{})
	const n = 16
	codes := make(chan int, n)
	var ready sync.WaitGroup
	ready.Add(n)
	for range n {
		go func() {
			ready.Done()
			codes <- f.do("POST", "/v1/orders", goodOrder).code
		}()
	}
	ready.Wait()
	close(f.publisher.gate)
	got := map[int]int{}
	for range n {
		got[<-codes]++
	}
	assert.Equal(t, map[int]int{http.StatusCreated: 1, http.StatusOK: n - 1}, got)
	assert.Len(t, f.publisher.orders, 1)
}

func TestUnreachableServersAre503(t *testing.T) {
	f := newFixture(t)
	f.publisher.err = errors.New("no broker")
	a := f.do("POST", "/v1/orders", goodOrder)
	f.problem(a, http.StatusServiceUnavailable)
	assert.Equal(t, "1", a.header.Get("Retry-After"))
	assert.NotContains(t, a.body, "no broker", "inner errors are for the log")

	f.publisher.err = nil
	f.store.fail(errors.New("no ksqlDB"))
	f.problem(f.do("POST", "/v1/orders", goodOrder), http.StatusServiceUnavailable)
	f.problem(f.do("GET", "/v1/orders/x?timeout=0", ""), http.StatusServiceUnavailable)
	f.problem(f.do("POST", "/v1/orders/x/ship?timeout=0", ""), http.StatusServiceUnavailable)
	f.problem(f.do("POST", "/v1/payments", goodPayment), http.StatusServiceUnavailable)
	assert.Empty(t, f.publisher.orders)
}

func TestGetOrder(t *testing.T) {
	f := newFixture(t)
	f.store.put(goodOrderValue)
	a := f.do("GET", "/v1/orders/o-1", "")
	assert.Equal(t, http.StatusOK, a.code)
	assert.JSONEq(t, goodOrder, a.body)
	f.problem(f.do("GET", "/v1/orders/none?timeout=0", ""), http.StatusNotFound)

	odd := goodOrderValue
	odd.ID = `a/b 'c" ü?%`
	f.store.put(odd)
	a = f.do("GET", orderLocation(odd.ID), "")
	assert.Equal(t, http.StatusOK, a.code, "the Location of every id leads to it")
}

func TestGetAfterPostSeesTheOrderAtOnce(t *testing.T) {
	f := newFixture(t)
	f.do("POST", "/v1/orders", goodOrder)
	assert.Equal(t, http.StatusOK, f.do("GET", "/v1/orders/o-1?timeout=0", "").code)
}

func TestTimeoutParameter(t *testing.T) {
	f := newFixture(t)
	f.store.put(goodOrderValue)
	for _, bad := range []string{"-1", "60001", "soon", "1.5", ""} {
		p := f.problem(f.do("GET", "/v1/orders/o-1?timeout="+bad, ""), http.StatusBadRequest)
		assert.Contains(t, p.Detail, "timeout must be a whole number from 0 to 60000")
	}
	assert.Equal(t, http.StatusOK, f.do("GET", "/v1/orders/o-1?timeout=60000", "").code)
}

func TestGetValidated(t *testing.T) {
	f := newFixture(t)
	f.problem(f.do("GET", "/v1/orders/o-1/validated?timeout=0", ""), http.StatusNotFound)
	f.store.put(goodOrderValue)
	a := f.do("GET", "/v1/orders/o-1/validated?timeout=0", "")
	assert.Equal(t, http.StatusAccepted, a.code)
	assert.Equal(t, "1", a.header.Get("Retry-After"))
	assert.JSONEq(t, goodOrder, a.body)
	for _, final := range []order.State{order.Validated, order.Failed, order.Shipped} {
		f.store.put(inState(goodOrderValue, final))
		a = f.do("GET", "/v1/orders/o-1/validated?timeout=0", "")
		assert.Equal(t, http.StatusOK, a.code)
		assert.Contains(t, a.body, string(final))
	}
}

func TestValidatedSaysWhyAnOrderFailed(t *testing.T) {
	f := newFixture(t)
	f.store.put(inState(goodOrderValue, order.Failed))
	f.store.checks = map[order.CheckType]order.Result{order.InventoryCheck: order.Fail, order.FraudCheck: order.Fail, order.OrderDetailsCheck: order.Pass}
	f.stock.reservations["o-1"] = ledger.Reservation{Product: "JUMPERS", Quantity: 2, Available: 1, Result: order.Fail}
	a := f.do("GET", "/v1/orders/o-1/validated", "")
	require.Equal(t, http.StatusOK, a.code)
	matchesSchema(t, "DecidedOrder", a.body)
	var got decidedJSON
	require.NoError(t, json.Unmarshal([]byte(a.body), &got))
	assert.Equal(t, inState(goodOrderValue, order.Failed), got.Order)
	assert.Equal(t, []failure{
		{order.InventoryCheck, order.Fail, "2 units of JUMPERS were asked for, 1 were available."},
		{order.FraudCheck, order.Fail, "The customer's orders of one session, which ends after an hour without an order, come to 2000 or more."},
	}, got.Failures)

	f.handlers.orders.put("o-1", inState(goodOrderValue, order.Failed))
	f.store.fail(errors.New("away"))
	a = f.do("GET", "/v1/orders/o-1/validated", "")
	assert.Equal(t, http.StatusOK, a.code, "the state is known all the same")
	assert.NotContains(t, a.body, "failures")
}

func TestWaitersAreWokenByThePushQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		rows := make(chan []any)
		queries := &fakeQueries{answers: []*fakeRows{{rows: rows}}}
		skipped := 0
		skips := kafka.NewSkips(f.handlers.log, func(string) { skipped++ })
		feed, err := f.handlers.watch.feed(queries, skips, f.handlers.log)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go feed.run(ctx)

		known, final := make(chan answer, 1), make(chan answer, 1)
		go func() { known <- f.do("GET", "/v1/orders/o-1?timeout=5000", "") }()
		go func() { final <- f.do("GET", "/v1/orders/o-1/validated?timeout=5000", "") }()
		synctest.Wait()
		assert.Equal(t, 2, f.handlers.watch.count())

		start := time.Now()
		rows <- []any{"other", 1, "CREATED", "JUMPERS", 1, 1}
		rows <- []any{nil, 1, "CREATED", "JUMPERS", 1, 1}
		rows <- []any{"odd", "nobody", "CREATED", "JUMPERS", 1, 1}
		rows <- []any{"o-1", 5, "CREATED", "JUMPERS", 2, 9.5}
		assert.Equal(t, http.StatusOK, (<-known).code)
		rows <- []any{"o-1", 5, "VALIDATED", "JUMPERS", 2, 9.5}
		a := <-final
		assert.Equal(t, http.StatusOK, a.code)
		assert.Contains(t, a.body, "VALIDATED")
		assert.Zero(t, time.Since(start), "nobody waits longer than the record takes")
		synctest.Wait()
		assert.Equal(t, 1, skipped, "the row whose customer has no number")
		assert.Zero(t, f.handlers.watch.count(), "a waiter leaves with its request")
		assert.Equal(t, "latest", queries.props[0]["auto.offset.reset"])
	})
}

func TestWaitersGetWhatIsKnownWhenTheTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		start := time.Now()
		f.problem(f.do("GET", "/v1/orders/o-1/validated?timeout=3000", ""), http.StatusNotFound)
		assert.Equal(t, 3*time.Second, time.Since(start))
		f.store.put(goodOrderValue)
		assert.Equal(t, http.StatusAccepted, f.do("GET", "/v1/orders/o-1/validated", "").code)
		assert.Equal(t, 5*time.Second, time.Since(start), "two seconds unless told otherwise")
	})
}

func TestNoWakeUpIsLost(t *testing.T) {
	tests := []struct {
		name    string
		happens func(f *fixture)
		within  time.Duration
	}{
		{"the push query misses the record", func(*fixture) {}, repullInterval},
		{"the push query connects again", func(f *fixture) { f.handlers.watch.again <- struct{}{} }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.store.put(goodOrderValue)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go f.handlers.watch.repull(ctx, f.store)
				got := make(chan answer, 1)
				go func() { got <- f.do("GET", "/v1/orders/o-1/validated?timeout=5000", "") }()
				synctest.Wait()
				start := time.Now()
				f.store.put(inState(goodOrderValue, order.Failed))
				tt.happens(f)
				assert.Equal(t, http.StatusOK, (<-got).code)
				assert.LessOrEqual(t, time.Since(start), tt.within)
			})
		})
	}
}

func TestRepullAsksInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		for i := range 2*repullBatch + 1 {
			_, cancel := f.handlers.watch.register(strings.Repeat("x", i+1))
			defer cancel()
		}
		f.store.asked = make(chan []string, 3)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go f.handlers.watch.repull(ctx, f.store)
		total := 0
		for range 3 {
			ids := <-f.store.asked
			assert.LessOrEqual(t, len(ids), repullBatch)
			total += len(ids)
		}
		assert.Equal(t, 2*repullBatch+1, total)
	})
}

func TestLookupFailureIsForgivenWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.store.fail(errors.New("starting"))
		got := make(chan answer, 1)
		go func() { got <- f.do("GET", "/v1/orders/o-1/validated?timeout=5000", "") }()
		synctest.Wait()
		f.handlers.watch.tell(inState(goodOrderValue, order.Validated))
		assert.Equal(t, http.StatusOK, (<-got).code)
		f.problem(f.do("GET", "/v1/orders/o-2?timeout=100", ""), http.StatusServiceUnavailable)
	})
}

func TestWaitersEndWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan answer, 1)
		go func() { got <- f.doContext(ctx, "GET", "/v1/orders/o-1?timeout=60000", "") }()
		synctest.Wait()
		cancel()
		f.problem(<-got, http.StatusServiceUnavailable)
		synctest.Wait()
		assert.Zero(t, f.handlers.watch.count())
	})
}

func TestPushQueryIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		ended := make(chan []any)
		close(ended)
		queries := &fakeQueries{answers: []*fakeRows{{rows: ended}, {rows: make(chan []any)}}}
		feed, err := f.handlers.watch.feed(queries, nil, f.handlers.log)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { feed.run(ctx); close(done) }()
		<-time.After(time.Second)
		assert.True(t, feed.connected())
		assert.Len(t, queries.asked, 2)
		cancel()
		<-done
		assert.False(t, feed.connected())
	})
}

func TestShip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.problem(f.do("POST", "/v1/orders/o-1/ship", ""), http.StatusNotFound)
		for _, s := range []order.State{order.Created, order.Failed} {
			f.store.put(inState(goodOrderValue, s))
			p := f.problem(f.do("POST", "/v1/orders/o-1/ship", ""), http.StatusConflict)
			assert.Contains(t, p.Detail, string(s))
		}
		f.store.put(inState(goodOrderValue, order.Validated))
		start := time.Now()
		a := f.do("POST", "/v1/orders/o-1/ship", "")
		assert.Equal(t, http.StatusOK, a.code)
		assert.Contains(t, a.body, "SHIPPED")
		assert.Equal(t, shipWait, time.Since(start), "an acknowledged shipment is certain, also while ksqlDB is slow")
		a = f.do("POST", "/v1/orders/o-1/ship", "")
		assert.Equal(t, http.StatusOK, a.code, "before ksqlDB's table has it, too")
		assert.Equal(t, shipWait, time.Since(start), "at once")
		assert.Equal(t, []order.Shipment{order.ShipmentOf(goodOrderValue)}, f.publisher.shipments)
		assert.Empty(t, f.publisher.orders, "ksqlDB writes the order")

		second := goodOrderValue
		second.ID = "o-2"
		f.store.put(inState(second, order.Validated))
		done := make(chan answer, 1)
		go func() { done <- f.do("POST", "/v1/orders/o-2/ship", "") }()
		synctest.Wait()
		start = time.Now()
		f.handlers.watch.tell(inState(second, order.Validated))
		synctest.Wait()
		f.handlers.watch.tell(inState(second, order.Shipped))
		assert.Equal(t, http.StatusOK, (<-done).code)
		assert.Zero(t, time.Since(start), "the answer comes with the record")
	})
}

const goodPayment = `{"id":"p-1","orderId":"o-1","ccy":"EUR","amount":19}`

func TestPayments(t *testing.T) {
	f := newFixture(t)
	a := f.do("POST", "/v1/payments", goodPayment)
	assert.Equal(t, http.StatusCreated, a.code)
	assert.JSONEq(t, goodPayment, a.body)
	assert.Equal(t, http.StatusOK, f.do("POST", "/v1/payments", goodPayment).code)
	f.problem(f.do("POST", "/v1/payments", strings.Replace(goodPayment, "19", "20", 1)), http.StatusConflict)

	f.store.payments["p-2"] = order.Payment{ID: "p-2", OrderID: "o-1", Currency: "EUR", Amount: 19}
	assert.Equal(t, http.StatusOK, f.do("POST", "/v1/payments", strings.Replace(goodPayment, "p-1", "p-2", 1)).code)
	p := f.problem(f.do("POST", "/v1/payments", strings.Replace(goodPayment, "EUR", "eur", 1)), http.StatusBadRequest)
	assert.Equal(t, "#/ccy", p.Errors[0].Pointer)
	assert.Len(t, f.publisher.payments, 1)
}

func TestInventory(t *testing.T) {
	f := newFixture(t)
	f.stock.stocks = []ledger.Stock{{Product: "JUMPERS", Warehouse: 10, Reserved: 4}, {Product: "SOCKS", Warehouse: 1}}
	a := f.do("GET", "/v1/inventory", "")
	assert.Equal(t, http.StatusOK, a.code)
	assert.JSONEq(t, `[{"product":"JUMPERS","warehouse":10,"reserved":4,"available":6},
		{"product":"UNDERPANTS","warehouse":0,"reserved":0,"available":0},
		{"product":"STOCKINGS","warehouse":0,"reserved":0,"available":0},
		{"product":"SOCKS","warehouse":1,"reserved":0,"available":1}]`, a.body)

	assert.Equal(t, http.StatusOK, f.do("PUT", "/v1/inventory/JUMPERS", `{"quantity":4}`).code)
	p := f.problem(f.do("PUT", "/v1/inventory/JUMPERS", `{"quantity":3}`), http.StatusConflict)
	assert.Equal(t, "#/quantity", p.Errors[0].Pointer)
	f.problem(f.do("PUT", "/v1/inventory/JUMPERS", `{"quantity":-1}`), http.StatusBadRequest)
	f.problem(f.do("PUT", "/v1/inventory/SOCKS", `{"quantity":1}`), http.StatusNotFound)
	assert.Equal(t, []int32{4}, f.publisher.units)

	f.stock.applied = false
	assert.Equal(t, http.StatusAccepted, f.do("PUT", "/v1/inventory/STOCKINGS", `{"quantity":1}`).code)
	f.stock.ready = false
	f.problem(f.do("PUT", "/v1/inventory/STOCKINGS", `{"quantity":1}`), http.StatusServiceUnavailable)
	f.problem(f.do("GET", "/v1/inventory", ""), http.StatusServiceUnavailable)
}

var fraudColumns = []ksql.Column{{Name: "CUSTOMERID", Type: "BIGINT"}, {Name: "LASTNAME", Type: "STRING"}, {Name: "FIRSTNAME", Type: "STRING"},
	{Name: "WINDOWSTART", Type: "BIGINT"}, {Name: "WINDOWEND", Type: "BIGINT"}, {Name: "COUNTS", Type: "BIGINT"}}

func TestFraudListsTheLastCountPerCustomerNewestWindowFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		assert.JSONEq(t, `[]`, f.do("GET", "/fraud", "").body)

		rows := make(chan []any)
		queries := &fakeQueries{answers: []*fakeRows{{columns: fraudColumns, rows: rows}}}
		feed, err := f.handlers.fraud.feed(queries, f.handlers.log)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go feed.run(ctx)
		for _, row := range [][]any{
			{401, "Eden", "Eve", 30000, 60000, 3},
			{402, "Ford", "Fay", 30000, 60000, 3},
			{402, "Ford", "Fay", 30000, 60000, 4},
			{404, "Hill", "Hal", 60000, 90000, 3},
			{401, "Eden", "Eve", 0, 30000, 9},
			{405, nil, nil, 90000, 120000, 3},
		} {
			rows <- row
		}
		synctest.Wait()
		assert.JSONEq(t, `[{"customerId":404,"lastName":"Hill","firstName":"Hal","counts":3},
			{"customerId":402,"lastName":"Ford","firstName":"Fay","counts":4},
			{"customerId":401,"lastName":"Eden","firstName":"Eve","counts":3}]`, f.do("GET", "/fraud", "").body)
		assert.JSONEq(t, `[{"customerId":404,"lastName":"Hill","firstName":"Hal","counts":3}]`, f.do("GET", "/fraud?limit=1", "").body)
		assert.Equal(t, "earliest", queries.props[0]["auto.offset.reset"])

		got := make(chan answer, 1)
		start := time.Now()
		go func() { got <- f.do("GET", "/fraud?limit=1&wait=5000", "") }()
		synctest.Wait()
		rows <- []any{404, "Hill", "Hal", 60000, 90000, 3} // repeated: not news
		synctest.Wait()
		rows <- []any{404, "Hill", "Hal", 60000, 90000, 4}
		assert.Contains(t, (<-got).body, `"counts":4`)
		assert.Zero(t, time.Since(start))
		assert.Contains(t, f.do("GET", "/fraud?limit=1&wait=100", "").body, `"counts":4`)
		assert.Equal(t, 100*time.Millisecond, time.Since(start))
	})
}

func TestFraudParametersAndSecondListener(t *testing.T) {
	f := newFixture(t)
	for _, q := range []string{"limit=0", "limit=1001", "limit=x", "wait=-1", "wait=60001"} {
		f.problem(f.do("GET", "/fraud?"+q, ""), http.StatusBadRequest)
	}
	f.router, f.partial = f.handlers.fraudRouter(), true
	assert.Equal(t, http.StatusOK, f.do("GET", "/fraud?limit=1000", "").code)
	f.problem(f.do("POST", "/v1/orders", goodOrder), http.StatusNotFound)
}

func TestAddressesAndMethods(t *testing.T) {
	f := newFixture(t)
	f.problem(f.do("GET", "/nothing", ""), http.StatusNotFound)
	a := f.do("DELETE", "/v1/orders/o-1", "")
	f.problem(a, http.StatusMethodNotAllowed)
	assert.Equal(t, "GET", a.header.Get("Allow"))
	assert.Equal(t, http.StatusOK, f.do("GET", "/livez", "").code)
	assert.Equal(t, http.StatusOK, f.do("GET", "/readyz", "").code)
	f.handlers.health.Add("api", func() error { return errors.New("not yet") })
	assert.Equal(t, http.StatusServiceUnavailable, f.do("GET", "/readyz", "").code)
	f.do("POST", "/v1/orders", goodOrder)
	metrics := f.do("GET", "/metrics", "").body
	assert.Contains(t, metrics, "orderflow_orders_accepted_total 1")
	assert.Contains(t, metrics, `orderflow_http_request_duration_seconds_count{method="POST",route="/v1/orders",status="201"} 1`)
}
