package registry_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/registry"
)

func TestTwoInstancesOverOneTopic(t *testing.T) {
	b := startBroker(t)
	first, second := startRegistry(t, b), startRegistry(t, b)
	one, two := srClient(t, first.Addr()), srClient(t, second.Addr())
	ctx := t.Context()
	a, err := one.CreateSchema(ctx, "a", recordSchema("x"))
	require.NoError(t, err)
	got, err := two.SchemaByVersion(ctx, "a", -1)
	require.NoError(t, err, "what is not known may have been written by the other")
	assert.Equal(t, a.ID, got.ID)
	same, err := two.CreateSchema(ctx, "b", recordSchema("x"))
	require.NoError(t, err)
	assert.Equal(t, a.ID, same.ID)
	other, err := two.CreateSchema(ctx, "a", recordSchema("y"))
	require.Error(t, err, "the other's version counts for compatibility")
	assert.Zero(t, other.ID)
	third, err := one.CreateSchema(ctx, "c", recordSchema("y"))
	require.NoError(t, err)
	assert.Equal(t, a.ID+1, third.ID)
	require.Eventually(t, func() bool {
		subjects, err := two.Subjects(ctx)
		return err == nil && assert.ObjectsAreEqual([]string{"a", "b", "c"}, subjects)
	}, 10*time.Second, 10*time.Millisecond, "lists follow within a second")
}

// Over a cluster that others use too, one instance runs at a time.
func TestOneInstanceHasTheLease(t *testing.T) {
	b := startBroker(t)
	config := registry.Config{Addr: "127.0.0.1:0", Brokers: []string{b.Addr()}, Shared: true, Logger: slog.New(slog.DiscardHandler)}
	first, err := registry.New(config)
	require.NoError(t, err)
	require.NoError(t, first.Start(t.Context()))
	defer func() { require.NoError(t, first.Stop()) }()
	_, err = srClient(t, first.Addr()).CreateSchema(t.Context(), "a", recordSchema("x"))
	require.NoError(t, err)
	second, err := registry.New(config)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	require.ErrorContains(t, second.Start(ctx), "waiting for the right to write topic _schemas")
	_, err = srClient(t, first.Addr()).CreateSchema(t.Context(), "b", recordSchema("x"))
	require.NoError(t, err, "the first one keeps it")
	require.NoError(t, first.Stop())
	require.NoError(t, second.Start(t.Context()), "it is given back at a stop")
	defer func() { require.NoError(t, second.Stop()) }()
	subjects, err := srClient(t, second.Addr()).Subjects(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, subjects)
}

func TestAStartSaysWhoElseWrites(t *testing.T) {
	b := startBroker(t)
	config := registry.Config{Brokers: []string{b.Addr()}, Shared: true, Patience: 1500 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}
	first, err := registry.New(config)
	require.NoError(t, err)
	require.NoError(t, first.Load(t.Context()))
	defer func() { require.NoError(t, first.Stop()) }()
	second, err := registry.New(config)
	require.NoError(t, err)
	err = second.Load(t.Context())
	require.ErrorContains(t, err, "another Schema Registry (schema-registry-")
	require.ErrorContains(t, err, "use it with --schema-registry")
}
