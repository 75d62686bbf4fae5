package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

const (
	// arrivalsLimit bounds what the remembered orders take, in bytes: a bit more than
	// 100,000 orders.
	arrivalsLimit = 32 << 20
	// arrivalCost is what an order takes beside its id, in bytes: the order, its places
	// in the queue and in the map, and what those have in reserve.
	arrivalCost = 256
	// reachTimeout bounds how long a look-up waits for what was written before it.
	reachTimeout = 2 * time.Second
)

// arrivals knows the new orders of orders.v1 that ksqlDB's table may not have yet,
// whichever instance took them. It is safe for concurrent use.
//
// Of each partition it remembers every new order from an offset on, and that offset is not
// beyond what the table's query has committed, unless the table is so far behind that
// memory does not suffice. So an id is unknown when the table does not have it, the
// reading has reached what was the partition's end when the question was asked, and it
// was not met on the way.
type arrivals struct {
	decode func(ctx context.Context, data []byte, v any) error
	ends   *endLookups
	skips  *kafka.Skips
	log    *slog.Logger
	// refused counts the look-ups that could not be decided.
	refused prometheus.Counter
	// arrived is called with each new order, under no lock.
	arrived func(order.Order)

	mu         sync.Mutex
	limit      int
	used       int                 // bytes
	epoch      int                 // how often reading began from scratch
	partitions []*arrivalPartition // nil until it began
	byID       map[string]*arrival
	changed    chan struct{} // closed when a position moves on and somebody waits for it
	waited     bool
}

// arrival is a new order.
type arrival struct {
	order  order.Order
	at     time.Time // the record's timestamp
	offset int64
}

type arrivalPartition struct {
	// next is the offset after the last record that was read.
	next int64
	// goal is where the partition ended when its reading began.
	goal int64
	// start is from where on all new orders are remembered.
	start int64
	// table is before which the table has everything, as ksqlDB said last.
	table int64
	queue []*arrival // in the order of their offsets
}

func newArrivals(decode func(context.Context, []byte, any) error, end func(context.Context, int32) (int64, error), skips *kafka.Skips, log *slog.Logger) *arrivals {
	refused := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "orderflow_api_undecided_lookups_total",
		Help: "Look-ups answered 503 because it could not be told yet whether the order was taken.",
	})
	return &arrivals{
		decode: decode, ends: newEndLookups(end), skips: skips, log: log, refused: refused, arrived: func(order.Order) {},
		limit: arrivalsLimit, byID: map[string]*arrival{}, changed: make(chan struct{}),
	}
}

// mark is what the table was known to have of one partition at some moment.
type mark struct {
	epoch int
	table int64
	end   *endLookup // the partition's end, when it was asked for by then
}

var errAskAgain = errors.New("what the table did not have is no longer remembered")

// Why it cannot be said whether an order is known.
const (
	notRead = "This instance has not yet read all orders that were taken before this request, so it cannot say whether this one was. Try again in a second."
	tooFar  = "ksqlDB's table of orders is behind by more orders than this instance remembers, so it cannot say whether this one was taken. Try again in a second."
)

// mark returns what the table has for certain of the partition of an id. It is to be
// asked before the table is. Whoever expects that the table does not have the id has the
// partition's end looked up meanwhile.
func (a *arrivals) mark(id string, expectNew bool) mark {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.partition(id)
	if p == nil {
		return mark{}
	}
	m := mark{epoch: a.epoch, table: p.table}
	if expectNew {
		m.end = a.ends.start(kafka.PartitionOf(id, len(a.partitions)))
	}
	return m
}

// get returns a remembered order.
func (a *arrivals) get(id string) (arrival, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.byID[id]; ok {
		return *known, true
	}
	return arrival{}, false
}

