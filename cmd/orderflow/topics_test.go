package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embeddedtest"
)

func TestTopicsCommands(t *testing.T) {
	kafka := embeddedtest.Start(t)

	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		env := &environment{stdout: &out, stderr: &out, lookupEnv: func(string) (string, bool) { return "", false }}
		root := newRootCommand(env)
		root.SetArgs(append([]string{"--kafka", kafka.Brokers[0], "--schema-registry", kafka.SchemaRegistry}, args...))
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
