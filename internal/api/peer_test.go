//go:build peers

package api_test

import (
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
	"github.com/orderflow/orderflow/internal/peers"
)

// Schemathesis makes requests of what the OpenAPI document says, good ones and bad ones,
// and sequences of them. It finds no answer of 500 or more, none that the document does not
// announce, none to a good request that is refused, and none to a bad one that is taken.
// Event streams, which do not end, are left out; times to wait are 0.
func TestPeerSchemathesisFindsNothing(t *testing.T) {
	elasticsearch, err := search.New(search.Config{Addr: "127.0.0.1:0", DataDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, elasticsearch.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, elasticsearch.Stop()) })
	base, _ := startEverything(t, nil, "http://"+elasticsearch.Addr())
	code, body := request(t, "PUT", base+"/v1/inventory/JUMPERS", `{"quantity":1000}`)
	require.Equal(t, http.StatusOK, code, body)
	dir := t.TempDir()
	config := filepath.Join(dir, "schemathesis.toml")
	require.NoError(t, os.WriteFile(config, []byte("[parameters]\ntimeout = 0\nwait = 0\n"), 0o600))
	python := peers.Python(t, "schemathesis==4.32.5")
	cmd := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(python), "schemathesis"), "--config-file", config,
		"run", base+"/openapi.json", "--exclude-path-regex", "stream$", "--checks", "all", "--max-examples", "30", "--warnings", "off", "--seed", "1",
		"--generation-database", "none", "--no-color", "--continue-on-failure")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	cases := regexp.MustCompile(`(\d{3,}) generated, (\d+) passed`).FindSubmatch(out)
	require.NotNil(t, cases, "%s", out)
	require.Equal(t, string(cases[1]), string(cases[2]), "%s", out)
	t.Logf("%s requests", cases[1])
}
