package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asOrderflow makes the test binary be orderflow when it is started again by a
// test: a real process that can be killed.
const asOrderflow = "ORDERFLOW_TEST_BE_ORDERFLOW"

// lifeline is the descriptor of a pipe that a process started by a test has: it is
// at its end when the test's process is gone, however it went.
const lifeline = 3

func TestMain(m *testing.M) {
	if os.Getenv(asOrderflow) == "" {
		os.Exit(m.Run())
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.NewFile(lifeline, "lifeline"))
		os.Exit(1)
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.LookupEnv)
	stop()
	os.Exit(code)
}

// readyWithin is how long a start may take on a busy machine.
const readyWithin = 60 * time.Second

// process is orderflow running as a process of its own.
type process struct {
	cmd   *exec.Cmd
	addr  map[string]string // by the names that `up` prints
	ready chan struct{}     // closed when `up` says so; addr is complete then
	done  chan struct{}
	state error // of the process, once done is closed

	killed bool // by the test

	mu     sync.Mutex
	log    bytes.Buffer
	ending bool // it was asked to stop
}

func orderflow(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asOrderflow+"=1")
	cmd.Dir = t.TempDir()
	end, held, err := os.Pipe()
	require.NoError(t, err)
	cmd.ExtraFiles = []*os.File{end} // becomes descriptor 3
	t.Cleanup(func() {
		held.Close()
		end.Close()
	})
	return cmd
}

// freePorts are the flags that have every server take a free port.
func freePorts() []string {
	var args []string
	for _, flag := range []string{
		"api-listen", "fraud-listen", "kafka-listen", "schema-registry-listen",
		"connect-listen", "ksqldb-listen", "elasticsearch-listen",
	} {
		args = append(args, "--"+flag, "127.0.0.1:0")
	}
	return args
}

// startUp runs `orderflow up` on free ports and waits until it says that it is
// ready. The process is killed when the test ends.
func startUp(t *testing.T, dataDir string, args ...string) *process {
	t.Helper()
	all := append([]string{"up", "--data-dir", dataDir}, freePorts()...)
	p := launch(t, append(all, args...)...)
	p.awaitReady(t)
	return p
}

// launch starts a process. It is killed when the test ends.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: orderflow(t, args...), addr: map[string]string{}, done: make(chan struct{}), ready: make(chan struct{})}
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.cmd.Stderr = p
	// In a group of its own: should the test's process end while this one stands still,
	// the system wakes this one up and ends it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, p.cmd.Start())
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "orderflow is ready") {
				close(p.ready)
				break
			}
			if name, rest, ok := strings.Cut(lines.Text(), "  "); ok {
				p.addr[name] = strings.TrimSpace(rest)
			}
		}
		_, _ = io.Copy(p, stdout)
	}()
	go func() {
		<-read
		p.state = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		before := p.killed
		p.kill(t)
		if t.Failed() && !before {
			t.Logf("what orderflow wrote:\n%s", tail(p.output(), 8000))
		}
	})
	return p
}

// awaitReady waits until `orderflow up` says that it is ready.
func (p *process) awaitReady(t *testing.T) {
	t.Helper()
	select {
	case <-p.ready:
	case <-p.done:
		require.FailNow(t, "orderflow ended before it was ready", "%v\n%s", p.state, p.output())
	case <-time.After(readyWithin):
		require.FailNow(t, "orderflow is not ready", tail(p.output(), 8000))
	}
}

// Write collects what the process writes.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// kill ends the process as a crash would.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.killed = true
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		require.NoError(t, err)
	}
	<-p.done
}

// standStill has the process not run until goOn, unless it was asked to stop.
func (p *process) standStill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ending {
		_ = p.cmd.Process.Signal(syscall.SIGSTOP) // one that is gone stands still anyway
	}
}

// goOn has the process run on after standStill.
func (p *process) goOn() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// stop ends the process as a user would, and expects that it ends well.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.terminate(t)
	require.NoError(t, p.state, p.output())
}

// terminate ends the process as a user would.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	p.ending = true
	p.mu.Unlock()
	p.goOn()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
	case <-time.After(readyWithin):
		require.FailNow(t, "orderflow does not stop", tail(p.output(), 8000))
	}
}

func (p *process) api() string     { return strings.TrimSuffix(p.addr["orders API"], "/v1/orders") }
func (p *process) ksqldb() string  { return p.addr["ksqlDB"] }
func (p *process) elastic() string { return p.addr["Elasticsearch"] }
func (p *process) kafka() string   { return p.addr["Kafka"] }

func customersDB(dataDir string) string { return filepath.Join(dataDir, "customers.db") }
