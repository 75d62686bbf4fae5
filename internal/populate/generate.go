package populate

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/orderflow/orderflow/internal/order"
)

// burstSize is how many orders a customer places in a burst: of five orders within a
// few seconds at least three lie in the same 30-second window.
const burstSize = 5

// item is one thing to post.
type item struct {
	// order is what is posted, unless document is set; without an id there is none.
	order order.Order
	// payment follows the order, or stands alone; nil for none.
	payment *order.Payment
	// late says that the payment comes late.
	late bool
	// document is posted instead of an order; the API has to refuse it.
	document []byte
}

// generator makes items from a seed: the same seed and shares give the same items.
// One goroutine uses it.
type generator struct {
	cfg   Config
	rnd   *rand.Rand
	n     int
	burst []int64 // customers of the orders that a burst still has to make
}

func newGenerator(cfg Config) *generator {
	return &generator{cfg: cfg, rnd: rand.New(rand.NewPCG(cfg.Seed, cfg.Seed^0x9e3779b97f4a7c15))}
}

func (g *generator) next() item {
	g.n++
	if len(g.burst) == 0 && g.rnd.Float64() < g.cfg.BurstShare {
		customer := g.customer()
		for range burstSize {
			g.burst = append(g.burst, customer)
		}
	}
	if len(g.burst) > 0 {
		customer := g.burst[0]
		g.burst = g.burst[1:]
		return g.pay(g.good(customer))
	}
	o := g.good(g.customer())
	if g.rnd.Float64() >= g.cfg.BadShare {
		return g.pay(o)
	}
	return g.bad(o)
}

func (g *generator) customer() int64 {
	return g.cfg.FirstCustomer + g.rnd.Int64N(g.cfg.Customers)
}

func (g *generator) good(customer int64) order.Order {
	return order.Order{
		ID:         fmt.Sprintf("%s-%x-%06d", g.cfg.Prefix, g.cfg.Seed, g.n),
		CustomerID: customer,
		State:      order.Created,
		Product:    order.Products[g.rnd.IntN(len(order.Products))],
		Quantity:   1 + g.rnd.Int32N(3),
		Price:      math.Round((5+g.rnd.Float64()*45)*100) / 100,
	}
}

func (g *generator) pay(o order.Order) item {
	it := item{order: o}
	if g.rnd.Float64() < g.cfg.PaidShare {
		it.payment = &order.Payment{ID: "pay-" + o.ID, OrderID: o.ID, Currency: "EUR", Amount: math.Round(float64(o.Quantity)*o.Price*100) / 100}
		it.late = g.cfg.LateShare > 0 && g.rnd.Float64() < g.cfg.LateShare
	}
	return it
}

// bad returns an order that a check fails, or a document that the API refuses.
func (g *generator) bad(o order.Order) item {
	document := func(format string, args ...any) item {
		return item{order: o, document: fmt.Appendf(nil, format, args...)}
	}
	switch g.rnd.IntN(7) {
	case 0:
		o.Quantity = 0
	case 1:
		o.Price = -1
	case 2:
		// More than a session of orders may be worth.
		o.Quantity, o.Price = 1, 2500
	case 3:
		return document(`{"id":%q,"customerId":%d,"state":"CREATED","product":"SOCKS","quantity":1,"price":1}`, o.ID, o.CustomerID)
	case 4:
		return document(`{"id":%q,"customerId":"%d","state":"CREATED","product":"JUMPERS","quantity":1,"price":1}`, o.ID, o.CustomerID)
	case 5:
		return document(`{"id":"","customerId":%d,"state":"CREATED","product":"JUMPERS","quantity":1,"price":1}`, o.CustomerID)
	default:
		return document(`{"id":%q,"customerId":%d,`, o.ID, o.CustomerID)
	}
	return item{order: o}
}
