package access

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestHTTPCredentials(t *testing.T) {
	var got http.Header
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() }))
	defer server.Close()
	ca := caFile(t, server)
	for _, c := range []struct {
		name string
		http HTTP
		own  string
		want string
	}{
		{"nobody", HTTP{}, "", ""},
		{"a user", HTTP{Username: "anna", Password: "secret"}, "", "Basic YW5uYTpzZWNyZXQ="},
		{"a key", HTTP{Key: "k1"}, "", "Bearer k1"},
		{"a key of another scheme", HTTP{Key: "k1", Scheme: "ApiKey", Username: "anna"}, "", "ApiKey k1"},
		{"a request with its own", HTTP{Key: "k1"}, "Bearer own", "Bearer own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.http.TLS.CAFile = ca
			transport, err := c.http.Transport()
			require.NoError(t, err)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			require.NoError(t, err)
			if c.own != "" {
				req.Header.Set("Authorization", c.own)
			}
			resp, err := (&http.Client{Transport: transport}).Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, c.want, got.Get("Authorization"))
		})
	}
}

func TestCredentialsStayWithTheirServer(t *testing.T) {
	var leaked string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked = r.Header.Get("Authorization") }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer server.Close()
	transport, err := HTTP{Username: "anna", Password: "secret"}.Transport()
	require.NoError(t, err)
	resp, err := (&http.Client{Transport: transport}).Get(server.URL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Empty(t, leaked)
}

func TestTLSFilesThatCantBeUsed(t *testing.T) {
	_, err := TLS{CAFile: filepath.Join(t.TempDir(), "none")}.Config()
	require.ErrorContains(t, err, "reading the certificates to trust")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	_, err = TLS{CAFile: empty}.Config()
	require.ErrorContains(t, err, "has no PEM certificate")
	_, err = TLS{CertFile: empty}.Config()
	require.ErrorContains(t, err, "needs both its file and its key's file")
	_, err = TLS{CertFile: empty, KeyFile: empty}.Config()
	require.ErrorContains(t, err, "reading our TLS certificate")
}

func TestKafkaWithSASLAndTLS(t *testing.T) {
	own := httptest.NewUnstartedServer(nil)
	own.StartTLS()
	defer own.Close()
	for _, mechanism := range []string{Plain, ScramSHA256, ScramSHA512} {
		t.Run(mechanism, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser(mechanism, "anna", "secret"),
				kfake.TLS(&tls.Config{Certificates: own.TLS.Certificates}))
			require.NoError(t, err)
			defer cluster.Close()
			ping := func(password string) error {
				opts, err := Kafka{UseTLS: true, TLS: TLS{CAFile: caFile(t, own)}, Mechanism: mechanism, Username: "anna", Password: password}.Options()
				require.NoError(t, err)
				client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RequestRetries(0))...)
				require.NoError(t, err)
				defer client.Close()
				return client.Ping(context.WithoutCancel(t.Context()))
			}
			require.NoError(t, ping("secret"))
			err = ping("wrong-one")
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "wrong-one")
		})
	}
	_, err := Kafka{Mechanism: "GSSAPI", Username: "anna", Password: "secret"}.Options()
	require.ErrorContains(t, err, `"GSSAPI" is not supported`)
	_, err = Kafka{Mechanism: Plain, Password: "secret"}.Options()
	require.ErrorContains(t, err, "SASL needs a user name")
}

func caFile(t *testing.T, server *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	return file
}
