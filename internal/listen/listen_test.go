package listen

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func hello(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body did not come", http.StatusRequestTimeout)
		return
	}
	_, _ = io.WriteString(w, "hello "+string(body)+r.Proto)
}

func start(t *testing.T, cfg Config, handler http.HandlerFunc) *Server {
	t.Helper()
	cfg.Name, cfg.Addr = "the test", "127.0.0.1:0"
	s, err := Bind(t.Context(), cfg)
	require.NoError(t, err)
	s.Start(handler)
	t.Cleanup(func() { require.NoError(t, s.Stop(time.Second)) })
	return s
}

func get(t *testing.T, client *http.Client, req *http.Request) (int, string) {
	t.Helper()
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	return req
}

func TestAnAddressInUseNamesTheSetting(t *testing.T) {
	first := start(t, Config{}, hello)
	_, err := Bind(t.Context(), Config{Name: "the second", Addr: first.Addr(), Setting: "--second-listen"})
	require.ErrorContains(t, err, "the second on "+first.Addr())
	require.ErrorContains(t, err, "choose another address with --second-listen")
}

func TestStartAndStopMayBeCalledTwice(t *testing.T) {
	s := start(t, Config{}, hello)
	s.Start(http.HandlerFunc(hello))
	code, body := get(t, http.DefaultClient, request(t, s.URL()))
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, "hello HTTP/1.1", body)
	require.NoError(t, s.Stop(time.Second))
	require.NoError(t, s.Stop(time.Second))

	never, err := Bind(t.Context(), Config{Name: "the test", Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	require.NoError(t, never.Stop(time.Second))
	require.NoError(t, never.Stop(time.Second))
}

func TestClearTextHTTP2(t *testing.T) {
	s := start(t, Config{ClearTextHTTP2: true}, hello)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	defer client.CloseIdleConnections()
	_, body := get(t, client, request(t, s.URL()))
	assert.Equal(t, "hello HTTP/2.0", body)
}

func TestTLS(t *testing.T) {
	files, pool := certificate(t)
	s := start(t, Config{TLS: files}, hello)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	_, body := get(t, client, request(t, s.URL()))
	assert.Equal(t, "hello HTTP/2.0", body)

	_, err := Bind(t.Context(), Config{Name: "the test", Addr: "127.0.0.1:0", TLS: TLS{CertFile: files.CertFile}})
	require.ErrorContains(t, err, "reading the TLS certificate of the test")
}

func TestStopEndsWaitingRequests(t *testing.T) {
	for _, c := range []struct {
		name        string
		endRequests bool
		grace       time.Duration
	}{
		{"at once where asked to", true, time.Hour},
		{"after the grace period else", false, time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			waiting, ended := make(chan struct{}), make(chan struct{})
			s := start(t, Config{EndRequests: c.endRequests}, func(_ http.ResponseWriter, r *http.Request) {
				close(waiting)
				<-r.Context().Done()
				close(ended)
			})
			conn, err := net.Dial("tcp", s.Addr())
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
			require.NoError(t, err)
			<-waiting
			require.NoError(t, s.Stop(c.grace))
			<-ended
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	s, err := Bind(t.Context(), Config{Name: "the test", Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.Run(ctx, http.HandlerFunc(hello), time.Second))
}

func TestABodyThatStallsIsGivenUp(t *testing.T) {
	s := start(t, Config{BodyTimeout: 50 * time.Millisecond}, hello)
	conn, err := net.Dial("tcp", s.Addr())
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
}

func TestTheBodysBoundEndsWithTheBody(t *testing.T) {
	s := start(t, Config{BodyTimeout: 20 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		select {
		case <-r.Context().Done():
			http.Error(w, "ended", http.StatusInternalServerError)
		case <-time.After(100 * time.Millisecond):
		}
	})
	resp, err := http.Post(s.URL(), "text/plain", strings.NewReader("a body"))
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusOK, resp.StatusCode)
}

// certificate makes one for 127.0.0.1 and returns its files and a pool that trusts it.
func certificate(t *testing.T) (TLS, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	files := TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(files.CertFile, certPEM, 0o600))
	require.NoError(t, os.WriteFile(files.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certPEM))
	return files, pool
}

func TestStopDoesNotWaitForConnectionsThatWereNotUsed(t *testing.T) {
	s, err := Bind(t.Context(), Config{Name: "the test", Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	s.Start(http.HandlerFunc(hello))
	for range 3 {
		conn, err := net.Dial("tcp", s.Addr())
		require.NoError(t, err)
		defer conn.Close()
	}
	// One that was used, and is kept for later, is closed as well.
	_, body := get(t, &http.Client{Transport: &http.Transport{}}, request(t, s.URL()))
	require.Equal(t, "hello HTTP/1.1", body)
	began := time.Now()
	require.NoError(t, s.Stop(time.Minute))
	require.Less(t, time.Since(began), 3*time.Second)
}
