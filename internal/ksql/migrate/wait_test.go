package migrate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

func TestApplyWaitsUntilItsQueriesRun(t *testing.T) {
	tests := []struct {
		name       string
		states     []string // of the query, one an answer; the last stays
		wait       time.Duration
		notRunning []migrate.StalledQuery
	}{
		{"running", []string{"RUNNING"}, 0, nil},
		{"running after a while", []string{"ERROR", "UNRESPONSIVE", "RUNNING"}, 0, nil},
		{"paused", []string{"PAUSED"}, 0, nil},
		{"never", []string{"ERROR"}, time.Millisecond, []migrate.StalledQuery{
			{ID: "CSAS_B_1", State: "ERROR", Sinks: []string{"B"}, Errors: []string{"out of disk"}}}},
		{"not waited for", []string{"ERROR"}, -1, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newFakeKsqlDB(t)
			states := test.states
			server.queries = func() []any {
				state := states[0]
				if len(states) > 1 {
					states = states[1:]
				}
				return []any{
					map[string]any{"id": "CSAS_B_1", "sinks": []string{"B"}, "queryType": "PERSISTENT", "state": state},
					map[string]any{"id": "CSAS_X_1", "sinks": []string{"X"}, "queryType": "PERSISTENT", "state": "ERROR"},
				}
			}
			waited := false
			report, err := server.newMigrator(t, migrate.Config{QueryWait: test.wait,
				FS:      files("V000001__a.sql", "CREATE STREAM A;\nCREATE STREAM B AS SELECT * FROM A;"),
				Observe: func(e migrate.Event) { waited = waited || e.Waiting == 1 },
			}).Apply(t.Context(), all)
			require.NoError(t, err)
			assert.Equal(t, 1, report.Current)
			assert.Equal(t, test.notRunning, report.NotRunning)
			assert.Equal(t, len(test.states) > 1 || test.notRunning != nil, waited)
		})
	}
}
