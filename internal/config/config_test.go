package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func load(t *testing.T, args []string, env map[string]string) (*Config, error) {
	t.Helper()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	l := NewLoader(fs)
	require.NoError(t, fs.Parse(args))
	return l.Load(func(k string) (string, bool) { v, ok := env[k]; return v, ok })
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "orderflow.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestDefaultsPointAtTheEmbeddedServers(t *testing.T) {
	c, err := load(t, nil, nil)
	require.NoError(t, err)
	assert.True(t, c.EmbedKafka() && c.EmbedSchemaRegistry() && c.EmbedConnect() && c.EmbedKsqlDB() && c.EmbedElasticsearch())
	assert.Equal(t, []string{"127.0.0.1:9092"}, c.KafkaBrokers())
	assert.Equal(t, "http://127.0.0.1:8081", c.SchemaRegistryURL())
	assert.Equal(t, "http://127.0.0.1:8083", c.ConnectURL())
	assert.Equal(t, "http://127.0.0.1:8088", c.KsqlDBURL())
	assert.Equal(t, "http://127.0.0.1:9200", c.ElasticsearchURL())
	assert.Equal(t, "http://127.0.0.1:8000", c.APIURL())
	assert.Equal(t, "127.0.0.1:8010", c.Listen.Fraud)
	assert.Equal(t, filepath.Join("data", "customers.db"), c.CustomersDBPath())
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	file := writeFile(t, "log-level: warn\ndata-dir: from-file\nksqldb: http://file:1\nshutdown-timeout: 3s\nkafka: [a:1, b:2]\n")
	env := map[string]string{
		"ORDERFLOW_CONFIG":     file,
		"ORDERFLOW_DATA_DIR":   "from-env",
		"ORDERFLOW_KSQLDB":     "http://env:2/",
		"ORDERFLOW_LOG_FORMAT": "",
	}
	c, err := load(t, []string{"--ksqldb", "http://flag:3/"}, env)
	require.NoError(t, err)
	assert.Equal(t, "http://flag:3", c.KsqlDBURL())
	assert.False(t, c.EmbedKsqlDB())
	assert.Equal(t, "from-env", c.DataDir)
	assert.Equal(t, "warn", c.LogLevel)
	assert.Equal(t, 3*time.Second, c.ShutdownTimeout)
	assert.Equal(t, []string{"a:1", "b:2"}, c.KafkaBrokers())
	assert.Equal(t, "text", c.LogFormat, "an empty variable counts as not set")
}

func TestWildcardListenAddressIsDialledOnLoopback(t *testing.T) {
	c, err := load(t, []string{"--api-listen", ":8000", "--kafka-listen", "0.0.0.0:9092", "--ksqldb-listen", "[::]:8088"}, nil)
	require.NoError(t, err)
	assert.Equal(t, "http://127.0.0.1:8000", c.APIURL())
	assert.Equal(t, []string{"127.0.0.1:9092"}, c.KafkaBrokers())
	assert.Equal(t, "http://[::1]:8088", c.KsqlDBURL())
}

