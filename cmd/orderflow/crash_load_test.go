package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orderflow/orderflow/internal/verify"
)

const (
	// crashClients is how many clients work at the same time.
	crashClients = 8
	// pauseBetweenTries is how long a client waits after a request that failed.
	pauseBetweenTries = 10 * time.Millisecond
	// servedWithin bounds how long a client tries, kills and restarts included.
	servedWithin = 90 * time.Second
	// nobody is the id of a customer who is not known.
	nobody = 999_999
)

// crashLoad are clients that order, pay, ship and change the stock until their
// context ends. Each repeats a request until it is answered, as one would that wants
// it done, and remembers what it was told.
type crashLoad struct {
	stack *crashStack
	ctx   context.Context
	// working is held for reading by a client during one piece of work.
	working sync.RWMutex
	orders  atomic.Int64
	pays    atomic.Int64

	mu     sync.Mutex
	claims verify.Claims
	wrong  []string // answers that must not be
}

func newCrashLoad(ctx context.Context, stack *crashStack) *crashLoad {
	return &crashLoad{stack: stack, ctx: ctx, claims: verify.Claims{
		Orders: map[string][]verify.Order{}, Payments: map[string]verify.Payment{}, Shipped: map[string]bool{}, Customers: map[int64]verify.Customer{},
	}}
}

// run works with all clients until the context ends.
func (l *crashLoad) run(seed uint64) {
	var wg sync.WaitGroup
	for n := range crashClients {
		wg.Go(func() { l.loop(rand.New(rand.NewPCG(seed, uint64(n))), l.order) })
	}
	wg.Go(func() { l.loop(rand.New(rand.NewPCG(seed, 100)), l.changeStock) })
	wg.Go(func() { l.loop(rand.New(rand.NewPCG(seed, 101)), l.toggleConnector) })
	wg.Go(func() { l.loop(rand.New(rand.NewPCG(seed, 102)), l.changeCustomer) })
	wg.Wait()
}

func (l *crashLoad) loop(random *rand.Rand, work func(*rand.Rand)) {
	for l.ctx.Err() == nil {
		l.working.RLock()
		work(random)
		l.working.RUnlock()
	}
}

// rest waits until every client has finished what it does, and returns what lets
// them go on.
func (l *crashLoad) rest() (goOn func()) {
	l.working.Lock()
	return l.working.Unlock
}

func (l *crashLoad) blame(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// told returns what the clients were told so far, and which answers were wrong.
func (l *crashLoad) told() (verify.Claims, []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims
	c.Orders, c.Payments, c.Shipped = maps.Clone(c.Orders), maps.Clone(c.Payments), maps.Clone(c.Shipped)
	c.Customers = maps.Clone(c.Customers)
	return c, slices.Clone(l.wrong)
}

// api returns one of the two instances.
func (l *crashLoad) api(random *rand.Rand) string {
	return l.stack.url([]string{"api", "second-api"}[random.IntN(2)])
}

// once sends a request. The status is 0 when it is not known what became of it, and
// when it is to be tried again.
func (l *crashLoad) once(method, address string, document any) (status int, body []byte) {
	var sent []byte
	if document != nil {
		var err error
		if sent, err = json.Marshal(document); err != nil {
			l.blame("encoding a request: %s", err)
			return 0, nil
		}
	}
	req, err := http.NewRequestWithContext(l.ctx, method, address, bytes.NewReader(sent))
	if err != nil {
		l.blame("making a request: %s", err)
		return 0, nil
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.stack.client.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		return 0, nil
	}
	return resp.StatusCode, body
}

// until sends a request to either instance, again and again, until it is answered.
func (l *crashLoad) until(random *rand.Rand, method, path string, document any) (status int, body []byte) {
	return l.tryUntil(func() string { return l.api(random) }, method, path, document)
}

func (l *crashLoad) tryUntil(api func() string, method, path string, document any) (status int, body []byte) {
	deadline := time.Now().Add(servedWithin)
	for l.ctx.Err() == nil {
		if status, body = l.once(method, api()+path, document); status != 0 {
			return status, body
		}
		if time.Now().After(deadline) {
			l.blame("%s %s was not answered within %s", method, path, servedWithin)
			break
		}
		l.pause(pauseBetweenTries)
	}
	return 0, nil
}

func (l *crashLoad) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ctx.Done():
	}
}

// document is an order or a payment as it is posted.
type document map[string]any

func orderDocument(o verify.Order) document {
	return document{"id": o.ID, "customerId": o.CustomerID, "state": o.State, "product": o.Product, "quantity": o.Quantity, "price": o.Price}
}

var crashProducts = []string{"JUMPERS", "UNDERPANTS", "STOCKINGS"}

