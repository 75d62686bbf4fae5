package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	frameSizeBytes = 4 // in front of every frame: its length
	// headBytes is the part of a frame that is looked at before kfake gets it:
	// length, API key, API version.
	headBytes = frameSizeBytes + 2 + 2
	// minFrame is the length of the smallest request: API key, version,
	// correlation id.
	minFrame = 2 + 2 + 4
)

// requestVersions has the highest version of each request that the protocol
// library can read; a key that isn't in it makes kfake panic.
var requestVersions = func() map[int16]int16 {
	m := map[int16]int16{}
	for key := int16(0); key <= kmsg.MaxKey; key++ {
		if req := kmsg.RequestForKey(key); req != nil {
			m[key] = req.MaxVersion()
		}
	}
	return m
}()

// guardListener accepts connections for kfake and looks at every frame before
// kfake does. No connection is accepted before open is called.
type guardListener struct {
	net.Listener
	advertise string // host:port, empty for the listener's own
	maxFrame  int
	log       *slog.Logger

	opened  chan struct{} // closed by open
	closed  chan struct{} // closed by Close
	closing sync.Once
	trimmer *trimmer // set before opened is closed
}

func newGuardListener(ln net.Listener, cfg Config, log *slog.Logger) *guardListener {
	return &guardListener{
		Listener:  ln,
		advertise: cfg.Advertise,
		maxFrame:  cfg.MaxFrameBytes,
		log:       log,
		opened:    make(chan struct{}),
		closed:    make(chan struct{}),
	}
}

func (g *guardListener) open(cluster *kfake.Cluster) {
	g.trimmer = newTrimmer(cluster, g.closed)
	close(g.opened)
}

// Accept waits for the guard to open and then for a connection.
func (g *guardListener) Accept() (net.Conn, error) {
	select {
	case <-g.opened:
	case <-g.closed:
		return nil, net.ErrClosed
	}
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guardConn{Conn: conn, guard: g}, nil
}

// Close stops accepting.
func (g *guardListener) Close() error {
	err := net.ErrClosed
	g.closing.Do(func() {
		close(g.closed)
		err = g.Listener.Close()
	})
	return err
}

// Addr is the address that the broker advertises to clients.
func (g *guardListener) Addr() net.Addr {
	if g.advertise != "" {
		return advertised(g.advertise)
	}
	addr := g.Listener.Addr()
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: tcp.Port}
	}
	return addr
}

// advertised is an address that was configured rather than listened on.
type advertised string

func (a advertised) Network() string { return "tcp" }
func (a advertised) String() string  { return string(a) }

// guardConn passes frames on to kfake, which reads from it. Only kfake's one
// reading goroutine calls Read.
type guardConn struct {
	net.Conn
	guard *guardListener

	ready []byte // looked at, to be handed out next
	rest  int    // bytes of the current frame that may pass unseen after ready
}

func (c *guardConn) Read(p []byte) (int, error) {
	if len(c.ready) == 0 && c.rest == 0 {
		if err := c.next(); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				c.guard.log.Warn("broker: closing a client's connection", "client", c.RemoteAddr().String(), "reason", err)
			}
			return 0, err
		}
	}
	if len(c.ready) > 0 {
		n := copy(p, c.ready)
		c.ready = c.ready[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p[:min(len(p), c.rest)])
	c.rest -= n
	return n, err
}

// next reads the head of the next frame and decides whether kfake may have it.
func (c *guardConn) next() error {
	head := make([]byte, headBytes)
	if _, err := io.ReadFull(c.Conn, head); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return io.EOF
		}
		return err
	}
	size := int64(binary.BigEndian.Uint32(head))
	key := int16(binary.BigEndian.Uint16(head[frameSizeBytes:]))
	version := int16(binary.BigEndian.Uint16(head[frameSizeBytes+2:]))
	switch {
	case size < minFrame:
		return fmt.Errorf("a frame of %d bytes is too short for a Kafka request", size)
	case size > int64(c.guard.maxFrame):
		return fmt.Errorf("a frame of %d bytes is larger than %d: is this a Kafka client?", size, c.guard.maxFrame)
	}
	maxVersion, known := requestVersions[key]
	switch {
	case !known:
		return fmt.Errorf("unknown Kafka API key %d", key)
	case version < 0:
		return fmt.Errorf("version %d of Kafka API key %d", version, key)
	case version > maxVersion && key == int16(kmsg.ApiVersions):
		return c.rewrite(head, size, unknownAPIVersions)
	case version > maxVersion:
		return fmt.Errorf("version %d of Kafka API key %d: the highest known is %d", version, key, maxVersion)
	}
	if key == int16(kmsg.DeleteRecords) {
		return c.rewrite(head, size, c.guard.trimmer.limit)
	}
	c.ready, c.rest = head, int(size)-(headBytes-frameSizeBytes)
	return nil
}

// rewrite reads the rest of a frame and has kfake get another one in its place.
func (c *guardConn) rewrite(head []byte, size int64, change func(frame []byte) ([]byte, error)) error {
	frame := make([]byte, frameSizeBytes+int(size))
	copy(frame, head)
	if _, err := io.ReadFull(c.Conn, frame[headBytes:]); err != nil {
		return err
	}
	changed, err := change(frame)
	if err != nil {
		return err
	}
	c.ready = changed
	return nil
}

// unknownAPIVersions turns an ApiVersions request of a version of the future,
// which kfake can't read, into one that it can and answers in the same way:
// that the version isn't supported and which ones are.
func unknownAPIVersions(frame []byte) ([]byte, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	version := req.MaxVersion() + 1
	req.SetVersion(version)
	out := append([]byte(nil), frame[:frameSizeBytes+minFrame]...)
	binary.BigEndian.PutUint16(out[frameSizeBytes+2:], uint16(version))
	out = append(out, 0xff, 0xff) // no client id
	out = append(out, 0)          // no tags
	out = req.AppendTo(out)
	binary.BigEndian.PutUint32(out, uint32(len(out)-frameSizeBytes))
	return out, nil
}
