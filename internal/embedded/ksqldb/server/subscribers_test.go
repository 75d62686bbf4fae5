package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// write gives a topic's first partition a record.
func (s *stack) write(topic, value string) {
	s.t.Helper()
	require.NoError(s.t, s.kafka.ProduceSync(s.ctx, &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(value)}).FirstErr())
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestAThousandSubscribersGetEveryRowAndLeaveNothingBehind(t *testing.T) {
	const subscribers, rows = 1000, 20
	s := newStack(t)
	require.NoError(t, s.server.Stop())
	s.properties = map[string]string{"ksql.max.push.queries": fmt.Sprint(subscribers)}
	s.start()
	s.exec(clicks)
	s.exec("CREATE TABLE pages AS SELECT page, COUNT(*) AS n FROM clicks GROUP BY page;")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: subscribers}}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	// settled are the numbers between two rounds, once everything has come to rest.
	settled := func() (goroutines int, bytes uint64) {
		client.CloseIdleConnections()
		goroutines = runtime.NumGoroutine()
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			before := goroutines
			goroutines = runtime.NumGoroutine()
			assert.LessOrEqual(c, before, goroutines)
			assert.Empty(c, s.runningQueries("PUSH"))
		}, patience, 250*time.Millisecond)
		return goroutines, heap()
	}
	round := func(sql string, wanted int) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var opened, done sync.WaitGroup
		opened.Add(subscribers)
		for range subscribers {
			done.Go(func() {
				body := fmt.Sprintf(`{"sql":%q,"properties":{"auto.offset.reset":"latest"}}`, sql)
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.server.Addr()+"/query-stream", strings.NewReader(body))
				if !assert.NoError(t, err) {
					opened.Done()
					return
				}
				resp, err := client.Do(req)
				if !assert.NoError(t, err) {
					opened.Done()
					return
				}
				defer resp.Body.Close()
				lines := bufio.NewScanner(resp.Body)
				assert.True(t, lines.Scan(), "%v", lines.Err())
				opened.Done()
				for i := range wanted {
					if !assert.True(t, lines.Scan(), "row %d: %v", i, lines.Err()) {
						return
					}
				}
			})
		}
		opened.Wait()
		for i := range rows {
			s.write("clicks", fmt.Sprintf(`{"PAGE":"p%d","N":%d}`, i%3, i))
		}
		done.Wait()
	}
	const stream, table = "SELECT page, n FROM clicks WHERE n >= 10 EMIT CHANGES;", "SELECT * FROM pages EMIT CHANGES;"
	round(stream, rows/2) // what is made once and stays is made now
	goroutines, bytes := settled()
	round(stream, rows/2)
	round(table, 1)
	// What ends takes its time on a machine that is busy.
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		client.CloseIdleConnections()
		assert.LessOrEqual(c, runtime.NumGoroutine(), goroutines+10)
		assert.Less(c, heap(), bytes+4<<20, "of %d bytes before", bytes)
	}, patience, 250*time.Millisecond)
}

func TestTheNumberOfPushQueriesIsBounded(t *testing.T) {
	s := newStack(t)
	s.exec(clicks)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	for range 100 {
		_, lines := s.open(ctx, "SELECT * FROM clicks EMIT CHANGES;", nil)
		require.True(t, lines.Scan())
	}
	status, body := s.query("SELECT * FROM clicks EMIT CHANGES;")
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, "Current push query count: 100. Configured limit: 100.")
	cancel()
	require.Eventually(t, func() bool { return len(s.runningQueries("PUSH")) == 0 }, patience, 5*time.Millisecond, "a closed connection ends its query")
}

// query sends a query that is refused.
func (s *stack) query(sql string) (int, string) {
	s.t.Helper()
	resp, err := http.Post("http://"+s.server.Addr()+"/query-stream", "application/json", strings.NewReader(fmt.Sprintf(`{"sql":%q}`, sql)))
	require.NoError(s.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return resp.StatusCode, string(data)
}

func TestAClientThatReadsTooSlowlyIsToldSoAndHoldsUpNobody(t *testing.T) {
	s := newStack(t)
	require.NoError(t, s.server.Stop())
	s.slowClient = 50 * time.Millisecond
	s.start()
	s.exec(clicks)
	const sql = "SELECT page, n FROM clicks EMIT CHANGES;"
	conn, err := net.Dial("tcp", s.server.Addr())
	require.NoError(t, err)
	defer conn.Close()
	body := fmt.Sprintf(`{"sql":%q,"properties":{"auto.offset.reset":"latest"}}`, sql)
	_, err = fmt.Fprintf(conn, "POST /query-stream HTTP/1.0\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	require.NoError(t, err)
	slow := bufio.NewReader(conn)
	for {
		line, err := slow.ReadString('\n')
		require.NoError(t, err)
		if strings.HasPrefix(line, "{") {
			break
		}
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	_, fast := s.open(ctx, sql, nil)
	require.True(t, fast.Scan())

	page := strings.Repeat("x", 20_000)
	const rows, step = 1500, 20
	for i := 0; i < rows; i += step {
		records := make([]*kgo.Record, step)
		for j := range records {
			records[j] = &kgo.Record{Topic: "clicks", Key: []byte("k"), Value: fmt.Appendf(nil, `{"PAGE":%q,"N":%d}`, page, i+j)}
		}
		require.NoError(t, s.kafka.ProduceSync(s.ctx, records...).FirstErr())
		for j := range step {
			require.True(t, fast.Scan(), "row %d: %v", i+j, fast.Err())
		}
	}

	rest, err := io.ReadAll(slow)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(rest)), "\n")
	require.Less(t, len(lines), rows)
	var failure struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &failure))
	require.Equal(t, 50000, failure.Code)
	require.Contains(t, failure.Message, "its client reads too slowly")
	require.Eventually(t, func() bool { return len(s.runningQueries("PUSH")) == 1 }, patience, 5*time.Millisecond)
}
