package inventory

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
)

// Sixty-four clients order the last units of two products at the same time, while
// instances come and go. Not one unit more is promised than there is, none is kept
// back that an order could have had, and every order gets one answer.
func TestManyClientsOrderTheLastUnits(t *testing.T) {
	const clients, each, units = 64, 5, 100
	cfg := start(t)
	products := []string{"JUMPERS", "UNDERPANTS"}
	first := run(t, cfg, "g")
	run(t, cfg, "g")
	for _, p := range products {
		kafkatest.Produce(t, cfg, stockRecord(p, units))
		waitStock(t, cfg, ledger.Stock{Product: p, Warehouse: units})
	}
	quantities := map[string]int32{}
	batches := make([][]*kgo.Record, clients)
	for c := range clients {
		random := rand.New(rand.NewPCG(uint64(c), 0))
		for i := range each {
			id := fmt.Sprintf("o-%d-%d", c, i)
			quantities[id] = int32(1 + random.IntN(3))
			batches[c] = append(batches[c], orderRecord(t, cfg, products[random.IntN(len(products))], id, order.Created, quantities[id]))
		}
	}
	client, err := kafka.NewClient(cfg)
	require.NoError(t, err)
	defer client.Close()
	half, rest := make(chan struct{}), make(chan struct{})
	var wg, halves sync.WaitGroup
	halves.Add(clients)
	for _, records := range batches {
		wg.Go(func() {
			for i, rec := range records {
				if i == each/2 {
					halves.Done()
					<-rest
				}
				if err := client.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() {
		halves.Wait()
		close(half)
	}()
	<-half
	third := run(t, cfg, "g") // a rebalance in the middle of the work
	close(rest)
	first()
	run(t, cfg, "g")
	third()
	wg.Wait()

	got := map[string]order.Result{}
	for n := len(quantities); len(got) < len(quantities); n++ {
		got = results(t, cfg, n) // which requires that repeated answers are the same
	}
	stocks, _ := foldLedger(t, cfg, func(s map[string]ledger.Stock) bool {
		return s[products[0]].Reserved+s[products[1]].Reserved == promised(got, quantities)
	})
	for _, p := range products {
		s := stocks[p]
		assert.LessOrEqual(t, s.Reserved, int64(units), p)
		assert.Greater(t, s.Reserved, int64(units-3), "%s: what is left is less than the largest order", p)
	}
}

// promised adds up the units of the orders that passed.
func promised(results map[string]order.Result, quantities map[string]int32) int64 {
	var sum int64
	for id, r := range results {
		if r == order.Pass {
			sum += int64(quantities[id])
		}
	}
	return sum
}
