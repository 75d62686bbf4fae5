package wire

import (
	"context"
	"net"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/broker/login"
)

// Listener is one address and who may use it.
type Listener struct {
	net.Listener
	// Admit makes a connection ready for its first request, or refuses it: a
	// handshake of TLS, for example. It has the time of a frame. Nil takes
	// connections as they are.
	Admit func(ctx context.Context, conn net.Conn) (net.Conn, error)
	// Login has clients prove who they are before anything else is answered. Nil
	// asks nobody.
	Login *login.Server
	// MaxConnections is how many clients can be connected at a time; 0 means any
	// number.
	MaxConnections int

	open    int  // connections; guarded by the server's lock
	crowded bool // connections are being refused; guarded by the server's lock
}

// admit makes a new connection ready.
func (l *Listener) admit(ctx context.Context, conn net.Conn, within time.Duration) (net.Conn, error) {
	if l.Admit == nil {
		return conn, nil
	}
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	admitted, err := l.Admit(ctx, conn)
	if err != nil {
		return nil, err
	}
	return admitted, conn.SetDeadline(time.Time{})
}
