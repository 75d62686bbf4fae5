package ksql_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/access"
	"github.com/orderflow/orderflow/internal/ksql"
)

// The names under which the process that TestProxies starts finds its server.
const (
	proxiedURL  = "KSQL_TEST_PROXIED_URL"
	proxiedCA   = "KSQL_TEST_PROXIED_CA"
	proxiedCert = "KSQL_TEST_PROXIED_CERT"
	proxiedKey  = "KSQL_TEST_PROXIED_KEY"
)

// proxy is an HTTP proxy that asks for basic authentication, and leads wherever a
// request wants to go to target. It keeps what it was asked.
type proxy struct {
	*httptest.Server
	target string

	mu    sync.Mutex
	asked []string
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{target: target}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// URL returns the address, with the credentials.
func (p *proxy) url() string { return "http://guest:let-me@" + p.Listener.Addr().String() }

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host+" "+r.Proto)
	p.mu.Unlock()
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("guest:let-me"))
	if r.Header.Get("Proxy-Authorization") != want {
		w.Header().Set("Proxy-Authenticate", "Basic")
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
		return
	}
	if r.Method == http.MethodConnect {
		p.tunnel(w)
		return
	}
	// A plain request is passed on.
	out := r.Clone(r.Context())
	out.RequestURI, out.URL.Host = "", p.target
	out.Header.Del("Proxy-Authorization")
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	w.WriteHeader(answer.StatusCode)
	scanner := bufio.NewScanner(answer.Body)
	for scanner.Scan() {
		fmt.Fprintln(w, scanner.Text())
		_ = http.NewResponseController(w).Flush()
	}
}

// tunnel connects the two ends until one of them leaves.
func (p *proxy) tunnel(w http.ResponseWriter) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		server.Close()
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	var both sync.WaitGroup
	for _, way := range []struct {
		to   net.Conn
		from io.Reader
	}{{server, buffered}, {client, server}} {
		both.Go(func() {
			_, _ = io.Copy(way.to, way.from)
			client.Close()
			server.Close()
		})
	}
	both.Wait()
}

// TestProxies runs the client behind a proxy with and without TLS to the server.
// A process reads the names of its proxies once, so that each case has one of its
// own, in which TestBehindAProxy is run.
func TestProxies(t *testing.T) {
	certFile, keyFile, pool := clientCertificate(t)
	tests := []struct {
		name   string
		tls    bool
		http2  bool // the server speaks it
		env    string
		bypass bool // NO_PROXY names the server
		want   []string
	}{
		{"plain", false, false, "HTTP_PROXY", false, []string{"GET ksqldb.test:8088 HTTP/1.1", "POST ksqldb.test:8088 HTTP/1.1"}},
		{"plain, lower case", false, false, "http_proxy", false, []string{"GET ksqldb.test:8088 HTTP/1.1", "POST ksqldb.test:8088 HTTP/1.1"}},
		{"TLS over HTTP/1.1", true, false, "HTTPS_PROXY", false, []string{"CONNECT ksqldb.test:8088 HTTP/1.1"}},
		{"TLS over HTTP/2", true, true, "HTTPS_PROXY", false, []string{"CONNECT ksqldb.test:8088 HTTP/1.1"}},
		{"no proxy for this server", false, false, "HTTP_PROXY", true, nil},
		{"no proxy for this server, TLS", true, true, "HTTPS_PROXY", true, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			var users sync.Map
			server := newUnstartedFakeServer(t, func(r *http.Request) {
				user, _, _ := r.BasicAuth()
				users.Store(user+" "+r.Proto, true)
			})
			server.answer("/info", 200, infoAnswer)
			server.stream(release, pushHeader, "[1]\n")
			server.mux.HandleFunc("/close-query", func(http.ResponseWriter, *http.Request) { close(release) })
			address, name := "http://ksqldb.test:8088", ""
			if test.tls {
				server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
				server.EnableHTTP2 = test.http2
				server.StartTLS()
				address, name = "https://ksqldb.test:8088", "example.com"
			} else {
				server.Start()
			}
			through := newProxy(t, server.Listener.Addr().String())
			if test.bypass {
				address = server.URL
			}
			command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBehindAProxy$", "-test.v")
			for _, variable := range os.Environ() {
				if upper, _, _ := strings.Cut(strings.ToUpper(variable), "="); !strings.HasSuffix(upper, "_PROXY") {
					command.Env = append(command.Env, variable)
				}
			}
			// Go never goes through a proxy to this machine, unless its address is written otherwise.
			noProxy := "other.test"
			if test.bypass {
				noProxy = "127.0.0.1"
			}
			command.Env = append(command.Env, test.env+"="+through.url(), "NO_PROXY="+noProxy, proxiedURL+"="+address)
			if test.tls {
				ca := writePEM(t, "CERTIFICATE", server.Certificate().Raw)
				command.Env = append(command.Env, proxiedCA+"="+ca, proxiedCert+"="+certFile, proxiedKey+"="+keyFile, "KSQL_TEST_PROXIED_NAME="+name)
			}
			output, err := command.CombinedOutput()
			require.NoError(t, err, string(output))
			assert.Contains(t, string(output), "PASS: TestBehindAProxy")
			proto := "HTTP/1.1"
			if test.http2 {
				proto = "HTTP/2.0"
			}
			_, found := users.Load("ann " + proto)
			assert.True(t, found, "basic authentication over %s", proto)
			through.mu.Lock()
			defer through.mu.Unlock()
			for _, asked := range test.want {
				assert.Contains(t, through.asked, asked)
			}
			if test.want == nil {
				assert.Empty(t, through.asked)
			}
		})
	}
}

