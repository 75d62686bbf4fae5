package search_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// exchange is one recorded request with its answer.
type exchange struct {
	Step     int      `json:"step"`
	Request  message  `json:"request"`
	Response message  `json:"response"`
	Volatile []string `json:"volatile"`
}

type message struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	JSON    json.RawMessage   `json:"json"`
	Text    *string           `json:"text"`
	Encoded string            `json:"encoded"`
	Base64  []byte            `json:"base64"`
}

var repeated = regexp.MustCompile(`@repeat\((.),(\d+)\)`)

// expand writes out what the recording abbreviates.
func expand(text string) string {
	return repeated.ReplaceAllStringFunc(text, func(m string) string {
		parts := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[2])
		return strings.Repeat(parts[1], n)
	})
}

// body is the exact body of a message.
func (m message) body(t *testing.T) string {
	t.Helper()
	switch {
	case m.Base64 != nil:
		return string(m.Base64)
	case m.Text != nil:
		return expand(*m.Text)
	case m.JSON != nil:
		var b bytes.Buffer
		require.NoError(t, json.Compact(&b, m.JSON))
		return expand(b.String())
	default:
		return ""
	}
}

// TestRecordedElasticsearch replays what a real Elasticsearch answered. A unit is
// a line of a recording. known_failures.txt lists the lines that don't match,
// each with its reason; any other mismatch fails, and so does a line there that
// matches.
func TestRecordedElasticsearch(t *testing.T) {
	dir := os.Getenv("ORDERFLOW_RECORDED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "recorded")
	}
	files, err := filepath.Glob(filepath.Join(dir, "elasticsearch", "*.jsonl"))
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skipf("no recordings in %s: set ORDERFLOW_RECORDED to the folder that has them", dir)
	}
	known := knownFailures(t)
	matching, total := 0, 0
	for _, file := range files {
		replay(t, file, func(unit, why string) {
			total++
			reason, listed := known[unit]
			switch {
			case why == "":
				matching++
				if listed {
					t.Errorf("%s matches now: take it off the list of known failures (%s)", unit, reason)
				}
			case !listed:
				t.Errorf("%s: %s", unit, why)
			}
		})
	}
	fmt.Printf("recorded/elasticsearch: %d of %d match\n", matching, total)
}

// knownFailures reads lines like "search.jsonl:12 a reason".
func knownFailures(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "known_failures.txt"))
	require.NoError(t, err)
	known := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		unit, reason, ok := strings.Cut(line, " ")
		require.True(t, ok && reason != "", "a known failure without reason: %s", line)
		known[unit] = reason
	}
	return known
}

var notJSON = regexp.MustCompile(`"json":(\{[^{}]*\bNaN\b[^{}]*\})`)

// asText turns a body that stands in a recording as JSON but is none into text.
func asText(line []byte) []byte {
	return notJSON.ReplaceAllFunc(line, func(m []byte) []byte {
		text, _ := json.Marshal(string(m[len(`"json":`):]))
		return append([]byte(`"text":`), text...)
	})
}

// replay sends the requests of a file to a new server.
func replay(t *testing.T, file string, result func(unit, why string)) {
	t.Helper()
	srv, err := search.New(search.Config{
		ClusterName: "peer", NodeName: "peer-1", Logger: slog.New(slog.DiscardHandler),
		// The recorder's searches saw what it had refreshed.
		RefreshInterval: -1,
	})
	require.NoError(t, err)
	require.NoError(t, srv.Open())
	defer func() { require.NoError(t, srv.Stop()) }()
	raw, err := os.Open(file)
	require.NoError(t, err)
	defer raw.Close()
	scanner := bufio.NewScanner(raw)
	scanner.Buffer(nil, 16<<20)
	ids := strings.NewReplacer()
	for n := 1; scanner.Scan(); n++ {
		var x exchange
		require.NoError(t, json.Unmarshal([]byte(ids.Replace(string(asText(scanner.Bytes())))), &x))
		why := ""
		if x.Response.Status == 0 {
			if !closes(t, srv.Handler(), x.Request) {
				why = "the connection is not closed without an answer"
			}
		} else {
			res := send(t, srv.Handler(), x.Request)
			raw, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			res.Body = io.NopCloser(bytes.NewReader(raw))
			ids = contextIDs(raw, ids)
			why = x.differs(t, res)
		}
		if why != "" {
			why = fmt.Sprintf("%s %s: %s", x.Request.Method, x.Request.Path, why)
		}
		result(fmt.Sprintf("%s:%d", filepath.Base(file), n), why)
	}
	require.NoError(t, scanner.Err())
}

// contextIDs puts the id that an answer carries in the place of the recorder's
// names for the last one.
func contextIDs(raw []byte, last *strings.Replacer) *strings.Replacer {
	var a struct {
		Scroll string `json:"_scroll_id"`
		Point  string `json:"pit_id"`
		ID     string `json:"id"`
	}
	if json.Unmarshal(raw, &a) != nil || a.Scroll+a.Point+a.ID == "" {
		return last
	}
	return strings.NewReplacer("@SCROLL", a.Scroll, "@PIT", a.Point+a.ID)
}

