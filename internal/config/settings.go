package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// EnvPrefix starts the name of every environment variable that orderflow reads.
const EnvPrefix = "ORDERFLOW_"

// fileSetting is the flag that names the configuration file. It cannot itself come from the file.
const fileSetting = "config"

// Loader binds a Config to a flag set and fills it from flags, environment and file.
type Loader struct {
	config Config
	file   string
	flags  *pflag.FlagSet
	names  []string
}

// NewLoader registers all settings as flags on fs. The flags must have been parsed
// before Load is called.
func NewLoader(fs *pflag.FlagSet) *Loader {
	l := &Loader{config: Default()}
	own := pflag.NewFlagSet("settings", pflag.ContinueOnError)
	own.SortFlags = false
	c := &l.config
	own.StringVar(&l.file, fileSetting, "", "YAML file with settings; its keys are the long flag names without dashes in front")
	own.StringVar(&c.DataDir, "data-dir", c.DataDir, "directory of the embedded servers' data and the services' snapshots")
	own.StringVar(&c.CustomersDB, "customers-db", c.CustomersDB, "SQLite database of customers (default customers.db in the data directory)")

	own.StringSliceVar(&c.Kafka, "kafka", c.Kafka, "brokers of a real Kafka, host:port, separated by commas; given again it adds to them (instead of the embedded one)")
	own.StringVar(&c.SchemaRegistry, "schema-registry", c.SchemaRegistry, "URL of a real Schema Registry (instead of the embedded one)")
	own.StringVar(&c.Connect, "connect", c.Connect, "URL of a real Kafka Connect (instead of the embedded one)")
	own.StringVar(&c.KsqlDB, "ksqldb", c.KsqlDB, "URL of a real ksqlDB (instead of the embedded one)")
	own.StringVar(&c.KsqlDBServerName, "ksqldb-server-name", c.KsqlDBServerName, "name that ksqlDB's certificate must have (default: the one of its address)")
	own.StringVar(&c.KsqlDBUsername, "ksqldb-username", c.KsqlDBUsername, "user name for ksqlDB's basic authentication")
	own.StringVar(&c.KsqlDBPassword, "ksqldb-password", c.KsqlDBPassword, "password for ksqlDB's basic authentication (better given in the environment)")
	own.StringVar(&c.Elasticsearch, "elasticsearch", c.Elasticsearch, "URL of a real Elasticsearch (instead of the embedded one)")

	own.StringVar(&c.Listen.API, "api-listen", c.Listen.API, "address of the orders API, health and metrics")
	own.StringVar(&c.Listen.Fraud, "fraud-listen", c.Listen.Fraud, "second address of GET /fraud")
	own.StringVar(&c.Listen.Inventory, "inventory-listen", c.Listen.Inventory, "address of health and metrics of an inventory service that runs alone")
	own.StringVar(&c.Listen.Email, "email-listen", c.Listen.Email, "address of health and metrics of an e-mail service that runs alone")
	own.StringVar(&c.Listen.Kafka, "kafka-listen", c.Listen.Kafka, "address of the embedded Kafka")
	own.StringVar(&c.KafkaAdvertise, "kafka-advertise", c.KafkaAdvertise, "address that the embedded Kafka tells its clients to connect to, host:port (instead of the one it listens on)")
	own.StringVar(&c.Listen.SchemaRegistry, "schema-registry-listen", c.Listen.SchemaRegistry, "address of the embedded Schema Registry")
	own.StringVar(&c.Listen.Connect, "connect-listen", c.Listen.Connect, "address of the embedded Connect")
	own.StringVar(&c.ConnectEnvAllowlist, "connect-env-allowlist", c.ConnectEnvAllowlist, "pattern of the environment variables that connectors of the embedded Connect may name as ${env:NAME} (default orderflow's own addresses and CONNECT_SECRET_...)")
	own.StringSliceVar(&c.ConnectFilePaths, "connect-file-paths", c.ConnectFilePaths, "files and folders, absolute, that connectors of the embedded Connect may name as ${file:PATH:KEY}, separated by commas (default none)")
	own.StringVar(&c.Listen.KsqlDB, "ksqldb-listen", c.Listen.KsqlDB, "address of the embedded ksqlDB")
	own.StringVar(&c.Listen.Elasticsearch, "elasticsearch-listen", c.Listen.Elasticsearch, "address of the embedded Elasticsearch")

	c.Security.bind(own)

	own.StringVar(&c.SMTP.Address, "smtp", c.SMTP.Address, "mail server that takes the e-mails, host:port (without one they go to the log)")
	own.StringVar(&c.SMTP.From, "smtp-from", c.SMTP.From, "sender of the e-mails, such as \"Shop <shop@example.com>\"")
	own.StringVar(&c.SMTP.Username, "smtp-username", c.SMTP.Username, "user name at the mail server")
	own.StringVar(&c.SMTP.Password, "smtp-password", c.SMTP.Password, "password at the mail server (better given in the environment)")
	own.StringVar(&c.SMTP.TLS, "smtp-tls", c.SMTP.TLS, "how the connection to the mail server is protected: starttls (as on port 587), tls (as on port 465) or none")
	own.StringVar(&c.SMTP.CAFile, "smtp-ca", c.SMTP.CAFile, "PEM file of certificates that a mail server's may come from (instead of the system's)")
	own.StringVar(&c.EmailTemplates, "email-templates", c.EmailTemplates, "directory of edited e-mail templates (orderflow email templates DIR writes the built-in ones there)")

	own.DurationVar(&c.ShutdownTimeout, "shutdown-timeout", c.ShutdownTimeout, "longest time a graceful stop may take")
	own.StringVar(&c.LogLevel, "log-level", c.LogLevel, "debug, info, warn or error")
	own.StringVar(&c.LogFormat, "log-format", c.LogFormat, "text or json")

	own.VisitAll(func(f *pflag.Flag) { l.names = append(l.names, f.Name) })
	fs.AddFlagSet(own)
	l.flags = fs
	return l
}

