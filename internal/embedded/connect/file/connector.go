// Package file has the connectors that Apache Kafka brings for a first try: one
// reads the lines of a file into a topic, the other writes the values of topics to a
// file, a line for each.
//
// Invariants: a line is read once it ends; the offset of its record is where the
// next one begins, in bytes from the file's beginning ({"filename": …} →
// {"position": …}). A sink's Put returns when the lines are handed to the operating
// system.
package file

import (
	"context"
	"maps"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// version is the version of the classes that the connectors stand for.
const version = "3.9.1"

const classPrefix = "org.apache.kafka.connect.file."

// The settings.
const (
	fileSetting      = "file"
	topicSetting     = "topic"
	batchSizeSetting = "batch.size"
)

// The names in a source's partitions and offsets.
const (
	filenameField = "filename"
	positionField = "position"
)

// named wants a file: the process's own input and output are not a worker's.
func named(v any) error {
	if text, ok := v.(string); !ok || text == "" {
		return config.Errorf("the embedded worker does not read its standard input or write to its standard output; name a file")
	}
	return nil
}

// allowed says why a task may not use a file, nil when it may.
func allowed(env plugin.Environment, path string) error {
	if env.MayUse == nil {
		return nil
	}
	return env.MayUse(path)
}

func validateFile(env plugin.Environment, settings map[string]string, values *config.Values) {
	path := settings[fileSetting]
	if err := allowed(env, path); err != nil && path != "" {
		values.AddError(fileSetting, "Invalid value %s for configuration %s: %s", path, fileSetting, err)
	}
}

func key(name string, t config.Type, importance config.Importance, doc string) config.Key {
	return config.Key{Name: name, Type: t, Importance: importance, Order: -1, Width: config.NoWidth, Display: name, Doc: doc}
}

func fileKey(doc string) config.Key {
	k := key(fileSetting, config.String, config.High, doc)
	k.Check = named
	return k
}

func sourceKeys() []config.Key {
	topic := key(topicSetting, config.String, config.High, "The topic that gets the lines.")
	topic.Required, topic.Check = true, config.NonEmptyString
	batch := key(batchSizeSetting, config.Int, config.Low, "The most lines that are read at once.")
	batch.Default = config.Default("2000")
	return []config.Key{fileKey("The file whose lines are read."), topic, batch}
}

var (
	sourceDefinition = &config.Definition{Keys: sourceKeys()}
	sinkDefinition   = &config.Definition{Keys: []config.Key{fileKey("The file that gets a line for each record.")}}
)

// Source is the class of connectors that read a file.
type Source struct{}

// Class is the Java class it stands for.
func (Source) Class() string { return classPrefix + "FileStreamSourceConnector" }

// Version is the version of the class it stands for.
func (Source) Version() string { return version }

// Kind says that it is a source.
func (Source) Kind() plugin.Kind { return plugin.Source }

// Definition lists its settings.
func (Source) Definition() *config.Definition { return sourceDefinition }

// Validate wants a file that connectors may use; it may come later.
func (Source) Validate(_ context.Context, env plugin.Environment, settings map[string]string, values *config.Values) error {
	validateFile(env, settings, values)
	return nil
}

// Open has nothing to do: the task does the work.
func (Source) Open(_ context.Context, _ plugin.Environment, settings map[string]string) (plugin.Instance, error) {
	return instance{settings: settings, task: classPrefix + "FileStreamSourceTask", most: 1}, nil
}

// NewSourceTask makes a task.
func (Source) NewSourceTask() plugin.SourceTask { return &sourceTask{} }

// CheckOffset wants a position in a file.
func (Source) CheckOffset(partition, offset map[string]any) error {
	if offset == nil {
		return nil // anything may be forgotten
	}
	position, ok := offset[positionField]
	if !ok {
		return fault.New(fault.Connect, "Offset objects should either be null or contain the key '%s'", positionField)
	}
	n, ok := position.(int64)
	if !ok {
		return fault.New(fault.Connect, "The value for the '%s' key in the offset is expected to be a Long value", positionField)
	}
	if n < 0 {
		return fault.New(fault.Connect, "The value for the '%s' key in the offset should be a non-negative value", positionField)
	}
	if partition == nil {
		return fault.New(fault.Connect, "Partition objects cannot be null")
	}
	if _, ok := partition[filenameField]; !ok {
		return fault.New(fault.Connect, "Partition objects should contain the key '%s'", filenameField)
	}
	return nil
}

// Sink is the class of connectors that write a file.
type Sink struct{}

// Class is the Java class it stands for.
func (Sink) Class() string { return classPrefix + "FileStreamSinkConnector" }

// Version is the version of the class it stands for.
func (Sink) Version() string { return version }

// Kind says that it is a sink.
func (Sink) Kind() plugin.Kind { return plugin.Sink }

// Definition lists its settings.
func (Sink) Definition() *config.Definition { return sinkDefinition }

// Validate wants a file that connectors may use; it is made when it is missing.
func (Sink) Validate(_ context.Context, env plugin.Environment, settings map[string]string, values *config.Values) error {
	validateFile(env, settings, values)
	return nil
}

// Open has nothing to do: the tasks do the work.
func (Sink) Open(_ context.Context, _ plugin.Environment, settings map[string]string) (plugin.Instance, error) {
	return instance{settings: settings, task: classPrefix + "FileStreamSinkTask"}, nil
}

// NewSinkTask makes a task.
func (Sink) NewSinkTask() plugin.SinkTask { return &sinkTask{} }

// CheckOffset takes every offset.
func (Sink) CheckOffset(_, _ map[string]any) error { return nil }

// instance is a running connector.
type instance struct {
	settings map[string]string
	task     string // the class of its tasks
	most     int    // tasks; 0 for as many as are allowed
}

// TaskConfigs gives the tasks the connector's settings.
func (i instance) TaskConfigs(_ context.Context, most int) ([]map[string]string, error) {
	if i.most > 0 {
		most = min(most, i.most)
	}
	tasks := make([]map[string]string, most)
	for n := range tasks {
		tasks[n] = maps.Clone(i.settings)
		tasks[n]["task.class"] = i.task
	}
	return tasks, nil
}

// Changed never tells.
func (instance) Changed() <-chan struct{} { return nil }

// Close has nothing to do.
func (instance) Close() error { return nil }
