package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHelpShowsAFewSettingsAndTheTopicAll(t *testing.T) {
	code, stdout, stderr := execute(t.Context(), "migrate", "apply", "--help")
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, "--dry-run")
	assert.Contains(t, stdout, "--ksqldb string")
	assert.NotContains(t, stdout, "--smtp-ca")
	assert.Contains(t, stdout, "`orderflow help settings` lists all")

	code, stdout, stderr = execute(t.Context(), "help", "settings")
	require.Equal(t, 0, code, stderr)
	for _, flag := range []string{"--smtp-ca", "--ksqldb string", "--kafka-sasl"} {
		assert.Equal(t, 1, strings.Count(stdout, flag), flag)
	}
	assert.Contains(t, stdout, "ORDERFLOW_DATA_DIR")
	assert.Less(t, strings.Index(stdout, "\nKafka:"), strings.Index(stdout, "\nksqlDB:"))
}

func TestHelpListsSubcommands(t *testing.T) {
	code, stdout, stderr := execute(t.Context(), "inventory", "--help")
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, "  orderflow inventory [flags]\n  orderflow inventory [command]\n")
	assert.Contains(t, stdout, "\n  set         Say how many")
}
