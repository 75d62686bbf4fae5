package elasticsearch

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

const (
	// mediaType is what the real sink's client asks for; Elasticsearch 8 then
	// answers as 7 did.
	mediaType  = "application/vnd.elasticsearch+json; compatible-with=7"
	maxBackoff = time.Minute
	maxAnswer  = 64 << 20
)

// client sends requests to one of some Elasticsearch nodes.
type client struct {
	urls     []string
	user     string
	password string
	retries  int64
	backoff  time.Duration
	http     *http.Client
	log      *slog.Logger
	clock    plugin.Clock
	compress bool
}

func newClient(env plugin.Environment, s config.Settings) (*client, error) {
	c := &client{
		user: s.Text("connection.username"), password: s.Text("connection.password"),
		retries: s.Number("max.retries"), backoff: s.Milliseconds("retry.backoff.ms"), log: env.Log.With("connector", env.Name), clock: env.Clock, compress: s.Flag("connection.compression"),
	}
	for _, raw := range s.List("connection.url") {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, config.Errorf("Invalid value %s for configuration connection.url: it must be a URL like http://host:9200", raw)
		}
		c.urls = append(c.urls, strings.TrimRight(raw, "/"))
	}
	if len(c.urls) == 0 {
		return nil, config.Errorf("Invalid value for configuration connection.url: it is empty")
	}
	dial := env.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	within := s.Milliseconds("connection.timeout.ms")
	c.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, within)
				defer cancel()
			}
			return dial(ctx, network, addr)
		},
		ResponseHeaderTimeout: s.Milliseconds("read.timeout.ms"),
		IdleConnTimeout:       s.Milliseconds("max.connection.idle.time.ms"),
		MaxIdleConnsPerHost:   2,
	}}
	return c, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// statusError is an answer that says no.
type statusError struct {
	method, path string
	base         string
	status       int
	kind, reason string
	body         string
}

// trace says it with what was asked and answered, as the real sink's traces do.
func (e *statusError) trace() *fault.Fault {
	return fault.New("", "%s\n\tSuppressed: org.elasticsearch.client.ResponseException: method [%s], host [%s], URI [%s], status line [HTTP/1.1 %d %s]\n%s",
		e, e.method, e.base, e.path, e.status, http.StatusText(e.status), e.body)
}

// Error says it as the real sink's client does.
func (e *statusError) Error() string {
	if e.kind == "" {
		return fmt.Sprintf("ElasticsearchStatusException[%s %s answered %d %s]", e.method, e.path, e.status, http.StatusText(e.status))
	}
	return fmt.Sprintf("ElasticsearchStatusException[Elasticsearch exception [type=%s, reason=%s]]", e.kind, e.reason)
}

// do sends one request, to the next node when one can't be reached. A status of
// 400 and above is a *statusError.
func (c *client) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	var errs []error
	for _, base := range c.urls {
		answer, err := c.send(ctx, base, method, path, body)
		var status *statusError
		if err == nil || errors.As(err, &status) || ctx.Err() != nil {
			return answer, err
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (c *client) send(ctx context.Context, base, method, path string, body []byte) ([]byte, error) {
	var reader io.Reader
	if body != nil {
		if c.compress {
			var err error
			if body, err = compressed(body); err != nil {
				return nil, err
			}
		}
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, reader)
	if err != nil {
		return nil, err
	}
	if path != "/" {
		req.Header.Set("Accept", mediaType)
	}
	if body != nil {
		req.Header.Set("Content-Type", mediaType)
		if c.compress {
			req.Header.Set("Content-Encoding", "gzip")
		}
	}
	if c.user != "" {
		req.SetBasicAuth(c.user, c.password)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the answer to %s %s: %w", method, path, err)
	}
	if res.StatusCode < http.StatusBadRequest {
		return answer, nil
	}
	failed := &statusError{method: method, path: path, base: base, status: res.StatusCode, body: string(answer)}
	var problem struct {
		Error struct {
			Type   string `json:"type"`
			Reason string `json:"reason"`
		} `json:"error"`
	}
	var plain struct {
		Error string `json:"error"`
	}
	switch {
	case json.Unmarshal(answer, &problem) == nil:
		failed.kind, failed.reason = problem.Error.Type, problem.Error.Reason
	case json.Unmarshal(answer, &plain) == nil:
		failed.kind, failed.reason = "exception", plain.Error
	}
	return nil, failed
}

func compressed(body []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// retry sends a request until it succeeds, final says that it can't, or the
// retries are used up. The error then names what was tried and how often.
func (c *client) retry(ctx context.Context, what string, final func(error) bool, send func() error) error {
	for attempt := int64(1); ; attempt++ {
		err := send()
		if err == nil || ctx.Err() != nil || final(err) {
			return err
		}
		if attempt > c.retries {
			return &exhausted{what: what, attempts: attempt, cause: err}
		}
		pause := min(c.backoff<<min(attempt-1, 16), maxBackoff)
		c.log.Warn("connect: Elasticsearch said no, trying again", "request", what, "attempt", attempt, "pause", pause, "error", err)
		if c.clock.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

// exhausted says that all retries failed.
type exhausted struct {
	what     string
	attempts int64
	cause    error
}

// Error says it as the real sink does.
func (e *exhausted) Error() string {
	return fmt.Sprintf("Failed to %s due to '%s' after %d attempt(s)", e.what, javaCause(e.cause), e.attempts)
}

// Unwrap gives the last error.
func (e *exhausted) Unwrap() error { return e.cause }

func never(error) bool { return false }

// ping asks Elasticsearch who it is.
func (c *client) ping(ctx context.Context) error {
	_, err := c.do(ctx, http.MethodGet, "/", nil)
	return err
}

// bulkAnswer is what Elasticsearch says of a bulk request.
type bulkAnswer struct {
	Errors bool                  `json:"errors"`
	Items  []map[string]bulkItem `json:"items"`
}

// bulkItem is what it says of one action.
type bulkItem struct {
	ID     string     `json:"_id"`
	Status int        `json:"status"`
	Error  *itemError `json:"error"`
}

// itemError is why one action of a bulk request failed.
type itemError struct {
	Type   string     `json:"type"`
	Reason string     `json:"reason"`
	Cause  *itemError `json:"caused_by"`
}

// Error says it as the real sink's client does.
func (e *itemError) Error() string {
	text := fmt.Sprintf("ElasticsearchException[Elasticsearch exception [type=%s, reason=%s]]", e.Type, e.Reason)
	if e.Cause != nil {
		text += "; nested: " + strings.TrimSuffix(e.Cause.Error(), ";") + ";"
	}
	return text
}

// bulk sends a bulk request.
func (c *client) bulk(ctx context.Context, body []byte) (*bulkAnswer, error) {
	var answer bulkAnswer
	err := c.retry(ctx, "execute bulk request", never, func() error {
		raw, err := c.do(ctx, http.MethodPost, "/_bulk?timeout=1m", body)
		if err != nil {
			return err
		}
		answer = bulkAnswer{}
		if err := json.Unmarshal(raw, &answer); err != nil {
			return fmt.Errorf("reading the answer to a bulk request: %w", err)
		}
		return nil
	})
	return &answer, err
}
