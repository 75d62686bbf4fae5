package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/simulation/seeds"
	"github.com/orderflow/orderflow/internal/verify"
)

const (
	// smallDisk is the size of the file system that runs full: the broker's margin and
	// some hundred orders.
	smallDisk = 500 << 20
	// littleSpace is less than the broker's margin.
	littleSpace = 200 << 20
	// fullDiskClients is how many clients order at once.
	fullDiskClients = 32
)

// TestUpOutlivesAFullDisk fills the file system under `up` while orders come, so far
// that the broker refuses records and so far that not a byte is left, and makes room
// again. Everything then goes on by itself, also after a kill amid it, and every order
// that was acknowledged is decided once. ORDERFLOW_DISKFULL_ROUNDS says how often.
func TestUpOutlivesAFullDisk(t *testing.T) {
	rounds := int(seeds.Number(t, "ORDERFLOW_DISKFULL_ROUNDS", 2))
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, fmt.Sprintf("size=%d", smallDisk)); err != nil {
		t.Skipf("a small file system can't be mounted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, 0)) })
	data := filepath.Join(disk, "data")
	p := startUp(t, data)
	require.Equal(t, http.StatusOK, call(t, http.MethodPut, p.api()+"/v1/inventory/JUMPERS", `{"quantity":1000000}`).status)

	load := &fullDiskLoad{claims: map[string][]verify.Order{}}
	load.start(t, p)
	load.await(t, 100)
	refused := 0
	for round := range rounds {
		left := int64(0)
		if round%2 == 0 {
			left = littleSpace
		}
		ballast := fill(t, disk, left)
		eventually(t, "the system says that the disk is full", func() bool {
			ready := call(t, http.MethodGet, p.api()+"/readyz", "")
			return ready.status == http.StatusServiceUnavailable && strings.Contains(string(ready.body), "disk")
		})
		known := load.oneOf(t)
		assert.Equal(t, http.StatusOK, call(t, http.MethodGet, p.api()+"/v1/orders/"+known, "").status, "what is there is shown")
		assert.Equal(t, http.StatusOK, call(t, http.MethodGet, p.api()+"/livez", "").status)
		assert.Equal(t, http.StatusOK, call(t, http.MethodGet, p.elastic()+"/_cat/indices", "").status)
		if rounds > 2 { // it takes as long as the API waits for Kafka
			order := fmt.Sprintf(`{"id":"refused-%d","customerId":1,"state":"CREATED","product":"JUMPERS","quantity":1,"price":1}`, round)
			answer := call(t, http.MethodPost, p.api()+"/v1/orders", order)
			// It may still find room: what is left of a page that has been taken, say.
			if answer.status != http.StatusCreated {
				refused++
				assert.Equal(t, http.StatusServiceUnavailable, answer.status)
				assert.NotEmpty(t, answer.header.Get("Retry-After"))
			}
		}
		require.NoError(t, os.Remove(ballast))
		load.await(t, 100)
		eventually(t, "the system is ready again", func() bool {
			return call(t, http.MethodGet, p.api()+"/readyz", "").status == http.StatusOK
		})
	}
	if rounds > 2 {
		assert.Greater(t, refused, rounds/2)
	}
	checkFullDisk(t, p, load)
	assert.Less(t, strings.Count(p.output(), "no space left on device"), 300*rounds, "the log isn't flooded")

	// A process that ends on a full disk, by a kill or in its time, is started again
	// once there is room, and not before.
	for _, end := range []func(*testing.T){p.kill, nil} {
		load.start(t, p)
		load.await(t, 50)
		ballast := fill(t, disk, 0)
		if end != nil {
			end(t)
		} else if rounds > 2 {
			began := time.Now()
			require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
			<-p.done
			assert.Less(t, time.Since(began), stopsWithin)
		} else {
			p.kill(t)
		}
		load.stop()
		again := launch(t, append([]string{"up", "--data-dir", data}, freePorts()...)...)
		select {
		case <-again.done:
		case <-time.After(readyWithin):
			require.FailNow(t, "orderflow goes on without a disk", again.output())
		}
		assert.Contains(t, again.output(), "too little disk space")
		assert.Contains(t, again.output(), "--data-dir")
		require.NoError(t, os.Remove(ballast))
		p = startUp(t, data)
		checkFullDisk(t, p, load)
	}
	p.stop(t)
}

// fill leaves so many bytes of a file system, and returns the file that takes the rest.
func fill(t *testing.T, dir string, left int64) (ballast string) {
	t.Helper()
	ballast = filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	require.NoError(t, err)
	zeros := make([]byte, 1<<20)
	for free := int64(1 << 62); free > left && err == nil; {
		if _, err = f.Write(zeros); err == nil && left > 0 {
			var stat syscall.Statfs_t
			require.NoError(t, syscall.Statfs(dir, &stat))
			free = int64(stat.Bavail) * stat.Bsize
		}
	}
	if err != nil {
		require.ErrorIs(t, err, syscall.ENOSPC)
	}
	require.NoError(t, f.Close())
	return ballast
}

// fullDiskLoad are clients that order, and what they were told.
type fullDiskLoad struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	orders int
	claims map[string][]verify.Order
}

