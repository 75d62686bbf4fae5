package ksql

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	ksqldb "github.com/thmeitz/ksqldb-go"

	"github.com/orderflow/orderflow/internal/access"
)

// DefaultURL is the address of a ksqlDB server with its default settings.
const DefaultURL = "http://localhost:8088"

const (
	mediaTypeV1        = "application/vnd.ksql.v1+json"
	mediaTypeDelimited = "application/vnd.ksqlapi.delimited.v1"

	// maxAnswer bounds an answer that is read as a whole, in bytes.
	maxAnswer = 64 << 20
	// maxErrorBody bounds what is read of an error's body, in bytes.
	maxErrorBody = 1 << 20
)

// Config says which server a Client talks to, and how.
type Config struct {
	// URL is the server's address, "http://host:port" or "https://host:port",
	// with a path if a proxy needs one. Empty means DefaultURL.
	URL string
	// Username and Password are sent as basic authentication with every
	// request when Username is not empty.
	Username string
	Password string
	// HTTP2 makes the client speak HTTP/2 with prior knowledge to an http://
	// address, as ksqlDB's own Java client does. It has no effect on https://,
	// where the protocol is negotiated, nor through a proxy, nor when HTTPClient
	// is given.
	HTTP2 bool
	// TLS is used for https:// addresses, unless HTTPClient is given.
	TLS access.TLS
	// Retry says how often calls that change nothing are tried.
	Retry Retry
	// Headers are sent with every request, besides those that the client sets.
	Headers map[string]string
	// HTTPClient sends the requests. Its Timeout should be 0: push queries
	// last for as long as they are wanted. Nil means a client of our own, which
	// goes through the proxies of the environment and which Client.Close
	// releases.
	HTTPClient *http.Client
	// Logger gets what no caller can be told, such as a query that could not
	// be ended on the server. Nil means none.
	Logger *slog.Logger
}

