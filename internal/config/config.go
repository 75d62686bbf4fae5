// Package config is the one place where orderflow's settings come together.
//
// A setting is looked up in this order, first match wins: command-line flag,
// environment variable, configuration file, default. A flag `--data-dir` has the
// environment variable ORDERFLOW_DATA_DIR and the file key `data-dir`; the three
// names are derived from one table (see settings.go), so they cannot drift apart.
//
// Invariants: a Config returned by Loader.Load has been validated. An unknown
// file key and an unparsable value are errors that name where they came from;
// nothing falls back silently.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/listen"
)

// Config holds every setting of every command. Commands read the part they need.
type Config struct {
	// DataDir is the directory in which the embedded servers keep their data.
	DataDir string
	// CustomersDB is the SQLite database of customers; empty means customers.db in DataDir.
	CustomersDB string

	// Listen has the addresses on which this process serves.
	Listen Listen
	// KafkaAdvertise is the "host:port" that the embedded broker tells its clients
	// to connect to. Empty: the address it listens on.
	KafkaAdvertise string
	// Kafka names the brokers of a real Kafka, "host:port" each. Empty: the embedded broker.
	Kafka []string
	// SchemaRegistry is the URL of a real Schema Registry. Empty: the embedded one.
	SchemaRegistry string
	// Connect is the URL of a real Connect cluster. Empty: the embedded one.
	Connect string
	// ConnectEnvAllowlist is the pattern of the environment variables that
	// connectors of the embedded Connect may name. Empty: its own default.
	ConnectEnvAllowlist string
	// ConnectFilePaths are the files and folders whose files connectors of the
	// embedded Connect may name. Empty: none.
	ConnectFilePaths []string
	// KsqlDB is the URL of a real ksqlDB. Empty: the embedded one.
	KsqlDB string
	// KsqlDBServerName is the name that ksqlDB's certificate must have; empty means the address's.
	KsqlDBServerName string
	// KsqlDBUsername and KsqlDBPassword are sent as basic authentication when the name is set.
	KsqlDBUsername string
	KsqlDBPassword string
	// Elasticsearch is the URL of a real Elasticsearch. Empty: the embedded one.
	Elasticsearch string

	// Security says who may use our servers, and how we prove ourselves to others.
	Security Security

	// SMTP says which mail server takes the e-mails.
	SMTP SMTP
	// EmailTemplates is a directory of e-mail templates; empty means the built-in ones.
	EmailTemplates string

	// ShutdownTimeout bounds how long a graceful stop may take.
	ShutdownTimeout time.Duration
	// LogLevel is debug, info, warn or error.
	LogLevel string
	// LogFormat is text or json.
	LogFormat string
}

// Listen has one "host:port" for each server of the process. Port 0 picks a free port.
type Listen struct {
	API            string
	Fraud          string
	Inventory      string
	Email          string
	Kafka          string
	SchemaRegistry string
	Connect        string
	KsqlDB         string
	Elasticsearch  string
}

// SMTP has the settings of a mail server.
type SMTP struct {
	// Address is the server's "host:port". Empty: e-mails go to the log.
	Address string
	// From is the sender of e-mails: an address, or a name and an address.
	From string
	// Username and Password are used when the name is set.
	Username string
	Password string
	// TLS is starttls, tls or none.
	TLS string
	// CAFile names a PEM file of certificates to trust in place of the system's.
	CAFile string
}

// Default returns the settings that hold when nothing else is said: loopback and
// the ports that each protocol's users expect.
func Default() Config {
	return Config{
		DataDir: "data",
		Listen: Listen{
			API:            "127.0.0.1:8000",
			Fraud:          "127.0.0.1:8010",
			Inventory:      "127.0.0.1:8001",
			Email:          "127.0.0.1:8002",
			Kafka:          "127.0.0.1:9092",
			SchemaRegistry: "127.0.0.1:8081",
			Connect:        "127.0.0.1:8083",
			KsqlDB:         "127.0.0.1:8088",
			Elasticsearch:  "127.0.0.1:9200",
		},
		SMTP:            SMTP{From: "orderflow <orderflow@localhost>", TLS: "starttls"},
		ShutdownTimeout: 10 * time.Second,
		LogLevel:        "info",
		LogFormat:       "text",
	}
}

