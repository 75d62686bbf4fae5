package ledger

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/order"
)

func stock(offset int64, product string, units int32) Entry {
	return Entry{Kind: StockSet, Product: product, Quantity: units, Source: Source{Topic: "w", Offset: offset}}
}

func reserve(offset int64, product, id string, units int32) Entry {
	return Entry{Kind: ReserveRequest, Product: product, OrderID: id, Quantity: units, Source: Source{Topic: "o", Offset: offset}}
}

func release(offset int64, product, id string) Entry {
	return Entry{Kind: Release, Product: product, OrderID: id, Source: Source{Topic: "o", Offset: offset}}
}

func ship(offset int64, product, id string) Entry {
	return Entry{Kind: Ship, Product: product, OrderID: id, Source: Source{Topic: "o", Offset: offset}}
}

func foldAll(entries []Entry) *Fold {
	f := NewFold()
	for _, e := range entries {
		f.Apply(e)
	}
	return f
}

func TestFold(t *testing.T) {
	const j = "JUMPERS"
	tests := []struct {
		name     string
		entries  []Entry
		want     Stock
		outcomes map[string]order.Result
	}{
		{"a product without stock fails", []Entry{reserve(0, j, "a", 1)}, Stock{j, 0, 0}, map[string]order.Result{"a": order.Fail}},
		{"stock is reserved", []Entry{stock(0, j, 3), reserve(0, j, "a", 2)}, Stock{j, 3, 2}, map[string]order.Result{"a": order.Pass}},
		{"the last unit can be had", []Entry{stock(0, j, 3), reserve(0, j, "a", 2), reserve(1, j, "b", 1), reserve(2, j, "c", 1)}, Stock{j, 3, 3},
			map[string]order.Result{"a": order.Pass, "b": order.Pass, "c": order.Fail}},
		{"a smaller order fits where a larger one did not", []Entry{stock(0, j, 3), reserve(0, j, "a", 4), reserve(1, j, "b", 3)}, Stock{j, 3, 3},
			map[string]order.Result{"a": order.Fail, "b": order.Pass}},
		{"zero and less fail", []Entry{stock(0, j, 3), reserve(0, j, "a", 0), reserve(1, j, "b", -1)}, Stock{j, 3, 0}, map[string]order.Result{"a": order.Fail, "b": order.Fail}},
		{"products are apart", []Entry{stock(0, "STOCKINGS", 3), reserve(0, j, "a", 1)}, Stock{j, 0, 0}, map[string]order.Result{"a": order.Fail}},
		{"a failed order gives back", []Entry{stock(0, j, 3), reserve(0, j, "a", 3), release(1, j, "a"), reserve(2, j, "b", 3)}, Stock{j, 3, 3},
			map[string]order.Result{"a": order.Pass, "b": order.Pass}},
		{"giving back twice counts once", []Entry{stock(0, j, 3), reserve(0, j, "a", 1), reserve(1, j, "b", 1), release(2, j, "a"), release(3, j, "a")}, Stock{j, 3, 1}, nil},
		{"giving back nothing changes nothing", []Entry{stock(0, j, 3), reserve(0, j, "a", 4), release(1, j, "a"), release(2, j, "x")}, Stock{j, 3, 0}, nil},
		{"a shipped order leaves the warehouse", []Entry{stock(0, j, 3), reserve(0, j, "a", 2), ship(1, j, "a"), ship(2, j, "a"), release(3, j, "a")}, Stock{j, 1, 0}, nil},
		{"a released order cannot be shipped", []Entry{stock(0, j, 3), reserve(0, j, "a", 2), release(1, j, "a"), ship(2, j, "a")}, Stock{j, 3, 0}, nil},
		{"the first request of an order counts", []Entry{stock(0, j, 9), reserve(0, j, "a", 2), reserve(1, j, "a", 5)}, Stock{j, 9, 2}, map[string]order.Result{"a": order.Pass}},
		{"and keeps its result", []Entry{reserve(0, j, "a", 2), stock(0, j, 9), reserve(0, j, "a", 2), reserve(1, j, "a", 2)}, Stock{j, 9, 0}, map[string]order.Result{"a": order.Fail}},
		{"an order that is over reserves nothing", []Entry{stock(0, j, 9), release(0, j, "a"), reserve(1, j, "a", 2)}, Stock{j, 9, 0}, map[string]order.Result{"a": order.Fail}},
		{"stock below what is reserved blocks new orders only", []Entry{stock(0, j, 9), reserve(0, j, "a", 5), stock(1, j, 3), reserve(1, j, "b", 1), release(2, j, "a"), reserve(3, j, "c", 3)}, Stock{j, 3, 3},
			map[string]order.Result{"a": order.Pass, "b": order.Fail, "c": order.Pass}},
		{"a stock-set that was seen changes nothing", []Entry{stock(0, j, 9), stock(1, j, 3), stock(0, j, 9)}, Stock{j, 3, 0}, nil},
		{"large numbers do not overflow", []Entry{stock(0, j, 1<<31-1), reserve(0, j, "a", 1<<31-1), reserve(1, j, "b", 1<<31-1)}, Stock{j, 1<<31 - 1, 1<<31 - 1},
			map[string]order.Result{"a": order.Pass, "b": order.Fail}},
		{"an unknown kind changes nothing", []Entry{stock(0, j, 1), {Kind: "GIFT", Product: j}}, Stock{j, 1, 0}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := foldAll(tt.entries)
			assert.Equal(t, tt.want, f.Stock(j))
			for id, want := range tt.outcomes {
				r, ok := f.Reservation(id)
				require.True(t, ok)
				assert.Equal(t, want, r.Result, id)
			}
		})
	}
}

