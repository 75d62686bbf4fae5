package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

// record is one of orders.v1 that holds an order.
func record(t testing.TB, offset int64, o order.Order) *kgo.Record {
	t.Helper()
	value, err := json.Marshal(o)
	require.NoError(t, err)
	return &kgo.Record{Topic: order.TopicOrders, Key: []byte(o.ID), Value: value, Offset: offset, Timestamp: time.UnixMilli(1_700_000_000_000)}
}

// arrive has another instance take an order, which ksqlDB's table does not have.
func (f *fixture) arrive(o order.Order) {
	f.t.Helper()
	require.NoError(f.t, f.handlers.arrivals.take(f.t.Context(), record(f.t, f.topic.add(), o)))
}

func TestAnOrderThatTheTableLacksIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.arrive(goodOrderValue)
		start := time.Now()
		a := f.do("GET", "/v1/orders/o-1", "")
		assert.Equal(t, http.StatusOK, a.code)
		assert.JSONEq(t, goodOrder, a.body)
		assert.Equal(t, http.StatusAccepted, f.do("GET", "/v1/orders/o-1/validated?timeout=0", "").code)
		assert.Equal(t, http.StatusOK, f.do("GET", "/v1/orders/o-1/history", "").code)
		assert.Equal(t, time.UnixMilli(1_700_000_000_000).Add(-historyMargin), f.history.since, "it is known since when there are records of it")
		a = f.do("POST", "/v1/orders", goodOrder)
		assert.Equal(t, http.StatusOK, a.code)
		assert.JSONEq(t, goodOrder, a.body)
		f.problem(f.do("POST", "/v1/orders", strings.Replace(goodOrder, "9.5", "9", 1)), http.StatusConflict)
		f.problem(f.do("POST", "/v1/orders/o-1/ship?timeout=0", ""), http.StatusConflict)
		a = f.do("POST", "/v1/orders:batch", `{"orders":[`+goodOrder+`,`+strings.Replace(goodOrder, "9.5", "9", 1)+`]}`)
		assert.Contains(t, a.body, `"status":200`)
		assert.Contains(t, a.body, `"status":409`)
		assert.Equal(t, http.StatusCreated, f.do("POST", "/v1/payments", goodPayment).code)
		assert.Empty(t, f.publisher.orders)
		assert.Zero(t, time.Since(start), "at once")

		f.store.fail(errors.New("ksqlDB is away"))
		assert.Equal(t, http.StatusOK, f.do("GET", "/v1/orders/o-1", "").code)
		f.problem(f.do("GET", "/v1/orders/o-2?timeout=0", ""), http.StatusServiceUnavailable)
		f.store.fail(nil)

		f.handlers.arrivals.progressed(inState(goodOrderValue, order.Validated))
		f.handlers.arrivals.progressed(goodOrderValue)
		assert.Equal(t, http.StatusOK, f.do("GET", "/v1/orders/o-1/validated?timeout=0", "").code)
		assert.Equal(t, http.StatusOK, f.do("POST", "/v1/orders/o-1/ship", "").code)
		assert.Len(t, f.publisher.shipments, 1)
	})
}

func TestAnOrderThatArrivesWakesItsWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		got := make(chan answer, 1)
		go func() { got <- f.do("GET", "/v1/orders/o-1?timeout=5000", "") }()
		synctest.Wait()
		start := time.Now()
		f.arrive(goodOrderValue)
		assert.Equal(t, http.StatusOK, (<-got).code)
		assert.Zero(t, time.Since(start))
	})
}

// everyLookup are the requests that look an order up, whose id ends in the given text.
func everyLookup(f *fixture, id string) map[string]func() answer {
	post := strings.Replace(goodOrder, "o-1", id, 1)
	return map[string]func() answer{
		"get":       func() answer { return f.do("GET", "/v1/orders/"+id+"?timeout=0", "") },
		"validated": func() answer { return f.do("GET", "/v1/orders/"+id+"/validated?timeout=0", "") },
		"history":   func() answer { return f.do("GET", "/v1/orders/"+id+"/history", "") },
		"ship":      func() answer { return f.do("POST", "/v1/orders/"+id+"/ship?timeout=0", "") },
		"post":      func() answer { return f.do("POST", "/v1/orders", post) },
	}
}

func (f *fixture) undecided(a answer, detail string) {
	f.t.Helper()
	p := f.problem(a, http.StatusServiceUnavailable)
	assert.Equal(f.t, detail, p.Detail)
	assert.Equal(f.t, "1", a.header.Get("Retry-After"))
	assert.Empty(f.t, a.header.Get("Location"))
}

