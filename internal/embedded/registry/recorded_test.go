package registry_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/registry"
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
}

// body is the exact body of a message.
func (m message) body(t *testing.T) string {
	t.Helper()
	switch {
	case m.Text != nil:
		return *m.Text
	case m.JSON != nil:
		var b bytes.Buffer
		require.NoError(t, json.Compact(&b, m.JSON))
		return b.String()
	default:
		return ""
	}
}

// pairing is one recorded pair of schemas with its verdicts.
type pairing struct {
	Name     string             `json:"name"`
	Type     string             `json:"type"`
	Old      []string           `json:"old"`
	New      string             `json:"new"`
	Verdicts map[string]verdict `json:"verdicts"`
	Register map[string]struct {
		Status int `json:"status"`
		Body   *struct {
			Code    int    `json:"error_code"`
			Message string `json:"message"`
		} `json:"body"`
	} `json:"register"`
}

type verdict struct {
	Latest         bool     `json:"latest"`
	All            bool     `json:"all"`
	LatestMessages []string `json:"latest_messages"`
	AllMessages    []string `json:"all_messages"`
}

// TestRecordedRegistry replays what a Confluent Schema Registry answered. A unit
// is a line of a recording. knownFailures lists the lines that don't match, each
// with its reason; any other mismatch fails, and so does a line there that
// matches.
func TestRecordedRegistry(t *testing.T) {
	dir := filepath.Join(recordedDir(t), "registry")
	brk := startBroker(t)
	results := map[string]string{} // file:line -> why it doesn't match, "" when it does
	for _, file := range glob(t, dir, "rest") {
		replayRest(t, file, server(t, brk, "_schemas-"+filepath.Base(file)), results)
	}
	for _, file := range glob(t, dir, "compat") {
		replayCompat(t, file, server(t, brk, "_schemas-"+filepath.Base(file)), results)
	}
	matching := 0
	for unit, why := range results {
		reason, known := knownFailures[unit]
		switch {
		case why == "" && known:
			t.Errorf("%s matches now: take it off the list of known failures (%s)", unit, reason)
		case why != "" && !known:
			t.Errorf("%s: %s", unit, why)
		}
		if why == "" {
			matching++
		}
	}
	fmt.Printf("recorded/registry: %d of %d match\n", matching, len(results))
}

func recordedDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("ORDERFLOW_RECORDED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "recorded")
	}
	if _, err := os.Stat(filepath.Join(dir, "registry")); err != nil {
		t.Skipf("no recordings in %s: set ORDERFLOW_RECORDED to the folder that has them", dir)
	}
	return dir
}

func glob(t *testing.T, dir, sub string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, sub, "*.jsonl"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func startBroker(t *testing.T) *broker.Broker {
	t.Helper()
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Stop()) })
	return b
}

// server serves a registry on a topic of its own.
func server(t *testing.T, b *broker.Broker, topic string) string {
	t.Helper()
	r, err := registry.New(registry.Config{Brokers: []string{b.Addr()}, Topic: topic, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, r.Load(t.Context()))
	srv := httptest.NewServer(r.Handler())
	t.Cleanup(func() {
		srv.Close()
		require.NoError(t, r.Stop())
	})
	return srv.URL
}

func eachLine(t *testing.T, file string, f func(unit string, line []byte)) {
	t.Helper()
	raw, err := os.Open(file)
	require.NoError(t, err)
	defer raw.Close()
	scanner := bufio.NewScanner(raw)
	scanner.Buffer(nil, 16<<20)
	for n := 1; scanner.Scan(); n++ {
		f(fmt.Sprintf("%s/%s:%d", filepath.Base(filepath.Dir(file)), filepath.Base(file), n), scanner.Bytes())
	}
	require.NoError(t, scanner.Err())
}

func replayRest(t *testing.T, file, base string, results map[string]string) {
	t.Helper()
	eachLine(t, file, func(unit string, line []byte) {
		var x exchange
		require.NoError(t, json.Unmarshal(line, &x), unit)
		status, headers, body := request(t, base, x.Request)
		results[unit] = x.differs(t, status, headers, body)
		if results[unit] != "" {
			results[unit] = fmt.Sprintf("%s %s: %s", x.Request.Method, x.Request.Path, results[unit])
		}
	})
}

func request(t *testing.T, base string, m message) (int, http.Header, string) {
	t.Helper()
	var body io.Reader
	if text := m.body(t); text != "" {
		body = strings.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), m.Method, base, body)
	require.NoError(t, err)
	path, query, _ := strings.Cut(m.Path, "?")
	req.URL.Path, err = url.PathUnescape(path)
	require.NoError(t, err)
	req.URL.RawPath, req.URL.RawQuery = path, query
	for k, v := range m.Headers {
		req.Header.Set(k, v)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header, string(answer)
}

// differs says how an answer differs from the recorded one, "" when it doesn't.
func (x exchange) differs(t *testing.T, status int, headers http.Header, body string) string {
	t.Helper()
	if status != x.Response.Status {
		return fmt.Sprintf("status %d instead of %d: %s", status, x.Response.Status, body)
	}
	for _, h := range []string{"Content-Type", "Vary", "Allow"} {
		if got, want := headers.Get(h), x.Response.Headers[h]; got != want {
			return fmt.Sprintf("header %s is %q instead of %q", h, got, want)
		}
	}
	want := x.Response.body(t)
	if body == want || sameError(body, want) || sameSet(x.Request.Path, body, want) || sameScope(x.Request.Path, body, want) {
		return ""
	}
	return fmt.Sprintf("%s\ninstead of\n%s", body, want)
}

// sameError compares errors whose messages end with the words of a Java parser.
func sameError(got, want string) bool {
	type apiError struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}
	var g, w apiError
	if json.Unmarshal([]byte(got), &g) != nil || json.Unmarshal([]byte(want), &w) != nil || g.Code != w.Code || w.Code == 0 {
		return false
	}
	beginning := func(m string) string {
		switch {
		case w.Code == http.StatusBadRequest:
			return m[:min(len(m), len("Unexpected"))]
		case strings.Contains(w.Message, "JsonParseException"):
			m, _, _ = strings.Cut(m, ": Unrecognized")
			m, _, _ = strings.Cut(m, "JsonParseException")
			return m
		case strings.Contains(w.Message, "Could not parse Protobuf"):
			m, _, _ = strings.Cut(m, " - ")
			return m
		default:
			return m
		}
	}
	if w.Code == http.StatusBadRequest && strings.HasPrefix(w.Message, "Cannot") {
		return strings.HasPrefix(g.Message, "Cannot")
	}
	return beginning(g.Message) == beginning(w.Message)
}