func TestFoldSaysWhatItKnows(t *testing.T) {
	f := NewFold()
	all := []Entry{stock(3, "J", 9), reserve(0, "J", "a", 2), ship(1, "J", "a")}
	for _, e := range all {
		assert.False(t, f.Knows(e))
		assert.True(t, f.Apply(e))
		assert.True(t, f.Knows(e))
		assert.False(t, f.Apply(e))
	}
	_, ok := f.Reservation("b")
	assert.False(t, ok)
	r, ok := f.Reservation("a")
	require.True(t, ok)
	assert.Equal(t, Reservation{Product: "J", Quantity: 2, Result: order.Pass, Available: 9}, r)
	assert.Equal(t, []Stock{{"J", 7, 0}}, f.Stocks())
}

// history makes a sequence of entries as services write them: of each source
// partition in offset order, an order's release or ship after its request.
func history(rnd *rand.Rand) []Entry {
	products := []string{"JUMPERS", "STOCKINGS"}
	var entries []Entry
	type open struct{ product, id string }
	var asked []open
	var orders, stocks int64
	for range 5 + rnd.IntN(60) {
		product := products[rnd.IntN(len(products))]
		switch n := rnd.IntN(10); {
		case n < 2:
			entries = append(entries, stock(stocks, product, int32(rnd.IntN(30))))
			stocks++
		case n < 7 || len(asked) == 0:
			id := fmt.Sprint("o", orders)
			entries = append(entries, reserve(orders, product, id, int32(rnd.IntN(12)-1)))
			asked = append(asked, open{product, id})
			orders++
		default:
			o := asked[rnd.IntN(len(asked))]
			if rnd.IntN(2) == 0 {
				entries = append(entries, release(orders, o.product, o.id))
			} else {
				entries = append(entries, ship(orders, o.product, o.id))
			}
			orders++
		}
	}
	return entries
}

func results(f *Fold) map[string]order.Result {
	got := map[string]order.Result{}
	for id := range f.orders {
		if r, ok := f.Reservation(id); ok {
			got[id] = r.Result
		}
	}
	return got
}

func TestNothingIsPromisedTwice(t *testing.T) {
	for seed := range uint64(2000) {
		f := NewFold()
		for _, e := range history(rand.New(rand.NewPCG(seed, 1))) {
			before := f.Stock(e.Product)
			f.Apply(e)
			after := f.Stock(e.Product)
			require.GreaterOrEqual(t, after.Reserved, int64(0), "seed %d", seed)
			if after.Reserved > before.Reserved {
				require.LessOrEqual(t, after.Reserved, after.Warehouse, "seed %d: %+v", seed, e)
				require.Equal(t, ReserveRequest, e.Kind)
			}
		}
		open := map[string]int64{}
		for id := range f.orders {
			if r, ok := f.Reservation(id); ok && r.Open {
				open[r.Product] += int64(r.Quantity)
			}
		}
		for _, s := range f.Stocks() {
			require.Equal(t, open[s.Product], s.Reserved, "seed %d: what is reserved is what is open", seed)
		}
	}
}

func TestRepeatedEntriesChangeNothing(t *testing.T) {
	for seed := range uint64(2000) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		once := history(rnd)
		var repeated []Entry
		for i, e := range once {
			repeated = append(repeated, e)
			for range rnd.IntN(3) {
				repeated = append(repeated, once[rnd.IntN(i+1)])
			}
		}
		a, b := foldAll(once), foldAll(repeated)
		require.Equal(t, a.Stocks(), b.Stocks(), "seed %d", seed)
		require.Equal(t, results(a), results(b), "seed %d", seed)
	}
}

// Two services that both believe to own a product write the same input, each in its
// order, however interleaved. Whoever reads the ledger gets what one service alone
// would have got.
func TestTwoWritersAgree(t *testing.T) {
	for seed := range uint64(2000) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		input := history(rnd)
		// The second one starts from what was committed, which is nothing or more.
		first, second := input, input
		var both []Entry
		for len(first)+len(second) > 0 {
			if len(second) == 0 || (len(first) > 0 && rnd.IntN(2) == 0) {
				both, first = append(both, first[0]), first[1:]
			} else {
				both, second = append(both, second[0]), second[1:]
			}
		}
		a, b := foldAll(input), foldAll(both)
		require.Equal(t, a.Stocks(), b.Stocks(), "seed %d", seed)
		require.Equal(t, results(a), results(b), "seed %d", seed)
		require.Equal(t, slices.Sorted(maps.Keys(a.orders)), slices.Sorted(maps.Keys(b.orders)))
	}
}
