package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/order"
)

// overloaded checks that an answer says when to come back.
func (f *fixture) overloaded(a answer) {
	f.t.Helper()
	p := f.problem(a, http.StatusServiceUnavailable)
	assert.Equal(f.t, "1", a.header.Get("Retry-After"))
	assert.Contains(f.t, p.Detail, "as it takes on")
}

func TestWritesBeyondTheLimitAreToldToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newLimitedFixture(t, Limits{Writes: 1})
		f.publisher.gate = make(chan struct{})
		answers := make(chan answer, 2)
		post := func(id string) { answers <- f.do("POST", "/v1/orders", strings.Replace(goodOrder, "o-1", id, 1)) }
		go post("o-1")
		synctest.Wait()
		go post("o-2")
		synctest.Wait()
		start := time.Now()
		f.overloaded(f.do("POST", "/v1/payments", goodPayment))
		assert.Zero(t, time.Since(start), "the queue is full")
		f.overloaded(<-answers)
		assert.Equal(t, gatePatience, time.Since(start), "the one in the queue waited for its turn")
		close(f.publisher.gate)
		assert.Equal(t, http.StatusCreated, (<-answers).code)
		f.publisher.gate = nil
		assert.Equal(t, http.StatusCreated, f.do("POST", "/v1/orders", strings.Replace(goodOrder, "o-1", "o-2", 1)).code, "nothing of it was written before")
		assert.Len(t, f.publisher.orders, 2)
		assert.Contains(t, f.do("GET", "/metrics", "").body, `orderflow_api_overload_refusals_total{kind="writes"} 2`)
	})
}

func TestWaitersBeyondTheLimitAreToldToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newLimitedFixture(t, Limits{Waiters: 2})
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan answer, 2)
		for range 2 {
			go func() { done <- f.doContext(ctx, "GET", "/v1/orders/o-1?timeout=60000", "") }()
		}
		synctest.Wait()
		f.overloaded(f.do("GET", "/v1/orders/o-1/validated", ""))
		f.overloaded(f.do("GET", "/fraud?wait=5", ""))
		leave()
		<-done
		<-done
		assert.Zero(t, f.handlers.watch.count(), "a client that is gone waits no more")
		f.problem(f.do("GET", "/v1/orders/o-1?timeout=0", ""), http.StatusNotFound)
	})
}

// Ten thousand requests wait for as many orders at no cost but their memory, and each is
// answered with its record.
func TestTenThousandWait(t *testing.T) {
	const n = 10_000
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		var queries atomic.Int64
		all := make(chan struct{})
		f.handlers.orderLookups.find = func(context.Context, ...string) (map[string]order.Order, error) {
			queries.Add(1)
			<-all
			return nil, nil
		}
		var ended sync.WaitGroup
		var answered atomic.Int64
		for i := range n {
			ended.Go(func() {
				w := httptest.NewRecorder()
				f.router.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("/v1/orders/o-%d/validated?timeout=60000", i/2), nil))
				if w.Code == http.StatusOK {
					answered.Add(1)
				}
			})
		}
		synctest.Wait()
		require.Equal(t, n, f.handlers.watch.count())
		close(all)
		synctest.Wait()
		assert.LessOrEqual(t, queries.Load(), int64(n/lookupBatch+lookupQueries), "look-ups that come together are one query")
		start := time.Now()
		for i := range n / 2 {
			o := inState(goodOrderValue, order.Validated)
			o.ID = fmt.Sprintf("o-%d", i)
			f.handlers.watch.tell(o)
		}
		ended.Wait()
		assert.EqualValues(t, n, answered.Load())
		assert.Zero(t, time.Since(start))
		assert.Zero(t, f.handlers.watch.count())
	})
}

func TestLookupsThatComeTogetherAreOneQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var sizes []int
		release := make(chan struct{})
		l := newLookups(func(_ context.Context, ids ...string) (map[string]int, error) {
			mu.Lock()
			sizes = append(sizes, len(ids))
			mu.Unlock()
			<-release
			found := map[string]int{}
			for _, id := range ids {
				if id != "none" {
					found[id] = len(id)
				}
			}
			return found, errors.New("half of it")
		})
		var ended sync.WaitGroup
		get := func(id string, want int) {
			ended.Go(func() {
				v, ok, err := l.get(t.Context(), id)
				assert.Equal(t, want, v)
				assert.Equal(t, want > 0, ok)
				require.EqualError(t, err, "half of it")
			})
			synctest.Wait()
		}
		for range lookupQueries {
			get("first", 5)
		}
		for i := range 2 * lookupBatch {
			get(fmt.Sprintf("%03d", i%50), 3)
		}
		get("none", 0)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err := l.get(gone, "who has gone does not wait")
		require.ErrorIs(t, err, context.Canceled)
		close(release)
		ended.Wait()
		synctest.Wait()
		assert.Equal(t, []int{1, 1, 1, 1}, sizes[:lookupQueries])
		assert.ElementsMatch(t, []int{50, 50, 2}, sizes[lookupQueries:], "each id once in a query")
		assert.Zero(t, l.running)
	})
}

func TestTooManyLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l := newLookups(func(context.Context, ...string) (map[string]int, error) { <-release; return nil, nil })
		for range lookupQueries {
			go func() { _, _, _ = l.get(t.Context(), "a") }()
			synctest.Wait()
		}
		l.waiting = make([]*lookup[int], lookupQueue)
		for i := range l.waiting {
			l.waiting[i] = &lookup[int]{done: make(chan struct{})}
		}
		_, _, err := l.get(t.Context(), "b")
		var p *problem
		require.ErrorAs(t, err, &p)
		assert.Equal(t, http.StatusServiceUnavailable, p.Status)
		close(release)
		synctest.Wait()
	})
}

// A client that sends its body drop by drop, or without end, is cut off.
func TestSlowAndGiantBodies(t *testing.T) {
	s, _, _ := startService(t)
	send := func(head string, body io.Reader) (string, error) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr())
		require.NoError(t, err)
		_, err = io.WriteString(conn, head)
		require.NoError(t, err)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = io.Copy(conn, body)
		}()
		answer, err := io.ReadAll(conn)
		require.NoError(t, conn.Close())
		<-sent
		return string(answer), err
	}
	endless := strings.NewReader(strings.Repeat(" ", 8<<20))
	got, _ := send("POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000000000\r\n\r\n", endless)
	assert.True(t, strings.HasPrefix(got, "HTTP/1.1 413 "), "%.100s", got)
	assert.Less(t, endless.Size()-int64(endless.Len()), endless.Size(), "the rest is not read")
	got, _ = send("GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 200<<10), strings.NewReader(""))
	assert.True(t, strings.HasPrefix(got, "HTTP/1.1 431 "), "%.100s", got)
}

// deadlineWriter notes the deadline that is set before the answer.
type deadlineWriter struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (w *deadlineWriter) SetWriteDeadline(deadline time.Time) error {
	w.deadline = deadline
	return nil
}

func TestAnswersThatNobodyTakesEnd(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/v1/orders/o-1?timeout=0", "/v1/inventory", "/fraud", "/openapi.json", "/docs", "/nowhere"} {
		w := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
		f.router.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		assert.WithinDuration(t, time.Now().Add(answerTimeout), w.deadline, 5*time.Second, path)
	}
}
