package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// execute runs a command line as main does, without the process' environment.
func execute(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(ctx, args, &out, &errs, func(string) (string, bool) { return "", false })
	return code, out.String(), errs.String()
}

func TestErrorsEndAsOneLineAndExitCode1(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	taken := ln.Addr().String()
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"unknown command", []string{"fly"}, `unknown command "fly"`},
		{"unknown subcommand", []string{"topics", "fly"}, `unknown command "fly"`},
		{"unknown flag", []string{"--fly"}, "unknown flag: --fly (see `orderflow --help`)"},
		{"wrong settings, all of them", []string{"doctor", "--log-level", "loud", "--api-listen", "x"}, `--api-listen "x": must be host:port; --log-level "loud"`},
		{"surplus argument", []string{"api", "now"}, `unknown command "now"`},
		{"API port in use", []string{"api", "--api-listen", taken}, "choose another address with --api-listen"},
		{"fraud port in use", []string{"api", "--api-listen", "127.0.0.1:0", "--fraud-listen", taken}, "choose another address with --fraud-listen"},
		{"inventory port in use", []string{"inventory", "--inventory-listen", taken}, "choose another address with --inventory-listen"},
		{"email port in use", []string{"email", "--email-listen", taken}, "choose another address with --email-listen"},
		{"stock that is no number", []string{"inventory", "set", "JUMPERS", "many"}, `"many" is not a number of units`},
		{"populate out of range", []string{"populate", "--bad", "2"}, "the share of bad orders must be from 0 to 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, _, stderr := execute(t.Context(), tt.args...)
			assert.Equal(t, 1, code)
			assert.Contains(t, stderr, tt.want)
			assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			assert.True(t, strings.HasPrefix(stderr, "orderflow: "), stderr)
		})
	}
}

func TestEveryCommandHasHelp(t *testing.T) {
	root := newRootCommand(&environment{})
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		assert.NotEmpty(t, c.Short, c.CommandPath())
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	for _, name := range []string{"api", "inventory", "email", "populate", "doctor"} {
		cmd, _, err := root.Find([]string{name})
		require.NoError(t, err)
		assert.Equal(t, name, cmd.Name())
	}
}

func TestServicesStopWithTheirContext(t *testing.T) {
	for _, args := range [][]string{
		{"api", "--api-listen", "127.0.0.1:0", "--fraud-listen", "127.0.0.1:0"},
		{"inventory", "--inventory-listen", "127.0.0.1:0"},
		{"email", "--email-listen", "127.0.0.1:0"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		args = append(args, "--kafka", "127.0.0.1:1", "--schema-registry", "http://127.0.0.1:1", "--ksqldb", "http://127.0.0.1:1")
		code, _, stderr := execute(ctx, args...)
		assert.Equal(t, 0, code, stderr)
	}
}

func TestInventorySetTellsTheStock(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method+" "+r.URL.Path != "PUT /v1/inventory/JUMPERS" {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"title":"Not Found","detail":"There is no such product."}`)
			return
		}
		fmt.Fprint(w, `{"product":"JUMPERS","warehouse":10,"reserved":4,"available":6}`)
	}))
	defer srv.Close()
	code, stdout, stderr := execute(t.Context(), "inventory", "set", "JUMPERS", "10", "--api", srv.URL)
	assert.Equal(t, 0, code, stderr)
	assert.Equal(t, "JUMPERS: 10 in the warehouse, 4 reserved, 6 available\n", stdout)
	code, _, stderr = execute(t.Context(), "inventory", "set", "SOCKS", "10", "--api-listen", strings.TrimPrefix(srv.URL, "http://"))
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "There is no such product.")
}

func TestDoctorSaysWhatIsWrong(t *testing.T) {
	code, stdout, stderr := execute(t.Context(), "doctor", "--kafka", "127.0.0.1:1", "--schema-registry", "http://127.0.0.1:1",
		"--ksqldb", "http://127.0.0.1:1", "--connect", "http://127.0.0.1:1", "--elasticsearch", "http://127.0.0.1:1", "--api-listen", "127.0.0.1:1", "--log-level", "error")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "7 of 7 checks found something wrong")
	assert.Contains(t, stdout, "connection refused")
}

func TestDoctorReadsConnectElasticsearchAndTheAPI(t *testing.T) {
	answers := map[string]string{}
	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, answers[r.URL.Path])
	}))
	defer srv.Close()

	answers["/connectors"] = `{"a":{"status":{"connector":{"state":"RUNNING"},"tasks":[{"id":0,"state":"RUNNING"}]}}}`
	detail, err := examineConnectors(t.Context(), nil, srv.URL)
	require.NoError(t, err)
	assert.Equal(t, "1 running", detail)
	answers["/connectors"] = `{"a":{"status":{"connector":{"state":"PAUSED"},"tasks":[{"id":0,"state":"FAILED","trace":"no table\n\tat x"}]}}}`
	_, err = examineConnectors(t.Context(), nil, srv.URL)
	require.EqualError(t, err, "a is PAUSED, task 0 of a is FAILED no table")
	answers["/connectors"] = `{}`
	_, err = examineConnectors(t.Context(), nil, srv.URL)
	require.ErrorContains(t, err, "orderflow connectors apply")

	answers["/_cluster/health"] = `{"cluster_name":"c","status":"green"}`
	detail, err = examineElasticsearch(t.Context(), nil, srv.URL)
	require.NoError(t, err)
	assert.Equal(t, "green", detail)
	answers["/_cluster/health"] = `{"cluster_name":"c","status":"red"}`
	_, err = examineElasticsearch(t.Context(), nil, srv.URL)
	require.EqualError(t, err, "the cluster c is red")

	answers["/readyz"] = `{"status":"ready"}`
	detail, err = examineAPI(t.Context(), nil, srv.URL)
	require.NoError(t, err)
	assert.Equal(t, "ready", detail)
	status = http.StatusServiceUnavailable
	answers["/readyz"] = `{"status":"not ready","checks":[{"name":"api","error":"waiting"},{"name":"email"}]}`
	_, err = examineAPI(t.Context(), nil, srv.URL)
	require.EqualError(t, err, "api: waiting")
}
