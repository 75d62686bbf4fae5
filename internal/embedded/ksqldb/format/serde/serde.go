// Package serde holds what all formats share: the interface that rows are
// written and read through, and the errors they fail with.
package serde

import "github.com/orderflow/orderflow/internal/embedded/ksqldb/types"

// Serde writes and reads the key or the value of records in one format with one
// list of columns. It may be used from many goroutines.
type Serde interface {
	// Serialize appends the columns' values to dst and returns the result. It
	// returns nil where the record's key or value is null: for nil values, and
	// for a NULL in the single column of a format that writes it bare. The
	// result is never nil otherwise, even when it is empty.
	Serialize(dst []byte, values []types.Value) ([]byte, error)
	// Deserialize reads one value per column. Nil data gives nil. The values
	// share no memory with data.
	Deserialize(data []byte) ([]types.Value, error)
}

// Error is a failure to read or write a record. Message is ksqlDB's text for
// it, Cause what it wraps, if anything. The processing log lists them apart, so
// Error doesn't repeat a cause that the message already quotes.
type Error struct {
	Message string
	Cause   error
}

// Error gives the message alone.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// RowType is the STRUCT that columns make up.
func RowType(columns []types.Column) *types.Type {
	fields := make([]types.Field, len(columns))
	for i, c := range columns {
		fields[i] = types.Field{Name: c.Name, Type: c.Type}
	}
	return types.StructOf(fields...)
}
