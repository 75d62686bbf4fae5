package format

import (
	"encoding/binary"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// AppendWindow appends the window of a key to its bytes, as Kafka Streams does:
// the start of a time window, the end and the start of a session. Each is an
// int64, big endian, in epoch milliseconds.
func AppendWindow(key []byte, w types.Window) []byte {
	switch w.Kind {
	case types.TimeWindow:
		return binary.BigEndian.AppendUint64(key, uint64(w.Start))
	case types.SessionWindow:
		key = binary.BigEndian.AppendUint64(key, uint64(w.End))
		return binary.BigEndian.AppendUint64(key, uint64(w.Start))
	default:
		return key
	}
}

// SplitWindow takes the window off the end of a key. Time windows don't carry
// their end: it is start + size milliseconds, or the largest time when that
// overflows. The key keeps its memory.
func SplitWindow(key []byte, kind types.WindowKind, size int64) ([]byte, types.Window, error) {
	switch kind {
	case types.TimeWindow:
		n := len(key) - 8
		if n < 0 {
			return nil, types.Window{}, fmt.Errorf("reading the window of a key of %d bytes: a windowed key ends with 8 bytes of window start", len(key))
		}
		start := int64(binary.BigEndian.Uint64(key[n:]))
		end := start + size
		if end < start {
			end = 1<<63 - 1
		}
		return key[:n:n], types.Window{Kind: kind, Start: start, End: end}, nil
	case types.SessionWindow:
		n := len(key) - 16
		if n < 0 {
			return nil, types.Window{}, fmt.Errorf("reading the window of a key of %d bytes: a session key ends with 16 bytes of window end and start", len(key))
		}
		return key[:n:n], types.Window{
			Kind:  kind,
			End:   int64(binary.BigEndian.Uint64(key[n:])),
			Start: int64(binary.BigEndian.Uint64(key[n+8:])),
		}, nil
	default:
		return key, types.Window{}, nil
	}
}
