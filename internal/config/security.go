package config

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/orderflow/orderflow/internal/access"
	"github.com/orderflow/orderflow/internal/credentials"
	"github.com/orderflow/orderflow/internal/listen"
)

// Security says who may use our servers, and how we prove ourselves to others.
type Security struct {
	// API, KsqlDB and Kafka protect the orders API, the embedded ksqlDB and the
	// embedded Kafka.
	API    Protection
	KsqlDB Protection
	Kafka  Protection

	// TLS says which servers our clients trust, and what certificate they show.
	TLS access.TLS
	// APIKey is sent to the orders API by our own clients of it.
	APIKey string
	// KafkaTLS encrypts connections to a real Kafka.
	KafkaTLS bool
	// KafkaSASL is a SASL mechanism's name; empty means none.
	KafkaSASL     string
	KafkaUsername string
	KafkaPassword string
	// SchemaRegistry, Connect and Elasticsearch are sent to real servers.
	SchemaRegistry Login
	Connect        Login
	Elasticsearch  Login
	// ElasticsearchAPIKey goes before Elasticsearch's user name.
	ElasticsearchAPIKey string
}

// Protection protects one of our servers.
type Protection struct {
	TLS listen.TLS
	// CredentialsFile names who may use the server; see credentials.Load.
	// Empty: everybody.
	CredentialsFile string
}

// Credentials reads the file; nil when there is none.
func (p Protection) Credentials() (*credentials.Store, error) {
	if p.CredentialsFile == "" {
		return nil, nil
	}
	return credentials.Load(p.CredentialsFile)
}

// Login is a user name and its password.
type Login struct {
	Username string
	Password string
}

func (s *Security) bind(flags *pflag.FlagSet) {
	for _, p := range []struct {
		prefix, what string
		to           *Protection
	}{{"api", "the orders API", &s.API}, {"ksqldb", "the embedded ksqlDB", &s.KsqlDB}, {"kafka", "the embedded Kafka", &s.Kafka}} {
		flags.StringVar(&p.to.TLS.CertFile, p.prefix+"-tls-cert", "", "PEM file of the certificate with which "+p.what+" speaks TLS")
		flags.StringVar(&p.to.TLS.KeyFile, p.prefix+"-tls-key", "", "PEM file of that certificate's private key")
		flags.StringVar(&p.to.CredentialsFile, p.prefix+"-credentials", "", "file of users and API keys that may use "+p.what+" (orderflow credential makes its lines)")
	}
	flags.StringVar(&s.TLS.CAFile, "tls-ca", "", "PEM file of certificates that servers' may come from (instead of the system's)")
	flags.StringVar(&s.TLS.CertFile, "tls-cert", "", "PEM file of the certificate to show to servers that ask for one")
	flags.StringVar(&s.TLS.KeyFile, "tls-key", "", "PEM file of that certificate's private key")
	flags.StringVar(&s.APIKey, "api-key", "", "API key for the orders API (better given in the environment)")
	flags.BoolVar(&s.KafkaTLS, "kafka-tls", false, "speak TLS with a real Kafka")
	flags.StringVar(&s.KafkaSASL, "kafka-sasl", "", "how to log in to a real Kafka: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	flags.StringVar(&s.KafkaUsername, "kafka-username", "", "user name at a real Kafka")
	flags.StringVar(&s.KafkaPassword, "kafka-password", "", "password at a real Kafka (better given in the environment)")
	for _, l := range []struct {
		prefix, what string
		to           *Login
	}{
		{"schema-registry", "a real Schema Registry", &s.SchemaRegistry},
		{"connect", "a real Kafka Connect", &s.Connect},
		{"elasticsearch", "a real Elasticsearch", &s.Elasticsearch},
	} {
		flags.StringVar(&l.to.Username, l.prefix+"-username", "", "user name for "+l.what)
		flags.StringVar(&l.to.Password, l.prefix+"-password", "", "password for "+l.what+" (better given in the environment)")
	}
	flags.StringVar(&s.ElasticsearchAPIKey, "elasticsearch-api-key", "", "API key for a real Elasticsearch, encoded as it gives it (better given in the environment)")
}

func (s *Security) validate(bad func(flag, value, problem string)) {
	together := func(flagA, a, flagB, b string) {
		if (a == "") != (b == "") {
			bad(flagA, a, "goes together with --"+flagB)
		}
	}
	together("api-tls-cert", s.API.TLS.CertFile, "api-tls-key", s.API.TLS.KeyFile)
	together("ksqldb-tls-cert", s.KsqlDB.TLS.CertFile, "ksqldb-tls-key", s.KsqlDB.TLS.KeyFile)
	together("kafka-tls-cert", s.Kafka.TLS.CertFile, "kafka-tls-key", s.Kafka.TLS.KeyFile)
	together("tls-cert", s.TLS.CertFile, "tls-key", s.TLS.KeyFile)
	s.KafkaSASL = strings.ToUpper(s.KafkaSASL)
	mechanisms := []string{access.Plain, access.ScramSHA256, access.ScramSHA512}
	switch {
	case s.KafkaSASL == "" && s.KafkaUsername != "":
		bad("kafka-username", s.KafkaUsername, "needs --kafka-sasl: "+strings.Join(mechanisms, ", "))
	case s.KafkaSASL != "" && !slices.Contains(mechanisms, s.KafkaSASL):
		bad("kafka-sasl", s.KafkaSASL, "must be one of "+strings.Join(mechanisms, ", "))
	case s.KafkaSASL != "" && s.KafkaUsername == "":
		bad("kafka-sasl", s.KafkaSASL, "needs --kafka-username")
	}
	for _, l := range []struct {
		flag string
		Login
	}{
		{"kafka", Login{s.KafkaUsername, s.KafkaPassword}}, {"schema-registry", s.SchemaRegistry},
		{"connect", s.Connect}, {"elasticsearch", s.Elasticsearch},
	} {
		if l.Password != "" && l.Username == "" {
			bad(l.flag+"-username", "", "--"+l.flag+"-password is set without the user it belongs to")
		}
	}
}

// KafkaAccess is how to reach Kafka. The embedded one needs nothing.
func (c *Config) KafkaAccess() access.Kafka {
	s := c.Security
	return access.Kafka{UseTLS: s.KafkaTLS, TLS: s.TLS, Mechanism: s.KafkaSASL, Username: s.KafkaUsername, Password: s.KafkaPassword}
}

// SchemaRegistryAccess is how to reach the Schema Registry.
func (c *Config) SchemaRegistryAccess() access.HTTP {
	return c.Security.login(c.Security.SchemaRegistry)
}

// ConnectAccess is how to reach Connect.
func (c *Config) ConnectAccess() access.HTTP { return c.Security.login(c.Security.Connect) }

// ElasticsearchAccess is how to reach Elasticsearch.
func (c *Config) ElasticsearchAccess() access.HTTP {
	h := c.Security.login(c.Security.Elasticsearch)
	h.Key, h.Scheme = c.Security.ElasticsearchAPIKey, "ApiKey"
	return h
}

// APIAccess is how to reach the orders API.
func (c *Config) APIAccess() access.HTTP {
	return access.HTTP{TLS: c.Security.TLS, Key: c.Security.APIKey}
}

func (s *Security) login(l Login) access.HTTP {
	return access.HTTP{TLS: s.TLS, Username: l.Username, Password: l.Password}
}
