package ksql

import (
	"context"
	"encoding/json"
	"fmt"
)

// Source is a stream or a table, as SHOW STREAMS and SHOW TABLES list it.
type Source struct {
	Name        string `json:"name"`
	Type        string `json:"type"` // STREAM or TABLE
	Topic       string `json:"topic"`
	KeyFormat   string `json:"keyFormat"`
	ValueFormat string `json:"valueFormat"`
	IsWindowed  bool   `json:"isWindowed"`
}

// RunningQuery is a query, as SHOW QUERIES lists it.
type RunningQuery struct {
	ID          string         `json:"id"`
	QueryString string         `json:"queryString"`
	Sinks       []string       `json:"sinks"`
	SinkTopics  []string       `json:"sinkKafkaTopics"`
	StatusCount map[string]int `json:"statusCount"`
	QueryType   string         `json:"queryType"` // PERSISTENT, PUSH or PULL
	State       string         `json:"state"`
}

// Schema is the type of a column.
type Schema struct {
	Type         string  `json:"type"`
	Fields       []Field `json:"fields"`       // of a STRUCT
	MemberSchema *Schema `json:"memberSchema"` // of an ARRAY or MAP
	Parameters   struct {
		Precision int `json:"precision"`
		Scale     int `json:"scale"`
	} `json:"parameters"` // of a DECIMAL
}

// String returns the type as SQL spells it.
func (s Schema) String() string {
	switch s.Type {
	case "DECIMAL":
		return fmt.Sprintf("DECIMAL(%d, %d)", s.Parameters.Precision, s.Parameters.Scale)
	case "ARRAY":
		if s.MemberSchema != nil {
			return "ARRAY<" + s.MemberSchema.String() + ">"
		}
	case "MAP":
		if s.MemberSchema != nil {
			return "MAP<STRING, " + s.MemberSchema.String() + ">"
		}
	case "STRUCT":
		text := "STRUCT<"
		for i, field := range s.Fields {
			if i > 0 {
				text += ", "
			}
			text += Identifier(field.Name) + " " + field.Schema.String()
		}
		return text + ">"
	}
	return s.Type
}

// Field is a column of a source, or a member of a STRUCT.
type Field struct {
	Name   string `json:"name"`
	Schema Schema `json:"schema"`
	Type   string `json:"type"` // KEY or HEADER, else ""
}

// SourceDescription is what DESCRIBE says about a stream or a table.
type SourceDescription struct {
	Name         string         `json:"name"`
	Type         string         `json:"type"` // STREAM or TABLE
	WindowType   string         `json:"windowType"`
	Fields       []Field        `json:"fields"`
	Timestamp    string         `json:"timestamp"`
	KeyFormat    string         `json:"keyFormat"`
	ValueFormat  string         `json:"valueFormat"`
	Topic        string         `json:"topic"`
	Statement    string         `json:"statement"`
	ReadQueries  []RunningQuery `json:"readQueries"`
	WriteQueries []RunningQuery `json:"writeQueries"`
}

// ListStreams returns the server's streams.
func (c *Client) ListStreams(ctx context.Context) ([]Source, error) {
	var answer struct {
		Streams []Source `json:"streams"`
	}
	if err := c.ask(ctx, "SHOW STREAMS;", &answer); err != nil {
		return nil, fmt.Errorf("listing streams: %w", err)
	}
	return answer.Streams, nil
}

// ListTables returns the server's tables.
func (c *Client) ListTables(ctx context.Context) ([]Source, error) {
	var answer struct {
		Tables []Source `json:"tables"`
	}
	if err := c.ask(ctx, "SHOW TABLES;", &answer); err != nil {
		return nil, fmt.Errorf("listing tables: %w", err)
	}
	return answer.Tables, nil
}

// ListQueries returns the queries that the server knows, transient ones too.
func (c *Client) ListQueries(ctx context.Context) ([]RunningQuery, error) {
	var answer struct {
		Queries []RunningQuery `json:"queries"`
	}
	if err := c.ask(ctx, "SHOW QUERIES;", &answer); err != nil {
		return nil, fmt.Errorf("listing queries: %w", err)
	}
	return answer.Queries, nil
}

// Topic is a topic, as SHOW TOPICS lists it.
type Topic struct {
	Name string `json:"name"`
	// ReplicaInfo has the number of replicas of each partition.
	ReplicaInfo []int `json:"replicaInfo"`
}

// ListTopics returns the cluster's topics, without internal ones.
func (c *Client) ListTopics(ctx context.Context) ([]Topic, error) {
	var answer struct {
		Topics []Topic `json:"topics"`
	}
	if err := c.ask(ctx, "SHOW TOPICS;", &answer); err != nil {
		return nil, fmt.Errorf("listing topics: %w", err)
	}
	return answer.Topics, nil
}

// ListTypes returns the custom types by their names.
func (c *Client) ListTypes(ctx context.Context) (map[string]Schema, error) {
	var answer struct {
		Types map[string]Schema `json:"types"`
	}
	if err := c.ask(ctx, "SHOW TYPES;", &answer); err != nil {
		return nil, fmt.Errorf("listing types: %w", err)
	}
	return answer.Types, nil
}

// Function is a function, as SHOW FUNCTIONS lists it.
type Function struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // SCALAR, AGGREGATE or TABLE
	Category string `json:"category"`
}

// ListFunctions returns the functions that statements may use.
func (c *Client) ListFunctions(ctx context.Context) ([]Function, error) {
	var answer struct {
		Functions []Function `json:"functions"`
	}
	if err := c.ask(ctx, "SHOW FUNCTIONS;", &answer); err != nil {
		return nil, fmt.Errorf("listing functions: %w", err)
	}
	return answer.Functions, nil
}

