package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
)

// customer is a row of CUSTOMERS_TABLE.
type customer struct {
	ID        int64  `json:"id"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	Email     string `json:"email"`
	Address   string `json:"address"`
	Level     string `json:"level"`
}

// getCustomer answers with what ksqlDB knows of a customer now.
func (h *handlers) getCustomer(w http.ResponseWriter, r *http.Request) error {
	text, err := pathValue(r, "id")
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return newProblem(http.StatusBadRequest, fmt.Sprintf("The customer's id %q is no whole number of 64 bits.", text))
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	c, found, err := h.store.Customer(ctx, id)
	if err != nil {
		return err
	}
	if !found {
		return newProblem(http.StatusNotFound, fmt.Sprintf("No customer with id %d is known.", id))
	}
	writeJSON(w, http.StatusOK, c)
	return nil
}