func TestWithoutAllThatWasTakenNoOrderIsCalledUnknown(t *testing.T) {
	tests := map[string]struct {
		prepare func(f *fixture)
		detail  string
		takes   time.Duration
	}{
		"the reading is behind": {func(f *fixture) { f.topic.add() }, notRead, reachTimeout},
		"the reading has not begun": {func(f *fixture) {
			f.handlers.arrivals.partitions = nil
		}, notRead, reachTimeout},
		"Kafka does not answer": {func(f *fixture) { f.topic.gate = make(chan struct{}) }, notRead, reachTimeout},
		"Kafka refuses": {func(f *fixture) { f.topic.err = errors.New("not the leader") },
			"Something that this request needs did not answer; try again.", 0},
		"the table is too far behind": {func(f *fixture) {
			f.handlers.arrivals.limit = 3 * arrivalCost
			for i := range 4 {
				o := goodOrderValue
				o.ID = fmt.Sprint("early-", i)
				f.arrive(o)
			}
		}, tooFar, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for lookup := range everyLookup(nil, "") {
				t.Run(lookup, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						f := newFixture(t)
						tt.prepare(f)
						start := time.Now()
						f.undecided(everyLookup(f, "none")[lookup](), tt.detail)
						assert.Equal(t, tt.takes, time.Since(start))
						synctest.Wait()
						assert.Empty(t, f.handlers.arrivals.ends.running)
						assert.Empty(t, f.publisher.orders)
					})
				})
			}
		})
	}
}

func TestALookUpWaitsForWhatWasTakenBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		other := goodOrderValue
		other.ID = "o-2"
		first, second := f.topic.add(), f.topic.add()
		found, missing := make(chan answer, 1), make(chan answer, 1)
		go func() { found <- f.do("GET", "/v1/orders/o-1?timeout=0", "") }()
		go func() { missing <- f.do("GET", "/v1/orders/none?timeout=0", "") }()
		synctest.Wait()
		f.topic.add() // after the look-ups: they do not wait for it
		require.NoError(t, f.handlers.arrivals.take(t.Context(), record(t, first, other)))
		synctest.Wait()
		assert.Empty(t, missing)
		require.NoError(t, f.handlers.arrivals.take(t.Context(), record(t, second, goodOrderValue)))
		assert.Equal(t, http.StatusOK, (<-found).code)
		f.problem(<-missing, http.StatusNotFound)
	})
}

func TestALookUpIsRepeatedWhenTheTableHasMovedOn(t *testing.T) {
	f := newFixture(t)
	asked := 0
	f.handlers.orderLookups.find = func(context.Context, ...string) (map[string]order.Order, error) {
		if asked++; asked > 1 {
			return map[string]order.Order{"o-1": inState(goodOrderValue, order.Failed)}, nil
		}
		// The table does not have it yet; before the topic is asked it does.
		f.arrive(goodOrderValue)
		f.handlers.arrivals.confirm(map[int32]int64{0: 1})
		assert.Equal(t, 1, f.handlers.arrivals.count(), "who has just missed it in the table finds it here")
		f.handlers.arrivals.confirm(map[int32]int64{0: 1})
		assert.Zero(t, f.handlers.arrivals.count())
		return nil, nil
	}
	a := f.do("GET", "/v1/orders/o-1?timeout=0", "")
	assert.Equal(t, http.StatusOK, a.code)
	assert.Contains(t, a.body, "FAILED")
	assert.Equal(t, 2, asked)
}

func TestEndsAreAskedForTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.topic.gate = make(chan struct{})
		var wg sync.WaitGroup
		ask := func() {
			wg.Go(func() { f.problem(f.do("GET", "/v1/orders/none?timeout=0", ""), http.StatusNotFound) })
		}
		ask()
		synctest.Wait()
		for range 64 {
			ask()
		}
		synctest.Wait()
		assert.Equal(t, 1, f.topic.asked, "one question at a time")
		f.topic.gate <- struct{}{}
		f.topic.gate <- struct{}{}
		wg.Wait()
		assert.Equal(t, 2, f.topic.asked, "all that came meanwhile share the next one")
	})
}

func TestOnlyNewOrdersArrive(t *testing.T) {
	f := newFixture(t)
	a := f.handlers.arrivals
	offset := int64(0)
	take := func(change func(*kgo.Record), o order.Order) {
		t.Helper()
		rec := record(t, offset, o)
		change(rec)
		require.NoError(t, a.take(t.Context(), rec))
		offset++
		assert.Equal(t, offset, a.partitions[0].next)
	}
	asIs := func(*kgo.Record) {}
	take(func(rec *kgo.Record) { rec.Value = []byte("no order") }, goodOrderValue)
	take(func(rec *kgo.Record) { rec.Value = nil }, goodOrderValue)
	take(func(rec *kgo.Record) { rec.Key = nil }, goodOrderValue)
	take(func(rec *kgo.Record) { rec.Key = []byte(strings.Repeat("x", order.MaxIDBytes+1)) }, goodOrderValue)
	take(asIs, inState(goodOrderValue, order.Validated))
	assert.Zero(t, a.count())

	take(asIs, goodOrderValue)
	other := goodOrderValue
	other.Price++
	take(asIs, other)
	take(asIs, inState(goodOrderValue, order.Validated))
	take(asIs, goodOrderValue)
	known, ok := a.get("o-1")
	require.True(t, ok)
	assert.Equal(t, inState(goodOrderValue, order.Validated), known.order, "the content of the first record, and the state that was come to")
	assert.Equal(t, int64(5), known.offset)
	assert.Equal(t, 1, a.count())

	a.decode = func(context.Context, []byte, any) error { return kafka.ErrUnavailable }
	require.ErrorIs(t, a.take(t.Context(), record(t, offset, other)), kafka.ErrUnavailable)
	assert.Equal(t, offset, a.partitions[0].next, "it is read again")
}

