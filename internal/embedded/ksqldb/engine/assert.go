package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
)

// assertPoll is how long an ASSERT waits between two looks.
const assertPoll = 100 * time.Millisecond

// until looks again and again until there is nothing to complain about, or for
// so long. The last complaint is returned.
func until(ctx context.Context, timeout time.Duration, look func() (complaint string, err error)) error {
	deadline := time.Now().Add(timeout)
	for {
		complaint, err := look()
		if err != nil || complaint == "" {
			return err
		}
		if !time.Now().Add(assertPoll).Before(deadline) {
			return &Error{Code: CodeAssertFailed, Message: complaint}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(assertPoll):
		}
	}
}

func (e *Engine) assertTimeout(given *ast.Duration, setting string) time.Duration {
	if given != nil {
		return time.Duration(min(given.Millis(), int64(time.Hour/time.Millisecond))) * time.Millisecond
	}
	if ms, err := strconv.Atoi(e.cfg.Properties[setting]); err == nil {
		return time.Duration(ms) * time.Millisecond
	}
	return time.Second
}

func (e *Engine) assertTopic(ctx context.Context, s *ast.AssertTopic) (any, error) {
	for _, p := range s.With {
		if name := strings.ToLower(p.Name); name != "partitions" && name != "replicas" {
			return nil, &Error{Code: CodeAssertFailed, Message: "Cannot assert unknown topic property: " + p.Name}
		}
	}
	err := until(ctx, e.assertTimeout(s.Timeout, "ksql.assert.topic.default.timeout.ms"), func() (string, error) {
		topic, exists, err := liveTopics{e}.Topic(ctx, s.Topic)
		switch {
		case err != nil:
			return "", err
		case exists && s.NotExists:
			return fmt.Sprintf("Topic %s exists", s.Topic), nil
		case !exists && !s.NotExists:
			return fmt.Sprintf("Topic %s does not exist", s.Topic), nil
		case !exists:
			return "", nil
		}
		for _, p := range s.With {
			name, got := strings.ToLower(p.Name), topic.Partitions
			if name == "replicas" {
				got = topic.Replicas
			}
			if want := ast.Format(p.Value); want != strconv.Itoa(got) {
				return fmt.Sprintf("Mismatched configuration for topic %s: For config %s, expected %s got %d", s.Topic, name, want, got), nil
			}
		}
		return "", nil
	})
	if err != nil {
		return nil, err
	}
	return struct {
		head
		Topic    string    `json:"topicName"`
		Exists   bool      `json:"exists"`
		Warnings []Warning `json:"warnings"`
	}{head{"assert_topic", s.Text()}, s.Topic, !s.NotExists, []Warning{}}, nil
}

func (e *Engine) assertSchema(ctx context.Context, s *ast.AssertSchema) (any, error) {
	if e.registry == nil {
		return nil, &Error{Code: CodeNoRegistry, Message: "KSQL is not configured to use a schema registry, which ASSERT SCHEMA needs. Set ksql.schema.registry.url."}
	}
	subject := ""
	if s.Subject != "" {
		subject = " with subject name " + s.Subject
	}
	if s.ID != nil {
		if subject == "" {
			subject = " with"
		}
		subject += " id " + strconv.Itoa(int(*s.ID))
	}
	err := until(ctx, e.assertTimeout(s.Timeout, "ksql.assert.schema.default.timeout.ms"), func() (string, error) {
		exists, err := e.schemaExists(ctx, s)
		switch {
		case err != nil:
			return "", err
		case exists && s.NotExists:
			return "Schema" + subject + " exists", nil
		case !exists && !s.NotExists:
			return "Schema" + subject + " does not exist", nil
		}
		return "", nil
	})
	if err != nil {
		return nil, err
	}
	var name *string
	if s.Subject != "" {
		name = &s.Subject
	}
	return struct {
		head
		Subject  *string   `json:"subject"`
		ID       *int32    `json:"id"`
		Exists   bool      `json:"exists"`
		Warnings []Warning `json:"warnings"`
	}{head{"assert_schema", s.Text()}, name, s.ID, !s.NotExists, []Warning{}}, nil
}

func (e *Engine) schemaExists(ctx context.Context, s *ast.AssertSchema) (bool, error) {
	var err error
	switch {
	case s.ID == nil:
		_, err = e.registry.Latest(ctx, s.Subject)
	default:
		var schema registry.Schema
		if schema, err = e.registry.SchemaByID(ctx, int(*s.ID)); err == nil && s.Subject != "" {
			_, found, err := e.registry.Lookup(ctx, s.Subject, schema)
			if errors.Is(err, registry.ErrNotFound) {
				return false, nil
			}
			return found, err
		}
	}
	if errors.Is(err, registry.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
