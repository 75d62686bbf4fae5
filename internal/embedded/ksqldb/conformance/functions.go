package conformance

import (
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
)

// TestFunctions are ksqlDB's functions.
func TestFunctions() (*function.Registry, error) {
	return function.Builtin(function.Options{})
}
