package connect_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// exchange is one recorded request with its answer.
type exchange struct {
	Case     string
	Step     int
	Wait     string
	Request  message
	Response message
}

type message struct {
	Method  string
	Path    string
	Status  int
	Headers map[string]string
	JSON    json.RawMessage
	Text    *string
	// Same says that an answer lists only what differs from another step's.
	Same json.RawMessage
}

func (m message) body() []byte {
	if m.Text != nil {
		return []byte(*m.Text)
	}
	return m.JSON
}

// recordedFolder finds what a real worker answered.
func recordedFolder(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("ORDERFLOW_RECORDED")
	if dir == "" {
		dir = "../../../../shared/recorded"
	}
	dir = filepath.Join(dir, "connect")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no recordings in %s: set ORDERFLOW_RECORDED to their folder", dir)
	}
	return dir
}

func readLines(t *testing.T, path string) []exchange {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var list []exchange
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e exchange
		require.NoError(t, json.Unmarshal(lines.Bytes(), &e))
		list = append(list, e)
	}
	require.NoError(t, lines.Err())
	return list
}

// tally counts what matches and compares it with the known failures.
type tally struct {
	mu      sync.Mutex
	matched int
	total   int
	failed  map[string]string
}

func (c *tally) add(unit string, problem error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total++
	if problem == nil {
		c.matched++
		return
	}
	c.failed[unit] = problem.Error()
}

// The addresses in the recordings, and where they are here.
type mapping struct {
	s    *stack
	es   string
	unit string
}

func (m mapping) here(text string) string {
	return strings.NewReplacer("DIR", m.s.dir, "http://127.0.0.1:8081", m.s.registryURL, "http://localhost:9200", m.es).Replace(text)
}

func (m mapping) there(text string) string {
	return strings.NewReplacer(m.s.dir, "DIR", m.s.registryURL, "http://127.0.0.1:8081", m.es, "http://localhost:9200", m.s.server.Addr(), "127.0.0.1:8083").Replace(text)
}

