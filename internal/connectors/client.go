package connectors

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	requestTimeout = 90 * time.Second // a real worker's validation may take long
	maxAnswer      = 16 << 20
	retryPause     = 200 * time.Millisecond
)

// Error is an answer by which Connect or Elasticsearch says no.
type Error struct {
	Method, URL string
	Status      int
	Message     string
}

// Error tells what was asked and what was answered.
func (e *Error) Error() string {
	return fmt.Sprintf("%s %s answered %d: %s", e.Method, e.URL, e.Status, e.Message)
}

func hasStatus(err error, status int) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == status
}

// Client speaks Connect's REST interface.
type Client struct {
	base string
	http *http.Client
}

// NewClient makes a client of the Connect cluster at a URL. The transport sends the
// requests; nil means http.DefaultTransport.
func NewClient(base string, transport http.RoundTripper) *Client {
	return &Client{base: strings.TrimRight(base, "/"), http: &http.Client{Timeout: requestTimeout, Transport: transport}}
}

// call sends one request. Answers with status 409, which Connect gives while its
// workers share connectors out anew, are tried again until ctx ends.
func (c *Client) call(ctx context.Context, method, path string, body, into any) error {
	for {
		err := send(ctx, c.http, method, c.base+path, body, into)
		if !hasStatus(err, http.StatusConflict) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}

func send(ctx context.Context, client *http.Client, method, target string, body, into any) error {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("writing the body of %s %s: %w", method, target, err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, reader)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("asking %s: %w", target, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the answer to %s %s: %w", method, target, err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		var said struct{ Message string }
		if json.Unmarshal(raw, &said) != nil || said.Message == "" {
			said.Message = strings.TrimSpace(string(raw))
		}
		return &Error{Method: method, URL: target, Status: res.StatusCode, Message: said.Message}
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("reading the answer to %s %s: %w", method, target, err)
	}
	return nil
}

func connectorPath(name string) string { return "/connectors/" + url.PathEscape(name) }

// Names lists the connectors of the cluster.
func (c *Client) Names(ctx context.Context) ([]string, error) {
	var names []string
	return names, c.call(ctx, http.MethodGet, "/connectors", nil, &names)
}

// Config gives the configuration of a connector, nil for an unknown one.
func (c *Client) Config(ctx context.Context, name string) (map[string]string, error) {
	var config map[string]string
	err := c.call(ctx, http.MethodGet, connectorPath(name)+"/config", nil, &config)
	if hasStatus(err, http.StatusNotFound) {
		return nil, nil
	}
	return config, err
}

// Put makes or changes a connector.
func (c *Client) Put(ctx context.Context, name string, config map[string]string) error {
	return c.call(ctx, http.MethodPut, connectorPath(name)+"/config", config, nil)
}

// Delete deletes a connector; an unknown one is no error.
func (c *Client) Delete(ctx context.Context, name string) error {
	err := c.call(ctx, http.MethodDelete, connectorPath(name), nil, nil)
	if hasStatus(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// Restart restarts what failed of a connector.
func (c *Client) Restart(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodPost, connectorPath(name)+"/restart?includeTasks=true&onlyFailed=true", nil, nil)
}

// Validate asks the cluster what is wrong with a configuration: a message for each.
func (c *Client) Validate(ctx context.Context, config map[string]string) ([]string, error) {
	var answer struct {
		Configs []struct {
			Value struct {
				Name   string
				Errors []string
			}
		}
	}
	path := "/connector-plugins/" + url.PathEscape(config["connector.class"]) + "/config/validate"
	if err := c.call(ctx, http.MethodPut, path, config, &answer); err != nil {
		return nil, err
	}
	var problems []string
	for _, entry := range answer.Configs {
		for _, message := range entry.Value.Errors {
			problems = append(problems, entry.Value.Name+": "+message)
		}
	}
	return problems, nil
}

// State is the state of a connector or one of its tasks, by Connect's word.
type State struct {
	ID    int    `json:"id"` // of a task
	State string `json:"state"`
	// Trace tells why it failed.
	Trace string `json:"trace,omitempty"`
}

// Status is the state of a connector and its tasks.
type Status struct {
	Name      string  `json:"name"`
	Connector State   `json:"connector"`
	Tasks     []State `json:"tasks"`
	Type      string  `json:"type"`
}

// The words of Connect for states that matter here.
const (
	Running = "RUNNING"
	Failed  = "FAILED"
	Missing = "MISSING" // no word of Connect's: the cluster has no such connector
)

// Status tells how a connector is; the state of one that is not there is Missing.
func (c *Client) Status(ctx context.Context, name string) (Status, error) {
	var s Status
	err := c.call(ctx, http.MethodGet, connectorPath(name)+"/status", nil, &s)
	if hasStatus(err, http.StatusNotFound) {
		return Status{Name: name, Connector: State{State: Missing}}, nil
	}
	return s, err
}

// Running reports whether the connector and all its tasks run; there is one task at
// least.
func (s Status) Running() bool {
	if s.Connector.State != Running || len(s.Tasks) == 0 {
		return false
	}
	for _, t := range s.Tasks {
		if t.State != Running {
			return false
		}
	}
	return true
}

// Failure tells what failed, nil when nothing did.
func (s Status) Failure() error {
	if s.Connector.State == Failed {
		return fmt.Errorf("the connector %s failed: %s", s.Name, s.Connector.Trace)
	}
	for _, t := range s.Tasks {
		if t.State == Failed {
			return fmt.Errorf("task %d of the connector %s failed: %s", t.ID, s.Name, t.Trace)
		}
	}
	return nil
}
