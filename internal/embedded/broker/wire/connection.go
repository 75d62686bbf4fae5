package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/layout"
)

const (
	readBuffer = 16 << 10
	// keptBuffer is up to which size a connection keeps its buffers.
	keptBuffer = 256 << 10
	// chunk is how much of a large frame is made room for at a time, so that
	// saying that one comes costs nothing.
	chunk = 1 << 20
	// smallCost is what a request may take decoded without being counted.
	smallCost = 64 << 10
)

// connection is one client. Only its own goroutine uses it.
type connection struct {
	server *Server
	conn   net.Conn
	in     *bufio.Reader
	frame  []byte // the request being handled
	out    []byte // answers that weren't sent yet
	client Client
}

func newConnection(s *Server, conn net.Conn) *connection {
	host := conn.RemoteAddr().String()
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return &connection{server: s, conn: conn, in: bufio.NewReaderSize(conn, readBuffer), client: Client{Host: "/" + host}}
}

// serve answers requests until the client goes; the error says why the
// connection can't go on.
func (c *connection) serve() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("handling a request failed: %v\n%s", r, debug.Stack())
		}
	}()
	for {
		size, err := c.begin()
		if err != nil || size == 0 {
			return err
		}
		// A small one goes into a buffer that the connection may have anyway: it
		// waits for nobody who only said that a large one comes.
		counted := size > keptBuffer
		if counted && c.server.buffered.Acquire(c.server.ctx, int64(size)) != nil {
			return nil
		}
		err = c.request(size)
		if counted {
			c.server.buffered.Release(int64(size))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if refused := c.client.session.refused; err == nil && refused != nil {
			err = errors.Join(refused, c.flush())
		}
		if err != nil {
			return err
		}
		if cap(c.frame) > keptBuffer {
			c.frame = nil
		}
	}
}

// begin waits for a frame and gives its size, 0 when the client is gone.
func (c *connection) begin() (int, error) {
	if c.in.Buffered() == 0 {
		if err := c.flush(); err != nil {
			return 0, nil
		}
		if err := c.conn.SetReadDeadline(c.until(c.server.cfg.IdleTimeout)); err != nil {
			return 0, nil
		}
		if _, err := c.in.Peek(1); err != nil {
			return 0, nil
		}
	}
	if err := c.conn.SetReadDeadline(c.until(c.server.cfg.FrameTimeout)); err != nil {
		return 0, nil
	}
	var head [4]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, c.late(err)
	}
	switch size := binary.BigEndian.Uint32(head[:]); {
	case size > 0 && size < minFrame && c.client.session.bare:
		return int(size), nil
	case size < minFrame:
		return 0, fmt.Errorf("a frame of %d bytes is too short for a Kafka request", size)
	case uint64(size) > uint64(c.server.cfg.MaxFrame):
		return 0, fmt.Errorf("a frame of %d bytes is larger than %d: is this a Kafka client?", size, c.server.cfg.MaxFrame)
	case size > maxLoginFrame && c.client.session.pending():
		return 0, fmt.Errorf("a frame of %d bytes is larger than %d, before a login: is this a client with SASL?", size, maxLoginFrame)
	default:
		return int(size), nil
	}
}

// until is when a client that takes its time is given up.
func (c *connection) until(within time.Duration) time.Time {
	t := time.Now().Add(within)
	if s := &c.client.session; s.pending() && s.within.Before(t) {
		return s.within
	}
	return t
}

// late makes an error of a client that doesn't go on, and nil of one that is gone.
func (c *connection) late(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("a request was begun and not sent to its end within %s", c.server.cfg.FrameTimeout)
	}
	return nil
}

