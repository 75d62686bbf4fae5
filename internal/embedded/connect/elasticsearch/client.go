package elasticsearch

import (
	"bytes"
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
}

func newClient(s config.Settings) (*client, error) {
	c := &client{
		user: s.Text("connection.username"), password: s.Text("connection.password"),
		retries: s.Number("max.retries"), backoff: s.Milliseconds("retry.backoff.ms"), log: slog.Default(),
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
	dialer := &net.Dialer{Timeout: s.Milliseconds("connection.timeout.ms")}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext:           dialer.DialContext,
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
	if json.Unmarshal(answer, &problem) == nil {
		failed.kind, failed.reason = problem.Error.Type, problem.Error.Reason
	}
	return nil, failed
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
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
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

// createIndex makes an index when it is missing.
func (c *client) createIndex(ctx context.Context, index string) error {
	notThere := func(err error) bool {
		var status *statusError
		return errors.As(err, &status) && status.status == http.StatusNotFound
	}
	path := "/" + url.PathEscape(index)
	err := c.retry(ctx, "check if index "+index+" exists", notThere, func() error {
		_, err := c.do(ctx, http.MethodHead, path, nil)
		return err
	})
	if err == nil || !notThere(err) {
		return err
	}
	exists := func(err error) bool {
		var status *statusError
		return errors.As(err, &status) && strings.Contains(status.kind, "resource_already_exists_exception")
	}
	err = c.retry(ctx, "create index "+index, exists, func() error {
		_, err := c.do(ctx, http.MethodPut, path+"?master_timeout=30s&timeout=30s", []byte(`{"settings":{},"aliases":{}}`))
		return err
	})
	if err != nil && exists(err) {
		return nil
	}
	return err
}

// bulkAnswer is what Elasticsearch says of a bulk request.
type bulkAnswer struct {
	Errors bool `json:"errors"`
	Items  []map[string]struct {
		ID     string `json:"_id"`
		Status int    `json:"status"`
		Error  *struct {
			Type   string `json:"type"`
			Reason string `json:"reason"`
		} `json:"error"`
	} `json:"items"`
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
