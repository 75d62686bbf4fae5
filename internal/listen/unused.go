package listen

import (
	"net"
	"net/http"
	"sync"
)

// unused keeps the connections on which nothing has come yet. http.Server.Shutdown
// waits up to five seconds for each of them; nobody loses anything when they are
// closed. The zero value is ready for use.
type unused struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// note is an http.Server's ConnState.
func (u *unused) note(conn net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(u.conns, conn)
	case u.closed:
		conn.Close() //nolint:errcheck // its server sees it
	default:
		if u.conns == nil {
			u.conns = map[net.Conn]struct{}{}
		}
		u.conns[conn] = struct{}{}
	}
}

// close closes them, and those that still come.
func (u *unused) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	for conn := range u.conns {
		conn.Close() //nolint:errcheck // its server sees it
	}
}