// sameSet compares the lists of what has an id, which come in no order.
func sameSet(path, got, want string) bool {
	path, _, _ = strings.Cut(path, "?")
	if !strings.Contains(path, "/schemas/ids/") {
		return false
	}
	var g, w []json.RawMessage
	if json.Unmarshal([]byte(got), &g) != nil || json.Unmarshal([]byte(want), &w) != nil {
		return false
	}
	order := func(a, b json.RawMessage) int { return bytes.Compare(a, b) }
	slices.SortFunc(g, order)
	slices.SortFunc(w, order)
	return slices.EqualFunc(g, w, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
}

// sameScope compares the ids of clusters by their form.
func sameScope(path, got, want string) bool {
	form := func(text string) string {
		var v struct {
			Scope struct {
				Path     []string          `json:"path"`
				Clusters map[string]string `json:"clusters"`
			} `json:"scope"`
		}
		if json.Unmarshal([]byte(text), &v) != nil {
			return text
		}
		keys := []string{}
		for k := range v.Scope.Clusters {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return fmt.Sprint(v.Scope.Path, keys)
	}
	return path == "/v1/metadata/id" && form(got) == form(want)
}

var subjectName = regexp.MustCompile(`subject "[^"]*"`)

func replayCompat(t *testing.T, file, base string, results map[string]string) {
	t.Helper()
	n := 0
	eachLine(t, file, func(unit string, line []byte) {
		var p pairing
		require.NoError(t, json.Unmarshal(line, &p), unit)
		n++
		results[unit] = p.differs(t, base, fmt.Sprintf("s%d", n))
		if results[unit] != "" {
			results[unit] = p.Name + ": " + results[unit]
		}
	})
}

func (p pairing) differs(t *testing.T, base, subject string) string {
	t.Helper()
	call := func(method, path string, body any) (int, string) {
		text, err := json.Marshal(body)
		require.NoError(t, err)
		raw := string(text)
		status, _, answer := request(t, base, message{Method: method, Path: path, Text: &raw})
		return status, answer
	}
	schema := func(text string) map[string]string {
		return map[string]string{"schema": text, "schemaType": p.Type}
	}
	set := func(subject, level string) {
		status, answer := call(http.MethodPut, "/config/"+subject, map[string]string{"compatibility": level})
		require.Equal(t, http.StatusOK, status, answer)
	}
	register := func(subject string) {
		set(subject, "NONE")
		for _, old := range p.Old {
			status, answer := call(http.MethodPost, "/subjects/"+subject+"/versions", schema(old))
			require.Equal(t, http.StatusOK, status, answer)
		}
	}
	register(subject)
	for level, want := range p.Verdicts {
		set(subject, level)
		for path, expected := range map[string]bool{"/versions/latest": want.Latest, "/versions": want.All} {
			messages := want.LatestMessages
			if path == "/versions" && want.AllMessages != nil {
				messages = want.AllMessages
			}
			status, answer := call(http.MethodPost, "/compatibility/subjects/"+subject+path+"?verbose=true", schema(p.New))
			var got struct {
				Compatible bool     `json:"is_compatible"`
				Messages   []string `json:"messages"`
			}
			if status != http.StatusOK || json.Unmarshal([]byte(answer), &got) != nil {
				return fmt.Sprintf("%s%s: %d %s", level, path, status, answer)
			}
			if got.Compatible != expected || !slices.Equal(got.Messages, messages) {
				return fmt.Sprintf("%s%s: %s\ninstead of %v %q", level, path, answer, expected, messages)
			}
		}
	}
	for level, want := range p.Register {
		own := subject + "x" + level
		register(own)
		set(own, level)
		status, answer := call(http.MethodPost, "/subjects/"+own+"/versions", schema(p.New))
		if status != want.Status {
			return fmt.Sprintf("registering at %s: %d %s instead of %d", level, status, answer, want.Status)
		}
		if want.Body != nil {
			got := *want.Body
			require.NoError(t, json.Unmarshal([]byte(answer), &got))
			// The recorder named its subjects in another way.
			got.Message = subjectName.ReplaceAllString(got.Message, `subject ""`)
			want.Body.Message = subjectName.ReplaceAllString(want.Body.Message, `subject ""`)
			if got != *want.Body {
				return fmt.Sprintf("registering at %s: %v\ninstead of\n%v", level, got, *want.Body)
			}
		}
	}
	return ""
}
