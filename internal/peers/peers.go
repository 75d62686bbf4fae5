// Package peers starts real servers and clients of other projects for tests: it
// fetches them from their registries (Maven Central, PyPI, npm) into a cache
// folder, starts them as processes on free ports, and ends them with the test.
//
// Only tests behind the build tag "peers" import it; `task test:peers` runs them.
//
// Invariants: what is fetched is pinned by version and fetched once, also by
// tests that run at the same time; a missing tool (java, mvn, python3, npm) fails
// the test, so that nothing passes without its peer.
package peers

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"
)

// Cache is the folder that fetched software stays in: ORDERFLOW_PEERS_CACHE, or
// else orderflow-peers in the user's cache folder.
func Cache(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("ORDERFLOW_PEERS_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		require.NoError(t, err, "finding the user's cache folder; name one in ORDERFLOW_PEERS_CACHE")
		dir = filepath.Join(user, "orderflow-peers")
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	return dir
}

// FreePort is a TCP port on 127.0.0.1 that nobody listens on at this moment. Use
// it only for programs that can't pick a port themselves.
func FreePort(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, ln.Close()) }()
	return ln.Addr().(*net.TCPAddr).Port
}

// FreeAddr is "127.0.0.1:" and a free port.
func FreeAddr(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(FreePort(t)))
}

// fetched returns the folder <cache>/<kind>-<hash of what>, after fill has filled
// it once. A fill that failed is tried again by the next test.
func fetched(t testing.TB, kind string, what []string, fill func(dir string)) string {
	t.Helper()
	sum := sha256.Sum256([]byte(strings.Join(what, "\n")))
	dir := filepath.Join(Cache(t), kind+"-"+hex.EncodeToString(sum[:6]))
	lock := flock.New(dir + ".lock")
	require.NoError(t, lock.Lock())
	defer func() { require.NoError(t, lock.Unlock()) }()
	done := filepath.Join(dir, ".fetched")
	if _, err := os.Stat(done); err == nil {
		return dir
	}
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	fill(dir)
	require.NoError(t, os.WriteFile(done, []byte(strings.Join(what, "\n")+"\n"), 0o644))
	return dir
}

// run runs a program to its end and fails the test, with what it printed, when it
// fails.
func run(t testing.TB, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %s:\n%s", name, strings.Join(args, " "), tail(out))
}

// tail is the end of a long output.
func tail(out []byte) string {
	const most = 8 << 10
	if len(out) > most {
		out = out[len(out)-most:]
	}
	return string(out)
}