// EnvName returns the environment variable of a flag: data-dir is ORDERFLOW_DATA_DIR.
func EnvName(flag string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Names returns the flag names of all settings, in the order of the help text.
func (l *Loader) Names() []string { return slices.Clone(l.names) }

// Load fills in what the flags left open from the environment (lookupEnv is
// os.LookupEnv outside tests) and from the configuration file, and validates the
// whole. An empty environment variable counts as not set.
func (l *Loader) Load(lookupEnv func(string) (string, bool)) (*Config, error) {
	fromEnv := func(name string) (string, bool) {
		v, ok := lookupEnv(EnvName(name))
		return v, ok && v != ""
	}
	if v, ok := fromEnv(fileSetting); ok && !l.flags.Changed(fileSetting) {
		l.file = v
	}
	fromFile, err := readFile(l.file, l.names)
	if err != nil {
		return nil, err
	}
	for _, name := range l.names {
		if l.flags.Changed(name) || name == fileSetting {
			continue
		}
		if v, ok := fromEnv(name); ok {
			if err := l.flags.Set(name, v); err != nil {
				return nil, fmt.Errorf("reading %s: %w", EnvName(name), err)
			}
			continue
		}
		if v, ok := fromFile[name]; ok {
			if err := l.flags.Set(name, v.text); err != nil {
				return nil, fmt.Errorf("reading %s, line %d: %w", l.file, v.line, err)
			}
		}
	}
	cfg := l.config
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &cfg, nil
}

type fileValue struct {
	text string
	line int
}

// readFile reads a YAML mapping of setting names to scalars, or lists of scalars.
func readFile(path string, known []string) (map[string]fileValue, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration file: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(bytes.TrimSpace(data), &doc); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	values := map[string]fileValue{}
	if len(doc.Content) == 0 {
		return values, nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("reading %s, line %d: expected settings as `name: value`", path, root.Line)
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, val := root.Content[i], root.Content[i+1]
		if !slices.Contains(known, key.Value) || key.Value == fileSetting {
			return nil, fmt.Errorf("reading %s, line %d: unknown setting %q; the names are those of the long flags", path, key.Line, key.Value)
		}
		if _, twice := values[key.Value]; twice {
			return nil, fmt.Errorf("reading %s, line %d: %q is set twice", path, key.Line, key.Value)
		}
		text, err := scalarText(val)
		if err != nil {
			return nil, fmt.Errorf("reading %s, line %d: %s: %w", path, val.Line, key.Value, err)
		}
		values[key.Value] = fileValue{text: text, line: val.Line}
	}
	return values, nil
}

func scalarText(n *yaml.Node) (string, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value, nil
	case yaml.SequenceNode:
		var items []string
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return "", errors.New("a list may only hold plain values")
			}
			items = append(items, item.Value)
		}
		return strings.Join(items, ","), nil
	default:
		return "", errors.New("expected a plain value")
	}
}