// find returns an order that the table, when it was asked after before was taken, did not
// have. That it is not found either is certain; where it cannot be, the error is a
// problem that says so, or errAskAgain when the table is to be asked again.
func (a *arrivals) find(ctx context.Context, id string, before mark) (order.Order, bool, error) {
	if known, ok := a.get(id); ok {
		return known.order, true, nil
	}
	if err := a.reachEnd(ctx, id, before.end); err != nil {
		return order.Order{}, false, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.byID[id]; ok {
		return known.order, true, nil
	}
	switch p := a.partition(id); {
	case before.epoch == a.epoch && p.start <= before.table:
		return order.Order{}, false, nil
	case p.start <= p.table:
		return order.Order{}, false, errAskAgain
	default:
		return order.Order{}, false, a.undecided(tooFar)
	}
}

// reachEnd waits until everything is read that the id's partition had at its end, which
// is looked up when it is nil.
func (a *arrivals) reachEnd(ctx context.Context, id string, asked *endLookup) error {
	bounded, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	err := a.await(bounded, func() bool { return a.partitions != nil })
	if err == nil {
		if asked == nil {
			asked = a.ends.start(a.partitionOf(id))
		}
		var end int64
		if end, err = asked.wait(bounded); err == nil {
			err = a.await(bounded, func() bool { return a.partition(id).next >= end })
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return a.undecided(notRead)
	default:
		return err
	}
}

// undecided says why it cannot be told whether an order is known.
func (a *arrivals) undecided(detail string) *problem {
	a.refused.Inc()
	return unavailable(detail)
}

// await waits until reached, which is called under the lock, or ctx ends.
func (a *arrivals) await(ctx context.Context, reached func() bool) error {
	for {
		a.mu.Lock()
		if reached() {
			a.mu.Unlock()
			return nil
		}
		changed := a.changed
		a.waited = true
		a.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wake lets those who wait look again. The lock is held.
func (a *arrivals) wake() {
	if a.waited {
		close(a.changed)
		a.changed = make(chan struct{})
		a.waited = false
	}
}

// partition returns what is known of the partition of an id; nil before reading began. The
// lock is held.
func (a *arrivals) partition(id string) *arrivalPartition {
	if a.partitions == nil {
		return nil
	}
	return a.partitions[kafka.PartitionOf(id, len(a.partitions))]
}

func (a *arrivals) partitionOf(id string) int32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return kafka.PartitionOf(id, len(a.partitions))
}

// take reads the next record of a partition. An error means that it is to be read again.
func (a *arrivals) take(ctx context.Context, rec *kgo.Record) error {
	o, ok, err := a.orderIn(ctx, rec)
	if err != nil {
		return err
	}
	fresh := false
	a.mu.Lock()
	p := a.partitions[rec.Partition]
	if ok && rec.Offset >= p.start {
		fresh = a.remember(p, o, rec)
	}
	p.next = rec.Offset + 1
	a.wake()
	a.mu.Unlock()
	if fresh {
		a.arrived(o)
	}
	return nil
}

// orderIn returns the order in a record. What ksqlDB writes in a transaction may yet be taken
// back; it is no new order.
func (a *arrivals) orderIn(ctx context.Context, rec *kgo.Record) (o order.Order, ok bool, err error) {
	if rec.Attrs.IsControl() || rec.Attrs.IsTransactional() || len(rec.Key) == 0 || len(rec.Key) > order.MaxIDBytes {
		return o, false, nil
	}
	err = a.decode(ctx, rec.Value, &o)
	if errors.Is(err, kafka.ErrUnavailable) || ctx.Err() != nil {
		return o, false, fmt.Errorf("reading %s partition %d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
	}
	if err == nil {
		err = countable(o.Price)
	}
	if err != nil { // a foreign writer's record
		a.skips.Skip(rec, err)
		return o, false, nil
	}
	o.ID = string(rec.Key)
	return o, true, nil
}

// remember keeps a new order, and reports whether it is one: the first record of an order
// has its content, later ones can only change its state. The lock is held.
func (a *arrivals) remember(p *arrivalPartition, o order.Order, rec *kgo.Record) bool {
	known, ok := a.byID[o.ID]
	switch {
	case ok:
		if o.State.Supersedes(known.order.State) {
			known.order.State = o.State
		}
		return false
	case o.State != order.Created:
		return false
	}
	for _, product := range order.Products {
		if o.Product == product {
			o.Product = product // one text for all
		}
	}
	o.State = order.Created
	known = &arrival{order: o, at: rec.Timestamp, offset: rec.Offset}
	a.byID[o.ID] = known
	p.queue = append(p.queue, known)
	a.used += arrivalCost + len(o.ID)
	for a.used > a.limit {
		a.evict()
	}
	return true
}

// evict forgets the oldest order of the partition that has the most. The lock is held.
func (a *arrivals) evict() {
	longest := a.partitions[0]
	for _, p := range a.partitions {
		if len(p.queue) > len(longest.queue) {
			longest = p
		}
	}
	if longest.start <= longest.table {
		a.log.Warn("ksqlDB's table of orders is behind by more orders than are remembered here; until it has caught up, whether an id is known may not be told")
	}
	a.forget(longest, longest.queue[0].offset+1)
}

// forget drops what lies before an offset. The lock is held.
func (a *arrivals) forget(p *arrivalPartition, before int64) {
	n := 0
	for ; n < len(p.queue) && p.queue[n].offset < before; n++ {
		id := p.queue[n].order.ID
		delete(a.byID, id)
		a.used -= arrivalCost + len(id)
	}
	clear(p.queue[:n])
	p.queue = p.queue[n:]
	p.start = max(p.start, before)
}

// progressed notes the state of an order that ksqlDB has told of.
func (a *arrivals) progressed(o order.Order) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.byID[o.ID]; ok && o.State.Supersedes(known.order.State) {
		known.order.State = o.State
	}
}

// confirm notes up to where the table has everything, by partition. What it had already
// when it was asked last is forgotten: a look-up that is under way may have missed the rest.
func (a *arrivals) confirm(table map[int32]int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for number, p := range a.partitions {
		before := p.table
		p.table = table[int32(number)]
		if before = min(before, p.table); before > p.start {
			a.forget(p, before)
		}
	}
}

// behind reports whether the table lacks orders that are not remembered.
func (a *arrivals) behind() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.partitions {
		if p.start > p.table {
			return true
		}
	}
	return false
}

// ready reports whether all is read that there was when reading began.
func (a *arrivals) ready() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.partitions {
		if p.next < p.goal {
			return false
		}
	}
	return a.partitions != nil
}

// count returns how many orders are remembered.
func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.byID)
}
