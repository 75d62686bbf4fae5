//go:build peers

package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/peers"
)

// wrongWithin is how long a wrong password may take to be told. It is far more than
// it takes, for machines that do something else.
const wrongWithin = 20 * time.Second

// realReadyWithin is how long a start over a real Kafka may take, which makes some
// sixty topics at first.
const realReadyWithin = 4 * time.Minute

// TestPeerUpOverProtectedKafka runs everything over a real Kafka that asks for a login
// or for a certificate.
func TestPeerUpOverProtectedKafka(t *testing.T) {
	t.Setenv("ORDERFLOW_KAFKA_PASSWORD", "")
	kafka := peers.StartSecureKafka(t)
	base := []string{"--kafka-tls", "--tls-ca", kafka.CA}
	login := append([]string{"--kafka", kafka.SASL, "--kafka-username", peers.KafkaUser}, base...)
	dataDir := filepath.Join(t.TempDir(), "data")
	file := filepath.Join(t.TempDir(), "orderflow.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "kafka-sasl: plain\nkafka-password: %s\n", peers.KafkaPassword), 0o600))
	for _, c := range []struct {
		name string
		args []string
		env  string // the password in the environment
	}{
		{"SCRAM-SHA-512, password in the environment", append([]string{"--kafka-sasl", "SCRAM-SHA-512"}, login...), peers.KafkaPassword},
		{"PLAIN, password in a file", append([]string{"--config", file}, login...), ""},
		{"mutual TLS", append([]string{"--kafka", kafka.MutualTLS, "--tls-cert", kafka.Cert, "--tls-key", kafka.Key}, base...), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("ORDERFLOW_KAFKA_PASSWORD", c.env)
			useEverything(t, dataDir, c.args, peers.KafkaPassword)
		})
	}
	t.Run("wrong", func(t *testing.T) {
		for name, c := range map[string]struct {
			args []string
			env  string
			want []string // one of them is in the error
		}{
			"password":        {append([]string{"--kafka-sasl", "SCRAM-SHA-512"}, login...), "wr0ng-password", []string{"SASL_AUTHENTICATION_FAILED"}},
			"password, PLAIN": {append([]string{"--kafka-sasl", "PLAIN"}, login...), "wr0ng-password", []string{"SASL_AUTHENTICATION_FAILED"}},
			"no login":        {append([]string{"--kafka", kafka.SASL}, base...), "", []string{"SASL", "EOF", "closed"}},
			"no TLS":          {[]string{"--kafka", kafka.SASL, "--kafka-sasl", "SCRAM-SHA-512", "--kafka-username", peers.KafkaUser}, peers.KafkaPassword, []string{"TLS"}},
			"unknown server":  {[]string{"--kafka", kafka.SASL, "--kafka-tls", "--kafka-sasl", "SCRAM-SHA-512", "--kafka-username", peers.KafkaUser}, peers.KafkaPassword, []string{"certificate"}},
			"no certificate":  {append([]string{"--kafka", kafka.MutualTLS}, base...), "", []string{"certificate"}},
		} {
			for _, command := range [][]string{
				append([]string{"up", "--data-dir", t.TempDir()}, freePorts()...),
				{"topics", "plan"},
				{"doctor"},
			} {
				t.Run(name+"/"+command[0], func(t *testing.T) {
					t.Setenv("ORDERFLOW_KAFKA_PASSWORD", c.env)
					began := time.Now()
					out, err := orderflow(t, append(append(command, "--log-level", "debug"), c.args...)...).CombinedOutput()
					took := time.Since(began)
					text := string(out)
					require.Error(t, err, text)
					assert.Less(t, took, wrongWithin)
					said := false
					for _, want := range c.want {
						said = said || strings.Contains(text, want)
					}
					assert.True(t, said, "none of %q in:\n%s", c.want, tail(text, 3000))
					assert.NotContains(t, text, "wr0ng-password")
					assert.NotContains(t, text, peers.KafkaPassword)
					t.Logf("after %s: %s", took, tail(strings.TrimSpace(text), 400))
				})
			}
		}
	})
}

// useEverything starts `up` and uses each part of it that reaches Kafka. The secret
// must not be told.
func useEverything(t *testing.T, dataDir string, args []string, secret string) {
	t.Helper()
	p := launch(t, append(append([]string{"up", "--data-dir", dataDir}, freePorts()...), append([]string{"--demo", "--demo-orders", "5", "--demo-rate", "1000", "--log-level", "debug"}, args...)...)...)
	select {
	case <-p.ready:
	case <-p.done:
		require.FailNow(t, "orderflow ended before it was ready", "%s", tail(p.output(), 3000))
	case <-time.After(realReadyWithin):
		require.FailNow(t, "orderflow is not ready")
	}
	order := "safe-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	get := func(method, url, body string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Less(t, resp.StatusCode, 300, "%s %s: %s", method, url, text)
		return string(text)
	}
	get(http.MethodPut, p.api()+"/v1/inventory/JUMPERS", `{"quantity":100}`)
	get(http.MethodPost, p.api()+"/v1/orders", orderBody(order, 1, "JUMPERS", 2, 5))
	assert.Contains(t, get(http.MethodGet, p.api()+"/v1/orders/"+order+"/validated?timeout=60000", ""), `"state":"VALIDATED"`)
	told := map[string]string{
		"/metrics":        get(http.MethodGet, p.api()+"/metrics", ""),
		"/info":           get(http.MethodGet, p.ksqldb()+"/info", ""),
		"SHOW PROPERTIES": get(http.MethodPost, p.ksqldb()+"/ksql", `{"ksql":"SHOW PROPERTIES;"}`),
	}
	others := append([]string{"--data-dir", dataDir,
		"--schema-registry", p.addr["Schema Registry"], "--connect", p.addr["Connect"], "--ksqldb", p.ksqldb(),
		"--elasticsearch", p.addr["Elasticsearch"], "--api-listen", strings.TrimPrefix(p.api(), "http://"), "--log-level", "debug",
	}, args...)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"topics", "apply"}, ""},
		{[]string{"topics", "sample"}, "orders.v1:"},
		{[]string{"migrate", "info"}, "MIGRATED"},
		{[]string{"migrate", "apply", "--all"}, ""},
		{[]string{"connectors", "status"}, "RUNNING"},
		{[]string{"connectors", "apply"}, ""},
		{[]string{"doctor"}, "ok"},
		{[]string{"doctor", "--verify-index", "--patience", "1m"}, ""},
		{[]string{"inventory", "set", "STOCKINGS", "100000"}, ""},
		{[]string{"populate", "--api", p.api(), "--orders", "3", "--rate", "0"}, ""},
		{[]string{"sql", "-e", "PRINT 'orders.v1' FROM BEGINNING LIMIT 1;"}, "rowtime"},
		{[]string{"sql", "-e", "SELECT id, state FROM orders_by_id WHERE id = '" + order + "';"}, "VALIDATED"},
	} {
		out, err := orderflow(t, append(c.args, others...)...).CombinedOutput()
		assert.NoError(t, err, "%s: %s", c.args, tail(string(out), 3000))
		assert.True(t, strings.Contains(string(out), c.want), "%s: %s", c.args, tail(string(out), 2000))
		told[strings.Join(c.args, " ")] = string(out)
	}
	p.stop(t) // a member of a group that is killed is waited for by the others
	told["the log"] = p.output()
	for name, text := range told {
		assert.NotContains(t, text, secret, name)
	}
}
