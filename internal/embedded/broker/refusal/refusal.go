// Package refusal has the error of a request that is refused with one of the
// protocol's error codes and words for the client.
package refusal

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Error is why a request is refused. It unwraps to its code.
type Error struct {
	Code    *kerr.Error
	Message string // for the client; where Kafka has words for it, Kafka's
}

// New makes an Error.
func New(code *kerr.Error, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the code.
func (e *Error) Unwrap() error { return e.Code }
