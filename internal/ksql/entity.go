package ksql

import (
	"encoding/json"
	"fmt"
)

// Entity is what the server says about one statement. Raw holds the whole of
// it; the other members are those that most kinds of entity share.
type Entity struct {
	// Type is the entity's @type, such as "currentStatus" or "streams".
	Type string
	// StatementText is the statement as the server understood it.
	StatementText string
	// Warnings are the texts of the server's warnings.
	Warnings []string
	// CommandID names the command that a statement became, such as
	// "stream/`ORDERS`/create"; "" when it became none.
	CommandID string
	// CommandStatus is the command's state; zero when CommandID is "".
	CommandStatus CommandStatus
	// CommandSequenceNumber is the command's place in the command log, -1
	// when nothing was written there.
	CommandSequenceNumber int64
	// Raw is the entity as it came.
	Raw json.RawMessage
}

// Values of CommandStatus.Status.
const (
	StatusQueued     = "QUEUED"
	StatusParsing    = "PARSING"
	StatusExecuting  = "EXECUTING"
	StatusRunning    = "RUNNING"
	StatusTerminated = "TERMINATED"
	StatusSuccess    = "SUCCESS"
	StatusError      = "ERROR"
)

// CommandStatus says how far a command is.
type CommandStatus struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	// QueryID is the query that the command started, "" when none.
	QueryID string `json:"queryId"`
}

// Final reports whether the status will not change any more.
func (s CommandStatus) Final() bool {
	switch s.Status {
	case StatusQueued, StatusParsing, StatusExecuting:
		return false
	}
	return true
}

// Decode reads the whole entity into v, as json.Unmarshal does.
func (e Entity) Decode(v any) error {
	if err := json.Unmarshal(e.Raw, v); err != nil {
		return fmt.Errorf("reading an entity of type %q: %w", e.Type, err)
	}
	return nil
}

type entityBody struct {
	Type          string        `json:"@type"`
	StatementText string        `json:"statementText"`
	CommandID     string        `json:"commandId"`
	CommandStatus CommandStatus `json:"commandStatus"`
	Sequence      *int64        `json:"commandSequenceNumber"`
	Warnings      []struct {
		Message string `json:"message"`
	} `json:"warnings"`
	Message string `json:"message"`
}

func decodeEntities(body []byte) ([]Entity, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, fmt.Errorf("expected a JSON array of entities, got %q: %w", plainText(body), err)
	}
	entities := make([]Entity, len(raw))
	for i := range raw {
		var b entityBody
		if err := json.Unmarshal(raw[i], &b); err != nil {
			return nil, fmt.Errorf("entity %d of %d: %w", i+1, len(raw), err)
		}
		e := Entity{
			Type:                  b.Type,
			StatementText:         b.StatementText,
			CommandID:             b.CommandID,
			CommandStatus:         b.CommandStatus,
			CommandSequenceNumber: -1,
			Raw:                   raw[i],
		}
		if b.Sequence != nil {
			e.CommandSequenceNumber = *b.Sequence
		}
		for _, w := range b.Warnings {
			e.Warnings = append(e.Warnings, w.Message)
		}
		if b.Type == "warning_entity" && b.Message != "" {
			e.Warnings = append(e.Warnings, b.Message)
		}
		entities[i] = e
	}
	return entities, nil
}
