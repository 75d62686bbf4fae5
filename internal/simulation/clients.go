package simulation

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/verify"
)

// instance is one instance of the API: what it remembers, and whom it serves. It
// takes orders by the rules of the REST contract: one id, one content.
type instance struct {
	process  *process
	orders   map[string]order.Order
	payments map[string]order.Payment
	busy     map[string]bool // ids that a request is about
}

func (i *instance) forget() {
	i.orders, i.payments, i.busy = map[string]order.Order{}, map[string]order.Payment{}, map[string]bool{}
}

// client orders, pays and ships, each thing until it is done.
type client struct {
	a     *actor
	world *World
}

// request runs one request at an instance. The answer is false when it is not known
// what became of it: the process died meanwhile, or a record was not acknowledged.
func (c *client) request(i *instance, id string, do func() (done bool, err error)) bool {
	life := i.process.life
	for i.busy[id] {
		if c.a.pause() != nil || i.process.life != life {
			return false
		}
	}
	i.busy[id] = true
	done, err := do()
	if i.process.life != life {
		return false
	}
	delete(i.busy, id)
	return done && err == nil
}

// until repeats a request at either instance until it is done.
func (c *client) until(id string, do func(i *instance) (bool, error)) {
	for !c.a.dead {
		i := c.world.instances[c.world.random.IntN(2)]
		if i.process.actors != nil && c.request(i, id, func() (bool, error) { return do(i) }) {
			return
		}
		if c.a.pause() != nil {
			return
		}
	}
}

// write produces a record of an instance.
func (c *client) write(i *instance, topic, key string, v any) error {
	life := i.process.life
	value, err := c.world.pipeline.encoders[topic].Encode(v)
	if err != nil {
		return err
	}
	if err := c.a.pause(); err != nil {
		return err
	}
	if i.process.life != life {
		return errDied
	}
	return producer{a: c.a, duplicates: true, loses: true}.produce(&kgo.Record{Topic: topic, Key: []byte(key), Value: value}).FirstErr()
}

// lookup pulls a row of a table by its key, as of the last commits.
func (w *World) lookup(table, key string) (*types.Row, error) {
	for _, q := range w.pipeline.queries {
		m := q.topology.Materialization
		if m == nil || !tableOf(q.id, table) {
			continue
		}
		for n := range int32(partitions) {
			row, err := m.Get(w.disk.committed(state.TaskID{Query: q.id, Sub: m.Sub, Partition: n}), []types.Value{types.StringValue(key)})
			if err != nil || row != nil {
				return row, err
			}
		}
	}
	return nil, nil
}

func (c *client) known(i *instance, id string) (order.Order, bool, error) {
	if err := c.a.pause(); err != nil {
		return order.Order{}, false, err
	}
	remembered, ok := i.orders[id]
	row, err := c.world.lookup("ORDER_STATES", id)
	if err != nil || row == nil {
		return remembered, ok, err
	}
	o := order.Order{
		ID: row.Value[0].Str(), CustomerID: row.Value[1].Int(), State: order.State(row.Value[2].Str()), Product: order.Product(row.Value[3].Str()),
		Quantity: int32(row.Value[4].Int()), Price: row.Value[5].Double(),
	}
	if ok && remembered.State.Supersedes(o.State) {
		o = remembered
	}
	return o, true, nil
}

// place posts an order until it is taken, or refused because another one has its id.
func (c *client) place(o order.Order) {
	c.until(o.ID, func(i *instance) (bool, error) {
		known, found, err := c.known(i, o.ID)
		if err != nil {
			return false, err
		}
		if found && !known.SameContent(o) {
			return true, nil
		}
		if !found {
			if err := c.write(i, order.TopicOrders, o.ID, o); err != nil {
				return false, err
			}
			i.orders[o.ID] = o
		}
		claims := &c.world.claims
		if told := (verify.Order{ID: o.ID, CustomerID: o.CustomerID, State: "CREATED", Product: string(o.Product), Quantity: o.Quantity, Price: o.Price}); !slices.Contains(claims.Orders[o.ID], told) {
			claims.Orders[o.ID] = append(claims.Orders[o.ID], told)
		}
		return true, nil
	})
}

