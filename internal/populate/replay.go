package populate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/orderflow/orderflow/internal/order"
)

// maxLine bounds a line of a recording, in bytes.
const maxLine = 64 << 10

// readRecording reads a recording: JSON Lines, each an order or, when it has an
// orderId, a payment, as the REST API takes them. Empty lines, and records in which an
// order has left the state CREATED, are passed over. Nothing of a recording with a
// wrong line is posted.
func readRecording(r io.Reader) ([]item, error) {
	var items []item
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		it, ok, err := readRecord(line)
		if err != nil {
			return nil, fmt.Errorf("reading the recording, line %d: %w", n, err)
		}
		if ok {
			items = append(items, it)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the recording after line %d (a line has at most %d bytes): %w", n, maxLine, err)
	}
	if len(items) == 0 {
		return nil, errors.New("reading the recording: it has no order in state CREATED and no payment")
	}
	return items, nil
}

// readRecord reads one line, and reports false for one that is passed over.
func readRecord(line []byte) (item, bool, error) {
	var kind struct {
		OrderID *string     `json:"orderId"`
		State   order.State `json:"state"`
	}
	// What is no object, or has members of other types, is refused below.
	_ = json.Unmarshal(line, &kind)
	if kind.OrderID != nil {
		p, err := order.DecodePayment(bytes.NewReader(line))
		return item{payment: &p}, true, err
	}
	if kind.State.Final() {
		return item{}, false, nil
	}
	o, err := order.DecodeOrder(bytes.NewReader(line))
	return item{order: o}, true, err
}
