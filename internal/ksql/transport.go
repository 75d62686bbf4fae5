package ksql

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// TLS says how connections to an https:// address are made. The zero TLS
// trusts the system's certificates and shows none.
type TLS struct {
	// CAFile is a PEM file of the certificates that the server's may come from,
	// instead of the system's.
	CAFile string
	// CertFile and KeyFile are PEM files of a certificate, with those between
	// it and its root, and of its key, for servers that ask for one. Both or
	// none are given.
	CertFile, KeyFile string
	// ServerName is the name that the server's certificate must have; "" means
	// the address's.
	ServerName string
}

func (t TLS) given() bool { return t != TLS{} }

// config reads the files.
func (t TLS) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the certificates that ksqlDB's may come from: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the certificates that ksqlDB's may come from: %s has no certificate in PEM form", t.CAFile)
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, errors.New("a client certificate for ksqlDB needs both its file and its key's file")
	}
	if t.CertFile != "" {
		certificate, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate for ksqlDB: %w", err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

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
	if config.TLS.given() {
		tlsConfig, err := config.TLS.config()
		if err != nil {
			return nil, err
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
