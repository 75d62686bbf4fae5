// Package indexcheck proves that the search index holds the state of every order, as
// the table of states has it in order-states.v1, and nothing else.
//
// It reads the whole topic and the whole index once, both as streams: the topic's
// last records go into a store on disk, by order id, which is then gone through
// side by side with the index's documents in the same order. So its memory doesn't
// grow with the number of orders.
//
// Invariants:
//   - It only reads. What it stores lies in a temporary folder, which it removes.
//   - A difference is reported only when it lasts: what changes while the check runs
//     is read again from both sides until it agrees or the patience ends.
//   - A document is right when its fields, its time and its version (the offset of its
//     record) are those of the order's last record, and it has no other fields.
package indexcheck

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/search"
)

const (
	// DefaultPatience is how long the index may take to follow the topic.
	DefaultPatience = 15 * time.Second
	// DefaultDifferences is how many differences are looked at again and reported one
	// by one; the others are counted.
	DefaultDifferences = 10000

	retryPause = 200 * time.Millisecond
	// getAtOnce is how many documents are read again in one request.
	getAtOnce = 500
)

// Config says what is compared.
type Config struct {
	// Kafka and its Schema Registry have the orders.
	Kafka kafka.Config
	// Index is the Elasticsearch that has the documents.
	Index *search.Client
	// Patience is how long the index may take to follow the topic. Zero means
	// DefaultPatience, negative means that the first look decides.
	Patience time.Duration
	// Differences bounds those that are kept. Zero means DefaultDifferences.
	Differences int
	// TempDir is where the topic's last records are put. Empty means the system's
	// folder for temporary files.
	TempDir string
	// Progress is called now and then with what was read so far. May be nil.
	Progress func(Report)
}

// Kind says how the index differs from the topic.
type Kind string

// The kinds of differences.
const (
	// Missing: the order has no document.
	Missing Kind = "missing"
	// Extra: a document has no order, or the order was deleted.
	Extra Kind = "extra"
	// Different: the document isn't the order's last state.
	Different Kind = "different"
)

// Difference is one order whose document isn't right.
type Difference struct {
	ID   string
	Kind Kind
	// Detail says what is where, for people.
	Detail string
}

// Report is what a check found.
type Report struct {
	// Records is how many records of the topic were read, Orders how many orders they
	// leave, Documents how many documents the index has.
	Records, Orders, Documents int64
	// Differences are by id, at most as many as Config says; More is how many others
	// there are.
	Differences []Difference
	More        int64
}

// Equal reports whether the index is what the topic says.
func (r Report) Equal() bool { return len(r.Differences) == 0 && r.More == 0 }

// check is one run.
type check struct {
	cfg      Config
	registry *kafka.Registry
	states   *states
	after    map[int32]int64 // last offset read, by partition
	report   Report
}

// Run compares the index with the topic. A finding is no error: it is in the report.
func Run(ctx context.Context, cfg Config) (report Report, err error) {
	if cfg.Patience == 0 {
		cfg.Patience = DefaultPatience
	}
	if cfg.Differences == 0 {
		cfg.Differences = DefaultDifferences
	}
	registry, err := kafka.NewRegistry(cfg.Kafka)
	if err != nil {
		return Report{}, err
	}
	dir, err := os.MkdirTemp(cfg.TempDir, "orderflow-index-")
	if err != nil {
		return Report{}, fmt.Errorf("making a folder for the check: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c := &check{cfg: cfg, registry: registry, after: map[int32]int64{}}
	if c.states, err = openStates(dir); err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, c.states.close()) }()
	if err := c.run(ctx); err != nil {
		return Report{}, err
	}
	return c.report, nil
}

