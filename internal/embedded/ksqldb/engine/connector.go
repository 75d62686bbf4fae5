package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

// connectTimeout is ksqlDB's default of ksql.connect.request.timeout.ms.
const connectTimeout = 5 * time.Second

// maxConnectAnswer bounds how much of an answer of Connect is read.
const maxConnectAnswer = 8 << 20

// connectError is an answer of Connect that is no success.
type connectError struct {
	status int
	body   string
}

func (e *connectError) Error() string { return e.body }

// connect sends a request to the Connect cluster and reads its answer into out.
func (e *Engine) connect(ctx context.Context, method, path string, body, out any) error {
	if e.cfg.Connect == "" {
		return errors.New("no Connect cluster is configured: set ksql.connect.url")
	}
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(data)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(e.cfg.Connect, "/")+path, payload)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := (&http.Client{Transport: e.cfg.ConnectTransport}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxConnectAnswer))
	if err != nil {
		return fmt.Errorf("reading Connect's answer: %w", err)
	}
	if resp.StatusCode >= 300 {
		return &connectError{resp.StatusCode, strings.TrimSpace(string(data))}
	}
	if out == nil || len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("reading Connect's answer: %w", err)
	}
	return nil
}

// connectFailure keeps the status of Connect's answer.
func connectFailure(prefix string, err error) *Error {
	code := CodeServerError
	var answer *connectError
	if errors.As(err, &answer) {
		code = answer.status * 100
	}
	return &Error{Code: code, Message: prefix + err.Error(), cause: err}
}

func isStatus(err error, status int) bool {
	var answer *connectError
	return errors.As(err, &answer) && answer.status == status
}

type connectorInfo struct {
	Name   string            `json:"name"`
	Config map[string]string `json:"config"`
	Tasks  []connectorTask   `json:"tasks"`
	Type   string            `json:"type"`
}

type connectorTask struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

func connectorPath(name string) string { return "/connectors/" + url.PathEscape(name) }

func (e *Engine) createConnector(ctx context.Context, s *ast.CreateConnector) (any, error) {
	config := map[string]string{}
	for _, p := range s.With {
		config[p.Name] = literalText(p.Value)
	}
	config["name"] = s.Name.Name
	var info connectorInfo
	err := e.connect(ctx, http.MethodPost, "/connectors", map[string]any{"name": s.Name.Name, "config": config}, &info)
	switch {
	case isStatus(err, http.StatusConflict) && s.IfNotExists:
		return warningEntity(ast.Mask(s), fmt.Sprintf("Connector %s already exists", s.Name.Name)), nil
	case isStatus(err, http.StatusConflict):
		return nil, &Error{Code: CodeConnectorExists, Message: fmt.Sprintf("Connector %s already exists", s.Name.Name)}
	case err != nil:
		return nil, connectFailure("Failed to create connector: ", err)
	}
	return struct {
		head
		Warnings []Warning     `json:"warnings"`
		Info     connectorInfo `json:"info"`
	}{head{"connector_info", ast.Mask(s)}, []Warning{}, info}, nil
}

// literalText is the text of a literal without quotes.
func literalText(l ast.Literal) string {
	if s, ok := l.(*ast.StringLiteral); ok {
		return s.Value
	}
	return ast.Format(l)
}

func (e *Engine) dropConnector(ctx context.Context, s *ast.DropConnector) (any, error) {
	err := e.connect(ctx, http.MethodDelete, connectorPath(s.Name.Name), nil, nil)
	switch {
	case isStatus(err, http.StatusNotFound) && s.IfExists:
		return warningEntity(s.Text(), fmt.Sprintf("Connector '%s' does not exist.", s.Name.Name)), nil
	case err != nil:
		return nil, connectFailure("Failed to drop connector: ", err)
	}
	return struct {
		head
		Warnings []Warning `json:"warnings"`
		Name     string    `json:"connectorName"`
	}{head{"drop_connector", s.Text()}, []Warning{}, s.Name.Name}, nil
}

type connectorStatus struct {
	Name      string         `json:"name"`
	Connector connectorState `json:"connector"`
	Tasks     []taskState    `json:"tasks"`
	Type      string         `json:"type"`
}

type connectorState struct {
	State  string `json:"state"`
	Worker string `json:"worker_id"`
	Trace  string `json:"trace,omitempty"`
}

