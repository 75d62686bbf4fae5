package main

import (
	"bytes"
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

const (
	testUser     = "anna"
	testPassword = "s3cret-of-anna"
)

// TestProtectedUp runs everything with TLS and credentials on the API, on ksqlDB and
// on Kafka, as a stranger and as somebody who may.
func TestProtectedUp(t *testing.T) {
	dir := t.TempDir()
	cert, certKey, pool := selfSigned(t, dir)
	apiKey, credentials := makeCredentials(t, dir)
	p := startUp(t, filepath.Join(dir, "data"), "--log-level", "debug",
		"--api-tls-cert", cert, "--api-tls-key", certKey, "--api-credentials", credentials,
		"--ksqldb-tls-cert", cert, "--ksqldb-tls-key", certKey, "--ksqldb-credentials", credentials,
		"--kafka-tls-cert", cert, "--kafka-tls-key", certKey, "--kafka-credentials", credentials,
		"--ksqldb-username", testUser, "--ksqldb-password", testPassword, "--tls-ca", cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	send := func(method, url, body string, as func(*http.Request)) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		as(req)
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(text)
	}
	nobody := func(*http.Request) {}
	user := func(r *http.Request) { r.SetBasicAuth(testUser, testPassword) }
	key := func(r *http.Request) { r.Header.Set("X-API-Key", apiKey) }
	require.True(t, strings.HasPrefix(p.api(), "https://"), p.api())
	require.True(t, strings.HasPrefix(p.ksqldb(), "https://"), p.ksqldb())

	status, body := send(http.MethodGet, p.api()+"/v1/orders/1", "", nobody)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Contains(t, body, `"status":401`)
	status, _ = send(http.MethodGet, p.api()+"/metrics", "", nobody)
	assert.Equal(t, http.StatusUnauthorized, status)
	status, _ = send(http.MethodGet, p.api()+"/readyz", "", nobody)
	assert.Equal(t, http.StatusOK, status)
	status, body = send(http.MethodPost, p.ksqldb()+"/ksql", `{"ksql":"SHOW PROPERTIES;"}`, nobody)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.JSONEq(t, `{"@type":"generic_error","error_code":40100,"message":"Unauthorized"}`, body)
	status, properties := send(http.MethodPost, p.ksqldb()+"/ksql", `{"ksql":"SHOW PROPERTIES;"}`, user)
	assert.Equal(t, http.StatusOK, status)
	status, info := send(http.MethodGet, p.ksqldb()+"/info", "", user)
	assert.Equal(t, http.StatusOK, status)

	status, body = send(http.MethodPut, p.api()+"/v1/inventory/JUMPERS", `{"quantity":10}`, key)
	assert.Equal(t, http.StatusOK, status, body)
	status, body = send(http.MethodPost, p.api()+"/v1/orders", orderBody("tls-1", 1, "JUMPERS", 2, 5), user)
	assert.Equal(t, http.StatusCreated, status, body)
	status, body = send(http.MethodGet, p.api()+"/v1/orders/tls-1/validated?timeout=30000", "", key)
	assert.Equal(t, http.StatusOK, status, body)
	assert.Contains(t, body, `"state":"VALIDATED"`)

	t.Run("our own clients", func(t *testing.T) {
		for _, args := range [][]string{
			{"sql", "-e", "SELECT id FROM orders_by_id WHERE id = 'tls-1';", "--ksqldb", p.ksqldb(), "--ksqldb-username", testUser, "--ksqldb-password", testPassword},
			{"populate", "--api", p.api(), "--api-key", apiKey, "--orders", "3", "--rate", "0"},
		} {
			cmd := orderflow(t, append(args, "--tls-ca", cert)...)
			out, err := cmd.CombinedOutput()
			assert.NoError(t, err, "%s: %s", args[0], out)
		}
		out, err := orderflow(t, "sql", "-e", "SHOW STREAMS;", "--ksqldb", p.ksqldb(), "--tls-ca", cert).CombinedOutput()
		assert.Error(t, err)
		assert.Contains(t, string(out), "Unauthorized")
	})
	t.Run("our own clients of Kafka", func(t *testing.T) {
		args := []string{"topics", "plan", "--kafka", p.kafka(), "--schema-registry", p.addr["Schema Registry"], "--tls-ca", cert}
		login := []string{"--kafka-tls", "--kafka-sasl", "SCRAM-SHA-512", "--kafka-username", testUser}
		cmd := orderflow(t, append(args, login...)...)
		cmd.Env = append(cmd.Env, "ORDERFLOW_KAFKA_PASSWORD="+testPassword)
		out, err := cmd.CombinedOutput()
		assert.NoError(t, err, "%s", out)
		cmd = orderflow(t, append(args, login...)...)
		cmd.Env = append(cmd.Env, "ORDERFLOW_KAFKA_PASSWORD=wr0ng")
		out, err = cmd.CombinedOutput()
		assert.Error(t, err)
		assert.Contains(t, string(out), "SASL_AUTHENTICATION_FAILED")
		assert.NotContains(t, string(out), "wr0ng")
		out, err = orderflow(t, args...).CombinedOutput()
		assert.Error(t, err, "without TLS and a login")
		assert.Contains(t, string(out), "is TLS missing?")
	})
	t.Run("no secret is told", func(t *testing.T) {
		_, metrics := send(http.MethodGet, p.api()+"/metrics", "", key)
		for _, secret := range []string{testPassword, apiKey} {
			for name, text := range map[string]string{"the log": p.output(), "SHOW PROPERTIES": properties, "/info": info, "/metrics": metrics} {
				assert.NotContains(t, text, secret, name)
			}
		}
	})
}

func TestProtectedKsqlDBNeedsAUserForOurServices(t *testing.T) {
	dir := t.TempDir()
	_, credentials := makeCredentials(t, dir)
	out, err := orderflow(t, append([]string{"up", "--data-dir", dir, "--ksqldb-credentials", credentials}, freePorts()...)...).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "name a user for them with --ksqldb-username")
}

// makeCredentials makes a file with a user and an API key, as a user would.
func makeCredentials(t *testing.T, dir string) (apiKey, file string) {
	t.Helper()
	var lines, said bytes.Buffer
	user := orderflow(t, "credential", "user", testUser)
	user.Stdin, user.Stdout = strings.NewReader(testPassword+"\n"), &lines
	require.NoError(t, user.Run())
	key := orderflow(t, "credential", "key", "till")
	key.Stdout, key.Stderr = &lines, &said
	require.NoError(t, key.Run())
	fields := strings.Fields(said.String())
	file = filepath.Join(dir, "credentials")
	require.NoError(t, os.WriteFile(file, lines.Bytes(), 0o600))
	return fields[len(fields)-1], file
}

// selfSigned makes a certificate for 127.0.0.1.
func selfSigned(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(cert, certPEM, 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	pool = x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(certPEM))
	return cert, key, pool
}
