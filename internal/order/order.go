// Package order is the domain of orderflow: orders, their check results and
// payments, the states an order goes through, and the rules by which a JSON
// document from outside becomes one of them.
//
// Invariants: the package knows no transport and no storage. What Decode functions
// return satisfies the REST contract; what they refuse is reported field by field,
// all problems at once, and never reaches a topic.
package order

import "slices"

// State is where an order stands.
type State string

// The states of an order. An order starts as Created, its checks make it Validated
// or Failed, and a validated one can become Shipped.
const (
	Created   State = "CREATED"
	Validated State = "VALIDATED"
	Failed    State = "FAILED"
	Shipped   State = "SHIPPED"
)

// States lists all states in the order in which they can follow each other.
var States = []State{Created, Validated, Failed, Shipped}

// Final reports whether the checks of the order are over.
func (s State) Final() bool { return s == Validated || s == Failed || s == Shipped }

// Supersedes reports whether s can only come after t, so that of two copies of an
// order the one in state s is the newer.
func (s State) Supersedes(t State) bool { return s.rank() > t.rank() }

func (s State) rank() int {
	switch s {
	case Validated, Failed:
		return 1
	case Shipped:
		return 2
	default:
		return 0
	}
}

// Product is what can be ordered.
type Product string

// The products.
const (
	Jumpers    Product = "JUMPERS"
	Underpants Product = "UNDERPANTS"
	Stockings  Product = "STOCKINGS"
)

// Products lists all products.
var Products = []Product{Jumpers, Underpants, Stockings}

// Known reports whether p is one of Products.
func (p Product) Known() bool { return slices.Contains(Products, p) }

// Order is one order as it stands in orders.v1.
type Order struct {
	ID         string  `json:"id" avro:"id"`
	CustomerID int64   `json:"customerId" avro:"customerId"`
	State      State   `json:"state" avro:"state"`
	Product    Product `json:"product" avro:"product"`
	// Quantity is in units. Zero and less are taken and fail their checks.
	Quantity int32 `json:"quantity" avro:"quantity"`
	// Price is per unit, in the shop's currency. Less than zero is taken and fails.
	Price float64 `json:"price" avro:"price"`
}

// SameContent reports whether o and p ask for the same thing, whatever their states.
func (o Order) SameContent(p Order) bool {
	p.State = o.State
	return o == p
}

// CheckType names one of the checks that decide an order.
type CheckType string

// The checks.
const (
	InventoryCheck    CheckType = "INVENTORY_CHECK"
	FraudCheck        CheckType = "FRAUD_CHECK"
	OrderDetailsCheck CheckType = "ORDER_DETAILS_CHECK"
)

// Result is what a check found.
type Result string

// The results of a check.
const (
	Pass  Result = "PASS"
	Fail  Result = "FAIL"
	Error Result = "ERROR"
)

// Validation is the result of one check of one order, as it stands in order-validations.v1.
type Validation struct {
	OrderID   string    `json:"orderId" avro:"orderId"`
	CheckType CheckType `json:"checkType" avro:"checkType"`
	Result    Result    `json:"validationResult" avro:"validationResult"`
}

// Payment is one payment for an order, as it stands in payments.v1.
type Payment struct {
	ID      string `json:"id" avro:"id"`
	OrderID string `json:"orderId" avro:"orderId"`
	// Currency is an ISO 4217 code.
	Currency string  `json:"ccy" avro:"ccy"`
	Amount   float64 `json:"amount" avro:"amount"`
}

// Shipment says that a validated order is shipped, as it stands in shipments.v1.
type Shipment struct {
	OrderID    string  `avro:"orderId"`
	CustomerID int64   `avro:"customerId"`
	Product    Product `avro:"product"`
	Quantity   int32   `avro:"quantity"`
	Price      float64 `avro:"price"`
}

// ShipmentOf returns the shipment of an order.
func ShipmentOf(o Order) Shipment {
	return Shipment{OrderID: o.ID, CustomerID: o.CustomerID, Product: o.Product, Quantity: o.Quantity, Price: o.Price}
}

// The topics that the services read and write.
const (
	TopicOrders             = "orders.v1"
	TopicOrderStates        = "order-states.v1" // written by ksqlDB
	TopicValidations        = "order-validations.v1"
	TopicPayments           = "payments.v1"
	TopicShipments          = "shipments.v1"
	TopicWarehouseInventory = "warehouse-inventory.v1"
	TopicOrdersByProduct    = "orders-by-product.v1"
	TopicInventoryLedger    = "inventory-ledger.v1"
	TopicOrdersEnriched     = "orders-enriched.v1"
	TopicEmails             = "emails.v1"
	TopicEmailLedger        = "email-ledger.v1"
	TopicEmailDeadLetters   = "email-dead-letters.v1"
)

// ValueSubject returns the Schema Registry subject of a topic's values.
func ValueSubject(topic string) string { return topic + "-value" }
