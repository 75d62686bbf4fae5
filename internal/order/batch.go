package order

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// MaxBatch bounds how many orders one batch has.
const MaxBatch = 1000

// maxBatchErrors bounds how many problems of a batch are listed.
const maxBatchErrors = 100

// DecodeOrders reads {"orders": [...]}, 1 to MaxBatch new orders as DecodeOrder takes
// them. When one is wrong, none is taken. The error is an *InvalidError, whose pointers
// begin with the order's place, or that of body.
func DecodeOrders(body io.Reader) ([]Order, error) {
	d, err := readDocument(body, "orders")
	if err != nil {
		return nil, err
	}
	var elements []json.RawMessage
	if raw, ok := d.get("orders", kindArray); ok {
		if err := json.Unmarshal(raw, &elements); err != nil {
			return nil, fmt.Errorf("reading the orders of a batch: %w", err)
		}
		if len(elements) == 0 || len(elements) > MaxBatch {
			d.fail("orders", fmt.Sprintf("has %d orders; 1 to %d are taken", len(elements), MaxBatch))
		}
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	orders := make([]Order, len(elements))
	for i, raw := range elements {
		orders[i], err = DecodeOrder(bytes.NewReader(raw))
		var wrong *InvalidError
		if err != nil && !errors.As(err, &wrong) {
			return nil, err
		}
		if wrong != nil {
			for _, problem := range wrong.Errors {
				problem.Pointer = "#/orders/" + strconv.Itoa(i) + strings.TrimPrefix(problem.Pointer, "#")
				d.problems = append(d.problems, problem)
			}
		}
		if len(d.problems) >= maxBatchErrors {
			d.problems = d.problems[:maxBatchErrors]
			break
		}
	}
	return orders, d.err()
}
