// Package ledger is the stock ledger: the entries of inventory-ledger.v1, the fold
// that makes stock and check results of them, and readers that keep the fold current.
//
// The topic is the only truth. Whoever folds the entries of a partition in offset
// order gets the same stock and the same result for every order, however many
// services write to it and however often an entry is repeated.
//
// Invariants of the fold:
//   - A stock-set whose source record is not newer than the last one that was
//     applied of the same source partition changes nothing.
//   - Of each order the first reserve-request counts, then the first of release
//     and ship; everything repeated changes nothing.
//   - When a reservation is accepted, reserved + quantity <= warehouse.
//
// A record that no version of this program can have written as an entry and read back has
// never caused an answer. Every reader passes it over, and goes on behind no other record
// that it does not understand (see Decoder).
package ledger

import (
	"maps"
	"slices"

	"github.com/orderflow/orderflow/internal/order"
)

// Kind says what an entry is.
type Kind string

// The kinds of entries.
const (
	// StockSet says how many units of the product lie in the warehouse, reserved ones included.
	StockSet Kind = "STOCK_SET"
	// ReserveRequest asks for units of the product for an order.
	ReserveRequest Kind = "RESERVE_REQUEST"
	// Release gives back what an order has reserved.
	Release Kind = "RELEASE"
	// Ship takes what an order has reserved out of the warehouse.
	Ship Kind = "SHIP"
)

var kinds = []Kind{StockSet, ReserveRequest, Release, Ship}

// Source names the record that caused an entry.
type Source struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Entry is one record of the ledger.
type Entry struct {
	Kind    Kind
	Product string
	// OrderID is empty for StockSet.
	OrderID string
	// Quantity is in units: those in the warehouse for StockSet, those asked for by
	// ReserveRequest, else 0.
	Quantity int32
	Source   Source
}

// Stock is what there is of a product, in units.
type Stock struct {
	Product string
	// Warehouse counts what physically lies there, reserved units included.
	Warehouse int64
	// Reserved counts what is promised to orders that have not been shipped.
	Reserved int64
}

// Available returns how many units can still be promised. It is negative when the
// warehouse was set below what is reserved.
func (s Stock) Available() int64 { return s.Warehouse - s.Reserved }

// Reservation is what became of an order's reserve-request.
type Reservation struct {
	Product  string
	Quantity int32
	// Result is order.Pass when the units were reserved, else order.Fail.
	Result order.Result
	// Available is how many units could be promised when the order asked.
	Available int64
	// Open reports whether the units are still reserved.
	Open bool
}

// Fold is the state after some entries of one ledger partition. It is not safe for
// concurrent use.
type Fold struct {
	stock  map[string]*Stock
	orders map[string]*account
	// stockSets has, per source partition, the offset of the last stock-set.
	stockSets map[Source]int64
}

// account is what the fold remembers of one order.
type account struct {
	reservation Reservation
	// asked and closed say that a reserve-request, and a release or ship, has come.
	asked, closed bool
}

// NewFold returns the fold of no entries.
func NewFold() *Fold {
	return &Fold{stock: map[string]*Stock{}, orders: map[string]*account{}, stockSets: map[Source]int64{}}
}

// Apply folds in the next entry and reports whether it changed anything.
func (f *Fold) Apply(e Entry) bool {
	switch e.Kind {
	case StockSet:
		return f.setStock(e)
	case ReserveRequest:
		return f.reserve(e)
	case Release, Ship:
		return f.close(e)
	default:
		return false
	}
}

func (f *Fold) setStock(e Entry) bool {
	partition := Source{Topic: e.Source.Topic, Partition: e.Source.Partition}
	if last, ok := f.stockSets[partition]; ok && e.Source.Offset <= last {
		return false
	}
	f.stockSets[partition] = e.Source.Offset
	f.product(e.Product).Warehouse = int64(e.Quantity)
	return true
}

func (f *Fold) reserve(e Entry) bool {
	a := f.account(e.OrderID)
	if a.asked {
		return false
	}
	a.asked = true
	s := f.product(e.Product)
	a.reservation = Reservation{Product: e.Product, Quantity: e.Quantity, Result: order.Fail, Available: s.Available()}
	// An order that is already over has no use for stock.
	if !a.closed && e.Quantity > 0 && s.Available()-int64(e.Quantity) >= 0 {
		s.Reserved += int64(e.Quantity)
		a.reservation.Result = order.Pass
		a.reservation.Open = true
	}
	return true
}

func (f *Fold) close(e Entry) bool {
	a := f.account(e.OrderID)
	if a.closed {
		return false
	}
	a.closed = true
	if !a.reservation.Open {
		return true
	}
	s := f.product(a.reservation.Product)
	s.Reserved -= int64(a.reservation.Quantity)
	if e.Kind == Ship {
		s.Warehouse -= int64(a.reservation.Quantity)
	}
	a.reservation.Open = false
	return true
}

func (f *Fold) product(name string) *Stock {
	s := f.stock[name]
	if s == nil {
		s = &Stock{Product: name}
		f.stock[name] = s
	}
	return s
}

func (f *Fold) account(orderID string) *account {
	a := f.orders[orderID]
	if a == nil {
		a = &account{}
		f.orders[orderID] = a
	}
	return a
}

// Reservation returns what became of an order's reserve-request, and false when none has come.
func (f *Fold) Reservation(orderID string) (Reservation, bool) {
	a := f.orders[orderID]
	if a == nil || !a.asked {
		return Reservation{}, false
	}
	return a.reservation, true
}

// Knows reports whether e would change nothing, because its source or an entry with
// the same meaning was folded in before.
func (f *Fold) Knows(e Entry) bool {
	switch e.Kind {
	case StockSet:
		last, ok := f.stockSets[Source{Topic: e.Source.Topic, Partition: e.Source.Partition}]
		return ok && e.Source.Offset <= last
	case ReserveRequest:
		a := f.orders[e.OrderID]
		return a != nil && a.asked
	default:
		a := f.orders[e.OrderID]
		return a != nil && a.closed
	}
}

// Stock returns what there is of a product; a product that was never set has nothing.
func (f *Fold) Stock(product string) Stock {
	if s := f.stock[product]; s != nil {
		return *s
	}
	return Stock{Product: product}
}

// Stocks returns what there is of every product that an entry has named, by name.
func (f *Fold) Stocks() []Stock {
	list := make([]Stock, 0, len(f.stock))
	for _, name := range slices.Sorted(maps.Keys(f.stock)) {
		list = append(list, *f.stock[name])
	}
	return list
}
