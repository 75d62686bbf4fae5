package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

// migrationProject writes files into a folder of their own.
func migrationProject(t *testing.T, namesAndContents ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(namesAndContents); i += 2 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, namesAndContents[i]), []byte(namesAndContents[i+1]), 0o644))
	}
	return dir
}

// TestMigrateInScripts follows a project through all subcommands, by their JSON and
// exit codes.
func TestMigrateInScripts(t *testing.T) {
	run := startMigrationServers(t)
	dir := migrationProject(t,
		"V000001__a.sql", "CREATE STREAM a (k INT KEY, v INT) WITH (KAFKA_TOPIC='a', VALUE_FORMAT='JSON', PARTITIONS=1);\n",
		"V000002__b.sql", "CREATE STREAM b AS SELECT * FROM a;\nCREATE STREAM c AS SELECT nope FROM b;\n",
		"U000002__b.sql", "DROP STREAM b;\n")
	command := func(want int, args ...string) map[string]any {
		t.Helper()
		code, out, errs := run(append([]string{"migrate", "-o", "json", "--dir", dir}, args...)...)
		require.Equal(t, want, code, errs+out)
		var answer map[string]any
		require.NoError(t, json.Unmarshal([]byte(out), &answer), out)
		assert.EqualValues(t, want, answer["exitCode"])
		if want == 0 {
			assert.NotContains(t, answer, "error")
		}
		return answer
	}
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	problem := func(answer map[string]any) map[string]any { return answer["error"].(map[string]any) }
	result := func(answer map[string]any) map[string]any { return answer["result"].(map[string]any) }

	assert.Equal(t, false, result(command(0, "info"))["initialized"])
	plan := command(2, "plan")
	assert.Equal(t, "1 statements would fail", problem(plan)["message"])
	assert.Len(t, result(plan)["files"], 2)
	command(8, "plan", "--next", "--exit-code")

	refused := problem(command(2, "apply", "--all"))
	assert.Equal(t, "V000002__b.sql", refused["file"])
	assert.EqualValues(t, 2, refused["line"])
	assert.Contains(t, refused["message"], "no migration was applied")
	failed := command(3, "apply", "--all", "--skip-validation")
	assert.EqualValues(t, 40001, problem(failed)["ksqldbCode"])
	assert.Len(t, result(failed)["files"], 1)
	problems := result(command(0, "repair"))["problems"].([]any)
	require.Len(t, problems, 1)
	assert.EqualValues(t, 1, problems[0].(map[string]any)["resumption"].(map[string]any)["done"])

	// What was carried out is not planned again.
	write("V000002__b.sql", "CREATE STREAM b AS SELECT * FROM a;\nCREATE STREAM c AS SELECT k, v FROM b;\n")
	files := result(command(0, "plan"))["files"].([]any)
	statements := files[0].(map[string]any)["statements"].([]any)
	assert.Equal(t, "done", statements[0].(map[string]any)["verdict"])
	assert.Equal(t, "valid", statements[1].(map[string]any)["verdict"])
	applied := result(command(0, "apply", "--all"))
	assert.EqualValues(t, 1, applied["files"].([]any)[0].(map[string]any)["resumed"])
	assert.EqualValues(t, 2, applied["current"])
	assert.EqualValues(t, 2, result(command(0, "validate"))["applied"])
	command(0, "plan", "--exit-code")
	command(0, "drift")

	write("V000001__a.sql", "-- changed\nCREATE STREAM a (k INT KEY, v INT) WITH (KAFKA_TOPIC='a', VALUE_FORMAT='JSON', PARTITIONS=1);\n")
	changed := problem(command(4, "validate"))["applied"].([]any)
	assert.Contains(t, changed[0].(map[string]any)["diff"], "\n+-- changed\n")
	code, out, errs := run("migrate", "validate", "--dir", dir)
	assert.Equal(t, 4, code)
	assert.Contains(t, out, "--- V000001__a.sql (applied)\n+++ V000001__a.sql\n@@ -1 +1,2 @@\n+-- changed\n")
	assert.Contains(t, errs, "V000001__a.sql was changed after it was applied")
	command(0, "repair", "1", "--accept")
	command(0, "validate")

	command(2, "undo")
	write("U000002__b.sql", "DROP STREAM c;\nDROP STREAM b;\n")
	assert.EqualValues(t, 1, result(command(0, "undo"))["current"])
	code, out, errs = run("migrate", "drift", "--dir", dir)
	assert.Equal(t, 0, code, out+errs)
	command(0, "apply", "--all")
	write("V000003__c.sql", "INSERT INTO a (k) VALUES (${n});\n")
	undefined := problem(command(2, "apply", "--all"))
	assert.Contains(t, undefined["message"], "V000003__c.sql line 1:27: the variable n: it is not defined")
	command(0, "apply", "--all", "-d", "n=1")
	assert.Len(t, result(command(0, "destroy", "--yes"))["dropped"], 4)
	assert.Len(t, result(command(5, "drift"))["drift"], 3)
	command(1, "apply")
	command(1, "repair", "x", "--done")
	command(1, "repair", "--done")
}

func TestMigrateProgress(t *testing.T) {
	events := []migrate.Event{
		{File: migrate.File{Path: "V1"}, Total: 2}, {File: migrate.File{Path: "V1"}, Statement: "X;", Line: 3, Effect: migrate.Effect{Action: migrate.ActionDrop, Kind: "STREAM", Name: "X"}, Total: 2},
		{Done: true}, {File: migrate.File{Path: "V2"}, Index: 1, Total: 2}, {Waiting: 2}, {Waiting: 1}, {Waited: true},
	}
	const lines = "applying V1\n  1/2 line 3: drop stream X\ngoing on with V2 after 1 of 2 statements\n"
	for live, want := range map[bool]string{
		false: lines + "waiting until 2 new queries run\n",
		true:  lines + "\r\x1b[Kwaiting until 2 new queries run (1 s)\r\x1b[Kwaiting until 1 new queries run (2 s)\n",
	} {
		var out bytes.Buffer
		at := time.Time{}
		progress := migrateProgress{out: &out, live: live, now: func() time.Time {
			at = at.Add(time.Second)
			return at
		}}
		for _, e := range events {
			progress.observe(e)
		}
		assert.Equal(t, want, out.String())
	}
}

// TestMigrateExitCodesAreThoseOfTheDocumentation compares the list in the help with
// the table in the documentation.
func TestMigrateExitCodesAreThoseOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository, "docs", "migrations.md"))
	require.NoError(t, err)
	code, help, errs := runCommand(t, "http://127.0.0.1:1", "migrate", "--help")
	require.Equal(t, 0, code, errs)
	documented := regexp.MustCompile(`(?m)^\| ([0-9]) \|`).FindAllStringSubmatch(string(text), -1)
	told := regexp.MustCompile(`(?m)^  ([0-9])  `).FindAllStringSubmatch(help, -1)
	require.Len(t, documented, 9)
	require.Len(t, told, len(documented))
	for i := range told {
		assert.Equal(t, documented[i][1], told[i][1])
	}
}
