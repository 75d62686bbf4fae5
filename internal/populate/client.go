package populate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/order"
)

const (
	// patience is how long a client goes on trying while the API is away or says that
	// it is not ready.
	patience   = 30 * time.Second
	retryPause = 200 * time.Millisecond
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 1 << 20
)

// Client talks to the orders API. It repeats what the API could not do for the
// moment, which is safe since every request is idempotent. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// NewClient returns a client of the API at a URL such as http://127.0.0.1:8000. A nil
// HTTP client means one of its own.
func NewClient(base string, client *http.Client) *Client {
	if client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = 256
		client = &http.Client{Transport: transport}
	}
	return &Client{base: strings.TrimRight(base, "/"), http: client}
}

// APIError is an answer that says no.
type APIError struct {
	Status int                `json:"status"`
	Title  string             `json:"title"`
	Detail string             `json:"detail"`
	Errors []order.FieldError `json:"errors"`
}

// Error returns what the API said, with the fields it pointed at.
func (e *APIError) Error() string {
	msg := fmt.Sprintf("the API answered %d %s", e.Status, e.Title)
	if e.Detail != "" {
		msg += ": " + e.Detail
	}
	for _, f := range e.Errors {
		msg += " " + f.Pointer + " " + f.Detail + "."
	}
	return msg
}

// Stock is what there is of a product, in units.
type Stock struct {
	Product   string `json:"product"`
	Warehouse int64  `json:"warehouse"`
	Reserved  int64  `json:"reserved"`
	Available int64  `json:"available"`
}

// PostOrder places an order and reports whether it is new.
func (c *Client) PostOrder(ctx context.Context, o order.Order) (isNew bool, err error) {
	body, err := json.Marshal(o)
	if err != nil {
		return false, fmt.Errorf("placing order %s: %w", o.ID, err)
	}
	status, err := c.do(ctx, http.MethodPost, "/v1/orders", body, nil)
	if err != nil {
		return false, fmt.Errorf("placing order %s: %w", o.ID, err)
	}
	return status == http.StatusCreated, nil
}

// PostDocument posts any bytes as an order. The error is an *APIError when they are refused.
func (c *Client) PostDocument(ctx context.Context, document []byte) error {
	_, err := c.do(ctx, http.MethodPost, "/v1/orders", document, nil)
	return err
}

// PostPayment pays for an order.
func (c *Client) PostPayment(ctx context.Context, p order.Payment) error {
	body, err := json.Marshal(p)
	if err == nil {
		_, err = c.do(ctx, http.MethodPost, "/v1/payments", body, nil)
	}
	if err != nil {
		return fmt.Errorf("paying order %s: %w", p.OrderID, err)
	}
	return nil
}

// Validated waits until an order is decided, for at most timeout, and returns it as
// it stands then.
func (c *Client) Validated(ctx context.Context, id string, timeout time.Duration) (order.Order, error) {
	var o order.Order
	path := "/v1/orders/" + url.PathEscape(id) + "/validated?timeout=" + strconv.FormatInt(timeout.Milliseconds(), 10)
	if _, err := c.do(ctx, http.MethodGet, path, nil, &o); err != nil {
		return o, fmt.Errorf("waiting for order %s: %w", id, err)
	}
	return o, nil
}

// Ship marks a validated order as shipped.
func (c *Client) Ship(ctx context.Context, id string) error {
	if _, err := c.do(ctx, http.MethodPost, "/v1/orders/"+url.PathEscape(id)+"/ship", nil, nil); err != nil {
		return fmt.Errorf("shipping order %s: %w", id, err)
	}
	return nil
}

// SetStock says how many units of a product lie in the warehouse.
func (c *Client) SetStock(ctx context.Context, product order.Product, units int32) (Stock, error) {
	var s Stock
	body := fmt.Appendf(nil, `{"quantity":%d}`, units)
	if _, err := c.do(ctx, http.MethodPut, "/v1/inventory/"+url.PathEscape(string(product)), body, &s); err != nil {
		return s, fmt.Errorf("setting the stock of %s: %w", product, err)
	}
	return s, nil
}

// do sends a request until the API can answer it, and decodes an answer that says yes
// into out, if that is not nil.
func (c *Client) do(ctx context.Context, method, path string, body []byte, out any) (int, error) {
	deadline := time.Now().Add(patience)
	for {
		status, answer, err := c.once(ctx, method, path, body)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		switch {
		case err == nil && status < 300:
			if out != nil {
				if err := json.Unmarshal(answer, out); err != nil {
					return status, fmt.Errorf("reading the answer of %s %s: %w", method, path, err)
				}
			}
			return status, nil
		case err == nil && status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests:
			return status, apiError(status, answer)
		case time.Now().After(deadline):
			if err == nil {
				err = apiError(status, answer)
			}
			return status, fmt.Errorf("giving up after %s: %w", patience, err)
		}
		timer := time.NewTimer(retryPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return 0, ctx.Err()
		}
	}
}

func (c *Client) once(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	answer, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, answer, err
}

func apiError(status int, answer []byte) error {
	e := &APIError{}
	if err := json.Unmarshal(answer, e); err != nil || e.Title == "" {
		e = &APIError{Title: http.StatusText(status)}
	}
	e.Status = status
	return e
}