func TestReadingBeginsWhereTheTableIs(t *testing.T) {
	const far = arrivalsSpan
	tests := map[string]struct {
		starts, ends []int64
		table        map[int32]int64
		from, start  []int64
	}{
		"nothing in the topic":       {[]int64{0, 0}, []int64{0, 0}, nil, []int64{0, 0}, []int64{0, 0}},
		"nothing in the table":       {[]int64{0, 0}, []int64{7, 9}, nil, []int64{0, 0}, []int64{0, 0}},
		"the table behind":           {[]int64{0, 0}, []int64{7, 9}, map[int32]int64{0: 7, 1: 4}, []int64{7, 4}, []int64{7, 4}},
		"records that are gone":      {[]int64{5, 5}, []int64{7, 9}, map[int32]int64{0: 2, 1: 6}, []int64{5, 6}, []int64{2, 6}},
		"the table of another topic": {[]int64{0, 0}, []int64{7, 9}, map[int32]int64{0: 8, 1: 9}, []int64{0, 9}, []int64{0, 9}},
		"the table far behind":       {[]int64{0, 0}, []int64{far + 10, 9}, map[int32]int64{0: 9, 1: 9}, []int64{10, 9}, []int64{10, 9}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newFixture(t).handlers.arrivals
			from := a.begin(tt.starts, tt.ends, tt.table)
			assert.Equal(t, tt.from, from)
			assert.Equal(t, tt.start, []int64{a.partitions[0].start, a.partitions[1].start})
			again, ok := a.resume(tt.starts, tt.ends)
			assert.True(t, ok)
			assert.Equal(t, from, again)
			_, ok = a.resume(tt.starts, []int64{tt.ends[0]})
			assert.False(t, ok, "another number of partitions")
			_, ok = a.resume([]int64{from[0] + 1, from[1]}, tt.ends)
			assert.False(t, ok, "what was to come next is gone")
			a.partitions[0].next = tt.ends[0] + 1
			_, ok = a.resume(tt.starts, tt.ends)
			assert.False(t, ok, "another topic of the name")
		})
	}
}

func TestWhatWasMissedBeforeReadingBeganAnewIsAskedForAgain(t *testing.T) {
	f := newFixture(t)
	a := f.handlers.arrivals
	a.confirm(map[int32]int64{0: 100})
	before := a.mark("o-1", false)
	a.begin([]int64{0}, []int64{50}, map[int32]int64{0: 50})
	a.partitions[0].next = 50
	_, _, err := a.find(t.Context(), "o-1", before)
	require.ErrorIs(t, err, errAskAgain)
	_, found, err := a.find(t.Context(), "o-1", a.mark("o-1", false))
	require.NoError(t, err)
	assert.False(t, found)
}

func TestArrivalsStayWithinTheirMemory(t *testing.T) {
	var logged strings.Builder
	a := newArrivals(decodeJSON, (&fakeTopic{}).end, nil, slog.New(slog.NewTextHandler(&logged, nil)))
	a.begin([]int64{0, 0}, []int64{0, 0}, nil)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const orders = 150_000
	for i := range orders {
		o := goodOrderValue
		o.ID = fmt.Sprintf("0b38b3a5-71a0-4d2c-8a9e-%012d", i)
		rec := record(t, int64(i/2), o)
		rec.Partition = int32(i % 2)
		require.NoError(t, a.take(t.Context(), rec))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.LessOrEqual(t, a.used, arrivalsLimit)
	assert.Greater(t, a.count(), 100_000)
	assert.Less(t, after.HeapAlloc-before.HeapAlloc, uint64(arrivalsLimit))
	t.Logf("%d orders take %d KiB", a.count(), (after.HeapAlloc-before.HeapAlloc)>>10)
	assert.True(t, a.behind())
	assert.Equal(t, 2, strings.Count(logged.String(), "level=WARN"), "once a partition")
	a.confirm(map[int32]int64{0: orders / 2, 1: orders / 2})
	assert.False(t, a.behind(), "the table has what is forgotten")
	a.confirm(map[int32]int64{0: orders / 2, 1: orders / 2})
	assert.Zero(t, a.count())
	assert.Zero(t, a.used)
}
