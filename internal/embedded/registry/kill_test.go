package registry_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/registry"
)

// These variables make the test binary a registry, for tests that need a process to
// kill: over a broker of its own that keeps its data in a folder, or over the
// broker at an address.
const (
	childDir    = "REGISTRY_TEST_DATA_DIR"
	childBroker = "REGISTRY_TEST_BROKER"
)

func TestMain(m *testing.M) {
	dir, address := os.Getenv(childDir), os.Getenv(childBroker)
	if dir == "" && address == "" {
		os.Exit(m.Run())
	}
	if err := beRegistry(dir, address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func beRegistry(dir, address string) error {
	cfg := registry.Config{Addr: "127.0.0.1:0", Brokers: []string{address}, Shared: true, Logger: slog.New(slog.DiscardHandler)}
	if dir != "" {
		b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: dir, Logger: cfg.Logger})
		if err != nil {
			return err
		}
		if err := b.Start(context.Background()); err != nil {
			return err
		}
		cfg.Brokers, cfg.Shared = []string{b.Addr()}, false
	}
	r, err := registry.New(cfg)
	if err != nil {
		return err
	}
	if err := r.Start(context.Background()); err != nil {
		return err
	}
	fmt.Println(r.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin) // ends with the test
	return nil
}

// registryProcess starts such a registry and gives its address, and what kills it.
func registryProcess(t *testing.T, variable, value string) (addr string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+value)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = in.Close()
		_ = cmd.Wait() // it says that the process was killed
	})
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the registry did not start")
	return strings.TrimSpace(line), kill
}

// acknowledged is a schema that a client was told the id of.
type acknowledged struct {
	subject, text string
	id            int
}

// registerUntilKilled has clients register schemas: of their own, and ones that
// another client registers at the same time under another subject. When there were
// so many answers it kills the registry.
func registerUntilKilled(t *testing.T, addr string, round, enough int, kill func()) []acknowledged {
	t.Helper()
	const clients = 8
	var answers atomic.Int64
	var wg sync.WaitGroup
	told := make([][]acknowledged, clients)
	for c := range clients {
		client := srClient(t, addr)
		wg.Go(func() {
			for n := 0; ; n++ {
				a := acknowledged{subject: fmt.Sprintf("own-%d-%d", c, n%5), text: recordSchema(fmt.Sprintf("r%d_c%d_n%d", round, c, n)).Schema}
				if n%3 == 0 {
					a = acknowledged{subject: fmt.Sprintf("common-%d", c), text: recordSchema(fmt.Sprintf("r%d_n%d", round, n)).Schema}
				}
				id, err := client.RegisterSchema(t.Context(), a.subject, sr.Schema{Schema: a.text}, 0, 0)
				if err != nil {
					assert.Zero(t, code(err), "the registry refused a schema: %v", err)
					return
				}
				a.id = id
				told[c] = append(told[c], a)
				if answers.Add(1) == int64(enough) {
					kill()
				}
			}
		})
	}
	wg.Wait()
	var all []acknowledged
	for _, list := range told {
		all = append(all, list...)
	}
	require.GreaterOrEqual(t, len(all), enough)
	return all
}

// requireKept holds what a registry has against what clients were told.
func requireKept(t *testing.T, addr string, all []acknowledged) {
	t.Helper()
	ctx, client := t.Context(), srClient(t, addr)
	listed, err := client.AllSchemas(ctx)
	require.NoError(t, err)
	texts, ids, versions := map[int]string{}, map[string]int{}, map[string]int{}
	at := map[string]int{} // id by subject and text
	for _, s := range listed {
		if text, known := texts[s.ID]; known {
			require.Equal(t, text, s.Schema.Schema, "id %d stands for one schema", s.ID)
		}
		if id, known := ids[s.Schema.Schema]; known {
			require.Equal(t, id, s.ID, "a schema has one id: %s", s.Schema.Schema)
		}
		texts[s.ID], ids[s.Schema.Schema] = s.Schema.Schema, s.ID
		versions[s.Subject]++
		require.Equal(t, versions[s.Subject], s.Version, "%s has its versions without a gap", s.Subject)
		at[s.Subject+" "+s.Schema.Schema] = s.ID
	}
	for _, a := range all {
		require.Equal(t, a.id, at[a.subject+" "+a.text], "what was acknowledged is there: %s %s", a.subject, a.text)
	}
	for _, a := range all[max(0, len(all)-10):] {
		got, err := client.SchemaByID(ctx, a.id)
		require.NoError(t, err)
		assert.Equal(t, a.text, got.Schema)
		again, err := client.RegisterSchema(ctx, a.subject, sr.Schema{Schema: a.text}, 0, 0)
		require.NoError(t, err)
		assert.Equal(t, a.id, again)
	}
}

// A registry that is killed while clients register schemas has all that it
// acknowledged when it runs again, and no id stands for two schemas.
func TestAKillLosesNothing(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]func(t *testing.T) (variable, value string, kills int){
		"with its broker": func(t *testing.T) (string, string, int) { return childDir, t.TempDir(), 3 },
		// The next start waits until the killed one's lease is over.
		"over a broker that lives": func(t *testing.T) (string, string, int) { return childBroker, startBroker(t).Addr(), 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			variable, value, kills := where(t)
			var all []acknowledged
			for round := range kills {
				addr, kill := registryProcess(t, variable, value)
				if round == 0 {
					require.NoError(t, srClient(t, addr).SetCompatibility(t.Context(), sr.SetCompatibility{Level: sr.CompatNone})[0].Err)
				}
				requireKept(t, addr, all)
				all = append(all, registerUntilKilled(t, addr, round, 150+70*round, kill)...)
			}
			addr, _ := registryProcess(t, variable, value)
			requireKept(t, addr, all)
			t.Logf("%d schemas were acknowledged", len(all))
		})
	}
}
