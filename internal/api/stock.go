package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/order"
)

// stockTimeout bounds how long a change of the stock is waited for in the ledger.
const stockTimeout = 2 * time.Second

// stockJSON is the stock of one product, in units.
type stockJSON struct {
	Product   string `json:"product"`
	Warehouse int64  `json:"warehouse"`
	Reserved  int64  `json:"reserved"`
	Available int64  `json:"available"`
}

func newStockJSON(s ledger.Stock) stockJSON {
	return stockJSON{Product: s.Product, Warehouse: s.Warehouse, Reserved: s.Reserved, Available: s.Available()}
}

// getInventory lists every product that can be ordered or lies in the warehouse.
func (h *handlers) getInventory(w http.ResponseWriter, _ *http.Request) error {
	if !h.stock.Ready() {
		return unavailable("The stock ledger is still being read.")
	}
	list := []stockJSON{}
	for _, s := range h.allStock() {
		list = append(list, newStockJSON(s))
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// allStock returns the stock of the known products first, then what else is in the ledger.
func (h *handlers) allStock() []ledger.Stock {
	inLedger := h.stock.Stocks()
	var list []ledger.Stock
	for _, p := range order.Products {
		s := ledger.Stock{Product: string(p)}
		for _, have := range inLedger {
			if have.Product == s.Product {
				s = have
			}
		}
		list = append(list, s)
	}
	for _, have := range inLedger {
		if !order.Product(have.Product).Known() {
			list = append(list, have)
		}
	}
	return list
}

func (h *handlers) stockOf(product order.Product) ledger.Stock {
	for _, s := range h.allStock() {
		if s.Product == string(product) {
			return s
		}
	}
	return ledger.Stock{Product: string(product)}
}

// putInventory says how many units of a product physically lie in the warehouse,
// reserved ones included.
func (h *handlers) putInventory(w http.ResponseWriter, r *http.Request) error {
	name, err := pathValue(r, "product")
	if err != nil {
		return err
	}
	product := order.Product(name)
	if !product.Known() {
		return newProblem(http.StatusNotFound, fmt.Sprintf("There is no product %q; there are %v.", name, order.Products))
	}
	units, err := readBody(w, r, maxBody, order.DecodeQuantity)
	if err != nil {
		return err
	}
	if !h.stock.Ready() {
		return unavailable("The stock ledger is still being read.")
	}
	if s := h.stockOf(product); int64(units) < s.Reserved {
		return newProblem(http.StatusConflict, fmt.Sprintf("%d units are reserved for orders; the warehouse cannot hold fewer.", s.Reserved),
			order.FieldError{Pointer: "#/quantity", Detail: fmt.Sprintf("must be at least %d", s.Reserved)})
	}
	source, err := h.publisher.PublishStock(r.Context(), product, units)
	if err != nil {
		return fmt.Errorf("setting the stock of %s: %w", product, err)
	}
	h.log.Info("stock set", "product", product, "units", units)
	ctx, cancel := context.WithTimeout(r.Context(), stockTimeout)
	defer cancel()
	status := http.StatusOK
	if !h.stock.WaitApplied(ctx, name, source) {
		// It is written and will count; the inventory service has not come to it yet.
		status = http.StatusAccepted
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, status, newStockJSON(h.stockOf(product)))
	return nil
}