// same compares JSON values; the order of lists of names and of offsets is not the
// real worker's to keep.
func same(want, got any) bool {
	w, wList := want.([]any)
	g, gList := got.([]any)
	if wList && gList {
		if len(w) != len(g) {
			return false
		}
		rest := slices.Clone(g)
		for _, x := range w {
			i := slices.IndexFunc(rest, func(y any) bool { return same(x, y) })
			if i < 0 {
				return false
			}
			rest = slices.Delete(rest, i, i+1)
		}
		return true
	}
	wm, wMap := want.(map[string]any)
	gm, gMap := got.(map[string]any)
	if wMap && gMap {
		if len(wm) != len(gm) {
			return false
		}
		for k := range wm {
			if !same(wm[k], gm[k]) && !(k == "kafka_offset" && sooner(wm[k], gm[k])) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(want, got)
}

// sooner reports whether a sink's offset is the recorded one or a later one: the
// recorded worker commits every 10 seconds, this one more often.
func sooner(want, got any) bool {
	w, wOK := want.(float64)
	g, gOK := got.(float64)
	return wOK && gOK && g >= w
}

func parse(raw []byte) any {
	if len(raw) == 0 {
		return nil
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	return v
}

var column = regexp.MustCompile(`column: \d+`)

// withoutFrames cuts the stack frames out of traces.
func withoutFrames(v any) any {
	switch v := v.(type) {
	case map[string]any:
		// The folder's name in a request moves what comes after it.
		if text, ok := v["message"].(string); ok {
			v["message"] = column.ReplaceAllString(text, "column: N")
		}
		if _, ok := v["last_modified"].(float64); ok {
			v["last_modified"] = 0.0
		}
		for k := range v {
			if text, ok := v[k].(string); ok && k == "trace" {
				var lines []string
				for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
					if !strings.HasPrefix(line, "\t") {
						lines = append(lines, line)
					}
				}
				v[k] = strings.Join(lines, "\n")
			} else {
				v[k] = withoutFrames(v[k])
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutFrames(v[i])
		}
	}
	return v
}

// recordedFlush is the offset.flush.interval.ms of the recorded worker.
const recordedFlush = 10 * time.Second

// settle is how long an answer may take to become the recorded one.
const settle = 15 * time.Second

// settleFor gives a unit that is known to differ less time.
func settleFor(unit string) time.Duration {
	if _, known := knownDifferences[unit]; known {
		return 300 * time.Millisecond
	}
	return settle
}

// ask sends a recorded request until the answer is the recorded one. A request that
// changes something is sent once.
func (m mapping) ask(e exchange, adapt func(any)) error {
	deadline := time.Now().Add(settleFor(m.unit))
	var look looking
	for {
		var body any
		if raw := e.Request.body(); raw != nil {
			body = []byte(m.here(string(raw)))
		}
		res := m.s.requestWith(e.Request.Method, e.Request.Path, body, e.Request.Headers)
		got := withoutFrames(parse([]byte(m.there(string(res.body)))))
		want := withoutFrames(parse(e.Response.body()))
		if adapt != nil {
			adapt(got)
			adapt(want)
		}
		if res.status == e.Response.Status && same(want, got) {
			return nil
		}
		if e.Request.Method != http.MethodGet || time.Now().After(deadline) {
			return fmt.Errorf("%s %s: got %d %s, recorded %d %s", e.Request.Method, e.Request.Path, res.status, short(got), e.Response.Status, short(want))
		}
		look.again()
	}
}

func short(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(raw) > 700 {
		raw = append(raw[:700], "…"...)
	}
	return string(raw)
}

func (s *stack) requestWith(method, path string, body any, headers map[string]string) response {
	s.t.Helper()
	var reader *bytes.Reader
	if raw, ok := body.([]byte); ok {
		reader = bytes.NewReader(raw)
	} else {
		reader = bytes.NewReader(nil)
	}
	req, err := http.NewRequest(method, "http://"+s.server.Addr()+path, reader)
	require.NoError(s.t, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	res, err := s.http.Do(req)
	require.NoError(s.t, err)
	defer res.Body.Close()
	var buf bytes.Buffer
	_, err = buf.ReadFrom(res.Body)
	require.NoError(s.t, err)
	return response{res.StatusCode, res.Header, buf.Bytes()}
}

// TestRecordedConnect compares the worker with what a real one answered, wrote and
// sent.
func TestRecordedConnect(t *testing.T) {
	dir := recordedFolder(t)
	counts := &tally{failed: map[string]string{}}
	t.Run("areas", func(t *testing.T) {
		t.Run("rest", func(t *testing.T) {
			t.Parallel()
			lines := readLines(t, filepath.Join(dir, "rest.jsonl"))
			synctest.Test(t, func(t *testing.T) { replayREST(t, lines, counts) })
		})
		t.Run("validate", func(t *testing.T) {
			t.Parallel()
			lines := readLines(t, filepath.Join(dir, "validate.jsonl"))
			synctest.Test(t, func(t *testing.T) { replayValidate(t, lines, counts) })
		})
		for _, area := range []string{"jdbc", "elasticsearch-sink"} {
			files, err := filepath.Glob(filepath.Join(dir, area, "*.json"))
			require.NoError(t, err)
			for _, file := range files {
				t.Run(area+"/"+strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
					t.Parallel()
					raw, err := os.ReadFile(file)
					require.NoError(t, err)
					// A decoded infinity stands in one file as JSON does not have it.
					raw = bytes.ReplaceAll(raw, []byte(": -Infinity"), []byte(`: "-Infinity"`))
					raw = bytes.ReplaceAll(raw, []byte(":-Infinity"), []byte(`:"-Infinity"`))
					var sc scenario
					require.NoError(t, json.Unmarshal(raw, &sc))
					unit := area + "/" + sc.Name
					synctest.Test(t, func(t *testing.T) { counts.add(unit, replayScenario(t, unit, sc)) })
				})
			}
		}
	})
	for _, unit := range slices.Sorted(keysOf(counts.failed)) {
		if reason, known := knownDifferences[unit]; !known {
			t.Errorf("%s: %s", unit, counts.failed[unit])
		} else if reason == "" {
			t.Errorf("%s: the list of known differences gives no reason", unit)
		}
	}
	for _, unit := range slices.Sorted(keysOf(knownDifferences)) {
		if _, failed := counts.failed[unit]; !failed {
			t.Errorf("%s matches: take it off the list of known differences", unit)
		}
	}
	fmt.Printf("recorded/connect: %d of %d match\n", counts.matched, counts.total)
}

func keysOf[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func replayREST(t *testing.T, lines []exchange, counts *tally) {
	s := newStackThatFlushes(t, recordedFlush)
	es := newFakeElasticsearch(s)
	for _, name := range []string{"rest.db", "rest-fail.db"} {
		s.exec(s.database(name), "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, name TEXT)", "INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (2, 'b')")
	}
	m := mapping{s: s, es: es.URL}
	for _, line := range lines {
		m.unit = fmt.Sprintf("rest/%d", line.Step)
		if strings.HasPrefix(line.Wait, "status of ") {
			m.awaitStatus(line.Wait)
		}
		if name, action, ok := strings.Cut(strings.TrimPrefix(line.Request.Path, "/connectors/"), "/"); ok && strings.HasPrefix(action, "restart?") {
			m.awaitSettled(name)
		}
		counts.add(m.unit, m.ask(line, func(v any) {
			root, ok := v.(map[string]any)
			if !ok {
				return
			}
			if root["kafka_cluster_id"] != nil {
				root["kafka_cluster_id"], root["commit"] = "", ""
			}
			if strings.HasSuffix(line.Request.Path, "/status") && !strings.HasPrefix(line.Wait, "status of ") {
				// Right after a change the state may be the one before or after.
				for _, part := range []string{"connector", "tasks", "state", "trace"} {
					delete(root, part)
				}
			}
		}))
	}
}

// awaitSettled waits until an earlier restart is over, before a request whose
// answer shows how the tasks stand.
func (m mapping) awaitSettled(name string) {
	var look looking
	for deadline := time.Now().Add(settle); time.Now().Before(deadline); look.again() {
		under := false
		for _, task := range m.s.status(name).Tasks {
			under = under || task.State == "RESTARTING" || task.State == "UNASSIGNED"
		}
		if !under {
			return
		}
	}
}

// awaitStatus waits for what the recorder waited for: "status of NAME: connector
// STATE, tasks STATE".
func (m mapping) awaitStatus(wait string) {
	rest, _ := strings.CutPrefix(wait, "status of ")
	name, states, _ := strings.Cut(rest, ": connector ")
	state, tasks, _ := strings.Cut(states, ", tasks ")
	deadline := time.Now().Add(settle)
	var look looking
	for time.Now().Before(deadline) {
		got := m.s.status(name)
		reached := state == "any" || got.Connector.State == state
		switch tasks {
		case "any":
		case "none":
			reached = reached && len(got.Tasks) == 0
		default:
			reached = reached && len(got.Tasks) > 0
			for _, task := range got.Tasks {
				reached = reached && task.State == tasks
			}
		}
		if reached {
			return
		}
		look.again()
	}
}

func replayValidate(t *testing.T, lines []exchange, counts *tally) {
	s := newStack(t)
	es := newFakeElasticsearch(s)
	m := mapping{s: s, es: es.URL}
	for _, line := range lines {
		if line.Response.Same != nil {
			counts.add(fmt.Sprintf("validate/%d", line.Step), m.askChanged(line))
			continue
		}
		counts.add(fmt.Sprintf("validate/%d", line.Step), m.ask(line, dropDocumentation))
	}
}

// dropDocumentation takes the descriptions out: they are not the real ones' words.
func dropDocumentation(v any) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "documentation")
		for _, x := range v {
			dropDocumentation(x)
		}
	case []any:
		for _, x := range v {
			dropDocumentation(x)
		}
	}
}

// askChanged compares an answer of which only changed values are recorded.
func (m mapping) askChanged(e exchange) error {
	res := m.s.requestWith(e.Request.Method, e.Request.Path, []byte(m.here(string(e.Request.body()))), e.Request.Headers)
	type answer struct {
		ErrorCount int `json:"error_count"`
		Configs    []struct {
			Value map[string]any
		}
	}
	var got, want answer
	if err := json.Unmarshal([]byte(m.there(string(res.body))), &got); err != nil {
		return fmt.Errorf("got %d %s", res.status, res.body)
	}
	if err := json.Unmarshal(e.Response.body(), &want); err != nil {
		return err
	}
	if got.ErrorCount != want.ErrorCount {
		return fmt.Errorf("got %d errors, recorded %d", got.ErrorCount, want.ErrorCount)
	}
	for _, w := range want.Configs {
		found := false
		for _, g := range got.Configs {
			if g.Value["name"] == w.Value["name"] {
				delete(w.Value, "recommended_values")
				delete(g.Value, "recommended_values")
				if !same(w.Value, g.Value) {
					return fmt.Errorf("got %s, recorded %s", short(g.Value), short(w.Value))
				}
				found = true
			}
		}
		if !found {
			return fmt.Errorf("the setting %v is missing", w.Value["name"])
		}
	}
	return nil
}
