package peers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Command is a server to start.
type Command struct {
	// Name is what messages call it; Path and Args are the program.
	Name string
	Path string
	Args []string
	// Env is added to the test's own environment.
	Env []string
	// Dir is the working folder; empty for one of the test's own.
	Dir string
	// Ready returns nil once the server can be used. It is asked again and again.
	Ready func(ctx context.Context) error
	// Timeout bounds the start; 0 means two minutes.
	Timeout time.Duration
}

// Process is a server that runs.
type Process struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
}

// Start starts a server, waits until it is ready and ends it with the test. When
// it does not become ready, or the test fails, the end of its output is shown.
func Start(t testing.TB, c Command) *Process {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Minute
	}
	p := &Process{log: filepath.Join(t.TempDir(), c.Name+".log"), exited: make(chan struct{})}
	out, err := os.Create(p.log)
	require.NoError(t, err)
	p.cmd = exec.Command(c.Path, c.Args...)
	p.cmd.Dir, p.cmd.Env = c.Dir, append(os.Environ(), c.Env...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	require.NoError(t, p.cmd.Start(), "starting %s", c.Name)
	require.NoError(t, out.Close())
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // how it ended is in its output
	}()
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("the end of what %s wrote:\n%s", c.Name, p.Output())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), c.Timeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.Ready(ctx)
		if err == nil {
			return p
		}
		select {
		case <-p.exited:
			require.FailNow(t, c.Name+" ended while it was starting")
		case <-ctx.Done():
			require.FailNow(t, c.Name+" did not become ready", "%v", err)
		case <-tick.C:
		}
	}
}

// answersOK makes a question whether a server is ready: it is when GET url says 200.
func answersOK(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, res.Status)
		}
		return nil
	}
}

// Stop asks the server to end and kills it when it has not ended after ten
// seconds. It may be called twice.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.exited:
	case <-time.After(10 * time.Second):
		p.Kill()
	}
}

// Kill ends the server at once, as kill -9 does, and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exited
}

// Output is the end of what the server wrote.
func (p *Process) Output() string {
	out, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return tail(out)
}