// order makes an order and does with it what customers do.
func (l *crashLoad) order(random *rand.Rand) {
	n := l.orders.Add(1)
	o := verify.Order{
		ID: fmt.Sprintf("o-%d", n), CustomerID: firstCustomer + (n/6)%crashCustomers, State: "CREATED",
		Product: crashProducts[random.IntN(3)], Quantity: int32(random.IntN(7) - 1), Price: float64(random.IntN(60)),
	}
	switch random.IntN(40) {
	case 0:
		o.CustomerID = nobody
	case 1:
		o.Price = 900
	case 2:
		o.Price = -1
	}
	payEarly := random.IntN(8) == 0
	if payEarly {
		l.pay(random, o)
	}
	switch random.IntN(10) {
	case 0: // the same at both instances at once
		seed := random.Uint64()
		l.both(func(n int) { l.place(rand.New(rand.NewPCG(seed, uint64(n))), o) })
	case 1: // one id for two orders at both instances at once: either may be taken, or both, and one of them counts
		other := o
		other.Quantity += 3
		l.both(func(n int) { l.compete([]verify.Order{o, other}[n], n) })
		return
	case 2:
		l.placeBatch(random, o)
	default:
		l.place(random, o)
	}
	if random.IntN(4) == 0 {
		l.place(random, o)
	}
	if random.IntN(5) == 0 {
		l.placeOther(o)
	}
	if !payEarly && random.IntN(2) == 0 {
		l.pay(random, o)
	}
	if random.IntN(3) == 0 {
		l.ship(random, o)
	}
}

// both does the same for both instances at once.
func (l *crashLoad) both(do func(n int)) {
	var wg sync.WaitGroup
	for n := range 2 {
		wg.Go(func() { do(n) })
	}
	wg.Wait()
}

func (l *crashLoad) acknowledged(o verify.Order) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.claims.Orders[o.ID], o) {
		l.claims.Orders[o.ID] = append(l.claims.Orders[o.ID], o)
	}
}

func (l *crashLoad) place(random *rand.Rand, o verify.Order) {
	status, body := l.until(random, http.MethodPost, "/v1/orders", orderDocument(o))
	switch status {
	case 0:
	case http.StatusOK, http.StatusCreated:
		l.acknowledged(o)
	default:
		l.blame("order %s was answered %d: %s", o.ID, status, body)
	}
}

// placeBatch posts an order together with others, until all are taken.
func (l *crashLoad) placeBatch(random *rand.Rand, o verify.Order) {
	orders := []verify.Order{o}
	for range 1 + random.IntN(4) {
		another := o
		another.ID = fmt.Sprintf("o-%d", l.orders.Add(1))
		another.Product = crashProducts[random.IntN(3)]
		orders = append(orders, another)
	}
	var documents []document
	for _, o := range orders {
		documents = append(documents, orderDocument(o))
	}
	deadline := time.Now().Add(servedWithin)
	for left := len(orders); left > 0 && l.ctx.Err() == nil; {
		status, body := l.until(random, http.MethodPost, "/v1/orders:batch", document{"orders": documents})
		if status == 0 {
			return
		}
		var answer struct{ Results []struct{ Status int } }
		if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK || len(answer.Results) != len(orders) {
			l.blame("a batch was answered %d: %s", status, body)
			return
		}
		left = 0
		for i, r := range answer.Results {
			switch {
			case r.Status == http.StatusOK || r.Status == http.StatusCreated:
				l.acknowledged(orders[i])
			case r.Status >= 500:
				left++
			default:
				l.blame("order %s of a batch was answered %d: %s", orders[i].ID, r.Status, body)
				return
			}
		}
		if left > 0 && time.Now().After(deadline) {
			l.blame("a batch was not taken within %s: %s", servedWithin, body)
			return
		}
	}
}

// placeOther posts other content under an id that the same instance knows.
func (l *crashLoad) placeOther(o verify.Order) {
	for _, name := range []string{"api", "second-api"} {
		if l.tryUntil(func() string { return l.stack.url(name) }, http.MethodPost, "/v1/orders", orderDocument(o)); l.ctx.Err() != nil {
			return
		}
		other := o
		other.Price++
		status, body := l.tryUntil(func() string { return l.stack.url(name) }, http.MethodPost, "/v1/orders", orderDocument(other))
		if status != 0 && status != http.StatusConflict {
			l.blame("another order with the known id %s was answered %d: %s", o.ID, status, body)
		}
	}
}

// compete posts one of two orders with the same id to its instance.
func (l *crashLoad) compete(o verify.Order, instance int) {
	api := l.stack.url([]string{"api", "second-api"}[instance])
	for l.ctx.Err() == nil {
		status, body := l.once(http.MethodPost, api+"/v1/orders", orderDocument(o))
		switch status {
		case 0:
			l.pause(pauseBetweenTries)
			continue
		case http.StatusOK, http.StatusCreated:
			l.acknowledged(o)
		case http.StatusConflict:
		default:
			l.blame("order %s was answered %d: %s", o.ID, status, body)
		}
		return
	}
}

func (l *crashLoad) pay(random *rand.Rand, o verify.Order) {
	for range 1 + random.IntN(5)/4 {
		p := verify.Payment{ID: fmt.Sprintf("p-%d", l.pays.Add(1)), OrderID: o.ID, Currency: "EUR", Amount: max(0, float64(o.Quantity)*o.Price)}
		for range 1 + random.IntN(3)/2 {
			status, body := l.until(random, http.MethodPost, "/v1/payments", document{"id": p.ID, "orderId": p.OrderID, "ccy": p.Currency, "amount": p.Amount})
			switch status {
			case 0:
			case http.StatusOK, http.StatusCreated:
				l.mu.Lock()
				l.claims.Payments[p.ID] = p
				l.mu.Unlock()
			default:
				l.blame("payment %s was answered %d: %s", p.ID, status, body)
			}
		}
	}
}

