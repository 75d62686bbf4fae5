package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/recordings"
)

// recordedEvents are the rows that a run added to MIGRATION_EVENTS.
func recordedEvents(t *testing.T, run recordings.Run) []string {
	var events []string
	for _, e := range run.Exchanges() {
		lines := strings.Split(strings.TrimSpace(e.Request), "\n")
		if len(lines) != 2 || lines[0] != `{"target":"MIGRATION_EVENTS"}` {
			continue
		}
		var row map[string]string
		require.NoError(t, json.Unmarshal([]byte(lines[1]), &row))
		events = append(events, migrationEvent(row))
	}
	return events
}

// migrationEvent is an event without its times, and the words in which an error
// is told.
func migrationEvent(row map[string]string) string {
	return fmt.Sprintf("%s: version %s (%s) %s after %s, checksum %s, started %v, completed %v, failed %v", row["VERSION_KEY"], row["VERSION"],
		row["NAME"], row["STATE"], row["PREVIOUS"], row["CHECKSUM"], row["STARTED_ON"] != "", row["COMPLETED_ON"] != "", row["ERROR_REASON"] != "N/A")
}

// repository is the way to the root of the repository.
const repository = "../.."

// TestRecordedClients gives the command lines of recorded runs of
// ksql-migrations to `orderflow migrate`, one after the other on one embedded
// server and on the same files, and compares how each ends, the metadata that it
// writes field by field, and what it shows. The runs of ksqlDB's CLI follow.
func TestRecordedClients(t *testing.T) {
	runs := recordings.Migrations(t, repository)
	url, _, command := startMigrationServersAt(t)
	client, err := ksql.New(ksql.Config{URL: url})
	require.NoError(t, err)
	defer client.Close()
	dir := t.TempDir()
	seen, matched := 0, 0
	for _, number := range sortedKeys(runs) {
		run := runs[number]
		if number == "51" {
			// Another project begins here.
			require.NoError(t, os.RemoveAll(filepath.Join(dir, "proj", "migrations")))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "proj", "migrations"), 0o755))
		}
		if number > "01" {
			writeRecordedFiles(t, runs, number, filepath.Join(dir, "proj", "migrations"))
		}
		ok := t.Run(number+" "+strings.Join(run.Args, " "), func(t *testing.T) {
			args := []string{"migrate"}
			for _, arg := range run.Args {
				if arg == "proj" || strings.HasPrefix(arg, "proj/") {
					arg = filepath.Join(dir, arg)
				}
				args = append(args, arg)
			}
			code, out, errs := command(args...)
			if run.ExitCode == 0 {
				assert.Equal(t, 0, code, errs)
			} else {
				assert.NotEqual(t, 0, code, out)
			}
			before := seen
			var events []string
			if events = migrationEvents(t, client); len(events) < before {
				before = 0
			}
			seen = len(events)
			want, got := recordedEvents(t, run), append([]string(nil), events[before:]...)
			if reason, more := moreThanRecorded[number]; more {
				t.Log(reason)
				require.Greater(t, len(got), len(want))
				for _, event := range got[len(want):] {
					assert.Contains(t, event, ") ERROR after ")
				}
				got = got[:len(want)]
			}
			assert.Equal(t, want, got)
			compareShown(t, run, dir, out+errs)
		})
		if ok {
			matched++
		}
	}
	shellsMatched, shells := runRecordedShells(t)
	fmt.Printf("recorded/clients: %d of %d match\n", matched+shellsMatched, len(runs)+shells)
}

// moreThanRecorded are the runs in which ours notes more than the tool.
var moreThanRecorded = map[string]string{
	"53": "a file without its last semicolon is noted as ERROR; ksql-migrations leaves it RUNNING",
}

// writeRecordedFiles makes the migration files what they were at a run.
func writeRecordedFiles(t *testing.T, runs map[string]recordings.Run, number, folder string) {
	printed := func(run string) {
		name, content := runs[run].File(t)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644))
	}
	second := filepath.Join(folder, "V000002__second.sql")
	switch {
	case number == "07":
		printed("09")
	case number == "08":
		for _, run := range []string{"11", "13", "16"} {
			printed(run)
		}
	case number == "19":
		printed("19")
	case number == "20":
		text, err := os.ReadFile(second)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(second, append(text, "-- changed\n"...), 0o644))
	case number == "21":
		printed("11")
		require.NoError(t, os.Remove(filepath.Join(folder, "V000001__first_stream.sql")))
	case number >= "52" && number <= "58":
		printed(number)
	}
}

func migrationEvents(t *testing.T, client *ksql.Client) []string {
	sources, err := client.ListStreams(t.Context())
	require.NoError(t, err)
	if !slices.ContainsFunc(sources, func(s ksql.Source) bool { return s.Name == "MIGRATION_EVENTS" }) {
		return nil
	}
	rows, err := client.Query(t.Context(), "SELECT * FROM MIGRATION_EVENTS;", nil)
	require.NoError(t, err)
	defer rows.Close()
	var events []string
	for rows.Next() {
		row := map[string]string{}
		for i, value := range rows.Values() {
			row[rows.Columns()[i].Name] = fmt.Sprint(value)
		}
		events = append(events, migrationEvent(row))
	}
	require.NoError(t, rows.Err())
	return events
}

var (
	commandName    = regexp.MustCompile(`(?m)^    ([a-z-]+) {2,}\S`)
	madeFile       = regexp.MustCompile(`(?m)^Creating (?:migration )?file: (\S+)$`)
	namedInFailure = regexp.MustCompile(`version (\d+)|Version: (\d+)|Expected checksum: (\w+)|properties file: (\S+)|'(SELECT|SHOW)' statements`)
)

// compareShown looks for what the tool showed in what ours shows: the commands of
// the help, the rows of info, the files made, and what a failure names.
func compareShown(t *testing.T, run recordings.Run, dir, shown string) {
	for _, match := range commandName.FindAllStringSubmatch(run.Stdout, -1) {
		assert.Contains(t, shown, match[1])
	}
	for _, match := range madeFile.FindAllStringSubmatch(run.Stdout, -1) {
		assert.FileExists(t, filepath.Join(dir, match[1]))
	}
	assert.Equal(t, infoRows(run.Stdout), infoRows(shown))
	if run.ExitCode != 0 {
		for _, match := range namedInFailure.FindAllStringSubmatch(run.Stdout, -1) {
			assert.Contains(t, shown, strings.Join(match[1:], ""))
		}
	}
}

// infoRows are version, name, state and previous version of each row of info, and
// the current version.
func infoRows(text string) []string {
	var rows []string
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "Current migration version: ") {
			rows = append(rows, line)
		}
		cells := strings.Split(line, "|")
		if len(cells) < 7 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, strings.Join(cells[:4], "|"))
	}
	return rows
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
