package ksql

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// newTransport makes the connections to a server at base. They go through the
// proxy that the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) names for it.
func newTransport(base *url.URL, config Config) (*http.Transport, error) {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
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
