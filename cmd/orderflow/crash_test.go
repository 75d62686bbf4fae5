package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

// crashRounds is how often the process is killed: a few times in every test run,
// more where ORDERFLOW_CRASH_ROUNDS says so.
func crashRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("ORDERFLOW_CRASH_ROUNDS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "ORDERFLOW_CRASH_ROUNDS")
	return n
}

// crashLoad posts orders until the process dies and remembers which ones were
// acknowledged.
type crashLoad struct {
	mu    sync.Mutex
	acked map[string]int // quantity by order id
	next  atomic.Int64
	count atomic.Int64
}

const crashStock = 1_000_000

// post sends orders of many customers, one after the other, until one is not
// answered. Each is posted again under the same id, as a client would that lost
// an answer.
func (l *crashLoad) post(api string) {
	for {
		n := l.next.Add(1)
		id, quantity := fmt.Sprintf("crash-%d", n), int(n%4)
		for range 2 {
			resp, err := http.Post(api+"/v1/orders", "application/json", strings.NewReader(orderBody(id, n, "JUMPERS", quantity, 1)))
			if err != nil {
				return
			}
			_, err = io.Copy(io.Discard, resp.Body)
			if resp.Body.Close(); err != nil || resp.StatusCode >= http.StatusBadRequest {
				return
			}
			l.mu.Lock()
			l.acked[id] = quantity
			l.mu.Unlock()
		}
		l.count.Add(1)
	}
}

// TestKilledProcessesLoseAndRepeatNothing kills the process in the middle of
// orders, again and again. In the end every acknowledged order has exactly one
// final record, the right one, and the stock is what the orders left of it.
func TestKilledProcessesLoseAndRepeatNothing(t *testing.T) {
	dir := t.TempDir()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	load := &crashLoad{acked: map[string]int{}}
	p := startUp(t, dir)
	p.stock(t, "JUMPERS", crashStock)
	for range crashRounds(t) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { load.post(p.api()) })
		}
		target := load.count.Load() + 5 + random.Int64N(100)
		eventually(t, "some orders are accepted", func() bool { return load.count.Load() >= target })
		p.kill(t)
		wg.Wait()
		p = startUp(t, dir)
	}
	t.Logf("%d orders acknowledged", len(load.acked))
	for id := range load.acked {
		p.decision(t, id)
	}
	p.stop(t)
	p = startUp(t, dir)
	p.checkOrders(t, load.acked)
}

// checkOrders reads the topics as they are and counts.
func (p *process) checkOrders(t *testing.T, acked map[string]int) {
	t.Helper()
	registry, err := kafka.NewRegistry(kafka.Config{Brokers: []string{p.kafka()}, SchemaRegistry: p.addr["Schema Registry"]})
	require.NoError(t, err)
	final := map[string][]string{}
	created := map[string]bool{}
	reserved := 0
	for _, rec := range p.records(t, "orders.v1") {
		var o order.Order
		require.NoError(t, registry.Decode(t.Context(), rec.Value, &o))
		if o.State == order.Created {
			created[o.ID] = true
			continue
		}
		final[o.ID] = append(final[o.ID], string(o.State))
		if o.State == order.Validated {
			reserved += int(o.Quantity)
		}
	}
	for id, quantity := range acked {
		require.True(t, created[id], "%s was acknowledged and is lost", id)
		want := []string{"VALIDATED"}
		if quantity < 1 {
			want = []string{"FAILED"}
		}
		require.Equal(t, want, final[id], "final records of %s", id)
	}
	for id, states := range final {
		require.Len(t, states, 1, "final records of %s", id)
		require.True(t, created[id], "%s was decided and never created", id)
	}
	firsts := map[string]int{}
	for _, rec := range p.records(t, "orders-new.v1") {
		firsts[string(rec.Key)]++
	}
	for id, n := range firsts {
		require.Equal(t, 1, n, "records of %s in orders-new.v1", id)
	}
	require.Len(t, firsts, len(created))
	require.InDelta(t, crashStock-reserved, p.available(t, "JUMPERS"), 0, "stock left")
}
