package conformance

import (
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/conformance/testfunc"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
)

// TestFunctions are ksqlDB's functions and those that only its test cases use.
func TestFunctions() (*function.Registry, error) {
	builtin, err := function.Builtin(function.Options{})
	if err != nil {
		return nil, err
	}
	return testfunc.Registry(builtin)
}