// ListConnectors returns the names of the connectors of the server's Connect.
func (c *Client) ListConnectors(ctx context.Context) ([]string, error) {
	var answer struct {
		Connectors []struct {
			Name string `json:"name"`
		} `json:"connectors"`
	}
	if err := c.ask(ctx, "SHOW CONNECTORS;", &answer); err != nil {
		return nil, fmt.Errorf("listing connectors: %w", err)
	}
	names := make([]string, len(answer.Connectors))
	for i, connector := range answer.Connectors {
		names[i] = connector.Name
	}
	return names, nil
}

// QueryDescription is what the server says about a query that was started.
type QueryDescription struct {
	ID        string   `json:"id"`
	Statement string   `json:"statementText"`
	QueryType string   `json:"queryType"` // PERSISTENT, PUSH or PULL
	Sources   []string `json:"sources"`
	Sinks     []string `json:"sinks"`
	// State is RUNNING, PAUSED, ERROR, ...
	State string `json:"state"`
	// Properties are those that its statement was given.
	Properties Settings `json:"overriddenProperties"`
	// Errors are what it has met, oldest first.
	Errors []QueryError `json:"queryErrors"`
}

// Settings are properties with their values as texts.
type Settings map[string]string

// UnmarshalJSON reads an object; values that are not strings stay as they are
// written.
func (s *Settings) UnmarshalJSON(text []byte) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	*s = Settings{}
	for name, value := range values {
		var plain string
		if json.Unmarshal(value, &plain) != nil {
			plain = string(value)
		}
		(*s)[name] = plain
	}
	return nil
}

// QueryError is something that went wrong in a query.
type QueryError struct {
	Message string `json:"errorMessage"`
	// Type is USER, SYSTEM or UNKNOWN.
	Type string `json:"type"`
}

// DescribeQueries returns what the server says about its queries, transient ones
// too.
func (c *Client) DescribeQueries(ctx context.Context) ([]QueryDescription, error) {
	var answer struct {
		Queries []QueryDescription `json:"queryDescriptions"`
	}
	if err := c.ask(ctx, "SHOW QUERIES EXTENDED;", &answer); err != nil {
		return nil, fmt.Errorf("describing the queries: %w", err)
	}
	return answer.Queries, nil
}

// QueryErrors returns the texts of the errors that a query has met, oldest first.
func (c *Client) QueryErrors(ctx context.Context, queryID string) ([]string, error) {
	var answer struct {
		Query QueryDescription `json:"queryDescription"`
	}
	if err := c.ask(ctx, "EXPLAIN "+queryID+";", &answer); err != nil {
		return nil, fmt.Errorf("asking for the errors of query %s: %w", queryID, err)
	}
	var messages []string
	for _, e := range answer.Query.Errors {
		messages = append(messages, e.Message)
	}
	return messages, nil
}

// Explain returns how the server would execute a statement that has a query,
// as a drawing of its steps.
func (c *Client) Explain(ctx context.Context, statement string) (string, error) {
	var answer struct {
		QueryDescription struct {
			ExecutionPlan string `json:"executionPlan"`
		} `json:"queryDescription"`
	}
	if err := c.ask(ctx, "EXPLAIN "+statement, &answer); err != nil {
		return "", fmt.Errorf("explaining a statement: %w", err)
	}
	return answer.QueryDescription.ExecutionPlan, nil
}

// Describe returns what the server says about the stream or table of exactly
// that name, upper and lower case as it is.
func (c *Client) Describe(ctx context.Context, name string) (SourceDescription, error) {
	var answer struct {
		SourceDescription SourceDescription `json:"sourceDescription"`
	}
	if err := c.ask(ctx, "DESCRIBE "+Identifier(name)+";", &answer); err != nil {
		return SourceDescription{}, fmt.Errorf("describing %s: %w", name, err)
	}
	return answer.SourceDescription, nil
}

// GroupOffsets says how far one query has read its topics: the offsets that its
// consumer group has committed.
type GroupOffsets struct {
	Group  string `json:"groupId"`
	Topics []struct {
		Topic   string `json:"kafkaTopic"`
		Offsets []struct {
			Partition int32 `json:"partition"`
			// Committed is the offset after the last record that was dealt with, 0 before the first commit.
			Committed int64 `json:"consumerOffset"`
		} `json:"offsets"`
	} `json:"topicSummaries"`
}

// WriterOffsets returns how far the queries that write a stream or a table have read. A
// query that has not committed yet has no topics.
func (c *Client) WriterOffsets(ctx context.Context, name string) ([]GroupOffsets, error) {
	var answer struct {
		SourceDescription struct {
			Offsets []GroupOffsets `json:"queryOffsetSummaries"`
		} `json:"sourceDescription"`
	}
	if err := c.ask(ctx, "DESCRIBE "+Identifier(name)+" EXTENDED;", &answer); err != nil {
		return nil, fmt.Errorf("asking how far the queries of %s have read: %w", name, err)
	}
	return answer.SourceDescription.Offsets, nil
}

// ask runs a statement that is answered by one entity and reads that into v.
func (c *Client) ask(ctx context.Context, sql string, v any) error {
	entities, err := c.Exec(ctx, sql, ExecOptions{})
	if err != nil {
		return err
	}
	if len(entities) != 1 {
		return fmt.Errorf("expected one entity as the answer to %s, got %d", sql, len(entities))
	}
	return entities[0].Decode(v)
}
