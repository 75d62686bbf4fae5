package build_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Internal topics that records travel through have the names that they have on a
// real server, but for the numbers of queries.
func TestRecordedRepartitionTopics(t *testing.T) {
	dir := recordings(t, "pipeline")
	text, err := os.ReadFile(filepath.Join(dir, "topics-after-ddl.json"))
	require.NoError(t, err)
	var topics []struct{ Topic string }
	require.NoError(t, json.Unmarshal(text, &topics))
	number := regexp.MustCompile(`_\d+-`)
	var want, got []string
	for _, topic := range topics {
		if strings.HasSuffix(topic.Topic, "-repartition") {
			want = append(want, number.ReplaceAllString(topic.Topic, "-"))
		}
	}
	for _, q := range startPipeline(t, dir).Queries {
		for _, in := range q.Topology.Internal {
			got = append(got, number.ReplaceAllString(in.Name, "-"))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	require.NotEmpty(t, want)
	require.Equal(t, want, got)
}
