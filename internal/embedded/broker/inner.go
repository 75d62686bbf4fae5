package broker

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
)

// inner is the way in for clients of this process where strangers have to log in
// or to speak TLS: a port of the loopback address, and a secret that is in this
// process' memory alone and sent ahead of the first request.
type inner struct {
	net.Listener
	secret []byte
}

const innerSecretBytes = 32

func openInner(ctx context.Context) (*inner, error) {
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for Kafka clients of this process: %w", err)
	}
	i := &inner{Listener: ln, secret: make([]byte, innerSecretBytes)}
	_, _ = rand.Read(i.secret) // never fails
	return i, nil
}

// admit takes a connection that begins with the secret.
func (i *inner) admit(_ context.Context, conn net.Conn) (net.Conn, error) {
	got := make([]byte, innerSecretBytes)
	if _, err := io.ReadFull(conn, got); err != nil {
		return nil, errors.New("it came to the port for this process alone, and went again")
	}
	if subtle.ConstantTimeCompare(got, i.secret) != 1 {
		return nil, errors.New("it came to the port for this process alone")
	}
	return conn, nil
}

func (i *inner) dial(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", i.Addr().String())
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(deadline)
	}
	if err == nil {
		_, err = conn.Write(i.secret)
	}
	if err == nil {
		err = conn.SetDeadline(noDeadline)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
