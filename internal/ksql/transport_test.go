package ksql_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/access"
	"github.com/orderflow/orderflow/internal/ksql"
)

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

// clientCertificate makes a certificate that vouches for itself.
func clientCertificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "migrator"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool = x509.NewCertPool()
	pool.AddCert(certificate)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return writePEM(t, "CERTIFICATE", der), writePEM(t, "PRIVATE KEY", keyDER), pool
}

const infoAnswer = `{"KsqlServerInfo":{"version":"7.9.0","kafkaClusterId":"abc","ksqlServiceId":"default_","serverStatus":"RUNNING"}}`

func TestTLS(t *testing.T) {
	certFile, keyFile, pool := clientCertificate(t)
	var proto, user string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto = r.Proto
		user, _, _ = r.BasicAuth()
		_, _ = io.WriteString(w, infoAnswer)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	ca := writePEM(t, "CERTIFICATE", server.Certificate().Raw)
	tests := []struct {
		name string
		tls  access.TLS
		want string
	}{
		{"as it should be", access.TLS{CAFile: ca, CertFile: certFile, KeyFile: keyFile}, ""},
		{"by another name", access.TLS{CAFile: ca, CertFile: certFile, KeyFile: keyFile, ServerName: "example.com"}, ""},
		{"by a wrong name", access.TLS{CAFile: ca, CertFile: certFile, KeyFile: keyFile, ServerName: "other.test"}, "certificate is valid for example.com"},
		{"without trust", access.TLS{CertFile: certFile, KeyFile: keyFile}, "certificate signed by unknown authority"},
		{"without a certificate", access.TLS{CAFile: ca}, "reaching ksqlDB at"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client, err := ksql.New(ksql.Config{URL: server.URL, TLS: test.tls, Username: "ann", Retry: quick})
			require.NoError(t, err)
			defer client.Close()
			info, err := client.Info(t.Context())
			if test.want != "" {
				require.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "7.9.0", info.Version)
			assert.Equal(t, "HTTP/2.0", proto)
			assert.Equal(t, "ann", user)
		})
	}
}

func TestTLSFilesThatAreNone(t *testing.T) {
	certFile, keyFile, _ := clientCertificate(t)
	tests := []struct {
		url  string
		tls  access.TLS
		want string
	}{
		{"https://x", access.TLS{CAFile: "no/such/file"}, "no such file"},
		{"https://x", access.TLS{CAFile: keyFile}, "has no PEM certificate"},
		{"https://x", access.TLS{CertFile: certFile}, "needs both its file and its key's file"},
		{"https://x", access.TLS{CertFile: keyFile, KeyFile: certFile}, "reading our TLS certificate"},
		{"http://x", access.TLS{ServerName: "y"}, "make it https://"},
	}
	for _, test := range tests {
		_, err := ksql.New(ksql.Config{URL: test.url, TLS: test.tls})
		assert.ErrorContains(t, err, test.want)
	}
}
