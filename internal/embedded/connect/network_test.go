package connect_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// network is a network in memory. Its waits are ones that synctest knows, so that
// whole servers and their clients can live by virtual time.
type network struct {
	mu        sync.Mutex
	listeners map[string]*memoryListener // by address
	last      int                        // the port that was given last
}

func newNetwork() *network { return &network{listeners: map[string]*memoryListener{}, last: 40000} }

// Listen opens an address; port 0 takes a free one.
func (n *network) Listen(_ context.Context, _, addr string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	if port == 0 {
		n.last++
		port = n.last
	}
	at := &net.TCPAddr{IP: net.ParseIP(host), Port: port}
	if n.listeners[at.String()] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: at, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	l := &memoryListener{network: n, addr: at, waiting: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[at.String()] = l
	return l, nil
}

// Dial connects to an address that is listened on.
func (n *network) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[addr]
	n.mu.Unlock()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	if l == nil {
		return nil, refused
	}
	there, here := newStream(), newStream()
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	select {
	case l.waiting <- &memoryConn{read: there, write: here, local: l.addr, remote: local}:
		return &memoryConn{read: here, write: there, local: local, remote: l.addr}, nil
	case <-l.closed:
		return nil, refused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cable is what one process dials through. Once it is cut no byte goes through any
// more, as if the process had been killed.
type cable struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

// Dial connects as its network does.
func (c *cable) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := c.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil, errors.Join(errors.New("the process is dead"), conn.Close())
	}
	c.conns = append(c.conns, conn)
	return conn, nil
}

// sever cuts the cable.
func (c *cable) sever() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for _, conn := range c.conns {
		conn.Close() //nolint:errcheck // it shall break
	}
}

type memoryListener struct {
	network *network
	addr    *net.TCPAddr
	waiting chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.waiting:
		return c, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.network.mu.Lock()
		defer l.network.mu.Unlock()
		delete(l.network.listeners, l.addr.String())
	})
	return nil
}

func (l *memoryListener) Addr() net.Addr { return l.addr }

// stream carries bytes one way. Writing never waits.
type stream struct {
	mu       sync.Mutex
	changed  *sync.Cond
	bytes    []byte
	ended    bool // nothing more is written
	dropped  bool // nothing more is read
	deadline time.Time
	alarm    *time.Timer
}

func newStream() *stream {
	s := &stream{}
	s.changed = sync.NewCond(&s.mu)
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.dropped:
			return 0, net.ErrClosed
		case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(s.bytes) > 0:
			n := copy(p, s.bytes)
			s.bytes = s.bytes[n:]
			return n, nil
		case s.ended:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return 0, net.ErrClosed
	case s.dropped:
		return 0, syscall.EPIPE
	}
	s.bytes = append(s.bytes, p...)
	s.changed.Broadcast()
	return len(p), nil
}

func (s *stream) end(reader bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reader {
		s.dropped = true
	} else {
		s.ended = true
	}
	if s.alarm != nil && s.dropped {
		s.alarm.Stop()
	}
	s.changed.Broadcast()
}

func (s *stream) until(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alarm != nil {
		s.alarm.Stop()
		s.alarm = nil
	}
	s.deadline = at
	if !at.IsZero() {
		s.alarm = time.AfterFunc(time.Until(at), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.changed.Broadcast()
		})
	}
	s.changed.Broadcast()
}

// memoryConn is one end of a connection. Only reads have a deadline.
type memoryConn struct {
	read, write   *stream
	local, remote net.Addr
}

func (c *memoryConn) Read(p []byte) (int, error)  { return c.read.read(p) }
func (c *memoryConn) Write(p []byte) (int, error) { return c.write.write(p) }
func (c *memoryConn) Close() error {
	c.read.end(true)
	c.write.end(false)
	return nil
}
func (c *memoryConn) LocalAddr() net.Addr  { return c.local }
func (c *memoryConn) RemoteAddr() net.Addr { return c.remote }
func (c *memoryConn) SetDeadline(t time.Time) error {
	c.read.until(t)
	return nil
}
func (c *memoryConn) SetReadDeadline(t time.Time) error {
	c.read.until(t)
	return nil
}
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
