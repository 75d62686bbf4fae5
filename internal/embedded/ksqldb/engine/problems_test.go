package engine

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
)

func TestRepeatedProblemsDoNotFloodTheLog(t *testing.T) {
	var out bytes.Buffer
	now := time.UnixMilli(0)
	l := newProblemLog(slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return now })
	report := func(query string) {
		l.add(query, exec.ProcessingError{Type: exec.RecordError, Step: "Aggregate", Topic: "t", Offset: 7, Message: "null key"})
	}
	lines := func() []string { return strings.Split(strings.TrimSpace(out.String()), "\n") }
	for range 100 {
		report("Q1")
	}
	require.Len(t, lines(), 1)
	require.Contains(t, lines()[0], "offset=7")
	report("Q2")
	require.Len(t, lines(), 2, "another query has a line of its own")

	now = now.Add(problemInterval)
	report("Q1")
	require.Len(t, lines(), 3)
	require.Contains(t, lines()[2], "others_since_last_line=99")

	l.forget("Q1")
	report("Q1")
	require.Contains(t, lines()[3], "others_since_last_line=0")
}