// closes reports whether a request makes the server drop the connection.
func closes(t *testing.T, h http.Handler, m message) bool {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), m.Method, srv.URL+m.Path, strings.NewReader(m.body(t)))
	require.NoError(t, err)
	for k, v := range m.Headers {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err == nil {
		require.NoError(t, res.Body.Close())
	}
	return errors.Is(err, io.EOF)
}

func send(t *testing.T, h http.Handler, m message) *http.Response {
	t.Helper()
	body := []byte(m.body(t))
	if m.Encoded == "gzip" && len(body) > 0 {
		var b bytes.Buffer
		zip := gzip.NewWriter(&b)
		_, err := zip.Write(body)
		require.NoError(t, err)
		require.NoError(t, zip.Close())
		body = b.Bytes()
	}
	path, query, _ := strings.Cut(expand(m.Path), "?")
	decoded, err := url.PathUnescape(path)
	require.NoError(t, err)
	req := &http.Request{
		Method: m.Method, URL: &url.URL{Path: decoded, RawPath: path, RawQuery: query}, Host: "127.0.0.1:9200",
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	req = req.WithContext(t.Context())
	for k, v := range m.Headers {
		req.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Result()
}

// volatileNames are fields whose values differ from run to run.
var volatileNames = []string{
	"took", "index_uuid", "uuid", "cluster_uuid", "creation_date", "node", "_node", "_scroll_id", "pit_id",
	"total_size_in_bytes", "size_in_bytes", "total_data_set_size_in_bytes", "state_uuid", "max_content_length_in_bytes",
	"store.size", "pri.store.size", "dataset.size",
}

// differs says how an answer differs from the recorded one, "" when it doesn't.
func (x exchange) differs(t *testing.T, got *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	if got.Header.Get("Content-Encoding") == "gzip" {
		zip, err := gzip.NewReader(bytes.NewReader(raw))
		require.NoError(t, err)
		raw, err = io.ReadAll(zip)
		require.NoError(t, err)
	}
	if got.StatusCode != x.Response.Status {
		return fmt.Sprintf("status %d instead of %d: %s", got.StatusCode, x.Response.Status, raw)
	}
	for name, want := range x.Response.Headers {
		if v := got.Header.Get(name); v != want && !slices.Contains(x.Volatile, "/headers/"+name) {
			return fmt.Sprintf("header %s is %q instead of %q: %s", name, v, want, raw)
		}
	}
	want := x.Response.body(t)
	if slices.Contains(x.Volatile, "/text") || string(raw) == want {
		return ""
	}
	a, errA := decode(string(raw))
	b, errB := decode(want)
	if errA != nil || errB != nil || strings.Count(string(raw), "\n") != strings.Count(want, "\n") {
		return fmt.Sprintf("%s\ninstead of\n%s", raw, want)
	}
	volatile := map[string]bool{}
	for _, p := range x.Volatile {
		volatile[strings.TrimPrefix(p, "/json")] = true
	}
	if where := compare("", a, b, volatile); where != "" {
		return fmt.Sprintf("%s differs:\n%s\ninstead of\n%s", where, raw, want)
	}
	return ""
}

func decode(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// compare gives the pointer of the first difference, "" when there is none.
func compare(at string, got, want any, volatile map[string]bool) string {
	name := at[strings.LastIndex(at, "/")+1:]
	if volatile[at] || slices.Contains(volatileNames, name) {
		return ""
	}
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return at
		}
		if name == "nodes" && len(g) == 1 && len(want) == 1 { // by a made-up id
			for _, a := range g {
				for _, b := range want {
					return compare(at+"/*", a, b, volatile)
				}
			}
		}
		for k := range g {
			if _, ok := want[k]; !ok {
				return at + "/" + k
			}
		}
		for k, w := range want {
			v, ok := g[k]
			if !ok {
				return at + "/" + k
			}
			if where := compare(at+"/"+k, v, w, volatile); where != "" {
				return where
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return at
		}
		for i := range want {
			if where := compare(fmt.Sprintf("%s/%d", at, i), g[i], want[i], volatile); where != "" {
				return where
			}
		}
		return ""
	case json.Number:
		g, ok := got.(json.Number)
		if !ok {
			return at
		}
		a, errA := g.Float64()
		b, errB := want.Float64()
		if g == want || errA == nil && errB == nil && strings.Contains(string(want), ".") == strings.Contains(string(g), ".") && math.Abs(a-b) <= 1e-5*max(1, math.Abs(b)) && strings.Contains(string(want), ".") {
			return ""
		}
		return at
	default:
		if got != want {
			return at
		}
		return ""
	}
}

// waitFor waits until a condition holds.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 10*time.Second, 5*time.Millisecond, what)
}
