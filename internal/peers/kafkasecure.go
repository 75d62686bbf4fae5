package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/credentials/credentialstest"
)

// The user of a SecureKafka.
const (
	KafkaUser     = "orderflow"
	KafkaPassword = "s3cret-of-orderflow"
)

// SecureKafka is a real Kafka with listeners that ask for something. Kafka.Addr is
// one that asks for nothing.
type SecureKafka struct {
	*Kafka
	// SASL is the address of a listener with TLS where KafkaUser logs in by PLAIN,
	// SCRAM-SHA-256 or SCRAM-SHA-512.
	SASL string
	// MutualTLS is the address of a listener with TLS that asks for a certificate.
	MutualTLS string
	// CA is a PEM file of the certificate that the broker comes from.
	CA string
	// Cert and Key are PEM files of the certificate that the broker takes.
	Cert, Key string
}

// StartSecureKafka starts a broker with an empty data folder.
func StartSecureKafka(t testing.TB) *SecureKafka {
	t.Helper()
	k := &SecureKafka{SASL: FreeAddr(t), MutualTLS: FreeAddr(t)}
	var serverKey string
	k.CA, serverKey = credentialstest.Certificate(t)
	k.Cert, k.Key = credentialstest.Certificate(t)
	store := filepath.Join(t.TempDir(), "broker.pem")
	var both []byte
	for _, file := range []string{serverKey, k.CA} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		both = append(both, text...)
	}
	require.NoError(t, os.WriteFile(store, both, 0o600))
	k.Kafka = startKafka(t, kafkaListeners{
		extra:     map[string]string{"LOGIN": k.SASL, "MUTUAL": k.MutualTLS},
		protocols: map[string]string{"LOGIN": "SASL_SSL", "MUTUAL": "SSL"},
		settings: fmt.Sprintf(`ssl.keystore.type=PEM
ssl.keystore.location=%s
ssl.truststore.type=PEM
ssl.truststore.location=%s
listener.name.mutual.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_%[3]s="%[4]s";
listener.name.login.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.login.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
`, store, k.Cert, KafkaUser, KafkaPassword),
		format: []string{
			"--add-scram", fmt.Sprintf("SCRAM-SHA-256=[name=%s,password=%s]", KafkaUser, KafkaPassword),
			"--add-scram", fmt.Sprintf("SCRAM-SHA-512=[name=%s,password=%s]", KafkaUser, KafkaPassword),
		},
	})
	return k
}
