package verify

// shelf is the stock of a product in the fold, in units.
type shelf struct{ warehouse, reserved int64 }

// claim is what the fold knows of an order.
type claim struct {
	asked, closed bool
	held          int64 // units that are reserved
}

// source names a partition of an input topic.
type source struct {
	topic     string
	partition int32
}

// checkStock folds the ledger. At every request that was answered with PASS the
// units were there: reserved + quantity <= warehouse. At every one that was answered
// with FAIL they were not, or the order was over. Every entry comes from a record of
// an input topic and every record of an input topic becomes an entry. In the end the
// fold is what the API shows.
func checkStock(r *Report, h *History, x *index, c Claims) {
	shelves := map[string]*shelf{}
	product := func(name string) *shelf {
		if shelves[name] == nil {
			shelves[name] = &shelf{}
		}
		return shelves[name]
	}
	orders := map[string]*claim{}
	set := map[source]int64{} // of the last stock-set by its source partition, plus one
	for _, rec := range h.Ledger {
		e := rec.Value
		s := product(e.Product)
		if e.Kind == "STOCK_SET" {
			from := source{e.SourceTopic, e.SourcePartition}
			if e.SourceOffset+1 > set[from] {
				set[from] = e.SourceOffset + 1
				s.warehouse = int64(e.Quantity)
			}
			continue
		}
		o := orders[e.OrderID]
		if o == nil {
			o = &claim{}
			orders[e.OrderID] = o
		}
		switch e.Kind {
		case "RESERVE_REQUEST":
			if !o.asked {
				o.asked = true
				answer(r, x, e, o, s)
			}
		case "RELEASE", "SHIP":
			if o.closed {
				continue
			}
			o.closed = true
			s.reserved -= o.held
			if e.Kind == "SHIP" {
				s.warehouse -= o.held
			}
		}
	}
	checkSources(r, h)
	for id := range x.validations {
		if _, n := x.first(id, inventoryCheck); n > 0 && (orders[id] == nil || !orders[id].asked) {
			r.broken(RuleStock, id, "the order was answered without an entry in the ledger")
		}
	}
	for _, shown := range c.Stock {
		if s := product(shown.Product); shown.Warehouse != s.warehouse || shown.Reserved != s.reserved {
			r.open(RuleStockShown, shown.Product, "%d in the warehouse and %d reserved are shown, by the ledger it is %d and %d",
				shown.Warehouse, shown.Reserved, s.warehouse, s.reserved)
		}
	}
}

// answer compares the check result of a request with what there was at its moment.
func answer(r *Report, x *index, e LedgerEntry, o *claim, s *shelf) {
	quantity := int64(e.Quantity)
	fits := quantity > 0 && s.reserved+quantity <= s.warehouse && !o.closed
	result, n := x.first(e.OrderID, inventoryCheck)
	switch {
	case n == 0:
		r.open(RuleStock, e.OrderID, "the request for stock is not answered")
	case result == "PASS" && !fits:
		r.broken(RuleStock, e.OrderID, "%d of %s were promised when %d of %d were reserved (order over: %v)", quantity, e.Product, s.reserved, s.warehouse, o.closed)
	case result != "PASS" && fits:
		r.broken(RuleStock, e.OrderID, "%d of %s were refused when %d of %d were reserved", quantity, e.Product, s.reserved, s.warehouse)
	}
	if (n == 0 && fits) || result == "PASS" {
		s.reserved += quantity
		o.held = quantity
	}
}

// checkSources compares ledger entries with the records that caused them.
func checkSources(r *Report, h *History) {
	type place struct {
		source
		offset int64
	}
	type meaning struct {
		kind, product, order string
		quantity             int32
	}
	want := map[place]meaning{}
	kinds := map[string]string{"CREATED": "RESERVE_REQUEST", "FAILED": "RELEASE", "SHIPPED": "SHIP"}
	type turn struct{ kind, order string }
	open := map[turn]place{}
	for _, rec := range h.ByProduct {
		kind, ok := kinds[rec.Value.State]
		if !ok {
			continue
		}
		m := meaning{kind: kind, product: rec.Key, order: rec.Value.ID}
		if kind == "RESERVE_REQUEST" {
			m.quantity = rec.Value.Quantity
		}
		at := place{source{"orders-by-product.v1", rec.Partition}, rec.Offset}
		want[at] = m
		open[turn{kind, rec.Value.ID}] = at
	}
	for _, rec := range h.Warehouse {
		want[place{source{"warehouse-inventory.v1", rec.Partition}, rec.Offset}] = meaning{"STOCK_SET", rec.Key, "", rec.Value.Quantity}
	}
	seen := map[place]bool{}
	for _, rec := range h.Ledger {
		e := rec.Value
		at := place{source{e.SourceTopic, e.SourcePartition}, e.SourceOffset}
		m, ok := want[at]
		if !ok || m != (meaning{e.Kind, e.Product, e.OrderID, e.Quantity}) {
			r.broken(RuleLedgerSource, e.Product, "entry %d is %+v, its source is %+v", rec.Offset, e, m)
			continue
		}
		seen[at] = true
		delete(open, turn{e.Kind, e.OrderID})
	}
	for t, at := range open {
		r.open(RuleLedgerSource, t.order, "%s partition %d offset %d has not become an entry", at.topic, at.partition, at.offset)
	}
	for _, rec := range h.Warehouse {
		if at := (place{source{"warehouse-inventory.v1", rec.Partition}, rec.Offset}); !seen[at] {
			r.open(RuleLedgerSource, rec.Key, "%s partition %d offset %d has not become an entry", at.topic, at.partition, at.offset)
		}
	}
}
