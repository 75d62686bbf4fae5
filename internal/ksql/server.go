package ksql

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	ksqldb "github.com/thmeitz/ksqldb-go"
)

// Info is what GET /info says.
type Info struct {
	Version        string
	KafkaClusterID string
	ServiceID      string
	// ServerStatus is "RUNNING" when the server takes statements.
	ServerStatus string
}

// Info asks the server who it is.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var info Info
	err := c.library(ctx, func(api *ksqldb.KsqldbClient) error {
		answer, err := api.GetServerInfo(ctx)
		if err != nil {
			return err
		}
		info = Info{
			Version:        answer.Version,
			KafkaClusterID: answer.KafkaClusterID,
			ServiceID:      answer.KsqlServiceID,
			ServerStatus:   answer.ServerStatus,
		}
		return nil
	})
	if err != nil {
		return Info{}, fmt.Errorf("asking for the server's info: %w", err)
	}
	return info, nil
}

// Health is what GET /healthcheck says.
type Health struct {
	Healthy bool
	// Details maps a part of the server ("kafka", "metastore",
	// "commandRunner") to whether it is healthy.
	Details map[string]bool
	// ServerState is "READY" when the server takes statements; "" for
	// servers that do not say.
	ServerState string
}

// Health asks the server whether it and its parts are well.
func (c *Client) Health(ctx context.Context) (Health, error) {
	var answer struct {
		IsHealthy bool `json:"isHealthy"`
		Details   map[string]struct {
			IsHealthy bool `json:"isHealthy"`
		} `json:"details"`
		ServerState string `json:"serverState"`
	}
	if err := c.get(ctx, ksqldb.HEALTHCHECK_ENDPOINT, &answer); err != nil {
		return Health{}, fmt.Errorf("asking for the server's health: %w", err)
	}
	health := Health{Healthy: answer.IsHealthy, ServerState: answer.ServerState, Details: map[string]bool{}}
	for part, state := range answer.Details {
		health.Details[part] = state.IsHealthy
	}
	return health, nil
}

func (c *Client) get(ctx context.Context, endpoint string, v any) error {
	return c.retrying(ctx, func() error { return c.getOnce(ctx, endpoint, v) })
}

func (c *Client) getOnce(ctx context.Context, endpoint string, v any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+endpoint, nil)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := c.send(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := c.readAll(ctx, response.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("reading ksqlDB's answer: %w", err)
	}
	return nil
}

// CommandStatus asks how far a command is, by the CommandID of its Entity.
// The QueryID is always empty in this answer.
func (c *Client) CommandStatus(ctx context.Context, commandID string) (CommandStatus, error) {
	parts := strings.SplitN(commandID, "/", 2)
	last := strings.LastIndexByte(commandID, '/')
	if len(parts) != 2 || last <= len(parts[0]) {
		return CommandStatus{}, fmt.Errorf("asking for a command's status: %q is not type/entity/action", commandID)
	}
	path := "/" + url.PathEscape(parts[0]) + "/" + url.PathEscape(commandID[len(parts[0])+1:last]) +
		"/" + url.PathEscape(commandID[last+1:])
	var status CommandStatus
	err := c.library(ctx, func(api *ksqldb.KsqldbClient) error {
		answer, err := api.GetQueryStatus(ctx, path)
		if err != nil {
			return err
		}
		status = CommandStatus{Status: answer.Status, Message: answer.Message}
		return nil
	})
	if err != nil {
		return CommandStatus{}, fmt.Errorf("asking for the status of command %s: %w", commandID, err)
	}
	return status, nil
}

// commandPoll is how long WaitCommand waits between two questions.
const commandPoll = 100 * time.Millisecond

// WaitCommand waits until the command of an entity has ended, and returns an
// *Error when it failed. Entities without a command return at once.
func (c *Client) WaitCommand(ctx context.Context, entity Entity) (CommandStatus, error) {
	status := entity.CommandStatus
	if entity.CommandID == "" {
		return status, nil
	}
	for !status.Final() {
		timer := time.NewTimer(commandPoll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return status, fmt.Errorf("waiting for command %s, which is %s: %w", entity.CommandID, status.Status, context.Cause(ctx))
		case <-timer.C:
		}
		next, err := c.CommandStatus(ctx, entity.CommandID)
		if err != nil {
			return status, err
		}
		next.QueryID = status.QueryID
		status = next
	}
	if status.Status == StatusError {
		return status, &Error{
			HTTPStatus: http.StatusOK,
			Code:       CodeServerError,
			Message:    status.Message,
			Statement:  entity.StatementText,
		}
	}
	return status, nil
}

// closeQuery ends a push query on the server. A query that is not there any
// more is no error.
func (c *Client) closeQuery(ctx context.Context, queryID string) error {
	// The library puts the id into a JSON text as it is.
	if strings.ContainsAny(queryID, "\"\\") || strings.ContainsFunc(queryID, func(r rune) bool { return r < ' ' }) {
		return fmt.Errorf("ending query %q: that is not a query id", queryID)
	}
	err := c.library(ctx, func(api *ksqldb.KsqldbClient) error {
		return api.ClosePushQuery(ctx, queryID)
	})
	if err != nil && !IsCode(err, CodeBadRequest) {
		return fmt.Errorf("ending query %s: %w", queryID, err)
	}
	return nil
}
