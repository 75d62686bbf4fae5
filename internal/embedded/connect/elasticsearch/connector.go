// Package elasticsearch is the Elasticsearch sink connector: it writes records as
// documents with bulk requests, as Confluent's ElasticsearchSinkConnector does.
//
// Invariants: a Put returns without an error only when Elasticsearch has
// acknowledged every record, or the settings say that a record is left out. With
// key.ignore=false a document has its record's offset as external version, so
// that a record delivered again changes nothing.
package elasticsearch

import (
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"syscall"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// Connector is the class of Elasticsearch sink connectors.
type Connector struct{}

// Class is the Java class it stands for.
func (Connector) Class() string {
	return "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector"
}

// Version is the version of the class it stands for.
func (Connector) Version() string { return "15.0.0" }

// Kind says that it is a sink.
func (Connector) Kind() plugin.Kind { return plugin.Sink }

// Definition lists its settings.
func (Connector) Definition() *config.Definition { return definition }

// Validate tries to reach Elasticsearch when the settings are right otherwise.
func (Connector) Validate(ctx context.Context, env plugin.Environment, settings map[string]string, values *config.Values) error {
	s := config.NewSettings(definition, settings)
	if isStream := !strings.EqualFold(s.Text(streamTypeSetting), noStream); isStream != (s.Text(streamDatasetSetting) != "") {
		for _, name := range []string{streamDatasetSetting, streamTypeSetting} {
			values.AddError(name, "Either both or neither '%s' and '%s' must be set.", streamDatasetSetting, streamTypeSetting)
		}
	}
	if len(values.Errors()) > 0 {
		return nil
	}
	c, err := newClient(env, s)
	if err != nil {
		values.AddError("connection.url", "%s", err)
		return nil
	}
	defer c.close()
	if err := c.ping(ctx); err != nil {
		cause := javaCause(err)
		values.AddError("connection.url", "Could not connect to Elasticsearch. Error message: %s", cause)
		values.AddError("connection.url", "Failed to create client to verify connection. %s", cause)
	}
	return nil
}

// javaCause writes why Elasticsearch can't be reached as the real connector does.
func javaCause(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "java.util.concurrent.ExecutionException: java.net.ConnectException: Connection refused"
	case isReset(err):
		return "java.io.IOException: Connection reset"
	default:
		return err.Error()
	}
}

// isReset reports whether a connection was broken off.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// NewSinkTask makes a task.
func (Connector) NewSinkTask() plugin.SinkTask { return &task{} }

// Open has nothing to do: the tasks do the work.
func (Connector) Open(_ context.Context, _ plugin.Environment, settings map[string]string) (plugin.Instance, error) {
	return instance{settings}, nil
}

// instance is a running connector.
type instance struct{ settings map[string]string }

// TaskConfigs gives every task the connector's settings; the consumer group shares
// the partitions out.
func (i instance) TaskConfigs(_ context.Context, most int) ([]map[string]string, error) {
	tasks := make([]map[string]string, most)
	for n := range tasks {
		tasks[n] = maps.Clone(i.settings)
		tasks[n]["task.class"] = "io.confluent.connect.elasticsearch.ElasticsearchSinkTask"
	}
	return tasks, nil
}

// Changed never tells.
func (instance) Changed() <-chan struct{} { return nil }

// Close has nothing to do.
func (instance) Close() error { return nil }