func (c *connection) request(size int) error {
	if err := c.read(size); err != nil {
		if err := c.late(err); err != nil {
			return err
		}
		return io.EOF
	}
	if c.client.session.bare {
		return c.bareLogin()
	}
	key := int16(binary.BigEndian.Uint16(c.frame))
	version := int16(binary.BigEndian.Uint16(c.frame[2:]))
	correlation := c.frame[4:8]
	if !c.client.session.allows(key) {
		return fmt.Errorf("a %s request came before a login: the client needs SASL", kmsg.NameForKey(key))
	}
	if key == kmsg.ApiVersions.Int16() && version > c.server.apis[key].Max {
		c.answer(correlation, c.server.newerApiVersions(), false)
		return c.flushUnlessMore()
	}
	api, err := c.server.api(key, version)
	if err != nil {
		return err
	}
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	id, body, err := layout.Header(c.frame[minFrame:], req.IsFlexible())
	if err != nil {
		return fmt.Errorf("reading the header of a %s request: %w", kmsg.NameForKey(key), err)
	}
	if string(id) != c.client.ID {
		c.client.ID = string(id)
	}
	cost, err := layout.Walk(kmsg.Key(key), version, body)
	if err != nil {
		return fmt.Errorf("reading a %s request of version %d: %w", kmsg.NameForKey(key), version, err)
	}
	if cost > smallCost {
		if cost > c.server.limit {
			return fmt.Errorf("a %s request of %d bytes takes %d once it is decoded: more than %d are not allowed", kmsg.NameForKey(key), size, cost, c.server.limit)
		}
		if err := c.server.decoded.Acquire(c.server.ctx, cost); err != nil {
			return io.EOF
		}
		defer c.server.decoded.Release(cost)
	}
	if err := req.ReadFrom(body); err != nil {
		return fmt.Errorf("reading a %s request of version %d: %w", kmsg.NameForKey(key), version, err)
	}
	if api.Waits {
		if err := c.flush(); err != nil {
			return err
		}
	}
	resp, err := api.Handle(c.server.ctx, &c.client, req)
	if err != nil {
		return fmt.Errorf("answering %s: %w", kmsg.NameForKey(key), err)
	}
	if resp != nil {
		resp.SetVersion(version)
		c.answer(correlation, resp, resp.IsFlexible() && key != kmsg.ApiVersions.Int16())
	}
	return c.flushUnlessMore()
}

// read reads a frame of a size.
func (c *connection) read(size int) error {
	c.frame = c.frame[:0]
	for len(c.frame) < size {
		begin := len(c.frame)
		n := min(size-begin, max(chunk, begin))
		if need := begin + n; cap(c.frame) < need {
			grown := make([]byte, begin, need)
			copy(grown, c.frame)
			c.frame = grown
		}
		c.frame = c.frame[:begin+n]
		if _, err := io.ReadFull(c.in, c.frame[begin:]); err != nil {
			return err
		}
	}
	return nil
}

// answer puts an answer behind those that weren't sent yet.
func (c *connection) answer(correlation []byte, resp kmsg.Response, tags bool) {
	begin := len(c.out)
	c.out = append(c.out, 0, 0, 0, 0)
	c.out = append(c.out, correlation...)
	if tags {
		c.out = append(c.out, 0)
	}
	c.out = resp.AppendTo(c.out)
	binary.BigEndian.PutUint32(c.out[begin:], uint32(len(c.out)-begin-4))
}

// flushUnlessMore sends the answers, but not while the whole next request is
// already here: its answer goes with them.
func (c *connection) flushUnlessMore() error {
	if len(c.out) < keptBuffer && c.in.Buffered() > minFrame {
		if head, err := c.in.Peek(4); err == nil && int64(binary.BigEndian.Uint32(head)) <= int64(c.in.Buffered()-len(head)) {
			return nil
		}
	}
	return c.flush()
}

func (c *connection) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.server.cfg.FrameTimeout)); err != nil {
		return err
	}
	_, err := c.conn.Write(c.out)
	if cap(c.out) > keptBuffer {
		c.out = nil
	}
	c.out = c.out[:0]
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("an answer was not taken within %s", c.server.cfg.FrameTimeout)
	}
	if err != nil {
		return io.EOF // the client is gone
	}
	return nil
}

// newerApiVersions answers a client of the future, which then steps down.
func (s *Server) newerApiVersions() kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	resp.ApiKeys = s.versions
	return resp
}
