// Package state keeps what a query's tasks remember between records: ordered
// byte stores, one namespace a task, committed together with the task's input
// positions and its outputs still to be sent.
//
// Invariants: a Store belongs to one task and is used by one goroutine at a
// time; nothing a task wrote is visible after a restart unless Commit returned;
// a Commit is all or nothing.
package state

// Store is an ordered map of byte strings that belongs to one task. Keys are
// ordered by their bytes. Slices given to it are copied; slices it returns are
// valid until the next call that writes.
type Store interface {
	// Get returns nil, false when the key is absent.
	Get(key []byte) (value []byte, ok bool, err error)
	Put(key, value []byte) error
	Delete(key []byte) error
	// Scan calls visit for every key in [from, to) in ascending order until it
	// returns false; a nil bound is open. visit must not write to the store.
	Scan(from, to []byte, visit func(key, value []byte) bool) error
	// ScanDescending is Scan from the end.
	ScanDescending(from, to []byte, visit func(key, value []byte) bool) error
}

// Stores gives a task its stores by name, such as "Aggregate-Materialize". The
// same name gives the same store; a new one is empty.
type Stores interface {
	Store(name string) (Store, error)
}