func TestWrongSettingsAreNamed(t *testing.T) {
	tests := []struct {
		name, file string
		args       []string
		env        map[string]string
		want       string
	}{
		{name: "port out of range", args: []string{"--api-listen", "127.0.0.1:70000"}, want: `--api-listen "127.0.0.1:70000": the port must be`},
		{name: "no port", args: []string{"--kafka", "broker"}, want: `--kafka "broker": must be host:port`},
		{name: "broker without host", args: []string{"--kafka", ":9092"}, want: "host before the colon"},
		{name: "not a URL", args: []string{"--ksqldb", "localhost:8088"}, want: `--ksqldb "localhost:8088": must be a URL`},
		{name: "empty directory", args: []string{"--data-dir", ""}, want: "--data-dir"},
		{name: "level", env: map[string]string{"ORDERFLOW_LOG_LEVEL": "loud"}, want: "must be debug, info, warn or error"},
		{name: "format", args: []string{"--log-format", "xml"}, want: "must be text or json"},
		{name: "duration in the environment", env: map[string]string{"ORDERFLOW_SHUTDOWN_TIMEOUT": "soon"}, want: "reading ORDERFLOW_SHUTDOWN_TIMEOUT"},
		{name: "no time to stop", args: []string{"--shutdown-timeout", "0s"}, want: "--shutdown-timeout"},
		{name: "certificate without key", args: []string{"--tls-cert", "x"}, want: "--tls-key"},
		{name: "server certificate without key", args: []string{"--api-tls-cert", "x"}, want: "--api-tls-key"},
		{name: "unknown mechanism", args: []string{"--kafka", "b:9092", "--kafka-sasl", "gssapi", "--kafka-username", "u"}, want: "must be one of PLAIN"},
		{name: "mechanism without user", args: []string{"--kafka", "b:9092", "--kafka-sasl", "plain"}, want: "needs --kafka-username"},
		{name: "user without mechanism", args: []string{"--kafka", "b:9092", "--kafka-username", "u"}, want: "needs --kafka-sasl"},
		{name: "login at the embedded Kafka", args: []string{"--kafka-tls"}, want: "name the real Kafka with --kafka"},
		{name: "protecting a real Kafka", args: []string{"--kafka", "b:9092", "--kafka-credentials", "x"}, want: "protect the embedded Kafka"},
		{name: "broker certificate without key", args: []string{"--kafka-tls-cert", "x"}, want: "--kafka-tls-key"},
		{name: "registry password without user", args: []string{"--schema-registry-password", "x"}, want: "--schema-registry-username"},
		{name: "password without user", args: []string{"--ksqldb-password", "x"}, want: "--ksqldb-username"},
		{name: "mail server without port", args: []string{"--smtp", "mail"}, want: `--smtp "mail": must be host:port`},
		{name: "sender", args: []string{"--smtp-from", "shop"}, want: `--smtp-from "shop": must be an e-mail address`},
		{name: "protection", args: []string{"--smtp-tls", "ssl"}, want: "must be starttls, tls or none"},
		{name: "mail password without user", args: []string{"--smtp-password", "x"}, want: "--smtp-username"},
		{name: "unknown key", file: "a: 1\n", want: `line 1: unknown setting "a"`},
		{name: "file naming a file", file: "config: x\n", want: "unknown setting"},
		{name: "key twice", file: "log-level: info\nlog-level: warn\n", want: `line 2: "log-level" is set twice`},
		{name: "not a mapping", file: "- a\n", want: "line 1: expected settings"},
		{name: "nested", file: "kafka:\n  a: b\n", want: "kafka: expected a plain value"},
		{name: "nested list", file: "kafka: [[a]]\n", want: "a list may only hold plain values"},
		{name: "duration in the file", file: "\nshutdown-timeout: soon\n", want: "shutdown-timeout"},
		{name: "no such file", args: []string{"--config", "/does/not/exist"}, want: "reading the configuration file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := tt.args
			if tt.file != "" {
				args = append(args, "--config", writeFile(t, tt.file))
			}
			_, err := load(t, args, tt.env)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, err := load(t, []string{"--log-format", "xml", "--api-listen", "x"}, nil)
	require.ErrorContains(t, err, "--log-format")
	require.ErrorContains(t, err, "--api-listen")
}

func TestEveryFlagHasAnEnvironmentVariable(t *testing.T) {
	l := NewLoader(pflag.NewFlagSet("test", pflag.ContinueOnError))
	for _, name := range []string{"kafka", "schema-registry", "connect", "ksqldb", "elasticsearch", "data-dir", "api-listen"} {
		assert.Contains(t, l.Names(), name)
	}
	assert.Equal(t, "ORDERFLOW_SCHEMA_REGISTRY", EnvName("schema-registry"))
}

func TestEverySettingStandsUnderOneHeading(t *testing.T) {
	l := NewLoader(pflag.NewFlagSet("test", pflag.ContinueOnError))
	var names []string
	for _, g := range l.Groups() {
		assert.NotEmpty(t, g.Title)
		g.Flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	}
	assert.ElementsMatch(t, l.Names(), names)
	general := l.Groups()[0].Flags
	assert.NotNil(t, general.Lookup("log-level"))
	assert.Nil(t, general.Lookup("kafka-listen"))
}
