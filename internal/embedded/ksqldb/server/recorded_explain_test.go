package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pipelineStatement is a line of the recorded pipeline: a statement and its
// answer.
type pipelineStatement struct {
	SQL        string            `json:"sql"`
	Properties map[string]string `json:"streamsProperties"`
	Status     int               `json:"status"`
	Answer     json.RawMessage   `json:"answer"`
}

func pipelineStatements(t *testing.T, path string) []pipelineStatement {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var out []pipelineStatement
	for line := range strings.Lines(string(data)) {
		var s pipelineStatement
		require.NoError(t, json.Unmarshal([]byte(line), &s))
		out = append(out, s)
	}
	return out
}

var schemaIDPattern = regexp.MustCompile(`VALUE_SCHEMA_ID=\d+`)

// TestRecordedPlans compares the plans of the recorded pipeline's queries.
func TestRecordedPlans(t *testing.T) {
	folder := recordedArea(t, "pipeline")
	r := &replay{stack: newStack(t), ids: map[string]string{}, http: http.DefaultClient}
	r.applyTopics()
	ids := map[string]string{}
	for _, topic := range []string{"orders.v1", "order-validations.v1", "payments.v1"} {
		id, err := r.avro.LatestID(r.ctx, topic+"-value")
		require.NoError(t, err)
		ids[topic] = fmt.Sprintf("VALUE_SCHEMA_ID=%d", id)
	}
	for _, s := range pipelineStatements(t, filepath.Join(folder, "statements.jsonl")) {
		for topic, id := range ids {
			if strings.Contains(s.SQL, topic) {
				s.SQL = schemaIDPattern.ReplaceAllString(s.SQL, id)
			}
		}
		request, err := json.Marshal(map[string]any{"ksql": s.SQL, "streamsProperties": s.Properties})
		require.NoError(t, err)
		body, err := r.post("/ksql", string(request))
		require.NoError(t, err)
		require.NotContains(t, string(body), `"error_code"`, s.SQL)
		r.noteIDs(string(s.Answer), string(body))
	}
	compared := 0
	for _, s := range pipelineStatements(t, filepath.Join(folder, "describe.jsonl")) {
		if s.Status != http.StatusOK || !strings.HasPrefix(s.SQL, "EXPLAIN") {
			continue
		}
		request, err := json.Marshal(map[string]string{"ksql": r.withIDs(s.SQL)})
		require.NoError(t, err)
		body, err := r.post("/ksql", string(request))
		require.NoError(t, err)
		want, got := planOf(t, string(s.Answer)), planOf(t, string(body))
		assert.Equal(t, want.ExecutionPlan, got.ExecutionPlan, s.SQL)
		assert.Equal(t, want.Topology, got.Topology, s.SQL)
		compared++
	}
	assert.Positive(t, compared)
}

type planTexts struct {
	ExecutionPlan string `json:"executionPlan"`
	Topology      string `json:"topology"`
}

func planOf(t *testing.T, text string) planTexts {
	var answer []struct{ QueryDescription planTexts }
	require.NoError(t, json.Unmarshal([]byte(canonical(text)), &answer), text)
	return answer[0].QueryDescription
}
