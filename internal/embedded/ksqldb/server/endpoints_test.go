package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
)

// dial opens a websocket for a request to /ws/query.
func (s *stack) dial(parameters url.Values, origin string) (*websocket.Conn, *http.Response, error) {
	return websocket.Dial(s.ctx, "ws://"+s.server.Addr()+"/ws/query?"+parameters.Encode(), &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
}

// frames reads a websocket to its end.
func (s *stack) frames(conn *websocket.Conn) (frames []string, closed websocket.CloseError) {
	for {
		_, data, err := conn.Read(s.ctx)
		if err != nil {
			require.ErrorAs(s.t, err, &closed)
			return frames, closed
		}
		frames = append(frames, string(data))
	}
}

func requestOf(sql string) url.Values {
	text, _ := json.Marshal(map[string]any{"ksql": sql, "streamsProperties": map[string]string{"auto.offset.reset": "earliest"}})
	return url.Values{"request": {string(text)}}
}

func TestWebsocketsGiveColumnsRowsAndAnEnd(t *testing.T) {
	s := newStack(t)
	s.exec(clicks)
	s.exec("SET 'auto.offset.reset'='earliest'; CREATE TABLE sums AS SELECT user, SUM(n) AS total FROM clicks GROUP BY user;")
	s.exec("INSERT INTO clicks (user, n) VALUES ('ann', 1);")
	require.Eventually(t, func() bool { return len(s.rows("SELECT * FROM sums;")) == 1 }, patience, 1e6)
	for sql, want := range map[string][]string{
		"SELECT user, n FROM clicks EMIT CHANGES LIMIT 1;": {
			`[{"name":"USER","schema":{"type":"STRING","fields":null,"memberSchema":null}},{"name":"N","schema":{"type":"INTEGER","fields":null,"memberSchema":null}}]`,
			`{"row":{"columns":["ann",1]}}`, `{"error":"done"}`,
		},
		"SELECT * FROM sums WHERE user='ann';": {
			`[{"name":"USER","schema":{"type":"STRING","fields":null,"memberSchema":null},"type":"KEY"},{"name":"TOTAL","schema":{"type":"INTEGER","fields":null,"memberSchema":null}}]`,
			`{"row":{"columns":["ann",1]}}`, `{"error":"done"}`,
		},
	} {
		conn, _, err := s.dial(requestOf(sql), "")
		require.NoError(t, err)
		frames, closed := s.frames(conn)
		assert.Equal(t, want, frames, sql)
		assert.Equal(t, websocket.StatusNormalClosure, closed.Code)
		assert.Equal(t, "done", closed.Reason)
	}
	conn, _, err := s.dial(requestOf("PRINT clicks FROM BEGINNING LIMIT 1;"), "")
	require.NoError(t, err)
	frames, _ := s.frames(conn)
	require.Len(t, frames, 2)
	assert.Contains(t, frames[0], `"rowtime: `)
}

func TestWebsocketsRefuse(t *testing.T) {
	s := newStack(t)
	s.exec(clicks)
	for _, c := range []struct {
		parameters url.Values
		want       string
	}{
		{url.Values{}, "Error parsing request: missing request parameter"},
		{url.Values{"request": {"{"}}, "Error parsing request: Unexpected end-of-input"},
		{url.Values{"request": {`{"ksql":""}`}}, `"ksql\" field of`},
		{url.Values{"version": {"7"}}, "Received invalid api version: 7"},
		{requestOf("SHOW STREAMS;"), "Neither a query nor a print statement"},
		{requestOf("SELECT * FROM nothing EMIT CHANGES;"), "NOTHING does not exist"},
	} {
		conn, _, err := s.dial(c.parameters, "")
		require.NoError(t, err)
		frames, closed := s.frames(conn)
		require.Len(t, frames, 1, c.want)
		assert.Contains(t, frames[0], c.want)
		assert.Equal(t, websocket.StatusUnsupportedData, closed.Code)
		assert.LessOrEqual(t, len(closed.Reason), 123)
	}
	_, resp, err := s.dial(requestOf("SELECT * FROM clicks EMIT CHANGES;"), "http://other.example")
	require.Error(t, err, "pages of other origins have to be let in by a setting")
	assert.Equal(t, http.StatusForbidden, resp.StatusCode)
}

func TestAWebsocketThatIsClosedEndsItsQuery(t *testing.T) {
	s := newStack(t)
	s.exec(clicks)
	conn, _, err := s.dial(requestOf("SELECT * FROM clicks EMIT CHANGES;"), "")
	require.NoError(t, err)
	_, _, err = conn.Read(s.ctx)
	require.NoError(t, err)
	require.Len(t, s.runningQueries("PUSH"), 1)
	require.NoError(t, conn.CloseNow())
	assert.Eventually(t, func() bool { return len(s.runningQueries("PUSH")) == 0 }, patience, 1e6)
}

func TestRowsOfAStreamOfInsertsAreAcknowledgedInOrder(t *testing.T) {
	s := newStack(t)
	s.exec(clicks)
	const rows = 5000
	body, send := io.Pipe()
	go func() {
		fmt.Fprintln(send, `{"target":"clicks"}`)
		for i := range rows {
			fmt.Fprintf(send, "{\"user\":\"u%d\",\"n\":%d}\n", i, i)
		}
		fmt.Fprintln(send, `{"user":"last","n":"x"}`)
		_ = send.Close()
	}()
	client := h2cClient()
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, "http://"+s.server.Addr()+"/inserts-stream", body)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	acks := bufio.NewScanner(resp.Body)
	for i := range rows {
		require.True(t, acks.Scan())
		require.Equal(t, fmt.Sprintf(`{"seq":%d,"status":"ok"}`, i), acks.Text())
	}
	require.True(t, acks.Scan())
	assert.Contains(t, acks.Text(), fmt.Sprintf(`"status":"error","seq":%d,"message":"Can't coerce a field of type class java.lang.String into type INTEGER"`, rows))
	assert.False(t, acks.Scan())
	assert.Len(t, s.rows("SELECT * FROM clicks;"), rows)
}

