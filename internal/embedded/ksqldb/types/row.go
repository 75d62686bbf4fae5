package types

// Row is one record on its way through a query, decoded. It is what expressions
// are evaluated on and what steps hand to each other.
type Row struct {
	// Key holds the key columns; nil when the record's key is null.
	Key []Value
	// Value holds the value columns; nil when the record's value is null: a
	// tombstone for a table, a null-valued record for a stream.
	Value []Value
	// Time is the record's timestamp (ROWTIME) in epoch milliseconds.
	Time int64
	// Window is the window of the key of a windowed source or aggregate.
	Window Window
	// Headers are the record's headers in order.
	Headers []Header
	// Partition and Offset say where the record was read (ROWPARTITION,
	// ROWOFFSET).
	Partition int32
	Offset    int64
	// Report is told of errors in parts of expressions over the row that make
	// only the part NULL, with the step that the expression belongs to; nil
	// ignores them.
	Report func(step string, err error)
}

// Window is the window of a key: [Start, End) for time windows, [Start, End]
// for sessions, in epoch milliseconds. Kind 0 means that there is none.
type Window struct {
	Kind  WindowKind
	Start int64
	End   int64
}

// WindowKind says how a window is written into a key: time windows carry their
// start, sessions their end and start.
type WindowKind uint8

// The kinds of window.
const (
	NoWindow WindowKind = iota
	TimeWindow
	SessionWindow
)

// Header is a record header.
type Header struct {
	Key   string
	Value []byte
}