// Validate reports an address that cannot be one of a ksqlDB server.
func (c Config) Validate() error {
	if c.URL == "" {
		return nil
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return fmt.Errorf("reading the ksqlDB address: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("the ksqlDB address %q must look like http://host:8088 or https://host:8088", c.URL)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("the ksqlDB address %q must not have a query or a fragment", c.URL)
	}
	if u.Scheme == "http" && !c.TLS.IsZero() {
		return fmt.Errorf("certificates are given for the ksqlDB address %q, which does without: make it https://", c.URL)
	}
	if c.Retry.Attempts < 0 || c.Retry.Pause < 0 || c.Retry.MaxPause < 0 {
		return fmt.Errorf("ksqlDB's retries must not be negative: %+v", c.Retry)
	}
	return nil
}

// Client talks to one ksqlDB server. It is safe for concurrent use.
type Client struct {
	base     string
	username string
	password string
	http     *http.Client
	owned    *http.Transport // nil when the caller brought the HTTP client
	headers  map[string]string
	retry    Retry
	log      *slog.Logger

	open  atomic.Int64 // connections of owned
	calls atomic.Int64 // that run, or whose answers are not read yet
}

// New returns a client of the server that config names. It does not connect,
// but reads the files of config.TLS.
func New(config Config) (*Client, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	if err := config.Validate(); err != nil {
		return nil, err
	}
	u, err := url.Parse(config.URL)
	if err != nil {
		return nil, fmt.Errorf("reading the ksqlDB address: %w", err)
	}
	c := &Client{
		username: config.Username,
		password: config.Password,
		http:     config.HTTPClient,
		headers:  config.Headers,
		retry:    config.Retry.withDefaults(),
		log:      config.Logger,
	}
	if u.User != nil {
		if c.username == "" {
			c.username = u.User.Username()
			c.password, _ = u.User.Password()
		}
		u.User = nil
	}
	c.base = strings.TrimRight(u.String(), "/")
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.http == nil {
		if c.owned, err = newTransport(u, config, &c.open); err != nil {
			return nil, err
		}
		c.http = &http.Client{Transport: c.owned}
	}
	return c, nil
}

// URL returns the server's address, without credentials and trailing slash.
func (c *Client) URL() string { return c.base }

// Close releases idle connections of a client that made its own HTTP client.
// Running calls and open Rows are not ended. It may be called more than once,
// and the client may be used afterwards.
func (c *Client) Close() {
	if c.owned == nil {
		return
	}
	// A connection of HTTP/2 becomes idle a moment after its last answer was read.
	deadline := time.Now().Add(closeIdleFor)
	for c.owned.CloseIdleConnections(); c.open.Load() > 0 && c.calls.Load() == 0 && time.Now().Before(deadline); c.owned.CloseIdleConnections() {
		<-time.After(closeIdlePoll)
	}
}

// How long Close looks for connections that become idle, and how often.
const (
	closeIdleFor  = 200 * time.Millisecond
	closeIdlePoll = time.Millisecond
)

// ExecOptions are what a request to /ksql may carry besides the statements.
type ExecOptions struct {
	// Properties override server properties for these statements, such as
	// "auto.offset.reset"; the values are strings, booleans or numbers.
	Properties map[string]any
	// SessionVariables are put in place of ${name} by the server.
	SessionVariables map[string]string
	// CommandSequenceNumber makes the server wait until it has executed that
	// command before it runs the statements.
	CommandSequenceNumber *int64
}

type execRequest struct {
	KSQL                  string            `json:"ksql"`
	StreamsProperties     map[string]any    `json:"streamsProperties,omitempty"`
	SessionVariables      map[string]string `json:"sessionVariables,omitempty"`
	CommandSequenceNumber *int64            `json:"commandSequenceNumber,omitempty"`
}

// Exec runs one or more statements that are not queries and returns what the
// server says about each, in order. Some statements (INSERT VALUES, SET,
// DEFINE) add nothing to the result. A refusal is an *Error.
//
// A command that takes the server long comes back with a status that is not
// final; WaitCommand waits for its end.
func (c *Client) Exec(ctx context.Context, sql string, options ExecOptions) ([]Entity, error) {
	if strings.TrimSpace(sql) == "" {
		return nil, errors.New("running a statement: the text is empty")
	}
	request := execRequest{
		KSQL:                  sql,
		StreamsProperties:     options.Properties,
		SessionVariables:      options.SessionVariables,
		CommandSequenceNumber: options.CommandSequenceNumber,
	}
	if !asksOnly(sql) {
		return c.exec(ctx, request)
	}
	var entities []Entity
	err := c.retrying(ctx, func() (err error) {
		entities, err = c.exec(ctx, request)
		return err
	})
	return entities, err
}

func (c *Client) exec(ctx context.Context, request execRequest) ([]Entity, error) {
	response, err := c.post(ctx, ksqldb.KSQL_ENDPOINT, mediaTypeV1, request)
	if err != nil {
		return nil, withStatement(err, request.KSQL)
	}
	defer response.Body.Close()
	body, err := c.readAll(ctx, response.Body)
	if err != nil {
		return nil, err
	}
	entities, err := decodeEntities(body)
	if err != nil {
		return nil, fmt.Errorf("reading ksqlDB's answer: %w", err)
	}
	return entities, nil
}

// post sends a JSON body and returns the answer when its status is 200. The
// caller closes the answer's body.
func (c *Client) post(ctx context.Context, endpoint, accept string, body any) (*http.Response, error) {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return nil, fmt.Errorf("encoding the request: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+endpoint, &encoded)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	request.Header.Set("Content-Type", mediaTypeV1)
	request.Header.Set("Accept", accept)
	return c.send(request)
}

// send adds the credentials, sends the request and turns every answer that is
// not a 200 into an *Error.
func (c *Client) send(request *http.Request) (*http.Response, error) {
	for name, value := range c.headers {
		if request.Header.Get(name) == "" {
			request.Header.Set(name, value)
		}
	}
	if c.username != "" {
		request.SetBasicAuth(c.username, c.password)
	}
	if request.Header.Get("Accept") == "" {
		request.Header.Set("Accept", mediaTypeV1)
	}
	c.calls.Add(1)
	response, err := c.http.Do(request)
	if err != nil {
		c.calls.Add(-1)
		if ctxErr := context.Cause(request.Context()); ctxErr != nil {
			return nil, fmt.Errorf("asking ksqlDB at %s: %w", c.base, ctxErr)
		}
		var urlErr *url.Error
		if errors.As(err, &urlErr) {
			err = urlErr.Err
		}
		return nil, &ConnectionError{URL: c.base, Doing: "reaching", Err: err}
	}
	response.Body = &countedBody{ReadCloser: response.Body, reading: &c.calls}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxErrorBody))
	if err != nil && len(body) == 0 {
		return nil, &ConnectionError{URL: c.base, Doing: fmt.Sprintf("reading the answer (HTTP status %d) of", response.StatusCode), Err: err}
	}
	failed := decodeError(response.StatusCode, body)
	failed.Hint = decodeHint(response.Header)
	return nil, failed
}

// readAll reads an answer to its end.
func (c *Client) readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, fmt.Errorf("reading the answer of ksqlDB at %s: %w", c.base, cause)
		}
		return nil, &ConnectionError{URL: c.base, Doing: "reading the answer of", Err: err}
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("reading the answer of ksqlDB at %s: it is longer than %d bytes", c.base, maxAnswer)
	}
	return body, nil
}
