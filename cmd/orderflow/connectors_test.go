package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/orderflow/orderflow/internal/connectors"
	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/connect"
)

// runConnectors runs `orderflow connectors` on a worker.
func runConnectors(t *testing.T, variables map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"connectors"}, args...), &out, &errs, func(name string) (string, bool) { v, ok := variables[name]; return v, ok })
	return code, out.String(), errs.String()
}

func TestConnectorsCommands(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", Logger: log})
	require.NoError(t, err)
	require.NoError(t, b.Start(context.Background()))
	t.Cleanup(func() { require.NoError(t, b.Stop()) })
	w, err := connect.New(connect.Config{Addr: "127.0.0.1:0", Brokers: []string{b.Addr()}, Logger: log})
	require.NoError(t, err)
	require.NoError(t, w.Start(context.Background()))
	t.Cleanup(func() { require.NoError(t, w.Stop()) })

	dir := t.TempDir()
	path := filepath.Join(dir, "t.db")
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rows.json"), []byte(`{"name":"rows","config":{
		"connector.class":"io.confluent.connect.jdbc.JdbcSourceConnector","connection.url":"jdbc:sqlite:${env:ROWS_DB}","mode":"incrementing",
		"incrementing.column.name":"id","table.whitelist":"t","topic.prefix":"x-","value.converter":"org.apache.kafka.connect.json.JsonConverter"}}`), 0o600))
	variables := map[string]string{"ORDERFLOW_CONNECT": "http://" + w.Addr(), "ROWS_DB": path}
	type answer struct {
		Plan    []connectors.Item
		Status  []connectors.Status
		Deleted []string
	}
	asJSON := func(args ...string) answer {
		code, out, errs := runConnectors(t, variables, append(args, "--output", "json")...)
		require.Zero(t, code, "%s%s", out, errs)
		var a answer
		require.NoError(t, json.Unmarshal([]byte(out), &a), out)
		return a
	}

	assert.Equal(t, []connectors.Item{{Name: "rows", Action: connectors.Create}}, asJSON("plan", "--dir", dir).Plan)
	applied := asJSON("apply", "--dir", dir, "--templates=false")
	require.Len(t, applied.Status, 1)
	assert.True(t, applied.Status[0].Running())
	assert.Equal(t, connectors.Keep, asJSON("plan", "--dir", dir).Plan[0].Action)
	code, out, _ := runConnectors(t, variables, "status")
	assert.Zero(t, code)
	assert.Contains(t, out, "RUNNING")

	code, _, errs := runConnectors(t, variables, "status", "rows", "other")
	assert.NotZero(t, code)
	assert.Contains(t, errs, "not running: other")
	code, _, errs = runConnectors(t, map[string]string{"ORDERFLOW_CONNECT": "http://" + w.Addr()}, "plan", "--dir", dir)
	assert.NotZero(t, code)
	assert.Contains(t, errs, "the variable ROWS_DB is not set")
	code, _, errs = runConnectors(t, variables, "plan", "--output", "yaml")
	assert.NotZero(t, code)
	assert.Contains(t, errs, "must be text or json")

	// Another file in place of the first: what no file describes goes with --prune.
	raw, err := os.ReadFile(filepath.Join(dir, "rows.json"))
	require.NoError(t, err)
	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "others.json"), bytes.Replace(raw, []byte(`"name":"rows"`), []byte(`"name":"others"`), 1), 0o600))
	assert.Equal(t, connectors.Extra, asJSON("plan", "--dir", other).Plan[1].Action)
	asJSON("apply", "--dir", other, "--templates=false", "--prune")
	assert.Equal(t, "others", asJSON("status").Status[0].Name)
	assert.Equal(t, []string{"others"}, asJSON("delete", "others").Deleted)
	assert.Empty(t, asJSON("status").Status)
}