func TestTerminatingTheClusterEmptiesTheMetastore(t *testing.T) {
	s := newStack(t)
	s.exec(clicks)
	s.exec("CREATE STREAM big AS SELECT * FROM clicks WHERE n > 5; CREATE STREAM bigger AS SELECT * FROM big WHERE n > 10; CREATE STREAM kept AS SELECT * FROM clicks;")
	resp, err := http.Post("http://"+s.server.Addr()+"/ksql/terminate", "application/json", strings.NewReader(`{"deleteTopicList":["BIG.*"]}`))
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, resp.StatusCode, string(body))
	assert.Contains(t, string(body), `"commandId":"cluster/TerminateCluster/terminate"`)
	streams, err := s.client.ListStreams(s.ctx)
	require.NoError(t, err)
	assert.Len(t, streams, 1, "the processing log alone")
	assert.Empty(t, s.runningQueries("PERSISTENT"))
	topics, err := kadm.NewClient(s.kafka).ListTopics(s.ctx)
	require.NoError(t, err)
	assert.False(t, topics.Has("BIG") || topics.Has("BIGGER"))
	assert.True(t, topics.Has("KEPT") && topics.Has("clicks"))
}

func TestPagesOfOtherOriginsAreLetInBySetting(t *testing.T) {
	s := newStack(t)
	ask := func(method, origin string) *http.Response {
		req, err := http.NewRequestWithContext(s.ctx, method, "http://"+s.server.Addr()+"/info", nil)
		require.NoError(t, err)
		req.Header.Set("Origin", origin)
		if method == http.MethodOptions {
			req.Header.Set("Access-Control-Request-Method", http.MethodPost)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp
	}
	assert.Empty(t, ask(http.MethodGet, "http://a.example").Header.Get("Access-Control-Allow-Origin"))
	require.NoError(t, s.server.Stop())
	s.properties = map[string]string{"access.control.allow.origin": "http://*.example"}
	s.start()
	resp := ask(http.MethodOptions, "http://a.example")
	assert.Equal(t, http.StatusNoContent, resp.StatusCode)
	assert.Equal(t, "GET,POST,HEAD", resp.Header.Get("Access-Control-Allow-Methods"))
	assert.Equal(t, "http://a.example", ask(http.MethodGet, "http://a.example").Header.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, http.StatusForbidden, ask(http.MethodGet, "http://b.elsewhere").StatusCode)
	conn, _, err := s.dial(url.Values{}, "http://a.example")
	require.NoError(t, err)
	require.NoError(t, conn.CloseNow())
}

func TestBodiesOfAnySizeAndFormAreAnswered(t *testing.T) {
	s := newStack(t)
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/ksql", `{"ksql":"` + strings.Repeat("x", 17<<20) + `"}`, http.StatusRequestEntityTooLarge},
		{"/ksql", strings.Repeat("[", 2000), http.StatusBadRequest},
		{"/query-stream", `{"sql":"` + strings.Repeat("(", 20000), http.StatusBadRequest},
		{"/ksql", `{"ksql":"SELECT ` + strings.Repeat("(", 20000) + `;"}`, http.StatusBadRequest},
		{"/close-query", "\xff\xfe", http.StatusBadRequest},
		{"/ksql", `{"ksql":"SHOW STREAMS;"} and more`, http.StatusOK},
		{"/ksql", `{"ksql":"SHOW STREAMS;","ksql":";"}`, http.StatusBadRequest},
	} {
		ctx, cancel := context.WithTimeout(s.ctx, patience)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.server.Addr()+c.path, strings.NewReader(c.body))
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err, "%.40s", c.body)
		require.NoError(t, resp.Body.Close())
		cancel()
		assert.Equal(t, c.status, resp.StatusCode, "%s %.40s", c.path, c.body)
	}
}