// Validate reports every setting that cannot work, by its flag name.
func (c *Config) Validate() error {
	var errs []error
	bad := func(flag, value, problem string) {
		errs = append(errs, fmt.Errorf("--%s %q: %s", flag, value, problem))
	}
	if strings.TrimSpace(c.DataDir) == "" {
		bad("data-dir", c.DataDir, "name a directory")
	}
	for _, l := range []struct{ flag, addr string }{
		{"api-listen", c.Listen.API}, {"fraud-listen", c.Listen.Fraud},
		{"inventory-listen", c.Listen.Inventory}, {"email-listen", c.Listen.Email},
		{"kafka-listen", c.Listen.Kafka}, {"schema-registry-listen", c.Listen.SchemaRegistry},
		{"connect-listen", c.Listen.Connect}, {"ksqldb-listen", c.Listen.KsqlDB},
		{"elasticsearch-listen", c.Listen.Elasticsearch},
	} {
		if err := checkHostPort(l.addr, true); err != nil {
			bad(l.flag, l.addr, err.Error())
		}
	}
	if c.KafkaAdvertise != "" {
		if err := checkHostPort(c.KafkaAdvertise, false); err != nil {
			bad("kafka-advertise", c.KafkaAdvertise, err.Error())
		}
	}
	for _, b := range c.Kafka {
		if err := checkHostPort(b, false); err != nil {
			bad("kafka", b, err.Error())
		}
	}
	for _, u := range []struct{ flag, value string }{
		{"schema-registry", c.SchemaRegistry}, {"connect", c.Connect},
		{"ksqldb", c.KsqlDB}, {"elasticsearch", c.Elasticsearch},
	} {
		if err := checkURL(u.value); err != nil {
			bad(u.flag, u.value, err.Error())
		}
	}
	if c.KsqlDBPassword != "" && c.KsqlDBUsername == "" {
		errs = append(errs, errors.New("--ksqldb-password is set without --ksqldb-username: name the user it belongs to"))
	}
	c.Security.validate(bad)
	if c.EmbedKafka() && (c.Security.KafkaTLS || c.Security.KafkaSASL != "") {
		errs = append(errs, errors.New("--kafka-tls and --kafka-sasl are for a real Kafka: name the real Kafka with --kafka"))
	}
	if !c.EmbedKafka() && (c.Security.Kafka.TLS.Enabled() || c.Security.Kafka.CredentialsFile != "") {
		errs = append(errs, errors.New("--kafka-tls-cert, --kafka-tls-key and --kafka-credentials protect the embedded Kafka, which --kafka leaves out: --kafka-tls and --kafka-sasl are how to reach a real one"))
	}
	c.SMTP.validate(bad)
	if c.ShutdownTimeout <= 0 {
		bad("shutdown-timeout", c.ShutdownTimeout.String(), "must be longer than 0")
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		bad("log-level", c.LogLevel, "must be debug, info, warn or error")
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		bad("log-format", c.LogFormat, "must be text or json")
	}
	return errors.Join(errs...)
}

func (s *SMTP) validate(bad func(flag, value, problem string)) {
	if s.Address != "" {
		if err := checkHostPort(s.Address, false); err != nil {
			bad("smtp", s.Address, err.Error())
		}
	}
	if _, err := mail.ParseAddress(s.From); err != nil {
		bad("smtp-from", s.From, "must be an e-mail address such as Shop <shop@example.com>")
	}
	if s.TLS != "starttls" && s.TLS != "tls" && s.TLS != "none" {
		bad("smtp-tls", s.TLS, "must be starttls, tls or none")
	}
	if s.Password != "" && s.Username == "" {
		bad("smtp-username", "", "--smtp-password is set without the user it belongs to")
	}
}

// EmbedKafka reports whether the embedded broker is wanted; the other Embed
// methods say the same of the other servers.
func (c *Config) EmbedKafka() bool { return len(c.Kafka) == 0 }

// EmbedSchemaRegistry reports whether the embedded Schema Registry is wanted.
func (c *Config) EmbedSchemaRegistry() bool { return c.SchemaRegistry == "" }

// EmbedConnect reports whether the embedded Connect worker is wanted.
func (c *Config) EmbedConnect() bool { return c.Connect == "" }

// EmbedKsqlDB reports whether the embedded ksqlDB is wanted.
func (c *Config) EmbedKsqlDB() bool { return c.KsqlDB == "" }

// EmbedElasticsearch reports whether the embedded Elasticsearch is wanted.
func (c *Config) EmbedElasticsearch() bool { return c.Elasticsearch == "" }

// KafkaBrokers returns the brokers to talk to: the real ones, or else the address
// of the embedded broker.
func (c *Config) KafkaBrokers() []string {
	if c.EmbedKafka() {
		return []string{dialAddr(c.Listen.Kafka)}
	}
	return append([]string(nil), c.Kafka...)
}

// SchemaRegistryURL returns the Schema Registry to talk to, without a trailing slash.
func (c *Config) SchemaRegistryURL() string {
	return clientURL(c.SchemaRegistry, "http", c.Listen.SchemaRegistry)
}

// ConnectURL returns the Connect cluster to talk to, without a trailing slash.
func (c *Config) ConnectURL() string { return clientURL(c.Connect, "http", c.Listen.Connect) }

// KsqlDBURL returns the ksqlDB server to talk to, without a trailing slash.
func (c *Config) KsqlDBURL() string {
	return clientURL(c.KsqlDB, listen.Scheme(c.Security.KsqlDB.TLS), c.Listen.KsqlDB)
}

// ElasticsearchURL returns the Elasticsearch to talk to, without a trailing slash.
func (c *Config) ElasticsearchURL() string {
	return clientURL(c.Elasticsearch, "http", c.Listen.Elasticsearch)
}

// APIURL returns where this process' orders API is reached, without a trailing slash.
func (c *Config) APIURL() string {
	return clientURL("", listen.Scheme(c.Security.API.TLS), c.Listen.API)
}

// CustomersDBPath returns the path of the customers database.
func (c *Config) CustomersDBPath() string {
	if c.CustomersDB != "" {
		return c.CustomersDB
	}
	return filepath.Join(c.DataDir, "customers.db")
}

func clientURL(real, scheme, addr string) string {
	if real != "" {
		return strings.TrimRight(real, "/")
	}
	return scheme + "://" + dialAddr(addr)
}

// dialAddr turns a listen address into one that can be dialled: a wildcard host
// becomes loopback.
func dialAddr(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}

func checkHostPort(addr string, listen bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return errors.New("must be host:port")
	}
	if host == "" && !listen {
		return errors.New("the host before the colon is missing")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || (n == 0 && !listen) {
		return errors.New("the port must be a number from 1 to 65535")
	}
	return nil
}

func checkURL(raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("is not a URL")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("must be a URL like http://host:port")
	}
	return nil
}
