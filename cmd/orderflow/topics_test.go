package main

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/registry"
)

func TestTopicsCommands(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", Logger: quiet})
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Stop()) })
	r, err := registry.New(registry.Config{Addr: "127.0.0.1:0", Brokers: []string{b.Addr()}, Logger: quiet})
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, r.Stop()) })

	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		env := &environment{stdout: &out, stderr: &out, lookupEnv: func(string) (string, bool) { return "", false }}
		root := newRootCommand(env)
		root.SetArgs(append([]string{"--kafka", b.Addr(), "--schema-registry", "http://" + r.Addr()}, args...))
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	out, err := run("topics", "plan")
	require.NoError(t, err)
	assert.Regexp(t, `create +topic +orders\.v1 +4 partitions`, out)

	out, err = run("topics", "apply")
	require.NoError(t, err)
	assert.Regexp(t, `create +schema +orders\.v1-value`, out)
	out, err = run("topics", "plan")
	require.NoError(t, err)
	assert.NotContains(t, out, "create")

	out, err = run("topics", "sample")
	require.NoError(t, err)
	assert.Contains(t, out, "orders.v1: no records")
	_, err = run("topics", "sample", "--count", "0")
	require.ErrorContains(t, err, "--count")
	_, err = run("topics", "apply", "--dir", t.TempDir())
	require.ErrorContains(t, err, "topics.json")
}
