package topics

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestGuess(t *testing.T) {
	ms := func(iso string) []byte {
		at, err := time.Parse(time.RFC3339, iso)
		assert.NoError(t, err)
		return binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli()))
	}
	cat := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	long := binary.BigEndian.AppendUint64(nil, 7)
	for want, data := range map[string][]byte{
		`""`:                          {},
		`"order-1"`:                   []byte("order-1"),
		`{"a":1}`:                     []byte(`{"a":1}`),
		`"JUMPERS!"`:                  []byte("JUMPERS!"),
		"100":                         {0, 0, 0, 100},
		"-1":                          {0xff, 0xff, 0xff, 0xff},
		"7":                           long,
		"0xff00ff":                    {0xff, 0, 0xff},
		"7 [2024-01-02T03:04:05Z]":    cat(long, ms("2024-01-02T03:04:05Z")),
		`"ab" [2024-01-02T03:04:05Z]`: cat([]byte("ab"), ms("2024-01-02T03:04:05Z")),
		"7 [2024-01-02T04:00:00Z, 2024-01-02T03:00:00Z]": cat(long, ms("2024-01-02T04:00:00Z"), ms("2024-01-02T03:00:00Z")),
	} {
		assert.Equal(t, want, guess(data))
	}
}

func FuzzGuess(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 1, 0x8c, 0xc7, 0x51, 0xa6, 0xf8})
	f.Fuzz(func(t *testing.T, data []byte) {
		assert.NotEmpty(t, guess(data))
	})
}