func (l *fullDiskLoad) start(t *testing.T, p *process) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l.cancel = cancel
	for range fullDiskClients {
		l.done.Go(func() {
			for ctx.Err() == nil {
				l.order(ctx, p)
			}
		})
	}
}

// stop waits until the clients have given up.
func (l *fullDiskLoad) stop() {
	l.cancel()
	l.done.Wait()
}

// order posts an order until it is acknowledged.
func (l *fullDiskLoad) order(ctx context.Context, p *process) {
	l.mu.Lock()
	l.orders++
	o := verify.Order{
		ID: fmt.Sprintf("full-%d", l.orders), CustomerID: 1 + rand.Int64N(50), State: "CREATED",
		Product: "JUMPERS", Quantity: 1 + rand.Int32N(2), Price: 10,
	}
	l.mu.Unlock()
	body, err := json.Marshal(orderDocument(o))
	for err == nil && ctx.Err() == nil {
		req, reqErr := http.NewRequestWithContext(ctx, http.MethodPost, p.api()+"/v1/orders", bytes.NewReader(body))
		if reqErr != nil {
			return
		}
		req.Header.Set("Content-Type", "application/json")
		resp, sendErr := http.DefaultClient.Do(req)
		if sendErr != nil {
			return // the process ends: nobody knows what became of it
		}
		_, readErr := io.Copy(io.Discard, resp.Body)
		if errors.Join(readErr, resp.Body.Close()) == nil && (resp.StatusCode == http.StatusCreated || resp.StatusCode == http.StatusOK) {
			l.mu.Lock()
			l.claims[o.ID] = append(l.claims[o.ID], o)
			l.mu.Unlock()
			return
		}
	}
}

// await waits for so many more orders to be acknowledged.
func (l *fullDiskLoad) await(t *testing.T, more int) {
	t.Helper()
	until := l.acknowledged() + more
	eventually(t, "orders are taken", func() bool { return l.acknowledged() >= until })
}

func (l *fullDiskLoad) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.claims)
}

// oneOf returns an order that was acknowledged.
func (l *fullDiskLoad) oneOf(t *testing.T) string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.claims {
		return id
	}
	require.Fail(t, "no order was acknowledged")
	return ""
}

// checkFullDisk stops the load, waits until everything is worked off, and expects all to
// be as promised.
func checkFullDisk(t *testing.T, p *process, load *fullDiskLoad) {
	t.Helper()
	load.stop()
	reader, err := verify.NewReader(verify.Config{Brokers: []string{p.kafka()}, SchemaRegistry: p.addr["Schema Registry"]})
	require.NoError(t, err)
	var report *verify.Report
	eventually(t, "everything is worked off", func() bool {
		claims := verify.Claims{Orders: load.claims, MailUnknown: true}
		var err error
		claims.Fraud, err = verify.LookFraud(t.Context(), http.DefaultClient, p.ksqldb())
		require.NoError(t, err)
		claims.Table, err = verify.LookTable(t.Context(), http.DefaultClient, p.ksqldb())
		require.NoError(t, err)
		claims.Index, err = verify.LookIndex(t.Context(), http.DefaultClient, p.elastic())
		require.NoError(t, err)
		claims.Stock, err = verify.LookStock(t.Context(), http.DefaultClient, p.api())
		require.NoError(t, err)
		require.NoError(t, reader.Read(t.Context()))
		report = verify.Check(reader.History(), claims)
		return len(report.Open) == 0 && len(report.Broken) == 0
	})
	require.GreaterOrEqual(t, report.Decided, load.acknowledged())
	require.Equal(t, report.Orders, report.Decided)
	t.Logf("%d orders, %d of them acknowledged, %d decided", report.Orders, load.acknowledged(), report.Decided)
}