// pull asks ksqlDB what the API asks it.
func (l *crashLoad) pull(query string) ([]byte, error) {
	sent, err := json.Marshal(document{"sql": query})
	if err != nil {
		return nil, err
	}
	resp, err := l.stack.client.Post(l.stack.url("ksqldb")+"/query-stream", "application/json", bytes.NewReader(sent))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// ship ships an order once it is decided. Whichever instance took it, each knows it.
func (l *crashLoad) ship(random *rand.Rand, o verify.Order) {
	var known struct{ State string }
	status, body := http.StatusAccepted, []byte(nil)
	for deadline := time.Now().Add(servedWithin); status == http.StatusAccepted; {
		status, body = l.until(random, http.MethodGet, "/v1/orders/"+o.ID+"/validated?timeout=2000", nil)
		if time.Now().After(deadline) {
			row, pullErr := l.pull(fmt.Sprintf("SELECT * FROM order_states WHERE id = '%s';", o.ID))
			l.blame("order %s was not decided within %s: %d %s; ksqlDB has %s (%v)", o.ID, servedWithin, status, body, row, pullErr)
			return
		}
	}
	if status == 0 {
		return
	}
	if err := json.Unmarshal(body, &known); err != nil || status != http.StatusOK {
		l.blame("the state of order %s was answered %d: %s", o.ID, status, body)
		return
	}
	want := http.StatusOK
	if known.State == "FAILED" {
		want = http.StatusConflict
	}
	send := func(random *rand.Rand) {
		status, body := l.until(random, http.MethodPost, "/v1/orders/"+o.ID+"/ship", nil)
		switch {
		case status == 0:
		case status != want:
			l.blame("shipping order %s, which is %s, was answered %d: %s", o.ID, known.State, status, body)
		case status == http.StatusOK:
			l.mu.Lock()
			l.claims.Shipped[o.ID] = true
			l.mu.Unlock()
		}
	}
	if seed := random.Uint64(); seed%4 == 0 {
		l.both(func(n int) { send(rand.New(rand.NewPCG(seed, uint64(n)))) })
		return
	}
	send(random)
	if random.IntN(4) == 0 {
		send(random)
	}
}

// changeStock sets the stock of a product a little above what is reserved, so that it
// is always about to run out.
func (l *crashLoad) changeStock(random *rand.Rand) {
	l.pause(time.Duration(random.IntN(100)) * time.Millisecond)
	product := crashProducts[random.IntN(3)]
	units := random.IntN(60)
	if status, body := l.once(http.MethodGet, l.api(random)+"/v1/inventory", nil); status == http.StatusOK {
		var list []verify.Stock
		if err := json.Unmarshal(body, &list); err != nil {
			l.blame("the stock was answered %s", body)
		}
		for _, s := range list {
			if s.Product == product {
				units += int(s.Reserved)
			}
		}
	}
	status, body := l.once(http.MethodPut, l.api(random)+"/v1/inventory/"+product, document{"quantity": units})
	if status != 0 && status != http.StatusConflict && status >= 300 {
		l.blame("setting the stock of %s to %d was answered %d: %s", product, units, status, body)
	}
}

// toggleConnector pauses the sink of the search index, or the source of the
// customers, or lets it go on.
func (l *crashLoad) toggleConnector(random *rand.Rand) {
	l.pause(time.Duration(random.IntN(600)) * time.Millisecond)
	name := crashConnectors[random.IntN(len(crashConnectors))]
	l.once(http.MethodPut, l.stack.url("connect")+"/connectors/"+name+"/"+[]string{"pause", "resume"}[random.IntN(2)], nil)
}

var crashConnectors = []string{"orders.v1", "customers"}

// changeCustomer changes a customer in the database, as the shop's other programs do.
func (l *crashLoad) changeCustomer(random *rand.Rand) {
	l.pause(time.Duration(random.IntN(400)) * time.Millisecond)
	id := firstCustomer + random.Int64N(crashCustomers)
	c := verify.Customer{
		ID: id, FirstName: fmt.Sprint("First", id), LastName: fmt.Sprint("Last", id), Email: fmt.Sprintf("c%d@%d.example.com", id, random.IntN(1000)),
		Address: fmt.Sprintf("%d Side St", random.IntN(1000)), Level: crashLevels[random.IntN(len(crashLevels))],
	}
	_, err := l.stack.customers.ExecContext(l.ctx, "UPDATE customers SET email = ?, address = ?, level = ? WHERE id = ?", c.Email, c.Address, c.Level, id)
	switch {
	case l.ctx.Err() != nil:
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.claims.Customers, id) // it may be changed, or not
	case err != nil:
		l.blame("changing customer %d: %s", id, err)
	default:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.claims.Customers[id] = c
	}
}