type taskState struct {
	ID     int    `json:"id"`
	State  string `json:"state"`
	Worker string `json:"worker_id"`
	Trace  string `json:"trace,omitempty"`
}

func (e *Engine) describeConnector(ctx context.Context, s *ast.DescribeConnector) (any, error) {
	var status connectorStatus
	if err := e.connect(ctx, http.MethodGet, connectorPath(s.Name.Name)+"/status", nil, &status); err != nil {
		return nil, connectFailure("Failed to query connector status: ", err)
	}
	var info connectorInfo
	if err := e.connect(ctx, http.MethodGet, connectorPath(s.Name.Name), nil, &info); err != nil {
		return nil, connectFailure("Failed to query connector: ", err)
	}
	var active map[string]struct {
		Topics []string `json:"topics"`
	}
	if err := e.connect(ctx, http.MethodGet, connectorPath(s.Name.Name)+"/topics", nil, &active); err != nil {
		return nil, connectFailure("Failed to list the connector's topics: ", err)
	}
	topics := slices.Sorted(slices.Values(active[s.Name.Name].Topics))
	c := e.Catalog()
	details := []sourceDescription{}
	for _, topic := range topics {
		for _, source := range c.OnTopic(topic) {
			live, err := e.topicDetails(ctx, source)
			if err != nil {
				return nil, err
			}
			details = append(details, e.describe(c, source, live, false))
		}
	}
	if topics == nil {
		topics = []string{}
	}
	return struct {
		head
		Class    string              `json:"connectorClass"`
		Status   connectorStatus     `json:"status"`
		Sources  []sourceDescription `json:"sources"`
		Topics   []string            `json:"topics"`
		Warnings []Warning           `json:"warnings"`
	}{head{"connector_description", s.Text()}, info.Config["connector.class"], status, details, topics, []Warning{}}, nil
}

func (e *Engine) showConnectors(ctx context.Context, s *ast.ShowConnectors) (any, error) {
	var all map[string]struct {
		Status connectorStatus `json:"status"`
		Info   connectorInfo   `json:"info"`
	}
	if err := e.connect(ctx, http.MethodGet, "/connectors?expand=status&expand=info", nil, &all); err != nil {
		return nil, connectFailure("Failed to list connectors: ", err)
	}
	type entry struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		Class string `json:"className"`
		State string `json:"state"`
	}
	list := []entry{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		kind := c.Info.Type
		if s.Kind == ast.SourceConnector && kind != "source" || s.Kind == ast.SinkConnector && kind != "sink" {
			continue
		}
		list = append(list, entry{name, kind, c.Info.Config["connector.class"], stateText(c.Status)})
	}
	return struct {
		head
		Warnings   []Warning `json:"warnings"`
		Connectors []entry   `json:"connectors"`
	}{head{"connector_list", s.Text()}, []Warning{}, list}, nil
}

// stateText sums the states of a connector and its tasks up.
func stateText(s connectorStatus) string {
	const running = "RUNNING"
	if s.Connector.State != running {
		return s.Connector.State
	}
	count := 0
	for _, t := range s.Tasks {
		if t.State == running {
			count++
		}
	}
	state := "WARNING"
	if count == len(s.Tasks) {
		state = running
	}
	return fmt.Sprintf("%s (%d/%d tasks RUNNING)", state, count, len(s.Tasks))
}

func (e *Engine) showConnectorPlugins(ctx context.Context, s *ast.ShowConnectorPlugins) (any, error) {
	type plugin struct {
		Class   string `json:"className"`
		Type    string `json:"type"`
		Version string `json:"version"`
	}
	var found []struct {
		Class   string `json:"class"`
		Type    string `json:"type"`
		Version string `json:"version"`
	}
	if err := e.connect(ctx, http.MethodGet, "/connector-plugins", nil, &found); err != nil {
		return nil, connectFailure("Failed to list connector plugins: ", err)
	}
	list := []plugin{}
	for _, p := range found {
		list = append(list, plugin(p))
	}
	return struct {
		head
		Warnings []Warning `json:"warnings"`
		Plugins  []plugin  `json:"connectorsPlugins"`
	}{head{"connector_plugins_list", s.Text()}, []Warning{}, list}, nil
}
