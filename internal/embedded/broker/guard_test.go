package broker_test

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker"
)

// head makes the beginning of a frame: its length, API key, version,
// correlation id 7 and a null client id.
func head(size uint32, key, version int16) []byte {
	b := binary.BigEndian.AppendUint32(nil, size)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, 7)
	return append(b, 0xff, 0xff)
}

func TestHostileFrames(t *testing.T) {
	b := start(t, broker.Config{MaxFrameBytes: 1 << 20})
	for name, frame := range map[string][]byte{
		"unknown API key":        head(10, 9999, 0),
		"negative API key":       head(10, -5, 0),
		"negative version":       head(10, 3, -1),
		"version of the future":  head(10, 3, 99),
		"larger than allowed":    head(1<<20+1, 3, 0),
		"negative size":          head(0x80000000, 3, 0),
		"no size":                make([]byte, 14),
		"shorter than a request": {0, 0, 0, 2, 0, 3},
		"text":                   []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"broken metadata":        append(head(16, 3, 0), 0x7f, 0xff, 0xff, 0xff, 0, 0),
		"broken delete records":  append(head(16, 21, 0), 0x7f, 0xff, 0xff, 0xff, 0, 0),
		"delete records, cut":    head(1<<10, 21, 2),
		"produce of nonsense":    append(head(20, 0, 9), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", b.Addr())
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
			_, err = conn.Write(frame)
			require.NoError(t, err)
			_ = conn.(*net.TCPConn).CloseWrite() // an error says that the broker was faster
			_, err = io.Copy(io.Discard, conn)
			assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is closed")
		})
	}
	cl := client(t, b.Addr())
	createTopic(t, cl, "orders", 1, nil)
	produce(t, cl, "orders", 0, 1)
	consume(t, b.Addr(), "orders", 1)
}

func TestUnknownApiVersionsAreAnswered(t *testing.T) {
	b := start(t, broker.Config{})
	conn, err := net.Dial("tcp", b.Addr())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Write(append(head(16, int16(kmsg.ApiVersions), 99), "future"...))
	require.NoError(t, err)
	answer := make([]byte, 10)
	_, err = io.ReadFull(conn, answer)
	require.NoError(t, err)
	assert.EqualValues(t, 7, binary.BigEndian.Uint32(answer[4:]))
	assert.EqualValues(t, 35, binary.BigEndian.Uint16(answer[8:]), "UNSUPPORTED_VERSION")
}

// FuzzFrames sends one frame of each fuzzed body; the broker must outlive it.
func FuzzFrames(f *testing.F) {
	f.Add(int16(3), int16(1), []byte{0, 0, 0, 0})
	f.Add(int16(0), int16(7), []byte{0xff, 0xff, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0})
	f.Add(int16(21), int16(1), []byte{0, 0, 0, 1, 0, 1, 'o', 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add(int16(9999), int16(0), []byte{})
	brk, err := broker.New(broker.Config{Addr: "127.0.0.1:0", MaxFrameBytes: 1 << 16})
	require.NoError(f, err)
	require.NoError(f, brk.Start(f.Context()))
	f.Cleanup(func() { require.NoError(f, brk.Stop()) })
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		conn, err := net.Dial("tcp", brk.Addr())
		require.NoError(t, err)
		defer conn.Close()
		frame := append(head(uint32(10+len(body)), key, version), body...)
		_, _ = conn.Write(frame)
		_ = conn.(*net.TCPConn).CloseWrite()
		require.NoError(t, conn.SetDeadline(time.Now().Add(200*time.Millisecond)))
		_, _ = io.Copy(io.Discard, conn) // an answer, or a closed connection, or a request that waits
	})
}
