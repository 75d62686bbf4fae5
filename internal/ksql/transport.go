package ksql

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// newTransport makes the connections to a server at base. They go through the
// proxy that the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) names for it.
// open counts its connections.
func newTransport(base *url.URL, config Config, open *atomic.Int64) (*http.Transport, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			open.Add(1)
			return &countedConn{Conn: conn, open: open}, nil
		},
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		MaxIdleConns:          128,
		MaxIdleConnsPerHost:   128,
		IdleConnTimeout:       90 * time.Second,
		ForceAttemptHTTP2:     true,
		// A compressed answer would be held back until a block is full.
		DisableCompression: true,
	}
	if !config.TLS.IsZero() {
		tlsConfig, err := config.TLS.Config()
		if err != nil {
			return nil, fmt.Errorf("setting up TLS with ksqlDB: %w", err)
		}
		transport.TLSClientConfig = tlsConfig
	}
	if config.HTTP2 && base.Scheme == "http" {
		proxy, err := http.ProxyFromEnvironment(&http.Request{URL: base})
		if err != nil {
			return nil, fmt.Errorf("finding the proxy for %s: %w", base, err)
		}
		// A proxy takes plain requests in HTTP/1.1 only.
		if proxy == nil {
			transport.Protocols = new(http.Protocols)
			transport.Protocols.SetUnencryptedHTTP2(true)
		}
	}
	return transport, nil
}

// countedConn is counted as open until it is closed.
type countedConn struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// countedBody is that of an answer that is being read until it is closed.
type countedBody struct {
	io.ReadCloser
	reading *atomic.Int64
	once    sync.Once
}

// Close implements io.Closer.
func (b *countedBody) Close() error {
	defer b.once.Do(func() { b.reading.Add(-1) })
	return b.ReadCloser.Close()
}