// TestBehindAProxy is run by TestProxies.
func TestBehindAProxy(t *testing.T) {
	address := os.Getenv(proxiedURL)
	if address == "" {
		t.Skip("TestProxies runs it in a process of its own")
	}
	client, err := ksql.New(ksql.Config{
		URL: address, HTTP2: strings.HasPrefix(address, "http://ksqldb.test"), Username: "ann", Password: "x", Retry: quick,
		TLS: access.TLS{CAFile: os.Getenv(proxiedCA), CertFile: os.Getenv(proxiedCert), KeyFile: os.Getenv(proxiedKey), ServerName: os.Getenv("KSQL_TEST_PROXIED_NAME")},
	})
	require.NoError(t, err)
	defer client.Close()
	info, err := client.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "default_", info.ServiceID)

	// Rows come through one by one, and leaving reaches the server.
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := client.Query(ctx, "SELECT A FROM T EMIT CHANGES;", nil)
	require.NoError(t, err)
	require.True(t, rows.Next())
	cancel()
	assert.False(t, rows.Next())
	require.ErrorIs(t, rows.Err(), context.Canceled)
	require.NoError(t, rows.Close())
}

func TestAProxyThatRefusesIsAnError(t *testing.T) {
	if os.Getenv(proxiedURL) != "" {
		client, err := ksql.New(ksql.Config{URL: os.Getenv(proxiedURL), Retry: quick})
		require.NoError(t, err)
		defer client.Close()
		_, err = client.Info(t.Context())
		require.ErrorContains(t, err, "Proxy Authentication Required")
		return
	}
	through := newProxy(t, "127.0.0.1:1")
	for _, scheme := range []string{"http", "https"} {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAProxyThatRefusesIsAnError$")
		command.Env = append(os.Environ(), "HTTP_PROXY="+through.Server.URL, "HTTPS_PROXY="+through.Server.URL, "NO_PROXY=", "REQUEST_METHOD=", proxiedURL+"="+scheme+"://ksqldb.test:8088")
		output, err := command.CombinedOutput()
		require.NoError(t, err, string(output))
	}
	assert.NotEmpty(t, through.asked)
}
