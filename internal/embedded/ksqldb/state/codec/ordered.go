package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// AppendOrdered appends a byte string in an encoding that sorts like the string
// itself and in which no string is the beginning of another: a zero byte becomes
// 00 FF, and 00 01 ends the string. So keys may have something behind them.
func AppendOrdered(dst, key []byte) []byte {
	for {
		i := bytes.IndexByte(key, 0)
		if i < 0 {
			break
		}
		dst = append(dst, key[:i+1]...)
		dst = append(dst, 0xFF)
		key = key[i+1:]
	}
	dst = append(dst, key...)
	return append(dst, 0, 1)
}

// SplitOrdered gives the string that data begins with and what follows it. The
// string is a copy if it had zero bytes.
func SplitOrdered(data []byte) (key, rest []byte, err error) {
	start := 0
	for {
		i := bytes.IndexByte(data[start:], 0)
		if i < 0 || start+i+1 >= len(data) {
			return nil, nil, fmt.Errorf("%w: a key without end", ErrCorrupt)
		}
		i += start
		switch data[i+1] {
		case 1:
			if key == nil {
				return data[:i:i], data[i+2:], nil
			}
			return append(key, data[start:i]...), data[i+2:], nil
		case 0xFF:
			key = append(key, data[start:i+1]...)
			start = i + 2
		default:
			return nil, nil, fmt.Errorf("%w: a key with an unknown escape", ErrCorrupt)
		}
	}
}

// AppendTime appends a time, or any integer, so that bytes sort like numbers.
func AppendTime(dst []byte, millis int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(millis)^(1<<63))
}

// Time reads what AppendTime wrote from the first 8 bytes of data.
func Time(data []byte) (int64, error) {
	if len(data) < 8 {
		return 0, fmt.Errorf("%w: a time of %d bytes", ErrCorrupt, len(data))
	}
	return int64(binary.BigEndian.Uint64(data) ^ (1 << 63)), nil
}

// PrefixEnd is the first byte string after all that begin with prefix; nil when
// there is none.
func PrefixEnd(prefix []byte) []byte { return IncrementPrefix(bytes.Clone(prefix)) }

// IncrementPrefix makes PrefixEnd's result of a prefix in its place.
func IncrementPrefix(end []byte) []byte {
	for len(end) > 0 {
		if end[len(end)-1] != 0xFF {
			end[len(end)-1]++
			return end
		}
		end = end[:len(end)-1]
	}
	return nil
}
