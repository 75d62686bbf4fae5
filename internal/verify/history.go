package verify

import "encoding/binary"

// Record is a record of a topic with its value decoded.
type Record[V any] struct {
	Partition int32
	Offset    int64
	// Time is the record's timestamp in milliseconds since 1970.
	Time  int64
	Key   string
	Value V
}

// Order is a value of orders.v1.
type Order struct {
	ID         string  `avro:"id"`
	CustomerID int64   `avro:"customerId"`
	State      string  `avro:"state"`
	Product    string  `avro:"product"`
	Quantity   int32   `avro:"quantity"`
	Price      float64 `avro:"price"`
}

// content is what an order asks for.
type content struct {
	customer int64
	product  string
	quantity int32
	price    float64
}

func (o Order) content() content { return content{o.CustomerID, o.Product, o.Quantity, o.Price} }

// OrderState is a value of order-states.v1. The order's id is the record's key, too.
type OrderState struct {
	ID         string  `avro:"ORDERID"`
	CustomerID int64   `avro:"CUSTOMERID"`
	State      string  `avro:"STATE"`
	Product    string  `avro:"PRODUCT"`
	Quantity   int32   `avro:"QUANTITY"`
	Price      float64 `avro:"PRICE"`
}

// NewOrder is a value of orders-new.v1. The order's id is the record's key.
type NewOrder struct {
	CustomerID int64   `avro:"CUSTOMERID"`
	Product    string  `avro:"PRODUCT"`
	Quantity   int32   `avro:"QUANTITY"`
	Price      float64 `avro:"PRICE"`
}

func (o NewOrder) content() content { return content{o.CustomerID, o.Product, o.Quantity, o.Price} }

// Validation is a value of order-validations.v1.
type Validation struct {
	OrderID   string `avro:"orderId"`
	CheckType string `avro:"checkType"`
	Result    string `avro:"validationResult"`
}

// Payment is a value of payments.v1.
type Payment struct {
	ID       string  `avro:"id"`
	OrderID  string  `avro:"orderId"`
	Currency string  `avro:"ccy"`
	Amount   float64 `avro:"amount"`
}

// Customer is a value of customers.
type Customer struct {
	ID        int64  `avro:"id"`
	FirstName string `avro:"firstName"`
	LastName  string `avro:"lastName"`
	Email     string `avro:"email"`
	Address   string `avro:"address"`
	Level     string `avro:"level"`
}

// FraudTotal is a value of fraud-totals.v1, nil for a session that was merged into
// another. The record's key has the customer and the session.
type FraudTotal struct {
	OrderID *string  `avro:"ORDERID"`
	Total   *float64 `avro:"TOTAL"`
}

// LedgerEntry is a value of inventory-ledger.v1.
type LedgerEntry struct {
	Kind            string `avro:"kind"`
	Product         string `avro:"product"`
	OrderID         string `avro:"orderId"`
	Quantity        int32  `avro:"quantity"`
	SourceTopic     string `avro:"sourceTopic"`
	SourcePartition int32  `avro:"sourcePartition"`
	SourceOffset    int64  `avro:"sourceOffset"`
}

// Units is a value of warehouse-inventory.v1; a deleted product has none.
type Units struct{ Quantity int32 }

// ByProduct is a value of orders-by-product.v1. The product is the record's key.
type ByProduct struct {
	ID       string `avro:"ID"`
	State    string `avro:"STATE"`
	Quantity int32  `avro:"QUANTITY"`
}

// Enriched is a value of orders-enriched.v1. The customer's id is the record's key.
type Enriched struct {
	ID        string  `avro:"ID"`
	FirstName *string `avro:"FIRSTNAME"`
	LastName  *string `avro:"LASTNAME"`
	Level     *string `avro:"LEVEL"`
	Product   string  `avro:"PRODUCT"`
	Quantity  int32   `avro:"QUANTITY"`
	Price     float64 `avro:"PRICE"`
}

// PaidOrder is a value of emails.v1. The customer's id is the record's key.
type PaidOrder struct {
	OrderID   string  `avro:"ORDERID"`
	PaymentID string  `avro:"PAYMENTID"`
	Product   string  `avro:"PRODUCT"`
	Quantity  int32   `avro:"QUANTITY"`
	Price     float64 `avro:"PRICE"`
	Currency  string  `avro:"CCY"`
	Amount    float64 `avro:"AMOUNT"`
	Email     string  `avro:"EMAIL"`
	LastName  string  `avro:"LASTNAME"`
	Level     string  `avro:"LEVEL"`
}

// Emailed is a value of email-ledger.v1.
type Emailed struct {
	OrderID   string `avro:"orderId"`
	PaymentID string `avro:"paymentId"`
	MessageID string `avro:"messageId"`
	Recipient string `avro:"recipient"`
}

// DeadLetter is a value of email-dead-letters.v1.
type DeadLetter struct {
	OrderID   string `avro:"orderId"`
	PaymentID string `avro:"paymentId"`
	Reason    string `avro:"reason"`
}

// Levelled is a value of the topics platinum, gold, silver and bronze. The order's
// id is the record's key.
type Levelled struct {
	CustomerID int64  `avro:"CUSTOMERID"`
	Level      string `avro:"CUSTOMERLEVEL"`
}

// History is what has been read of the topics. The records of one partition are in
// order.
type History struct {
	Orders      []Record[Order]
	States      []Record[OrderState]
	New         []Record[NewOrder]
	Validations []Record[Validation]
	Payments    []Record[Payment]
	Customers   []Record[Customer]
	FraudTotals []Record[FraudTotal]
	Ledger      []Record[LedgerEntry]
	Warehouse   []Record[Units]
	ByProduct   []Record[ByProduct]
	Enriched    []Record[Enriched]
	Emails      []Record[PaidOrder]
	Emailed     []Record[Emailed]
	DeadLetters []Record[DeadLetter]
	Levels      map[string][]Record[Levelled] // by topic
	// Keys counts the records of each key, for the topics that the package knows
	// nothing else of.
	Keys map[string]map[string]int

	rubbish    int                 // records that are known to be rubbish
	numbers    map[string]*numbers // by task
	changed    []Finding
	foreign    []Finding       // records that make no sense
	lost       []Finding       // records whose schema is not known
	incomplete map[string]bool // topics that lack records which were there once
}

// NewHistory returns the history of topics without records.
func NewHistory() *History {
	return &History{
		Levels: map[string][]Record[Levelled]{}, Keys: map[string]map[string]int{}, numbers: map[string]*numbers{}, incomplete: map[string]bool{},
	}
}

// customerOf reads a key of 8 bytes, big endian, in front of a record's key.
func customerOf(key string) int64 {
	if len(key) < 8 {
		return -1
	}
	return int64(binary.BigEndian.Uint64([]byte(key[:8])))
}

// sessionOf reads the session behind the customer in a key of fraud-totals.v1: first
// its end, then its start, as Kafka Streams writes them.
func sessionOf(key string) (start, end int64, ok bool) {
	if len(key) != 24 {
		return 0, 0, false
	}
	return int64(binary.BigEndian.Uint64([]byte(key[16:]))), int64(binary.BigEndian.Uint64([]byte(key[8:16]))), true
}
