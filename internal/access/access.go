// Package access is how this process proves who it is to the servers that it talks
// to, and which servers it trusts: TLS, SASL for Kafka, basic authentication and
// API keys for HTTP.
//
// Invariants: no error and no log line of this package repeats a password or key;
// credentials go only to the server that they were given for (a redirect to another
// host doesn't get them).
package access

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// TLS says which certificates to trust and which one to show.
type TLS struct {
	// CAFile is a PEM file of the certificates that a server's may come from. Empty
	// means the system's.
	CAFile string
	// CertFile and KeyFile are PEM files of a certificate of our own, with those
	// between it and its root, and of its key, for servers that ask for one. Both
	// or none.
	CertFile string
	KeyFile  string
	// ServerName is the name that a server's certificate must have. Empty means the
	// address's.
	ServerName string
}

// IsZero reports whether nothing is given.
func (t TLS) IsZero() bool { return t == TLS{} }

// Config reads the files. The configuration of a zero TLS trusts what the system
// trusts.
func (t TLS) Config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		text, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the certificates to trust: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("reading the certificates to trust: %s has no PEM certificate", t.CAFile)
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, errors.New("a TLS certificate of our own needs both its file and its key's file")
	}
	if t.CertFile != "" {
		certificate, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading our TLS certificate (%s) and its key (%s): %w", t.CertFile, t.KeyFile, err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

// The SASL mechanisms, by the names that Kafka gives them.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

// Kafka is how to reach a Kafka cluster.
type Kafka struct {
	// UseTLS encrypts the connections.
	UseTLS bool
	TLS    TLS
	// Mechanism is Plain, ScramSHA256 or ScramSHA512; empty means no SASL.
	Mechanism string
	Username  string
	Password  string
}

// Options are those that every Kafka client of the process needs besides the
// addresses.
func (k Kafka) Options() ([]kgo.Opt, error) {
	var opts []kgo.Opt
	if k.UseTLS {
		config, err := k.TLS.Config()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	if k.Mechanism == "" {
		return opts, nil
	}
	mechanism, err := k.mechanism()
	if err != nil {
		return nil, err
	}
	return append(opts, kgo.SASL(mechanism)), nil
}

func (k Kafka) mechanism() (sasl.Mechanism, error) {
	if k.Username == "" {
		return nil, errors.New("SASL needs a user name")
	}
	switch k.Mechanism {
	case Plain:
		return plain.Auth{User: k.Username, Pass: k.Password}.AsMechanism(), nil
	case ScramSHA256:
		return scram.Auth{User: k.Username, Pass: k.Password}.AsSha256Mechanism(), nil
	case ScramSHA512:
		return scram.Auth{User: k.Username, Pass: k.Password}.AsSha512Mechanism(), nil
	default:
		return nil, fmt.Errorf("the SASL mechanism %q is not supported: use %s, %s or %s", k.Mechanism, Plain, ScramSHA256, ScramSHA512)
	}
}

// maxIdleConns is how many unused connections to one server are kept.
const maxIdleConns = 256

// HTTP is how to reach a server over HTTP.
type HTTP struct {
	TLS TLS
	// Username and Password are sent as basic authentication when the name is set.
	Username string
	Password string
	// Key is sent as "Authorization: <Scheme> <Key>" when set; it goes before the
	// user name. An empty Scheme means Bearer.
	Key    string
	Scheme string
}

// Transport sends requests as configured. It speaks HTTP/2 with servers that do so
// over TLS, and goes through the proxies that the environment names.
func (h HTTP) Transport() (http.RoundTripper, error) {
	config, err := h.TLS.Config()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig, transport.ForceAttemptHTTP2 = config, true
	transport.MaxIdleConnsPerHost = maxIdleConns
	if h.Key == "" && h.Username == "" {
		return transport, nil
	}
	return authorized{next: transport, as: h}, nil
}

// authorized adds credentials to requests that have none.
type authorized struct {
	next *http.Transport
	as   HTTP
}

// RoundTrip sends the request with the credentials.
func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	// A request that follows a redirect names the answer that it follows, and so on to
	// the first one, which alone says whom the credentials are for.
	first := r
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	redirected := first.URL.Host != r.URL.Host || first.URL.Scheme == "https" && r.URL.Scheme != "https"
	if r.Header.Get("Authorization") == "" && !redirected {
		r = r.Clone(r.Context())
		if a.as.Key != "" {
			scheme := a.as.Scheme
			if scheme == "" {
				scheme = "Bearer"
			}
			r.Header.Set("Authorization", scheme+" "+a.as.Key)
		} else {
			r.SetBasicAuth(a.as.Username, a.as.Password)
		}
	}
	return a.next.RoundTrip(r)
}

// CloseIdleConnections closes the connections that no request uses.
func (a authorized) CloseIdleConnections() { a.next.CloseIdleConnections() }
