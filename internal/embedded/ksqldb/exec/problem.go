package exec

import (
	"errors"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
)

// ErrorType says what went wrong with a record; the numbers are those of
// ksqlDB's processing log.
type ErrorType int

// The types of processing errors.
const (
	DeserializationError ErrorType = 0
	RecordError          ErrorType = 1
	ProductionError      ErrorType = 2
	SerializationError   ErrorType = 3
	ThreadError          ErrorType = 4
)

// ProcessingError is an entry of the processing log: what was wrong with a
// record, and where it came from.
type ProcessingError struct {
	Type ErrorType
	// Step names the operator as ksqlDB does, such as KsqlTopic.Source; the name
	// of the logger is made from it.
	Step string
	// Target is "key" or "value" for deserialization and serialization errors.
	Target string
	// Message is ksqlDB's text; Cause lists the texts of what caused it.
	Message string
	Cause   []string
	// Topic, Partition and Offset are those of the record that was being
	// processed.
	Topic     string
	Partition int32
	Offset    int64
	// Record are the bytes that can't be read, for deserialization errors. They
	// are valid until TaskEnv.Problem returns.
	Record []byte
}

func (t *Task) problem(kind ErrorType, step, target, message string, err error) {
	t.report(ProcessingError{Type: kind, Step: step, Target: target, Message: message}, err)
}

func (t *Task) report(p ProcessingError, err error) {
	t.env.Metrics.Problems.Add(1)
	t.counts[t.current].Errors++
	p.Topic, p.Partition, p.Offset, p.Cause = t.rec.Topic, t.rec.Partition, t.rec.Offset, Causes(err)
	t.env.Problem(p)
}

// Causes lists the texts of an error and of what it wraps.
func Causes(err error) []string {
	var texts []string
	for ; err != nil; err = errors.Unwrap(err) {
		texts = append(texts, err.Error())
	}
	return texts
}

func (t *Task) deserializationProblem(step, target string, err error) {
	var se *serde.Error
	cause := err
	if errors.As(err, &se) {
		cause = se.Cause
	}
	p := ProcessingError{Type: DeserializationError, Step: step, Target: target, Message: err.Error(), Record: t.rec.Value}
	if target == "key" {
		p.Record = t.rec.Key
	}
	t.report(p, cause)
}
