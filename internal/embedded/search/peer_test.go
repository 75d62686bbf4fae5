//go:build peers

package search_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
	"github.com/orderflow/orderflow/internal/peers"
)

// TestPeerElasticsearchAnswersTheSame sends the same requests to a real
// Elasticsearch and to this one and compares the answers field by field. They
// stand in testdata/peer: a line "METHOD /path", then the lines of the body, then
// an empty line; a line with # is a comment. A first comment "# differs: why"
// says that an answer may differ.
func TestPeerElasticsearchAnswersTheSame(t *testing.T) {
	real := peers.Elasticsearch(t)
	files, err := filepath.Glob(filepath.Join("testdata", "peer", "*.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			srv, err := search.New(search.Config{Addr: "127.0.0.1:0", ClusterName: "peer", NodeName: "peer-1", RefreshInterval: -1, Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			require.NoError(t, srv.Start(t.Context()))
			defer func() { require.NoError(t, srv.Stop()) }()
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			same, total := 0, 0
			for _, r := range parseRequests(string(raw)) {
				want, got := r.send(t, real), r.send(t, "http://"+srv.Addr())
				total++
				why := want.differsFrom(got)
				switch {
				case why == "":
					same++
				case r.differs == "":
					t.Errorf("%s %s\n%s\n%s differs: status %d\n%s\ninstead of status %d\n%s", r.method, r.path, r.body, why, got.status, got.body, want.status, want.body)
				}
			}
			t.Logf("%d of %d answers are the same", same, total)
			for _, index := range indicesOf(t, real) {
				peerRequest{method: http.MethodDelete, path: "/" + index}.send(t, real)
			}
		})
	}
}

// indicesOf lists the indexes of a server.
func indicesOf(t *testing.T, base string) []string {
	t.Helper()
	return strings.Fields(peerRequest{method: http.MethodGet, path: "/_cat/indices?h=index"}.send(t, base).body)
}

type peerRequest struct{ method, path, body, differs string }

func parseRequests(text string) []peerRequest {
	var list []peerRequest
	for block := range strings.SplitSeq(text, "\n\n") {
		r := peerRequest{}
		var body []string
		for line := range strings.Lines(block) {
			line = strings.TrimRight(line, "\n")
			switch {
			case strings.HasPrefix(line, "# differs: "):
				r.differs = strings.TrimPrefix(line, "# differs: ")
			case strings.HasPrefix(line, "#"), line == "" && r.method == "":
			case r.method == "":
				r.method, r.path, _ = strings.Cut(line, " ")
			default:
				body = append(body, line)
			}
		}
		if r.body = strings.Join(body, "\n"); strings.HasSuffix(strings.SplitN(r.path, "?", 2)[0], "_bulk") || strings.Contains(r.path, "_msearch") {
			r.body += "\n"
		}
		if r.method != "" {
			list = append(list, r)
		}
	}
	return list
}

type peerAnswer struct {
	status int
	body   string
}

func (r peerRequest) send(t *testing.T, base string) peerAnswer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.method, base+r.path, strings.NewReader(r.body))
	require.NoError(t, err)
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return peerAnswer{res.StatusCode, string(raw)}
}

func (want peerAnswer) differsFrom(got peerAnswer) string {
	if want.status != got.status {
		return "the status"
	}
	a, errA := decode(got.body)
	b, errB := decode(want.body)
	if errA != nil || errB != nil {
		if got.body != want.body {
			return fmt.Sprintf("the text (%v, %v)", errA, errB)
		}
		return ""
	}
	return compare("", a, b, nil)
}
