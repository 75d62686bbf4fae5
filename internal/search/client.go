package search

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// maxAnswer bounds an answer that is read, in bytes.
const maxAnswer = 64 << 20

// Config says which server a Client talks to.
type Config struct {
	// URL is the server's address, "http://host:port" or "https://host:port".
	URL string
	// Username and Password are sent as basic authentication when Username is not
	// empty.
	Username, Password string
	// Transport sends the requests. Nil means http.DefaultTransport.
	Transport http.RoundTripper
}

// Validate reports what in the configuration can't work.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	if err != nil {
		return fmt.Errorf("the Elasticsearch URL %q is not valid: %w", c.URL, err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("the Elasticsearch URL %q is not http://host:port or https://host:port", c.URL)
	}
	return nil
}

// Client talks to one Elasticsearch. Its methods may be called from any
// goroutine.
type Client struct {
	url string
	es  *elasticsearch.Client
}

// New makes a client; it doesn't connect.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	es, err := elasticsearch.NewClient(elasticsearch.Config{
		Addresses: []string{cfg.URL}, Username: cfg.Username, Password: cfg.Password, Transport: cfg.Transport,
		DisableRetry: true, DisableMetaHeader: true,
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the Elasticsearch client for %s: %w", cfg.URL, err)
	}
	return &Client{url: cfg.URL, es: es}, nil
}

// Error is an answer that isn't a success.
type Error struct {
	// Status is that of the HTTP answer.
	Status int
	// Type and Reason are the server's, like "index_not_found_exception" and "no
	// such index [orders.v1]". Type is empty when the answer has another form.
	Type, Reason string
}

func (e *Error) Error() string {
	if e.Type == "" {
		return fmt.Sprintf("status %d: %s", e.Status, e.Reason)
	}
	return fmt.Sprintf("status %d, %s: %s", e.Status, e.Type, e.Reason)
}

// IsNotFound reports whether an error says that an index or document is missing.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

// read takes an answer in and decodes it into v unless v is nil.
func (c *Client) read(res *esapi.Response, err error, v any) error {
	if err != nil {
		return fmt.Errorf("asking Elasticsearch at %s; is it running there? %w", c.url, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the answer of Elasticsearch at %s: %w", c.url, err)
	}
	if res.IsError() {
		return decodeError(res.StatusCode, raw)
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("decoding the answer of Elasticsearch at %s: %w", c.url, err)
	}
	return nil
}

func decodeError(status int, raw []byte) *Error {
	e := &Error{Status: status}
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	var detail struct{ Type, Reason string }
	if json.Unmarshal(raw, &body) == nil && json.Unmarshal(body.Error, &detail) == nil && detail.Type != "" {
		e.Type, e.Reason = detail.Type, detail.Reason
		return e
	}
	if json.Unmarshal(body.Error, &e.Reason) != nil || e.Reason == "" {
		e.Reason = string(bytes.TrimSpace(raw))
	}
	if e.Reason == "" {
		e.Reason = http.StatusText(status)
	}
	return e
}

// Ping reports whether an Elasticsearch answers.
func (c *Client) Ping(ctx context.Context) error {
	res, err := c.es.Info(c.es.Info.WithContext(ctx))
	return c.read(res, err, nil)
}

// Health is the state of a cluster.
type Health struct {
	// Status is green, yellow (a replica has no node) or red (data is missing).
	Status string `json:"status"`
	// Nodes is how many there are.
	Nodes int `json:"number_of_nodes"`
}

// Health asks how the cluster is.
func (c *Client) Health(ctx context.Context) (Health, error) {
	var h Health
	res, err := c.es.Cluster.Health(c.es.Cluster.Health.WithContext(ctx))
	return h, c.read(res, err, &h)
}

// ApplyTemplate stores a composable index template under a name, in place of an
// older one. body is the JSON of the request.
func (c *Client) ApplyTemplate(ctx context.Context, name string, body []byte) error {
	res, err := c.es.Indices.PutIndexTemplate(name, bytes.NewReader(body), c.es.Indices.PutIndexTemplate.WithContext(ctx))
	if err := c.read(res, err, nil); err != nil {
		return fmt.Errorf("applying index template %s: %w", name, err)
	}
	return nil
}

// Refresh makes what was written to an index before visible to searches.
func (c *Client) Refresh(ctx context.Context, index string) error {
	res, err := c.es.Indices.Refresh(c.es.Indices.Refresh.WithIndex(index), c.es.Indices.Refresh.WithContext(ctx))
	if err := c.read(res, err, nil); err != nil {
		return fmt.Errorf("refreshing index %s: %w", index, err)
	}
	return nil
}
