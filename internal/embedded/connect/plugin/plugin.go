// Package plugin says what a connector is to the worker: how it is configured
// and validated, which tasks it has, and how records flow from a source task and
// into a sink task.
//
// Invariants: a task's methods are called from one goroutine at a time; a context
// ends what a call does. An error of Start, Poll, Put or Flush fails the task.
package plugin

import (
	"context"
	"log/slog"
	"net"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
)

// Kind is what a connector does, as the REST interface names it.
type Kind string

// The kinds of connectors.
const (
	Source Kind = "source"
	Sink   Kind = "sink"
)

// Header is a record's header.
type Header struct {
	Key    string
	Schema *data.Schema
	Value  any
}

// Record is one record on its way between a connector and a topic.
type Record struct {
	Topic string
	// Partition is nil where the producer chooses.
	Partition   *int32
	KeySchema   *data.Schema
	Key         any
	ValueSchema *data.Schema
	Value       any
	// Timestamp is in milliseconds since 1970, nil for none.
	Timestamp *int64
	Headers   []Header

	// SourcePartition and SourceOffset say where a source task got the record.
	SourcePartition map[string]any
	SourceOffset    map[string]any

	// KafkaTopic, KafkaPartition and KafkaOffset say where a sink's record
	// was read, whatever transformations made of Topic.
	KafkaTopic     string
	KafkaPartition int32
	KafkaOffset    int64
	// Raw is what the worker read a sink's record from, for itself.
	Raw any
}

// Environment is what the worker gives to a connector and its tasks.
type Environment struct {
	// Name is the connector's name.
	Name  string
	Log   *slog.Logger
	Clock Clock
	// Dial connects to other systems; nil means the operating system's network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// MayUse says why a connector may not read or write a file, nil when it may. Nil
	// allows all files.
	MayUse func(path string) error
	// Written tells that records of a sink are where they belong, or need not get
	// there, so that they are not delivered again. It may be called from any
	// goroutine, with records in any order. Nil for sources.
	Written func(records ...*Record)
	// Report tells of a record that a sink task can't write and goes on without.
	// It may put the record where such ones are kept, and then returns when it is
	// there. It may be called from any goroutine. Nil for sources.
	Report func(ctx context.Context, r *Record, cause error) error
}

// Connector is a class of connectors.
type Connector interface {
	Class() string
	Version() string
	Kind() Kind
	// Definition lists the settings of the class, without the common ones.
	Definition() *config.Definition
	// Validate finds what is wrong beyond single values, reaching out where
	// the real connector does. It adds errors to the values; an error of its
	// own is one with which the real connector breaks off.
	Validate(ctx context.Context, env Environment, settings map[string]string, values *config.Values) error
	// Open starts a connector with validated settings.
	Open(ctx context.Context, env Environment, settings map[string]string) (Instance, error)
}

// Instance is a started connector.
type Instance interface {
	// TaskConfigs gives the settings of up to max tasks. A change of them is
	// told by Changed.
	TaskConfigs(ctx context.Context, max int) ([]map[string]string, error)
	// Changed is sent to when the tasks must be configured anew; nil when
	// that never happens.
	Changed() <-chan struct{}
	Close() error
}

// SourceConnector is a connector that brings records into topics.
type SourceConnector interface {
	Connector
	NewSourceTask() SourceTask
}

// SinkConnector is a connector that brings records out of topics.
type SinkConnector interface {
	Connector
	NewSinkTask() SinkTask
}

// OffsetReader looks up how far a source partition was read, nil for not at all.
type OffsetReader func(partition map[string]any) map[string]any

// SourceTask reads records from somewhere.
type SourceTask interface {
	Start(ctx context.Context, env Environment, settings map[string]string, offsets OffsetReader) error
	// Poll waits for records; none is an answer too.
	Poll(ctx context.Context) ([]*Record, error)
	Close() error
}

// SinkTask writes records somewhere.
type SinkTask interface {
	Start(ctx context.Context, env Environment, settings map[string]string) error
	// Put takes records and may write them later; those of an earlier Put that
	// could not be written are its error too. It is called with no records now
	// and then.
	Put(ctx context.Context, records []*Record) error
	// Flush returns when all that was put is written, or can't be.
	Flush(ctx context.Context) error
	Close() error
}
