// Package none is ksqlDB's NONE format: no columns, null bytes.
package none

import "github.com/orderflow/orderflow/internal/embedded/ksqldb/types"

// Serde writes null and reads nothing.
type Serde struct{}

// Serialize implements serde.Serde.
func (Serde) Serialize([]byte, []types.Value) ([]byte, error) { return nil, nil }

// Deserialize implements serde.Serde.
func (Serde) Deserialize([]byte) ([]types.Value, error) { return nil, nil }
