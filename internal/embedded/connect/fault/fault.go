// Package fault carries errors with the Java class that the real worker's
// traces name, since clients and people look for these.
//
// Invariant: Trace of an error from here is what the real trace says, without
// the lines of stack frames.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// The classes that traces name.
const (
	Connect         = "org.apache.kafka.connect.errors.ConnectException"
	Data            = "org.apache.kafka.connect.errors.DataException"
	Config          = "org.apache.kafka.common.config.ConfigException"
	Serialization   = "org.apache.kafka.common.errors.SerializationException"
	IllegalArgument = "java.lang.IllegalArgumentException"
	NullPointer     = "java.lang.NullPointerException"
	IO              = "java.io.IOException"
	SQL             = "java.sql.SQLException"
	NumberFormat    = "java.lang.NumberFormatException"
	Kafka           = "org.apache.kafka.common.KafkaException"
	// InvalidConfiguration is what TLS settings that can't be used give.
	InvalidConfiguration = "org.apache.kafka.common.errors.InvalidConfigurationException"
	RestClient           = "io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException"
)

// Fault is an error with a class and perhaps a cause. Without a class the message is
// the whole line of the trace.
type Fault struct {
	Class   string
	Message string
	Cause   error
	// Hint says in words of ours what to do. Logs have it, traces don't.
	Hint string
}

// New makes a fault without a cause.
func New(class, format string, args ...any) *Fault {
	return &Fault{Class: class, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes a fault with a cause.
func Wrap(class string, cause error, format string, args ...any) *Fault {
	return &Fault{Class: class, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// Error gives the messages from the outermost on.
func (f *Fault) Error() string {
	text := f.Message
	if f.Hint != "" {
		text += " (" + f.Hint + ")"
	}
	if f.Cause == nil {
		return text
	}
	return text + ": " + f.Cause.Error()
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Cause }

// Trace writes an error as a trace: a line per cause.
func Trace(err error) string {
	var lines []string
	for err != nil {
		f, ok := errors.AsType[*Fault](err)
		if !ok {
			lines = append(lines, Connect+": "+err.Error())
			break
		}
		if f.Class == "" {
			lines = append(lines, f.Message)
		} else {
			lines = append(lines, f.Class+": "+f.Message)
		}
		err = f.Cause
	}
	return strings.Join(lines, "\nCaused by: ")
}