func (c *check) run(ctx context.Context) error {
	if err := c.readTopic(ctx); err != nil {
		return err
	}
	if err := c.cfg.Index.Refresh(ctx, search.OrdersIndex); err != nil && !search.IsNotFound(err) {
		return err
	}
	if err := c.compare(ctx); err != nil {
		return err
	}
	if c.cfg.Patience > 0 && len(c.report.Differences) > 0 {
		if err := c.settle(ctx); err != nil {
			return err
		}
	}
	slices.SortFunc(c.report.Differences, func(a, b Difference) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
	return nil
}

// readTopic takes in the records that were not read yet.
func (c *check) readTopic(ctx context.Context) error {
	err := kafka.Scan(ctx, c.cfg.Kafka, []kafka.Span{{Topic: order.TopicOrderStates, After: c.after}}, func(rec *kgo.Record) error {
		c.report.Records++
		c.after[rec.Partition] = rec.Offset
		if c.report.Records%100000 == 0 && c.cfg.Progress != nil {
			c.cfg.Progress(c.report)
		}
		s := state{partition: rec.Partition, offset: rec.Offset, millis: rec.Timestamp.UnixMilli(), deleted: rec.Value == nil}
		if !s.deleted {
			var row row
			if err := c.registry.Decode(ctx, rec.Value, &row); err != nil {
				return fmt.Errorf("decoding record %d of %s partition %d: %w", rec.Offset, rec.Topic, rec.Partition, err)
			}
			s.order = order.Order(row)
		}
		return c.states.put(string(rec.Key), s)
	})
	return errors.Join(err, c.states.flush())
}

// compare goes through the orders and the documents side by side.
func (c *check) compare(ctx context.Context) error {
	orders, err := c.states.all()
	if err != nil {
		return err
	}
	missing := func() {
		c.report.Orders++
		c.note(Difference{orders.id, Missing, "it has no document; " + orders.state.describe()})
		orders.next()
	}
	err = c.cfg.Index.Documents(ctx, search.OrdersIndex, "id", func(d search.Document) error {
		c.report.Documents++
		if d.Key == "" { // it is in no order, so it is looked up
			return c.judge(d)
		}
		for orders.ok && orders.id < d.Key {
			missing()
		}
		if !orders.ok || orders.id != d.Key {
			c.note(Difference{d.ID, Extra, "the topic has no order of this id"})
			return orders.err
		}
		c.report.Orders++
		if d.ID != d.Key {
			c.note(Difference{d.Key, Different, fmt.Sprintf("its document has the id %q", d.ID)})
		} else if why := orders.state.differs(d); why != "" {
			c.note(Difference{d.ID, Different, why})
		}
		orders.next()
		return orders.err
	})
	if search.IsNotFound(err) {
		err = nil // without an index every order is missing
	}
	for err == nil && orders.ok {
		if missing(); ctx.Err() != nil {
			err = ctx.Err()
		}
	}
	return errors.Join(err, orders.err, orders.close())
}

// judge looks at a document by itself.
func (c *check) judge(d search.Document) error {
	s, err := c.states.get(d.ID)
	switch {
	case err != nil:
		return err
	case s == nil || s.deleted:
		c.note(Difference{d.ID, Extra, "the topic has no order of this id"})
	default:
		if why := s.differs(d); why != "" {
			c.note(Difference{d.ID, Different, why})
		}
	}
	return nil
}

func (c *check) note(d Difference) {
	if len(c.report.Differences) < c.cfg.Differences {
		c.report.Differences = append(c.report.Differences, d)
	} else {
		c.report.More++
	}
}

// settle looks at the differences again, on both sides, until none is left or the
// patience ends.
func (c *check) settle(ctx context.Context) error {
	deadline := time.Now().Add(c.cfg.Patience)
	pause := time.NewTicker(retryPause)
	defer pause.Stop()
	for {
		if err := c.readTopic(ctx); err != nil {
			return err
		}
		left, err := c.lookAgain(ctx)
		if err != nil {
			return err
		}
		c.report.Differences = left
		if len(left) == 0 || time.Now().After(deadline) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause.C:
		}
	}
}

// lookAgain gives the differences that are still there.
func (c *check) lookAgain(ctx context.Context) ([]Difference, error) {
	var left []Difference
	for part := range slices.Chunk(c.report.Differences, getAtOnce) {
		var ids []string
		for _, d := range part {
			ids = append(ids, d.ID)
		}
		found, err := c.cfg.Index.Get(ctx, search.OrdersIndex, ids)
		if err != nil && !search.IsNotFound(err) {
			return nil, err
		}
		for _, d := range part {
			s, err := c.states.get(d.ID)
			if err != nil {
				return nil, err
			}
			doc, has := found[d.ID]
			gone := s == nil || s.deleted
			switch {
			case gone && has:
				left = append(left, Difference{d.ID, Extra, "the topic has no order of this id"})
			case !gone && !has:
				left = append(left, Difference{d.ID, Missing, "it has no document; " + s.describe()})
			case !gone:
				if why := s.differs(doc); why != "" {
					left = append(left, Difference{d.ID, Different, why})
				}
			}
		}
	}
	return left, nil
}

// row is a row of the table of states, as ksqlDB writes it.
type row struct {
	ID         string        `avro:"ORDERID"`
	CustomerID int64         `avro:"CUSTOMERID"`
	State      order.State   `avro:"STATE"`
	Product    order.Product `avro:"PRODUCT"`
	Quantity   int32         `avro:"QUANTITY"`
	Price      float64       `avro:"PRICE"`
}

// document is what the connector makes of an order.
type document struct {
	order.Order
	UpdatedAt *int64 `json:"updatedAt"`
}

// differs says how a document isn't the state, "" when it is.
func (s *state) differs(d search.Document) string {
	if d.Version != s.offset {
		return fmt.Sprintf("its document is of offset %d; %s", d.Version, s.describe())
	}
	var doc document
	decoder := json.NewDecoder(bytes.NewReader(d.Source))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&doc); err != nil {
		return fmt.Sprintf("its document isn't that of an order: %v; %s", err, s.describe())
	}
	if doc.Order != s.order {
		return fmt.Sprintf("its document is %s; %s", bytes.TrimSpace(d.Source), s.describe())
	}
	if doc.UpdatedAt == nil || *doc.UpdatedAt != s.millis {
		return fmt.Sprintf("its document has another time, %s; %s", bytes.TrimSpace(d.Source), s.describe())
	}
	return ""
}

func (s *state) describe() string {
	text, err := json.Marshal(s.order)
	if err != nil {
		text = []byte(err.Error())
	}
	return fmt.Sprintf("partition %d offset %d has %s", s.partition, s.offset, text)
}