func (c *client) pay(p order.Payment) {
	c.until(p.ID, func(i *instance) (bool, error) {
		row, err := c.world.lookup("PAYMENTS_BY_ID", p.ID)
		if err != nil {
			return false, err
		}
		if _, ok := i.payments[p.ID]; !ok && row == nil {
			if err := c.write(i, order.TopicPayments, p.ID, p); err != nil {
				return false, err
			}
			i.payments[p.ID] = p
		}
		c.world.claims.Payments[p.ID] = verify.Payment{ID: p.ID, OrderID: p.OrderID, Currency: p.Currency, Amount: p.Amount}
		return true, nil
	})
}

// ship waits until the order is decided and has it shipped when it may be.
func (c *client) ship(id string) {
	c.until(id, func(i *instance) (bool, error) {
		o, _, err := c.known(i, id)
		switch {
		case err != nil || !o.State.Final():
			return false, err
		case o.State == order.Failed:
			return true, nil
		case o.State == order.Validated:
			if err := c.write(i, order.TopicShipments, id, order.ShipmentOf(o)); err != nil {
				return false, err
			}
			o.State = order.Shipped
			i.orders[id] = o
		}
		c.world.shipped[id] = true
		return true, nil
	})
}

// stock sets how many units of a product lie in the warehouse.
func (c *client) stock(product order.Product, units int32) {
	c.until(string(product), func(i *instance) (bool, error) {
		life := i.process.life
		if err := c.a.pause(); err != nil || i.process.life != life {
			return false, errDied
		}
		rec := &kgo.Record{Topic: order.TopicWarehouseInventory, Key: []byte(product), Value: binary.BigEndian.AppendUint32(nil, uint32(units))}
		err := producer{a: c.a, duplicates: true, loses: true}.produce(rec).FirstErr()
		return err == nil, err
	})
}

// customer is one that is known from the start.
const (
	customers = 2
	nobody    = 99
)

// fillCustomers writes the customers, long before the first order.
func (w *World) fillCustomers() error {
	for id := range int64(customers) {
		value, err := w.pipeline.encoders["customers"].Encode(map[string]any{
			"id": id, "firstName": fmt.Sprint("First", id), "lastName": fmt.Sprint("Last", id), "email": fmt.Sprintf("c%d@example.com", id),
			"address": "1 Main St", "level": []string{"gold", "bronze"}[id%2],
		})
		if err != nil {
			return err
		}
		key := binary.BigEndian.AppendUint64(nil, uint64(id))
		w.append(&kgo.Record{
			Topic: "customers", Partition: w.keys.Partition(key, 0, partitions), Key: key, Value: value, Timestamp: time.UnixMilli(w.clock - 48*hour),
		})
	}
	return nil
}

// live is what a client does.
func (c *client) live(n int) {
	w := c.world
	for i := range 1 + w.random.IntN(3) {
		o := order.Order{
			ID: fmt.Sprintf("o-%d-%d", n, i), CustomerID: w.random.Int64N(customers), State: order.Created, Product: order.Products[w.random.IntN(4)/3],
			Quantity: int32(w.random.IntN(6) - 1), Price: float64(w.random.IntN(40)),
		}
		switch w.random.IntN(12) {
		case 0:
			o.CustomerID = nobody
		case 1:
			o.Price = 700
		case 2:
			o.Price = -1
		}
		pay := order.Payment{ID: fmt.Sprintf("p-%d-%d", n, i), OrderID: o.ID, Currency: "EUR", Amount: 1}
		early := w.random.IntN(6) == 0
		if early {
			c.pay(pay)
		}
		c.place(o)
		if w.random.IntN(3) == 0 {
			c.place(o)
		}
		if w.random.IntN(4) == 0 {
			other := o
			other.Quantity++
			c.place(other)
		}
		if !early && w.random.IntN(2) == 0 {
			c.pay(pay)
		}
		if w.random.IntN(3) == 0 {
			c.ship(o.ID)
		}
	}
	w.living--
}

// fill sets the stock now and then, to a little.
func (c *client) fill() {
	w := c.world
	for range 3 + w.random.IntN(8) {
		c.stock(order.Products[w.random.IntN(4)/3], int32(w.random.IntN(9)))
		for range w.random.IntN(12) {
			if c.a.pause() != nil {
				return
			}
		}
	}
	w.living--
}

// rival posts another order under an id that a client is using.
func (c *client) rival(n int) {
	o := order.Order{
		ID: fmt.Sprintf("o-%d-0", n), CustomerID: c.world.random.Int64N(customers), State: order.Created, Product: order.Products[0], Quantity: 2, Price: 3,
	}
	c.place(o)
	c.world.living--
}
