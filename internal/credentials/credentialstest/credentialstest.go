// Package credentialstest makes certificates and files of credentials for tests of
// servers that are protected by them.
package credentialstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/credentials"
)

// The user of File.
const (
	User     = "anna"
	Password = "s3cret-of-anna"
)

// Certificate makes a self-signed certificate for 127.0.0.1 and localhost, for
// servers and for clients, and its key, and returns their PEM files.
func Certificate(t testing.TB) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "orderflow test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	return cert, key
}

// File writes a file of credentials with the user and one API key.
func File(t testing.TB) (file, keyName, key string) {
	t.Helper()
	lines, err := credentials.UserLines(User, Password)
	require.NoError(t, err)
	key, line, err := credentials.NewAPIKey("till")
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "credentials")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(append(lines, line), "\n")+"\n"), 0o600))
	return file, "till", key
}
